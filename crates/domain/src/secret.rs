//! What a secret is besides its value (contract 01 sections 1 and 7).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A hint of the payload's shape; nothing depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretType {
    ApiKey,
    Certificate,
    Json,
    Kv,
    SshKey,
}

impl SecretType {
    pub const ALL: [Self; 5] = [Self::Kv, Self::Json, Self::Certificate, Self::SshKey, Self::ApiKey];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Certificate => "certificate",
            Self::Json => "json",
            Self::Kv => "kv",
            Self::SshKey => "ssh_key",
        }
    }
}

/// Versions kept when nobody says otherwise.
pub const DEFAULT_MAX_VERSIONS: i64 = 10;
/// When `secret.expiring` is sent ahead of `expires_at`, unless told otherwise.
pub const DEFAULT_NOTIFY_BEFORE: &str = "30d,7d,1d";
/// Grace of a rotation for which neither request nor policy names one: 48 hours.
pub const DEFAULT_GRACE_SECONDS: i64 = 48 * 3600;

/// What describes a secret. Not secret itself: stored in the clear and searchable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub owner: Option<String>,
    pub custom: BTreeMap<String, String>,
}

/// A change to [`Metadata`]: `None` leaves a field, `Some` of its empty value clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataPatch {
    pub description: Option<Option<String>>,
    pub tags: Option<Vec<String>>,
    pub owner: Option<Option<String>>,
    pub custom: Option<BTreeMap<String, String>>,
}

impl MetadataPatch {
    /// Lays the change over `current` and answers the names of the fields that were given.
    pub fn apply(&self, current: &mut Metadata) -> Vec<&'static str> {
        let mut changed = Vec::new();
        if let Some(description) = &self.description {
            current.description.clone_from(description);
            changed.push("metadata.description");
        }
        if let Some(tags) = &self.tags {
            current.tags = folded(tags);
            changed.push("metadata.tags");
        }
        if let Some(owner) = &self.owner {
            current.owner.clone_from(owner);
            changed.push("metadata.owner");
        }
        if let Some(custom) = &self.custom {
            current.custom.clone_from(custom);
            changed.push("metadata.custom");
        }
        changed
    }
}

/// Duplicates folded, order kept.
fn folded(tags: &[String]) -> Vec<String> {
    let mut seen = Vec::with_capacity(tags.len());
    for tag in tags {
        if !seen.contains(tag) {
            seen.push(tag.clone());
        }
    }
    seen
}

/// When a secret stops being readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpiryChange {
    /// An absolute time; a remembered duration is forgotten.
    At(Timestamp),
    /// A duration from the write, remembered for later writes.
    In(crate::duration::Span),
    /// Both cleared.
    Never,
}

/// The life of one stored version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    Available,
    Current,
    Grace,
    Retired,
}

impl VersionState {
    /// A current version is readable whatever end it once had; others until `readable_until`.
    pub fn of(is_current: bool, readable_until: Option<Timestamp>, now: Timestamp) -> Self {
        match readable_until {
            _ if is_current => Self::Current,
            None => Self::Available,
            Some(end) if now < end => Self::Grace,
            Some(_) => Self::Retired,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Current => "current",
            Self::Grace => "grace",
            Self::Retired => "retired",
        }
    }
}
