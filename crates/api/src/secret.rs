//! `/v1/secrets` and `/v1/partner/secrets` on the wire (contract 01).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Describes a secret; not secret itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Metadata {
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub owner: Option<String>,
    pub custom: BTreeMap<String, String>,
}

/// The answer of a value read. The one wire type of secrets that carries a value: it neither prints nor clones.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SecretValue {
    pub path: String,
    pub secret_type: String,
    pub version: i64,
    /// As it was written: order of keys and text of numbers are kept.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    pub metadata: Metadata,
    pub created_at: String,
    pub updated_at: String,
    pub expires_at: Option<String>,
    pub rotation_policy_id: Option<String>,
    pub secret_policy_id: Option<String>,
    pub version_created_at: String,
    pub is_current: bool,
    pub readable_until: Option<String>,
}

/// A first write: 201.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretCreated {
    pub path: String,
    pub secret_type: String,
    pub version: i64,
    pub created: bool,
    pub created_at: String,
    pub expires_at: Option<String>,
}

/// A further version: 200.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretUpdated {
    pub path: String,
    pub version: i64,
    pub created: bool,
    pub previous_version: i64,
    pub updated_at: String,
    /// Only when the write counts as a rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period_ends: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotationState {
    pub id: String,
    pub next_rotation: Option<String>,
    pub last_rotated_at: Option<String>,
    pub status: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretOptions {
    pub max_versions: i64,
    pub expires_in: Option<String>,
    pub notify_before: String,
}

/// Everything about a secret but its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretMetadata {
    pub path: String,
    #[serde(flatten)]
    pub details: SecretDetails,
}

/// Everything about a secret but its path and its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretDetails {
    pub secret_type: String,
    pub current_version: i64,
    pub version_count: i64,
    pub metadata: Metadata,
    pub created_at: String,
    pub updated_at: String,
    pub expires_at: Option<String>,
    pub last_accessed_at: Option<String>,
    pub access_count_30d: i64,
    pub rotation_policy: Option<RotationState>,
    pub secret_policy_id: Option<String>,
    pub options: SecretOptions,
    pub deleted_at: Option<String>,
    pub recoverable_until: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretVersion {
    pub version: i64,
    pub created_at: String,
    pub is_current: bool,
    /// `current`, `available`, `grace` or `retired`.
    pub state: String,
    pub readable_until: Option<String>,
    pub created_by: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretVersions {
    pub path: String,
    pub versions: Vec<SecretVersion>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretItem {
    pub path: String,
    pub secret_type: String,
    pub version: i64,
    pub updated_at: String,
    pub expires_at: Option<String>,
    pub tags: Vec<String>,
    /// Only with `include_deleted`, on what is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recoverable_until: Option<String>,
}

/// An item of a list with `include_metadata=true`: the minimal item and every field of the metadata.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretFullItem {
    pub version: i64,
    pub tags: Vec<String>,
    #[serde(flatten)]
    pub metadata: SecretMetadata,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SecretListItem {
    Full(Box<SecretFullItem>),
    Minimal(SecretItem),
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretList {
    pub secrets: Vec<SecretListItem>,
    /// Only with `delimiter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_prefixes: Option<Vec<String>>,
    pub cursor: Option<String>,
    pub has_more: bool,
    pub total_count: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExpiringSecret {
    pub path: String,
    pub expires_at: String,
    /// Whole days, rounded up; 0 or less when expired.
    pub days_remaining: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExpiringSecrets {
    pub secrets: Vec<ExpiringSecret>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// Of a soft or a permanent delete.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretDeleted {
    pub path: String,
    pub deleted: bool,
    pub permanent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recoverable_until: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VersionDeleted {
    pub path: String,
    pub version: i64,
    pub deleted: bool,
    pub current_version: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretRotated {
    pub path: String,
    pub version: i64,
    pub previous_version: i64,
    pub rotated_at: String,
    pub grace_period_ends: String,
    pub generated: bool,
    pub expires_at: Option<String>,
}

/// Body of move.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretMove {
    pub destination: String,
    /// Both paths are folders: every live secret below the one goes below the other, at most 1,000.
    #[serde(default)]
    pub recursive: bool,
}

/// Body of copy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretCopy {
    pub destination: String,
    /// Both paths are folders: every live secret below the one is copied below the other, at most 1,000.
    #[serde(default)]
    pub recursive: bool,
    /// Default true; false takes the current version alone, as version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_versions: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Relocation {
    pub from: String,
    pub to: String,
    pub version: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretsMoved {
    pub moved: Vec<Relocation>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretsCopied {
    pub copied: Vec<Relocation>,
}

/// `metadata` of a request: absent leaves a field, `null` clears it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataChange {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    pub tags: Option<Option<Vec<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>, max_length = 256)]
    pub owner: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub custom: Option<Option<BTreeMap<String, String>>>,
}

/// `options` of a request: absent leaves a field, `null` clears it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptionsChange {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 100)]
    pub max_versions: Option<Option<i64>>,
    /// A duration from now, such as `90d`; remembered and renewed by later writes.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub expires_in: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub rotation_policy_id: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub secret_policy_id: Option<Option<String>>,
    /// Durations ahead of the expiry, comma-separated or as a list.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub notify_before: Option<Option<String>>,
    /// Only on PUT; 0 = must not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}

/// Body of PUT. Carries a value: it neither prints nor clones.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretWrite {
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_type: Option<String>,
    #[serde(default)]
    pub metadata: MetadataChange,
    #[serde(default)]
    pub options: OptionsChange,
}

/// Body of PATCH.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretPatch {
    #[serde(default)]
    pub metadata: MetadataChange,
    #[serde(default)]
    pub options: OptionsChange,
}

/// Body of rotate. May carry a value: it neither prints nor clones.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub new_value: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<String>,
}
