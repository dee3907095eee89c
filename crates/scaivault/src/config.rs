//! The configuration: environment only (contract 12 sections 2 and 4).
//!
//! A bad value stops the start with one line that names the variable and the fault, never the value: a value may be a
//! password that was put into the wrong variable. Settings of features that are yet to come are accepted in silence, so
//! that one environment fits several releases. An empty variable counts as not set.

mod check;
mod env;
mod kms;

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use scaivault_domain::duration::Span;
use scaivault_domain::rate::{RateCategory, RateLimits};
use scaivault_domain::webhook::AddressRules;
use scaivault_store::{DEFAULT_POOL_SIZE, PostgresAddress, PostgresOptions, SMALLEST_POOL};

pub(crate) use env::ConfigError;
pub(crate) use kms::Kms;

use env::Env;

const DEFAULT_PORT: u16 = 8443;

/// Larger values fit neither the body limit's arithmetic on small machines nor the point of a secret.
const MAX_SECRET_BYTES: u64 = 64 * 1024 * 1024;

/// A start may go on, but someone should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning(String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything the server is told by its environment. Printing it (`{:?}`) shows no secret.
#[derive(Debug)]
pub(crate) struct Config {
    pub database: Database,
    /// Where the embedded database and the root key file live.
    pub data_dir: PathBuf,
    pub listen: Listen,
    pub log: Log,
    pub kms: Kms,
    /// How long unwrapped keys may stay in memory; zero asks the provider each time.
    pub key_cache_ttl: Span,
    /// Size of one value as compact JSON.
    pub max_secret_bytes: usize,
    pub secret_retention: Span,
    pub audit_retention: Span,
    pub audit_log_file: Option<PathBuf>,
    pub audit_checkpoint_file: Option<PathBuf>,
    pub rate_limits: RateLimits,
    pub token_max_ttl: Span,
    pub mfa_max_age: Span,
    pub metrics: Metrics,
    /// Where webhooks may go.
    pub webhook_addresses: AddressRules,
    pub shutdown_timeout: Span,
    /// Where the first token of a new instance is written.
    pub init_token_file: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) enum Database {
    /// SQLite in the data directory.
    Embedded,
    /// `sqlite:<file>`.
    Sqlite(PathBuf),
    /// `postgresql://...`, and how this node uses it.
    Postgres(Box<PostgresOptions>),
}

