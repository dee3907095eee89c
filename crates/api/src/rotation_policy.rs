//! `/v1/rotation` on the wire (contract 04 sections 1 and 2).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationPolicy {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub interval: String,
    pub interval_seconds: i64,
    pub grace_period: String,
    /// Comma-separated, longest first; null for none.
    pub warn_before: Option<String>,
    pub auto_generate: bool,
    pub secret_policy_id: Option<String>,
    pub webhook_ids: Vec<String>,
    pub is_active: bool,
    pub secrets_count: i64,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationPolicyList {
    pub data: Vec<RotationPolicy>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// Durations as comma-separated text or as an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum DurationList {
    Text(String),
    Items(Vec<String>),
}

/// Body of POST `/v1/rotation/policies`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRotationPolicy {
    pub name: String,
    /// At least 60s.
    pub interval: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Shorter than the interval; default 48h, or half the interval when that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_before: Option<DurationList>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_generate: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_policy_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_ids: Option<Vec<String>>,
}

/// Body of PATCH `/v1/rotation/policies/{id}`: absent is unchanged, `null` goes back to the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationPolicyPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub grace_period: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<DurationList>)]
    pub warn_before: Option<Option<DurationList>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<bool>)]
    pub auto_generate: Option<Option<bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub secret_policy_id: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<Vec<String>>)]
    pub webhook_ids: Option<Option<Vec<String>>>,
}

/// A secret that a policy serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretAssignment {
    pub policy_id: String,
    pub secret_path: String,
    pub assigned_at: String,
    pub assigned_by: String,
    pub last_rotated_at: Option<String>,
    pub next_rotation: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretAssignmentList {
    pub data: Vec<SecretAssignment>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// Body of POST `/v1/rotation/policies/{id}/secrets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAssignment {
    pub secret_path: String,
}

/// Body of POST `/v1/rotation/policies/{id}/rotate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyRotation {
    /// At most 1,000; absent: every attached secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_paths: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationHistoryItem {
    pub id: String,
    pub policy_id: String,
    pub secret_path: String,
    /// `success`, `failed` or `pending`.
    pub status: String,
    /// `scheduled`, `manual` or `write`.
    pub trigger: String,
    pub old_version: Option<i64>,
    pub new_version: Option<i64>,
    pub started_at: String,
    pub completed_at: Option<String>,
    pub error: Option<RotationError>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationError {
    pub code: String,
    pub message: String,
}

/// One item for each secret, in path order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationReport(pub Vec<RotationHistoryItem>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationHistoryList {
    pub data: Vec<RotationHistoryItem>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// A secret that is due for rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DueSecret {
    pub secret_path: String,
    pub policy_id: String,
    pub next_rotation: String,
    pub last_rotated_at: Option<String>,
    /// Rounded up; 0 or negative when it is due.
    pub hours_remaining: i64,
    /// The grace is over too.
    pub is_overdue: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DueSecretList {
    pub data: Vec<DueSecret>,
    pub cursor: Option<String>,
    pub has_more: bool,
}
