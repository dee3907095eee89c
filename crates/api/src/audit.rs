//! `/v1/audit` on the wire (contract 06).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One entry with its place in the chain. `hash` is the SHA-256 of the entry as canonical JSON (RFC 8785) without `hash` and
/// without fields that are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: String,
    /// In microseconds.
    pub timestamp: String,
    pub action: String,
    /// `user`, `service_account` or `system`; null before authentication.
    pub identity_type: Option<String>,
    pub identity_id: Option<String>,
    pub secret_path: Option<String>,
    pub source_ip: Option<String>,
    pub user_agent: Option<String>,
    pub success: bool,
    pub duration_ms: i64,
    pub request_id: String,
    #[schema(value_type = Object)]
    pub extra_data: BTreeMap<String, Value>,
    pub acting_partner_id: Option<String>,
    pub target_tenant_id: Option<String>,
    /// Null in the instance's stream.
    pub tenant_id: Option<String>,
    pub acting_tenant_id: Option<String>,
    pub status_code: i64,
    pub error_code: Option<String>,
    pub resource_id: Option<String>,
    pub token_ref: Option<String>,
    /// The node whose chain this is; absent on the embedded store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    pub seq: i64,
    pub prev_hash: String,
    pub hash: String,
}

/// Newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditLogs {
    pub logs: Vec<AuditEntry>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// The last 30 days of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PathSummary {
    pub reads: i64,
    pub writes: i64,
    pub rotations: i64,
    pub denied: i64,
    pub unique_identities: i64,
    pub last_accessed_at: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PathTrail {
    pub secret_path: String,
    pub summary_30d: PathSummary,
    pub logs: Vec<AuditEntry>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentitySummary {
    pub total_events: i64,
    pub denied: i64,
    pub unique_secrets: i64,
    pub first_seen: Option<String>,
    pub last_seen: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IdentityTrail {
    pub identity_id: String,
    pub summary: IdentitySummary,
    pub logs: Vec<AuditEntry>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditSummary {
    pub total_events: i64,
    pub successful_events: i64,
    pub failed_events: i64,
    pub unique_identities: i64,
    pub unique_secrets: i64,
    pub by_action: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyReport {
    pub valid: bool,
    /// A tenant's id, or `system`.
    pub stream: String,
    /// What was walked; retention may have removed what comes before.
    pub from_seq: i64,
    pub to_seq: i64,
    pub entries: u64,
    pub checkpoints_verified: u64,
    pub first_invalid_seq: Option<i64>,
    /// The node in whose chain that is; absent on the embedded store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// `hash_mismatch`, `gap`, `bad_signature` or `truncated`.
    pub reason: Option<String>,
}

/// A signed statement of where a stream stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    pub stream: String,
    /// The node whose chain it is about; absent on the embedded store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    pub seq: i64,
    pub hash: String,
    /// In microseconds.
    pub timestamp: String,
    pub key_id: String,
    /// Ed25519, base64.
    pub signature: String,
}

/// Newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Checkpoints {
    pub checkpoints: Vec<Checkpoint>,
    pub cursor: Option<String>,
    pub has_more: bool,
}