#[derive(Debug)]
pub(crate) struct Listen {
    pub address: SocketAddr,
    /// Public URL and token issuer, without a slash at the end.
    pub base_url: String,
    /// Nobody said what the public URL is: it follows the port.
    base_url_is_default: bool,
    /// For all listeners.
    pub tls: Option<TlsFiles>,
    /// Tokens may be taken beyond this machine: over TLS, or because a proxy in front ends it.
    open: bool,
    pub trusted_proxies: Vec<IpNet>,
    /// Empty = CORS is off.
    pub cors_origins: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    pub auth: MetricsAuth,
    /// `None` = on the main port.
    pub address: Option<SocketAddr>,
    pub per_identity: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricsAuth {
    None,
    /// A token with scope admin.
    Token,
}

impl Config {
    /// Reads the variables through `lookup`; `names` are the names of all that are set, to find misspelt ones.
    ///
    /// Reads the files that `*_FILE` variables of secrets name (database URL, root key, passphrase), nothing else.
    ///
    /// # Errors
    /// The first bad value, unknown `RATE_LIMIT_` name, or contradiction.
    pub(crate) fn from_env(
        lookup: &dyn Fn(&str) -> Option<OsString>,
        names: &[String],
    ) -> Result<(Config, Vec<Warning>), ConfigError> {
        let env = Env::new(lookup);
        let mut warnings = check::names(names)?;
        if env.is_set("REDIS_URL") {
            warnings.push(Warning("REDIS_URL is accepted and not used: this server needs no Redis".to_owned()));
        }
        check::later_settings(&env)?;
        let data_dir = env.path("DATA_DIR").unwrap_or_else(|| PathBuf::from("./scaivault-data"));
        let database = Database::read(&env)?;
        let listen = Listen::read(&env)?;
        let metrics = Metrics::read(&env, &listen)?;
        let config = Config {
            database,
            listen,
            log: Log::read(&env)?,
            kms: Kms::read(&env, &data_dir)?,
            data_dir,
            key_cache_ttl: env.span_or_zero("KEY_CACHE_TTL", "15m")?,
            max_secret_bytes: usize::try_from(env.integer("MAX_SECRET_BYTES", 1_048_576, 1..=MAX_SECRET_BYTES)?)
                .unwrap_or(usize::MAX),
            secret_retention: env.span("SECRET_RETENTION", "30d")?,
            audit_retention: env.span("AUDIT_RETENTION", "2557d")?,
            audit_log_file: env.path("AUDIT_LOG_FILE"),
            audit_checkpoint_file: env.path("AUDIT_CHECKPOINT_FILE"),
            rate_limits: rate_limits(&env)?,
            token_max_ttl: env.span("TOKEN_MAX_TTL", "366d")?,
            mfa_max_age: env.span("MFA_MAX_AGE", "1h")?,
            metrics,
            webhook_addresses: webhook_addresses(&env)?,
            shutdown_timeout: env.span("SHUTDOWN_TIMEOUT", "30s")?,
            init_token_file: env.path("SCAIVAULT_INIT_TOKEN_FILE"),
        };
        Ok((config, warnings))
    }
}

impl Database {
    fn read(env: &Env<'_>) -> Result<Self, ConfigError> {
        const NAME: &str = "DATABASE_URL";
        let Some(url) = env.secret(NAME)? else { return Ok(Self::Embedded) };
        if let Some(file) = url.expose().strip_prefix("sqlite:") {
            // Both `sqlite:/x` and the URL form `sqlite:///x` are usual.
            let file = file.strip_prefix("//").unwrap_or(file);
            return match file {
                "" => Err(ConfigError::new(NAME, "names no file after sqlite:")),
                _ => Ok(Self::Sqlite(PathBuf::from(file))),
            };
        }
        let postgres = ["postgresql://", "postgres://"].iter().any(|scheme| url.expose().starts_with(scheme));
        if !postgres {
            return Err(ConfigError::new(NAME, "must begin with sqlite: or postgresql://"));
        }
        let address = PostgresAddress::parse(url.expose()).map_err(|fault| ConfigError::new(NAME, fault))?;
        let smallest = SMALLEST_POOL as u64..=MOST_CONNECTIONS;
        let pool_size = env.integer("DATABASE_POOL_SIZE", DEFAULT_POOL_SIZE as u64, smallest)?;
        Ok(Self::Postgres(Box::new(PostgresOptions {
            pool_size: usize::try_from(pool_size).unwrap_or(DEFAULT_POOL_SIZE),
            node_id: node_id(env)?,
            ..PostgresOptions::new(address)
        })))
    }
}

/// Connections of one node at most: more than PostgreSQL has to give by default.
const MOST_CONNECTIONS: u64 = 500;

/// It stands in audit entries, log lines and metrics.
fn node_id(env: &Env<'_>) -> Result<Option<String>, ConfigError> {
    let Some(id) = env.text("NODE_ID")? else { return Ok(None) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if id.len() > 64 || !id.bytes().all(plain) {
        return Err(ConfigError::new("NODE_ID", "must be at most 64 characters A-Z, a-z, 0-9, '.', '_', '-'"));
    }
    Ok(Some(id))
}

impl Listen {
    fn read(env: &Env<'_>) -> Result<Self, ConfigError> {
        let tls = match (env.path("TLS_CERT_FILE"), env.path("TLS_KEY_FILE")) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError::new("TLS_KEY_FILE", "is needed together with TLS_CERT_FILE")),
            (None, Some(_)) => return Err(ConfigError::new("TLS_CERT_FILE", "is needed together with TLS_KEY_FILE")),
        };
        let open = tls.is_some() || env.flag("ALLOW_PLAIN_HTTP", false)?;
        let host = if open { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let address = env.address("BIND_ADDRESS")?.unwrap_or(SocketAddr::new(IpAddr::V4(host), DEFAULT_PORT));
        keep_tokens_private("BIND_ADDRESS", address, open)?;
        let base_url = env.text("BASE_URL")?.map(|url| base_url(&url)).transpose()?;
        Ok(Self {
            address,
            base_url_is_default: base_url.is_none(),
            base_url: base_url.unwrap_or_else(|| default_base_url(address.port())),
            tls,
            open,
            trusted_proxies: env.list("TRUSTED_PROXIES", "must be CIDRs, comma-separated", network)?,
            cors_origins: env.list(
                "CORS_ALLOWED_ORIGINS",
                "must be origins such as https://app.example, comma-separated",
                origin,
            )?,
        })
    }
}

impl Listen {
    /// The listener has its address: port 0 has become a real one.
    pub(crate) fn bound_to(&mut self, address: SocketAddr) {
        self.address = address;
        if self.base_url_is_default {
            self.base_url = default_base_url(address.port());
        }
    }

