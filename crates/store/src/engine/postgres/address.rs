//! `DATABASE_URL=postgresql://...`: where the database is and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode as Negotiation, TargetSessionAttrs};

use crate::error::{StoreError, StoreResult};

/// As libpq names them. Where the URL says nothing: [`SslMode::Prefer`] towards this machine, [`SslMode::VerifyFull`] beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

#[derive(Debug, Clone, Default)]
pub(super) struct TlsFiles {
    pub(super) root: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// Where a PostgreSQL database is. Holds its password: has no `Debug` that shows it.
#[derive(Clone)]
pub struct PostgresAddress {
    pub(super) config: tokio_postgres::Config,
    pub(super) ssl: SslMode,
    pub(super) files: TlsFiles,
    /// The schema that everything of ours lies in.
    pub(super) schema: String,
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresAddress").field("ssl", &self.ssl).field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Where it is, without user and password.
impl std::fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts: Vec<String> = self.config.get_hosts().iter().map(shown).collect();
        write!(f, "{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())?;
        write!(f, " (schema {})", self.schema)
    }
}

fn shown(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

/// What stands behind the question mark for us and not for the driver.
const OURS: [&str; 5] = ["schema", "sslcert", "sslkey", "sslmode", "sslrootcert"];
/// Not `public`: others may write there, and nothing of theirs is to lie among ours.
const DEFAULT_SCHEMA: &str = "scaivault";
/// How long a host may take to accept.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// After this much silence a server is asked for a sign of life; without one it is given up within ten seconds.
const TCP_PATIENCE: Duration = Duration::from_secs(5);

impl PostgresAddress {
    /// Reads `postgresql://user:password@host1:port,host2:port/database?sslmode=verify-full&sslrootcert=<file>&schema=<name>` and
    /// whatever else the driver knows. Only a server that takes writes is ever used (`target_session_attrs=read-write`).
    ///
    /// # Errors
    /// What is wrong with it, without its text: there is a password in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let (mut ssl, mut files, mut schema, mut rest) = (None, TlsFiles::default(), None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').ok_or("an option without '='")?;
            if !OURS.contains(&name) {
                rest.push(option);
                continue;
            }
            let value = unescaped(value).ok_or_else(|| format!("the value of {name} is not well escaped"))?;
            match name {
                "sslmode" => ssl = Some(ssl_mode(&value)?),
                "sslrootcert" => files.root = Some(PathBuf::from(value)),
                "sslcert" => files.certificate = Some(PathBuf::from(value)),
                "sslkey" => files.key = Some(PathBuf::from(value)),
                _ => schema = Some(schema_name(value)?),
            }
        }
        if files.certificate.is_some() != files.key.is_some() {
            return Err("sslcert and sslkey go together".to_owned());
        }
        let url = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
        let mut config: tokio_postgres::Config = url.parse().map_err(|error| describe(&error))?;
        if config.get_user().is_none_or(str::is_empty) {
            return Err("it names no user".to_owned());
        }
        if config.get_hosts().is_empty() {
            return Err("it names no host".to_owned());
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
            return Err("target_session_attrs must be read-write: ScaiVault writes".to_owned());
        }
        let local = config.get_hosts().iter().all(is_local);
        let ssl = match (ssl, &files.root) {
            // As libpq does it: who names an authority wants it asked.
            (Some(SslMode::Require), Some(_)) => SslMode::VerifyCa,
            (Some(SslMode::Disable | SslMode::Prefer), Some(_)) => {
                return Err("sslrootcert has no meaning with this sslmode; say verify-full".to_owned());
            }
            (Some(ssl), _) => ssl,
            (None, None) if local => SslMode::Prefer,
            (None, _) => SslMode::VerifyFull,
        };
        config.target_session_attrs(TargetSessionAttrs::ReadWrite).ssl_mode(match ssl {
            SslMode::Disable => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_PATIENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("scaivault");
        }
        Ok(Self { config, ssl, files, schema: schema.unwrap_or_else(|| DEFAULT_SCHEMA.to_owned()) })
    }

    /// One host each: the driver tries several only one after the other, and a host that hangs would keep it from the others.
    pub(super) fn hosts(&self) -> Vec<tokio_postgres::Config> {
        let all = &self.config;
        let ports = all.get_ports();
        let of_host = |(place, host): (usize, &Host)| {
            let mut one = tokio_postgres::Config::new();
            one.target_session_attrs(all.get_target_session_attrs())
                .ssl_mode(all.get_ssl_mode())
                .channel_binding(all.get_channel_binding())
                .tcp_user_timeout(TCP_PATIENCE)
                .keepalives_idle(TCP_PATIENCE)
                .keepalives_interval(Duration::from_secs(2))
                .keepalives_retries(2)
                .port(ports.get(place).or(ports.first()).copied().unwrap_or(5432));
            match host {
                Host::Tcp(name) => one.host(name),
                #[cfg(unix)]
                Host::Unix(path) => one.host_path(path),
            };
            if let Some(address) = all.get_hostaddrs().get(place) {
                one.hostaddr(*address);
            }
            all.get_user().map(|user| one.user(user));
            all.get_password().map(|password| one.password(password));
            all.get_dbname().map(|name| one.dbname(name));
            all.get_options().map(|options| one.options(options));
            all.get_application_name().map(|name| one.application_name(name));
            all.get_connect_timeout().map(|patience| one.connect_timeout(*patience));
            one
        };
        all.get_hosts().iter().enumerate().map(of_host).collect()
    }

    /// The same database, another schema.
    #[must_use]
    pub fn in_schema(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.schema);
        self
    }
}

