//! `/v1/health`, `/v1/version` and `/v1/sys` on the wire (contract 12).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    pub status: String,
    pub timestamp: String,
}

/// `ok` or `error` for each part; `redis` is always `not_configured` and stays for monitors that look for it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReadyChecks {
    pub database: String,
    pub redis: String,
    pub encryption: String,
    pub audit: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// `ready` or `not_ready`.
    pub status: String,
    pub checks: ReadyChecks,
    /// Only when not ready: what is wrong, by part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DetailedHealth {
    /// `healthy`, or `degraded` when a part fails.
    pub status: String,
    pub version: String,
    pub uptime_seconds: i64,
    pub checks: DetailedChecks,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DetailedChecks {
    pub database: DatabaseCheck,
    pub encryption: EncryptionCheck,
    pub audit: AuditCheck,
    pub jobs: JobsCheck,
    pub object_store: ObjectStoreCheck,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DatabaseCheck {
    pub status: String,
    pub latency_ms: i64,
    pub engine: String,
    pub pool_size: usize,
    pub pool_available: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EncryptionCheck {
    pub status: String,
    pub provider: String,
    pub key_status: String,
    pub last_rotation: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditCheck {
    pub status: String,
    pub last_checkpoint: Option<String>,
    pub lag_ms: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobsCheck {
    pub status: String,
    pub rotation_queue: i64,
    pub webhook_queue: i64,
    pub leases: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ObjectStoreCheck {
    pub status: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Version {
    pub version: String,
    pub api_version: String,
    pub commit: String,
    pub built_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealStatus {
    pub sealed: bool,
    pub provider: String,
    pub threshold: u32,
    pub shares: u32,
    pub progress: u32,
    pub initialized: bool,
}

/// Exactly one of the three. Holds a key on its way in: it neither prints nor clones.
#[derive(Default, Serialize, Deserialize, ToSchema)]
pub struct UnsealRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<bool>,
}

/// A key by its name; the key itself is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// `instance`, `partner`, `namespace` (a partner's shared secrets) or `tenant`.
    pub level: String,
    /// Whose key it is.
    pub id: String,
    pub key_id: String,
    pub created_at: String,
    /// `active` for the one that wraps; `retiring` for older ones, which only open what they wrapped.
    pub status: String,
}

/// A rotation of keys under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyJob {
    pub job_id: String,
    pub level: String,
    pub status: String,
}

/// What the server gave up, until an operator has it tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadJob {
    pub kind: String,
    /// The id of what it is about.
    pub subject: String,
    /// `null` for the server's own housekeeping.
    pub tenant_id: Option<String>,
    /// How often it failed in a row.
    pub failures: i64,
    /// Why it failed the last time: an error code and its message.
    pub error: String,
    pub died_at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Jobs {
    /// Planned, due or not.
    pub waiting: i64,
    /// Among them those whose time has come.
    pub due: i64,
    /// All that were given up; `dead` shows the newest.
    pub dead_count: i64,
    pub dead: Vec<DeadJob>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobRetry {
    pub kind: String,
    pub subject: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetriedJob {
    pub kind: String,
    pub subject: String,
    pub run_at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    pub keys: Vec<Key>,
    pub jobs: Vec<KeyJob>,
}
