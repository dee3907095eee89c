//! What an operator decides, as far as the service needs to know.

use std::path::PathBuf;

use scaivault_domain::webhook::AddressRules;

/// Limits and defaults of this instance; the binary fills it from the environment (contract 12 section 4).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Public URL and token issuer.
    pub base_url: String,
    pub max_secret_bytes: usize,
    pub secret_retention_seconds: i64,
    pub audit_retention_seconds: i64,
    pub token_max_ttl_seconds: i64,
    pub mfa_max_age_seconds: i64,
    /// How long unwrapped keys may stay in memory; 0 asks the provider each time.
    pub key_cache_ttl_seconds: i64,
    /// Appends every entry as a JSON line, after its commit.
    pub audit_log_file: Option<PathBuf>,
    /// Appends every checkpoint, so that they survive outside the database.
    pub audit_checkpoint_file: Option<PathBuf>,
    /// What this program was built from, for the metrics.
    pub commit: &'static str,
    /// One gauge of used rate limit for each identity. Off by default: who can scrape then sees who is there.
    pub metrics_per_identity: bool,
    /// Which addresses webhooks may go to.
    pub webhook_addresses: AddressRules,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: i64 = 86_400;
        Self {
            base_url: "http://localhost:8443".to_owned(),
            max_secret_bytes: 1024 * 1024,
            secret_retention_seconds: 30 * DAY,
            audit_retention_seconds: 2557 * DAY,
            token_max_ttl_seconds: 366 * DAY,
            mfa_max_age_seconds: 3600,
            key_cache_ttl_seconds: 900,
            audit_log_file: None,
            audit_checkpoint_file: None,
            commit: "unknown",
            metrics_per_identity: false,
            webhook_addresses: AddressRules::default(),
        }
    }
}
