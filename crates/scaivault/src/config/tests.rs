use std::collections::BTreeMap;

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), ConfigError> {
    let map: BTreeMap<String, OsString> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    let names: Vec<String> = map.keys().cloned().collect();
    Config::from_env(&|name| map.get(name).cloned(), &names)
}

fn good(variables: &[(&str, &str)]) -> Config {
    read(variables).unwrap_or_else(|error| panic!("{error}")).0
}

fn refused(variables: &[(&str, &str)]) -> String {
    let Err(error) = read(variables) else { panic!("accepted {variables:?}") };
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

/// A file that lives as long as the test, with its name.
fn file(content: &[u8]) -> (std::path::PathBuf, String) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("scaivault-config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, content).unwrap();
    let name = path.to_str().unwrap().to_owned();
    (path, name)
}

#[test]
fn an_empty_environment_has_the_defaults_of_the_contract() {
    let (config, warnings) = read(&[("LOG_LEVEL", "")]).unwrap();
    assert!(warnings.is_empty());
    assert!(matches!(config.database, Database::Embedded));
    assert_eq!(config.data_dir, PathBuf::from("./scaivault-data"));
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:8443");
    assert_eq!(config.listen.base_url, "http://localhost:8443");
    assert_eq!(config.log, Log { level: LogLevel::Info, format: LogFormat::Json });
    assert!(matches!(config.kms, Kms::File { path } if path == std::path::Path::new("./scaivault-data/root.key")));
    assert_eq!(config.key_cache_ttl.seconds(), 900);
    assert_eq!(config.max_secret_bytes, 1_048_576);
    assert_eq!(config.secret_retention.as_str(), "30d");
    assert_eq!(config.audit_retention.as_str(), "2557d");
    assert_eq!(config.token_max_ttl.as_str(), "366d");
    assert_eq!((config.mfa_max_age.seconds(), config.shutdown_timeout.seconds()), (3600, 30));
    assert_eq!(config.rate_limits, RateLimits::default());
    assert_eq!((config.metrics.auth, config.metrics.address), (MetricsAuth::Token, None));
    assert!(
        config.listen.cors_origins.is_empty()
            && config.listen.trusted_proxies.is_empty()
            && config.listen.tls.is_none()
    );
}

#[test]
fn y_13_bad_values_name_the_variable_and_never_the_value() {
    assert_eq!(refused(&[("RATE_LIMIT_RAED", "5")]), "RATE_LIMIT_RAED is not a known rate limit");
    assert_eq!(refused(&[("LOG_LEVEL", "loud")]), "LOG_LEVEL must be one of info, debug, warn, error");
    for name in [
        "LOG_LEVEL",
        "LOG_FORMAT",
        "KMS_PROVIDER",
        "KEY_CACHE_TTL",
        "MAX_SECRET_BYTES",
        "SECRET_RETENTION",
        "AUDIT_RETENTION",
        "RATE_LIMIT_ENABLED",
        "RATE_LIMIT_READ",
        "TOKEN_MAX_TTL",
        "MFA_MAX_AGE",
        "METRICS_AUTH",
        "METRICS_BIND_ADDRESS",
        "METRICS_PER_IDENTITY",
        "BIND_ADDRESS",
        "BASE_URL",
        "ALLOW_PLAIN_HTTP",
        "TRUSTED_PROXIES",
        "CORS_ALLOWED_ORIGINS",
        "SHUTDOWN_TIMEOUT",
        "DATABASE_URL",
        "DATABASE_URL_FILE",
    ] {
        let line = refused(&[(name, "hunter 2")]);
        assert!(line.starts_with(name) && !line.contains("hunter"), "{line}");
    }
    for (name, value) in [
        ("MAX_SECRET_BYTES", "0"),
        ("MAX_SECRET_BYTES", "+5"),
        ("RATE_LIMIT_READ", "-1"),
        ("SECRET_RETENTION", "0s"),
        ("SECRET_RETENTION", "30"),
        ("RATE_LIMIT_ENABLED", "yes"),
        ("BASE_URL", "https://"),
        ("BASE_URL", "https://u@h"),
        ("CORS_ALLOWED_ORIGINS", "https://a/"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("DATABASE_URL", "sqlite:"),
        ("DATABASE_URL", "mysql://x"),
        ("KMS_PROVIDER", "shamir"),
        ("BIND_ADDRESS", "8443"),
        ("CONSOLE_ENABLED", "x"),
        ("WEBHOOK_ALLOW_HTTP", "x"),
        ("WEBHOOK_DENIED_CIDRS", "10.0.0.0/33"),
        ("IDENTITY_SYNC_INTERVAL", "x"),
    ] {
        assert!(refused(&[(name, value)]).starts_with(name), "{name}={value}");
    }
}

#[test]
fn unknown_names_of_three_families_are_warnings() {
    let names = [
        ("KMS_PROVIDR", "file"),
        ("AUDIT_LOGFILE", "x"),
        ("METRICS_\nAUTH", "x"),
        ("AUDIT_ARCHIVE_BUCKET", "b"),
        ("KMS_KEY_ID", "k"),
        ("REDIS_URL", "redis://:hunter2@x"),
        ("SCAIKEY_URL", "x"),
        ("IDENTITY_SYNC_INTERVAL", "15m"),
        ("WEBHOOK_ALLOW_HTTP", "true"),
        ("OBJECT_STORE_PROVIDER", "s3"),
        ("CONSOLE_ENABLED", "false"),
        ("PATH", "/bin"),
    ];
    let (_, warnings) = read(&names).unwrap();
    let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let named: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(named, ["AUDIT_LOGFILE", "KMS_PROVIDR", "METRICS_\\nAUTH", "REDIS_URL"]);
    assert!(!lines.concat().contains("hunter2"));
}

#[test]
fn webhooks_go_where_an_operator_says() {
    assert_eq!(good(&[]).webhook_addresses, AddressRules::default());
    let rules = good(&[
        ("WEBHOOK_ALLOWED_CIDRS", "10.0.0.0/8, ::1"),
        ("WEBHOOK_DENIED_CIDRS", "10.1.0.0/16"),
        ("WEBHOOK_ALLOW_HTTP", "true"),
    ])
    .webhook_addresses;
    assert_eq!(rules.allowed, ["10.0.0.0/8".parse::<IpNet>().unwrap(), "::1/128".parse().unwrap()]);
    assert_eq!(rules.denied, ["10.1.0.0/16".parse::<IpNet>().unwrap()]);
    assert!(rules.allow_http);
}

#[test]
fn plain_http_stays_on_this_machine_unless_allowed() {
    assert!(refused(&[("BIND_ADDRESS", "0.0.0.0:8443")]).starts_with("BIND_ADDRESS would serve plain HTTP"));
    assert!(refused(&[("BIND_ADDRESS", "[::]:80")]).starts_with("BIND_ADDRESS"));
    for local in ["127.0.0.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert_eq!(good(&[("BIND_ADDRESS", local)]).listen.address.to_string(), local);
    }
    let open = good(&[("ALLOW_PLAIN_HTTP", "true")]);
    assert_eq!(open.listen.address.to_string(), "0.0.0.0:8443");
    let tls = good(&[
        ("TLS_CERT_FILE", "c"),
        ("TLS_KEY_FILE", "k"),
        ("BIND_ADDRESS", "192.0.2.1:443"),
        ("BASE_URL", "https://v.example/"),
    ]);
    assert_eq!((tls.listen.address.port(), tls.listen.base_url.as_str()), (443, "https://v.example"));
    assert!(tls.listen.tls.is_some());
    assert!(refused(&[("TLS_CERT_FILE", "c")]).starts_with("TLS_KEY_FILE"));
    assert!(refused(&[("TLS_KEY_FILE", "k")]).starts_with("TLS_CERT_FILE"));
    assert_eq!(good(&[("BIND_ADDRESS", "127.0.0.1:9000")]).listen.base_url, "http://localhost:9000");
}

#[test]
fn the_public_url_follows_a_port_that_was_picked() {
    let picked = "127.0.0.1:40000".parse().unwrap();
    let mut listen = good(&[("BIND_ADDRESS", "127.0.0.1:0")]).listen;
    listen.bound_to(picked);
    assert_eq!((listen.base_url.as_str(), listen.given_base_url()), ("http://localhost:40000", None));
    let mut listen = good(&[("BIND_ADDRESS", "127.0.0.1:0"), ("BASE_URL", "https://v.example")]).listen;
    listen.bound_to(picked);
    assert_eq!((listen.address.port(), listen.given_base_url()), (40000, Some("https://v.example")));
}

#[test]
fn lists_are_comma_separated() {
    let config = good(&[
        ("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32"),
        ("CORS_ALLOWED_ORIGINS", "https://A.example,http://localhost:3000"),
    ]);
    let networks: Vec<String> = config.listen.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]);
    assert_eq!(config.listen.cors_origins, ["https://a.example", "http://localhost:3000"]);
    assert!(refused(&[("TRUSTED_PROXIES", "10.0.0.0/33")]).starts_with("TRUSTED_PROXIES"));
}