    /// `http` or `https`, as the listener itself speaks.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The public URL as the operator set it.
    pub(crate) fn given_base_url(&self) -> Option<&str> {
        (!self.base_url_is_default).then_some(self.base_url.as_str())
    }
}

impl Log {
    fn read(env: &Env<'_>) -> Result<Self, ConfigError> {
        let levels = [
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
            ("warn", LogLevel::Warn),
            ("error", LogLevel::Error),
        ];
        Ok(Self {
            level: env.one_of("LOG_LEVEL", &levels)?.unwrap_or(LogLevel::Info),
            format: env
                .one_of("LOG_FORMAT", &[("json", LogFormat::Json), ("text", LogFormat::Text)])?
                .unwrap_or(LogFormat::Json),
        })
    }
}

impl Metrics {
    fn read(env: &Env<'_>, listen: &Listen) -> Result<Self, ConfigError> {
        const ADDRESS: &str = "METRICS_BIND_ADDRESS";
        let address = env.address(ADDRESS)?;
        // A port of its own can be fenced off; the main one is open to every client.
        let default = if address.is_some() { MetricsAuth::None } else { MetricsAuth::Token };
        let auth = env.one_of("METRICS_AUTH", &[("token", MetricsAuth::Token), ("none", MetricsAuth::None)])?;
        let auth = auth.unwrap_or(default);
        if let (Some(address), MetricsAuth::Token) = (address, auth) {
            keep_tokens_private(ADDRESS, address, listen.open)?;
        }
        Ok(Self { auth, address, per_identity: env.flag("METRICS_PER_IDENTITY", false)? })
    }
}

/// # Errors
/// Tokens would cross a network as they are.
fn keep_tokens_private(variable: &str, address: SocketAddr, open: bool) -> Result<(), ConfigError> {
    if open || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let fault = "would serve plain HTTP beyond this machine: set TLS_CERT_FILE and TLS_KEY_FILE, or ALLOW_PLAIN_HTTP=true behind a proxy that ends TLS";
    Err(ConfigError::new(variable, fault))
}

fn rate_limits(env: &Env<'_>) -> Result<RateLimits, ConfigError> {
    let mut limits = RateLimits::default();
    limits.set_enabled(env.flag("RATE_LIMIT_ENABLED", true)?);
    for &category in RateCategory::ALL {
        let default = u64::from(category.default_per_minute());
        let limit = env.integer(category.env_name(), default, 0..=u64::from(u32::MAX))?;
        limits.set(category, u32::try_from(limit).unwrap_or(u32::MAX));
    }
    Ok(limits)
}

fn webhook_addresses(env: &Env<'_>) -> Result<AddressRules, ConfigError> {
    let networks =
        |name: &str| env.list(name, "must be networks in CIDR form, as 10.0.0.0/8, comma-separated", network);
    Ok(AddressRules {
        allowed: networks("WEBHOOK_ALLOWED_CIDRS")?,
        denied: networks("WEBHOOK_DENIED_CIDRS")?,
        allow_http: env.flag("WEBHOOK_ALLOW_HTTP", false)?,
    })
}

fn default_base_url(port: u16) -> String {
    format!("http://localhost:{port}")
}

fn base_url(url: &str) -> Result<String, ConfigError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default()).unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "?#@\\\"".contains(c);
    if host.is_empty() || url.contains(odd) {
        let fault = "must be an http:// or https:// URL without user, query and fragment";
        return Err(ConfigError::new("BASE_URL", fault));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// A bare address is the network of that one address.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Scheme, host and port as a browser sends them: nothing after them, not even a slash.
fn origin(text: &str) -> Option<String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    (!host.is_empty() && host.chars().all(allowed)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