fn ssl_mode(text: &str) -> Result<SslMode, String> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" => Ok(SslMode::VerifyCa),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err("sslmode must be one of disable, prefer, require, verify-ca, verify-full".to_owned()),
    }
}

/// It stands in statements, where nothing can be bound to its place.
fn schema_name(name: String) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if begins && name.len() <= 63 && name.bytes().all(plain) && !name.starts_with("pg_") {
        Ok(name)
    } else {
        Err("schema must be a name of at most 63 characters a-z, 0-9, _ that begins with a letter and not with pg_"
            .to_owned())
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// The driver's words for a bad URL name the option, never a value of ours; its source could.
fn describe(error: &tokio_postgres::Error) -> String {
    let below = std::error::Error::source(error).map(ToString::to_string);
    below.unwrap_or_else(|| error.to_string())
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn refused(text: &str) -> StoreError {
    StoreError::Unavailable(text.to_owned())
}

/// How a node uses a database.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub address: PostgresAddress,
    /// Connections of this node: one for the change feed, the rest half for writes and half for reads. At least 4.
    pub pool_size: usize,
    /// The node's id; `None`: one that is free.
    pub node_id: Option<String>,
}

/// Connections of a node unless it is told otherwise.
pub const DEFAULT_POOL_SIZE: usize = 16;
/// Feed, audit entries, other writes, reads: one each.
pub const SMALLEST_POOL: usize = 4;

impl PostgresOptions {
    pub fn new(address: PostgresAddress) -> Self {
        Self { address, pool_size: DEFAULT_POOL_SIZE, node_id: None }
    }

    pub(super) fn check(&self) -> StoreResult<()> {
        if self.pool_size < SMALLEST_POOL {
            return Err(refused("DATABASE_POOL_SIZE must be at least 4"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &str) -> Result<PostgresAddress, String> {
        PostgresAddress::parse(&format!("postgresql://me:s3cret@db1.example:5433,db2.example/vault{options}"))
    }

    #[test]
    fn what_is_not_said_is_safe() {
        assert_eq!(parse("").unwrap().ssl, SslMode::VerifyFull);
        assert_eq!(parse("").unwrap().config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(parse("").unwrap().config.get_hosts().len(), 2);
        let local = PostgresAddress::parse("postgresql://me@127.0.0.1/vault").unwrap();
        assert_eq!(local.ssl, SslMode::Prefer);
        let mixed = PostgresAddress::parse("postgresql://me@127.0.0.1,db2.example/vault").unwrap();
        assert_eq!(mixed.ssl, SslMode::VerifyFull);
    }

    #[test]
    fn options_are_read() {
        let address =
            parse("?sslmode=verify-ca&sslrootcert=/etc/a%20b.pem&schema=vault&target_session_attrs=any").unwrap();
        assert_eq!(address.ssl, SslMode::VerifyCa);
        assert_eq!(address.files.root.unwrap(), PathBuf::from("/etc/a b.pem"));
        assert_eq!(address.schema, "vault");
        assert_eq!(parse("").unwrap().schema, "scaivault");
    }

    #[test]
    fn faults_name_what_is_wrong_and_show_no_password() {
        for (options, named) in [
            ("?sslmode=verify", "sslmode"),
            ("?schema=a-b", "schema"),
            ("?schema=pg_x", "schema"),
            ("?sslcert=/a", "sslkey"),
            ("?nonsense=1", "nonsense"),
            ("?target_session_attrs=read-only", "read-write"),
            ("?sslmode=%zz", "sslmode"),
        ] {
            let fault = parse(options).unwrap_err();
            assert!(fault.contains(named), "{options}: {fault}");
            assert!(!fault.contains("s3cret"));
        }
        assert!(PostgresAddress::parse("postgresql://host/db").unwrap_err().contains("user"));
        assert!(!format!("{:?}", parse("").unwrap()).contains("s3cret"));
    }
}