#[test]
fn databases_are_told_by_their_scheme() {
    for (url, path) in [("sqlite:x.db", "x.db"), ("sqlite:/d/x.db", "/d/x.db"), ("sqlite:///d/x.db", "/d/x.db")] {
        assert!(
            matches!(good(&[("DATABASE_URL", url)]).database, Database::Sqlite(file) if file == std::path::Path::new(path)),
            "{url}"
        );
    }
    let config = good(&[("DATABASE_URL", "postgresql://u:hunter2@h1,h2:5432/db")]);
    assert!(
        matches!(&config.database, Database::Postgres(options) if options.pool_size == 16 && options.node_id.is_none())
    );
    assert!(!format!("{config:?}").contains("hunter2"));
    let url = ("DATABASE_URL", "postgresql://u:hunter2@h1/db");
    let named = good(&[url, ("NODE_ID", "a.b-1"), ("DATABASE_POOL_SIZE", "4")]);
    assert!(
        matches!(&named.database, Database::Postgres(options) if options.pool_size == 4 && options.node_id.is_some())
    );
    assert!(refused(&[url, ("NODE_ID", "a b")]).starts_with("NODE_ID"));
    assert!(refused(&[url, ("DATABASE_POOL_SIZE", "3")]).starts_with("DATABASE_POOL_SIZE"));
    let fault = refused(&[("DATABASE_URL", "postgresql://u:hunter2@h1/db?sslmode=maybe")]);
    assert!(fault.starts_with("DATABASE_URL") && fault.contains("sslmode") && !fault.contains("hunter2"));
}

