//! Finds misspelt variables: `RATE_LIMIT_RAED=5` must not leave reads at their default unnoticed.

use super::env::Env;
use scaivault_domain::rate::RateCategory;

use super::Warning;
use super::env::ConfigError;

/// The prefixes whose unknown names are worth a warning (contract 12 section 4).
const WARNED: [&str; 3] = ["KMS_", "AUDIT_", "METRICS_"];

/// Names under these prefixes that have a meaning, also those of features yet to come.
const KNOWN: [&str; 25] = [
    "AUDIT_CHECKPOINT_FILE",
    "AUDIT_LOG_FILE",
    "AUDIT_RETENTION",
    "KMS_KEY_FILE",
    "KMS_KEY_ID",
    "KMS_KEY_NAME",
    "KMS_KEY_URL",
    "KMS_PASSPHRASE_FILE",
    "KMS_PKCS11_KEY_LABEL",
    "KMS_PKCS11_MODULE",
    "KMS_PKCS11_PIN_FILE",
    "KMS_PKCS11_TOKEN_LABEL",
    "KMS_PROVIDER",
    "KMS_SHAMIR_SHARES",
    "KMS_SHAMIR_THRESHOLD",
    "KMS_TRANSIT_ADDR",
    "KMS_TRANSIT_KEY",
    "KMS_TRANSIT_MOUNT",
    "KMS_TRANSIT_NAMESPACE",
    "KMS_TRANSIT_ROLE_ID",
    "KMS_TRANSIT_SECRET_ID_FILE",
    "KMS_TRANSIT_TOKEN_FILE",
    "METRICS_AUTH",
    "METRICS_BIND_ADDRESS",
    "METRICS_PER_IDENTITY",
];

/// The settings of the archive have no closed list in the contract.
const KNOWN_FAMILY: &str = "AUDIT_ARCHIVE_";

/// # Errors
/// An unknown `RATE_LIMIT_` name; the first in the order of the alphabet, so that the answer does not change from start to start.
pub(super) fn names(names: &[String]) -> Result<Vec<Warning>, ConfigError> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    for name in names.iter().filter(|name| name.starts_with("RATE_LIMIT_")) {
        if *name != "RATE_LIMIT_ENABLED" && RateCategory::from_env_name(name).is_none() {
            return Err(ConfigError::new(shown(name), "is not a known rate limit"));
        }
    }
    let known = |name: &str| KNOWN.contains(&name) || name.starts_with(KNOWN_FAMILY);
    let odd = names.iter().filter(|name| WARNED.iter().any(|prefix| name.starts_with(prefix)) && !known(name));
    Ok(odd.map(|name| Warning(format!("{} is not a known setting and has no effect", shown(name)))).collect())
}

/// One line, whatever someone put into a name.
fn shown(name: &str) -> String {
    name.chars().take(128).flat_map(char::escape_debug).collect()
}

/// Settings of what comes with later releases: not used yet, but a bad value is told now and not then.
pub(super) fn later_settings(env: &Env<'_>) -> Result<(), ConfigError> {
    env.flag("CONSOLE_ENABLED", true)?;
    env.span("IDENTITY_SYNC_INTERVAL", "15m")?;
    Ok(())
}
