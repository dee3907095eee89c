//! Finds misspelt variables: `RATE_LIMIT_RAED=5` must not leave reads at their default unnoticed.

use scaivault_domain::rate::RateCategory;

use super::Warning;
use super::env::ConfigError;

/// Names under the prefixes that are ours to check, also those of features yet to come.
const KNOWN: [&str; 39] = [
    "AUDIT_ARCHIVE_AFTER",
    "AUDIT_ARCHIVE_BUCKET",
    "AUDIT_ARCHIVE_CREDENTIALS_FILE",
    "AUDIT_ARCHIVE_DIR",
    "AUDIT_ARCHIVE_ENDPOINT",
    "AUDIT_ARCHIVE_PREFIX",
    "AUDIT_ARCHIVE_REGION",
    "AUDIT_CHECKPOINT_FILE",
    "AUDIT_LOG_FILE",
    "AUDIT_RETENTION",
];