#[test]
fn rate_limits_are_set_by_category() {
    let config = good(&[("RATE_LIMIT_READ", "5"), ("RATE_LIMIT_PKI_ADMIN", "0")]);
    assert_eq!(config.rate_limits.per_minute(RateCategory::Read), Some(5));
    assert_eq!(config.rate_limits.per_minute(RateCategory::PkiAdmin), None);
    assert_eq!(config.rate_limits.per_minute(RateCategory::Write), Some(100));
    assert_eq!(good(&[("RATE_LIMIT_ENABLED", "false")]).rate_limits.per_minute(RateCategory::Read), None);
}

#[test]
fn the_metrics_port_is_open_unless_told_otherwise() {
    let metrics = good(&[("METRICS_BIND_ADDRESS", "127.0.0.1:9100")]).metrics;
    assert_eq!((metrics.auth, metrics.address.map(|address| address.port())), (MetricsAuth::None, Some(9100)));
    assert_eq!(
        good(&[("METRICS_BIND_ADDRESS", "127.0.0.1:9100"), ("METRICS_AUTH", "token")]).metrics.auth,
        MetricsAuth::Token
    );
    assert_eq!(good(&[("METRICS_AUTH", "none")]).metrics.auth, MetricsAuth::None);
    let (config, warnings) = read(&[("METRICS_PER_IDENTITY", "true")]).unwrap();
    assert!(config.metrics.per_identity && warnings.is_empty());
}

