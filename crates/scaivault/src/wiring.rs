//! From the configuration to a vault and its doors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scaivault_crypto::kdf::PassphraseCost;
use scaivault_crypto::{SecretBytes, SystemEntropy};
use scaivault_domain::time::SystemClock;
use scaivault_http::{AnswerBudget, HttpSettings, MetricsExposure};
use scaivault_service::rate::{FailedAuthThrottle, RateLimiter};
use scaivault_service::seal::{FileProvider, PassphraseProvider, RootKeyProvider, VariableProvider};
use scaivault_service::{Parts, Settings, Vault};
use scaivault_store::{SqliteLocation, SqliteOptions, Store};

use crate::build_info::BUILD;
use crate::config::{Config, Database, Kms, MetricsAuth};
use crate::data_dir;
use crate::failure::Failure;

/// The file of the embedded database in the data directory.
const DATABASE_FILE: &str = "scaivault.db";

/// Where an embedded database is; `None` where it is not embedded.
pub(crate) fn database_file(config: &Config) -> Option<PathBuf> {
    match &config.database {
        Database::Embedded => Some(config.data_dir.join(DATABASE_FILE)),
        Database::Sqlite(file) => Some(file.clone()),
        Database::Postgres(_) => None,
    }
}

/// What kind of database it is and where, without its password.
pub(crate) fn database_shown(config: &Config) -> String {
    match (&config.database, database_file(config)) {
        (Database::Postgres(options), _) => format!("PostgreSQL at {}", options.address),
        (_, file) => format!("SQLite in {}", file.unwrap_or_default().display()),
    }
}

/// Whether anything of this configuration lives in the data directory.
pub(crate) fn needs_data_dir(config: &Config) -> bool {
    let key_inside = matches!(&config.kms, Kms::File { path } if path.starts_with(&config.data_dir));
    key_inside || matches!(config.database, Database::Embedded)
}

/// Makes the data directory where it is needed, and opens (makes, migrates) the database.
///
/// # Errors
/// Another server has it, a newer program wrote it, or the disk refuses.
pub(crate) fn open_store(config: &Config) -> Result<Store, Failure> {
    if needs_data_dir(config)
        && let Some(warning) = data_dir::prepare(&config.data_dir)?
    {
        tracing::warn!("{warning}");
    }
    let file = match (&config.database, database_file(config)) {
        (Database::Postgres(options), _) => return Ok(Store::open_postgres(options)?),
        (_, file) => file.unwrap_or_default(),
    };
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        return Err(Failure::general(format!("DATABASE_URL: the directory {} does not exist", parent.display())));
    }
    Ok(Store::open_sqlite(&SqliteOptions { location: SqliteLocation { file } })?)
}

/// The provider of the root key. Nothing is read yet.
pub(crate) fn provider(kms: &Kms) -> Box<dyn RootKeyProvider> {
    let copy = |secret: &SecretBytes| SecretBytes::new(secret.expose().to_vec());
    match kms {
        Kms::File { path } => Box::new(FileProvider::new(path.clone())),
        Kms::Env { key } => Box::new(VariableProvider::new(copy(key))),
        Kms::Passphrase { passphrase } => {
            Box::new(PassphraseProvider::new(passphrase.as_ref().map(copy), PassphraseCost::PRODUCTION))
        }
    }
}

/// The file of the root key, where it is one.
pub(crate) fn root_key_file(kms: &Kms) -> Option<&Path> {
    match kms {
        Kms::File { path } => Some(path),
        Kms::Env { .. } | Kms::Passphrase { .. } => None,
    }
}

/// The service over an open store. It is neither initialised nor unsealed yet.
pub(crate) fn vault(config: &Config, store: Store) -> Arc<Vault> {
    // Nodes go by one clock, that of their database: leases and expiries must mean the same to all of them.
    let clock = store.clock().unwrap_or_else(|| Arc::new(SystemClock));
    Vault::new(Parts {
        store,
        provider: provider(&config.kms),
        clock,
        entropy: Arc::new(SystemEntropy::new()),
        settings: settings(config),
        limiter: RateLimiter::new(&config.rate_limits),
        throttle: config.rate_limits.is_enabled().then(FailedAuthThrottle::new),
    })
}

fn settings(config: &Config) -> Settings {
    Settings {
        base_url: config.listen.base_url.clone(),
        max_secret_bytes: config.max_secret_bytes,
        secret_retention_seconds: config.secret_retention.seconds(),
        audit_retention_seconds: config.audit_retention.seconds(),
        token_max_ttl_seconds: config.token_max_ttl.seconds(),
        mfa_max_age_seconds: config.mfa_max_age.seconds(),
        key_cache_ttl_seconds: config.key_cache_ttl.seconds(),
        audit_log_file: config.audit_log_file.clone(),
        audit_checkpoint_file: config.audit_checkpoint_file.clone(),
        metrics_per_identity: config.metrics.per_identity,
        webhook_addresses: config.webhook_addresses.clone(),
        commit: BUILD.commit,
    }
}

/// What the main listener's door is told.
pub(crate) fn http_settings(config: &Config, answers: &AnswerBudget) -> HttpSettings {
    let metrics = match config.metrics.address {
        Some(_) => MetricsExposure::Elsewhere,
        None => exposure(config.metrics.auth),
    };
    HttpSettings {
        trusted_proxies: config.listen.trusted_proxies.clone(),
        cors_origins: config.listen.cors_origins.clone(),
        metrics,
        answers: answers.clone(),
        build: BUILD,
    }
}

/// What the door of `METRICS_BIND_ADDRESS` is told.
pub(crate) fn metrics_settings(config: &Config, answers: &AnswerBudget) -> HttpSettings {
    HttpSettings {
        trusted_proxies: config.listen.trusted_proxies.clone(),
        cors_origins: Vec::new(),
        metrics: exposure(config.metrics.auth),
        answers: answers.clone(),
        build: BUILD,
    }
}

fn exposure(auth: MetricsAuth) -> MetricsExposure {
    match auth {
        MetricsAuth::None => MetricsExposure::Open,
        MetricsAuth::Token => MetricsExposure::Token,
    }
}
