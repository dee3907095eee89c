//! Secrets: one file an operation, and here what they share.

mod batch_metadata;
mod batch_read;
mod delete;
pub(crate) mod expiry;
pub(crate) mod life;
mod list;
mod metadata;
mod patch;
mod read;
mod relocate;
mod restore;
pub(crate) mod rotate;
pub(crate) mod version;
mod versions;
pub(crate) mod write;

pub use batch_metadata::{ManyMetadata, ReadManyMetadata};
pub use batch_read::{ReadSecrets, ReadWithMetadata, ValueWithMetadata};
pub use delete::{Delete, DeleteSecret, DeleteVersion, Deleted, DeletedSecret, DeletedVersion};
pub use list::{ExpiringPage, ExpiringSecrets, ListFilter, ListItem, ListPage, ListSecrets, Sort};
pub use metadata::{ReadMetadata, RotationStatus, SecretOverview};
pub use patch::PatchSecret;
pub use read::{ReadSecret, SecretValue, Select, ValueRead};
pub use relocate::{CopySecrets, Journey, MoveSecrets, Relocated};
pub use restore::RestoreSecret;
pub use rotate::{NewValue, RotateSecret, Rotated};
pub use scaivault_store::secret_list::Criteria;
pub use versions::{ListVersions, VersionEntry, VersionList};
pub use write::{Attach, OptionsChange, WriteSecret, Written};

use std::sync::Arc;

use scaivault_domain::access::SecretScope;
use scaivault_domain::path::SecretPath;
use scaivault_domain::time::Timestamp;
use scaivault_store::secret::{self, Presence, SecretRecord, Trash};
use scaivault_store::{Database, WriteTx, key};

use crate::context::Work;
use crate::error::{Code, Error, Outage, Result};
use crate::keyring::KeySet;

/// `If-Match`: which version the caller believes is current (contract 00 section 7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IfMatch {
    #[default]
    Anything,
    /// `*`: the secret must exist.
    Exists,
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// # Errors
    /// `version_conflict` naming the current version (0 = nothing there).
    pub(crate) fn check(&self, current: Option<i64>) -> Result<()> {
        let holds = match self {
            Self::Anything => true,
            Self::Exists => current.is_some(),
            Self::OneOf(versions) => current.is_some_and(|current| versions.contains(&current)),
        };
        if holds { Ok(()) } else { Err(version_conflict(current.unwrap_or(0))) }
    }
}

pub(crate) fn version_conflict(current: i64) -> Error {
    let message = match current {
        0 => "Nothing is stored at this path; read again and retry".to_owned(),
        current => format!("The secret is at version {current} now; read it again and retry"),
    };
    Error::new(Code::VersionConflict, message).with("current_version", current)
}

pub(crate) fn not_found(path: &SecretPath) -> Error {
    Error::new(Code::SecretNotFound, format!("Secret '{path}' not found")).with("path", path.as_str())
}

pub(crate) fn version_not_found(path: &SecretPath, version: Option<i64>) -> Error {
    let error = match version {
        Some(version) => Error::new(Code::VersionNotFound, format!("Version {version} of secret '{path}' not found"))
            .with("version", version),
        None => Error::new(Code::VersionNotFound, format!("Secret '{path}' has no version of that time")),
    };
    error.with("path", path.as_str())
}

pub(crate) fn deleted(trash: Trash) -> Error {
    let until = trash.recoverable_until.to_rfc3339_seconds();
    let message = format!("A deleted secret lies at this path until {until}; restore it, or delete it permanently");
    Error::new(Code::SecretExists, message).with("recoverable_until", until)
}

pub(crate) fn expired(record: &SecretRecord, at: Timestamp) -> Error {
    let end = at.to_rfc3339_seconds();
    Error::new(Code::SecretExpired, format!("Secret '{}' expired at {end}; write a new value to renew it", record.path))
        .with("path", record.path.as_str())
        .with("expires_at", end)
}

/// The secret at a path, if it is there and not deleted.
pub(crate) fn live(
    db: &mut impl Database,
    scope: &SecretScope,
    path: &SecretPath,
    now: Timestamp,
) -> Result<SecretRecord> {
    match secret::look(db, scope, path, now)? {
        Presence::Live(record) => Ok(record),
        Presence::Absent | Presence::Deleted(..) => Err(not_found(path)),
    }
}

/// The path a permit was given for.
pub(crate) fn permitted_path(permit: &scaivault_domain::access::Permit) -> Result<&SecretPath> {
    permit.path().ok_or_else(|| Error::internal("an operation on a secret has no path"))
}

/// The keys to seal with. They were fetched before this transaction: sealed under one that was destroyed meanwhile, a value would
/// be lost.
pub(crate) fn sealing_keys(tx: &mut WriteTx<'_>, work: &Work<'_>, scope: &SecretScope) -> Result<Arc<KeySet>> {
    let keys = work.secret_keys(scope)?;
    if !key::exists(tx, keys.sealing_id()?)? {
        return Err(Error::unavailable(Outage::Kms, "the sealing key is gone"));
    }
    Ok(keys)
}