#[test]
fn tokens_for_metrics_stay_on_this_machine_unless_allowed() {
    let (beyond, token) = (("METRICS_BIND_ADDRESS", "192.0.2.1:9100"), ("METRICS_AUTH", "token"));
    assert!(refused(&[beyond, token]).starts_with("METRICS_BIND_ADDRESS would serve plain HTTP"));
    let accepted = |more: &[(&str, &str)]| {
        let metrics = good(&[&[beyond], more].concat()).metrics;
        (metrics.auth, metrics.address.map(|address| address.port()))
    };
    assert_eq!(accepted(&[token, ("ALLOW_PLAIN_HTTP", "true")]), (MetricsAuth::Token, Some(9100)));
    assert_eq!(accepted(&[token, ("TLS_CERT_FILE", "c"), ("TLS_KEY_FILE", "k")]), (MetricsAuth::Token, Some(9100)));
    assert_eq!(accepted(&[]), (MetricsAuth::None, Some(9100)), "without tokens there is nothing to take");
}

#[test]
fn the_root_key_comes_from_a_variable_or_a_file() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let env = ("KMS_PROVIDER", "env");
    let config = good(&[env, ("SCAIVAULT_ROOT_KEY", key)]);
    assert!(matches!(&config.kms, Kms::Env { key } if key.expose() == (0..32).collect::<Vec<u8>>()));
    assert!(!format!("{config:?}").contains("AAEC"));
    let (path, name) = file(format!("{key}\r\n").as_bytes());
    assert!(matches!(good(&[env, ("SCAIVAULT_ROOT_KEY_FILE", &name)]).kms, Kms::Env { key } if key.len() == 32));
    assert!(
        refused(&[env, ("SCAIVAULT_ROOT_KEY", key), ("SCAIVAULT_ROOT_KEY_FILE", &name)])
            .contains("must not both be set")
    );
    std::fs::remove_file(path).unwrap();
    assert!(
        refused(&[env, ("SCAIVAULT_ROOT_KEY_FILE", &name)])
            .starts_with("SCAIVAULT_ROOT_KEY_FILE names a file that can't be read")
    );
    assert_eq!(refused(&[env]), "SCAIVAULT_ROOT_KEY is needed with KMS_PROVIDER=env");
    for bad in ["AAEC", "hunter2!", &key[..40]] {
        assert_eq!(refused(&[env, ("SCAIVAULT_ROOT_KEY", bad)]), "SCAIVAULT_ROOT_KEY must be base64 of 32 bytes");
    }
    assert!(matches!(good(&[("KMS_KEY_FILE", "/k")]).kms, Kms::File { path } if path == std::path::Path::new("/k")));
}

#[test]
fn a_passphrase_comes_from_a_file_or_later() {
    let provider = ("KMS_PROVIDER", "passphrase");
    assert!(matches!(good(&[provider]).kms, Kms::Passphrase { passphrase: None }));
    let (path, name) = file("correct horse \n".as_bytes());
    let kms = good(&[provider, ("KMS_PASSPHRASE_FILE", &name)]).kms;
    assert!(matches!(kms, Kms::Passphrase { passphrase: Some(text) } if text.expose() == b"correct horse "));
    for (content, fault) in [(vec![], "empty"), (vec![0xff], "not UTF-8"), (vec![b'x'; 70_000], "too long")] {
        std::fs::write(&path, content).unwrap();
        assert!(refused(&[provider, ("KMS_PASSPHRASE_FILE", &name)]).contains(fault));
    }
    std::fs::remove_file(path).unwrap();
}

#[cfg(unix)]
#[test]
fn values_that_are_no_text_are_refused_but_paths_are_bytes() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = OsString::from_vec(vec![b'a', 0xff]);
    let only = |wanted: &'static str| {
        let bytes = bytes.clone();
        Config::from_env(&move |name| (name == wanted).then(|| bytes.clone()), &[])
    };
    assert_eq!(only("BASE_URL").unwrap_err().to_string(), "BASE_URL is not UTF-8");
    assert_eq!(only("DATA_DIR").unwrap().0.data_dir.as_os_str(), bytes);
}
