//! `scaivault check`: what a start would find, said in advance. Makes and changes nothing.

mod report;
mod trail;

use std::path::Path;

use scaivault_http::serve::Tls;
use scaivault_service::audit::TrailKeys;
use scaivault_service::seal::SealError;
use scaivault_store::instance::{self, InstanceRecord};
use scaivault_store::key::{self, KeyLevel, WrappedKey};
use scaivault_store::{
    Inspected, Inspection, ReadView, Snapshots as _, SqliteLocation, StoreResult, inspect_postgres, inspect_sqlite,
};

use self::report::Report;
use super::args::CheckArguments;
use super::environment::Flags;
use super::unwritten;
use crate::config::{Config, Database, Kms, LogFormat};
use crate::failure::Failure;
use crate::{data_dir, output, wiring};

pub(super) fn run(arguments: &CheckArguments) -> Result<(), Failure> {
    let (config, warnings) = Flags::from(&arguments.data).configuration()?;
    let mut report = Report::default();
    configuration(&config, &mut report);
    for warning in warnings {
        report.warning("setting", warning);
    }
    tls(&config, &mut report);
    directory(&config, &mut report);
    let mut database = database(&config, &mut report);
    let keys = root_key(&config, &database, &mut report);
    token_file(&config, &database, &mut report);
    let would_start = report.faults() == 0;
    if let State::Initialised { database, .. } = &mut database {
        trail::check(database, keys.as_ref(), &mut report);
    }
    next(&config, &database, would_start, &mut report);
    output::result(&report.to_string()).map_err(unwritten)?;
    match report.faults() {
        0 => Ok(()),
        1 => Err(Failure::general("1 fault, see above")),
        faults => Err(Failure::general(format!("{faults} faults, see above"))),
    }
}

fn configuration(config: &Config, report: &mut Report) {
    let provider = match &config.kms {
        Kms::File { path } => format!("the file {}", path.display()),
        Kms::Env { .. } => "the variable SCAIVAULT_ROOT_KEY".to_owned(),
        Kms::Passphrase { passphrase: Some(_) } => "the passphrase in KMS_PASSPHRASE_FILE".to_owned(),
        Kms::Passphrase { passphrase: None } => "a passphrase that an operator sends".to_owned(),
    };
    let listen = &config.listen;
    report.ok("database", wiring::database_shown(config));
    report.ok("root key", format_args!("from {provider}"));
    report.ok("listens", format_args!("{}://{}, public URL {}", listen.scheme(), listen.address, listen.base_url));
    if let Some(address) = config.metrics.address {
        report.ok("metrics", format_args!("http://{address}"));
    }
    let format = match config.log.format {
        LogFormat::Json => "JSON",
        LogFormat::Text => "text",
    };
    report.ok("log", format_args!("{format} from level {:?} on, to standard error", config.log.level));
}

fn tls(config: &Config, report: &mut Report) {
    let Some(files) = &config.listen.tls else { return };
    match Tls::load(files.cert.clone(), files.key.clone()) {
        Ok(_) => report.ok("TLS", "certificate and key fit each other"),
        Err(error) => report.fault("TLS", error),
    }
}

fn directory(config: &Config, report: &mut Report) {
    if !wiring::needs_data_dir(config) {
        return;
    }
    let dir = &config.data_dir;
    match std::fs::metadata(dir) {
        Ok(meta) if !meta.is_dir() => {
            report.fault("data directory", format_args!("{} is not a directory", dir.display()))
        }
        Ok(meta) => match data_dir::wide_mode(dir, &meta) {
            Some(warning) => report.warning("data directory", warning),
            None => report.ok("data directory", format_args!("{} is private", dir.display())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.ok("data directory", format_args!("{} does not exist yet; the first start makes it", dir.display()));
        }
        Err(error) => report.fault("data directory", format_args!("{}: {error}", dir.display())),
    }
}

/// As far as the checks after it need to know it.
enum State {
    /// No instance: the first start makes one.
    Empty,
    /// There is something, but it can't be looked into.
    Closed,
    Initialised {
        record: Box<InstanceRecord>,
        /// The instance key, wrapped by the root key.
        wrapped: Option<WrappedKey>,
        in_use: bool,
        database: Box<Inspection>,
    },
}

fn database(config: &Config, report: &mut Report) -> State {
    let file = wiring::database_file(config).unwrap_or_default();
    if let Database::Sqlite(_) = config.database
        && let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir())
    {
        report.fault("database", format_args!("the directory {} does not exist", parent.display()));
        return State::Closed;
    }
    let inspected = match &config.database {
        Database::Postgres(options) => inspect_postgres(&options.address),
        Database::Embedded | Database::Sqlite(_) => inspect_sqlite(&SqliteLocation { file }),
    };
    match inspected {
        Ok(Inspected::Absent) => {
            report.ok("database", "does not exist yet; the first start makes it");
            State::Empty
        }
        Ok(Inspected::Unrecovered) => {
            report.warning("database", "was not closed in an orderly way; the next start recovers it. Not looked into");
            State::Closed
        }
        Ok(Inspected::Present { found, known, .. }) if found > known => {
            let fault = format!("has schema version {found}, this program knows {known}; use the newer program");
            report.fault("database", fault);
            State::Closed
        }
        Ok(Inspected::Present { found, known, in_use, .. }) if found < known => {
            let who = if in_use { "an older server has it open; its next start" } else { "the next start" };
            report.ok("database", format_args!("schema version {found}; {who} migrates it to {known}"));
            if found == 0 { State::Empty } else { State::Closed }
        }
        Ok(Inspected::Present { found, in_use, database, .. }) => {
            let used = if in_use { "a server has it open" } else { "no server has it open" };
            report.ok("database", format_args!("opens; schema version {found}; {used}"));
            match looked_into(database) {
                Ok(Some((database, record, wrapped))) => {
                    let since = record.created_at.to_rfc3339_seconds();
                    report.ok("instance", format_args!("initialised {since} with provider '{}'", record.provider));
                    State::Initialised { record: Box::new(record), wrapped, in_use, database: Box::new(database) }
                }
                Ok(None) => {
                    report.ok("instance", "not initialised yet");
                    State::Empty
                }
                Err(error) => {
                    report.fault("database", error);
                    State::Closed
                }
            }
        }
        Err(error) => {
            report.fault("database", error);
            State::Closed
        }
    }
}

/// `None`: nothing is there yet.
fn looked_into(database: Option<Inspection>) -> StoreResult<Option<(Inspection, InstanceRecord, Option<WrappedKey>)>> {
    let Some(mut database) = database else { return Ok(None) };
    let seen = database.read(look)?;
    Ok(seen.map(|(record, wrapped)| (database, record, wrapped)))
}

fn look(view: &mut ReadView<'_>) -> StoreResult<Option<(InstanceRecord, Option<WrappedKey>)>> {
    let Some(record) = instance::find(view)? else { return Ok(None) };
    let newest = key::of_owner(view, KeyLevel::Instance, "instance")?.into_iter().next();
    Ok(Some((record, newest)))
}

/// Answers what the trail's signatures are checked with, if the root key opens the database.
fn root_key(config: &Config, state: &State, report: &mut Report) -> Option<TrailKeys> {
    let provider = wiring::provider(&config.kms);
    let file = wiring::root_key_file(&config.kms);
    match state {
        State::Initialised { record, .. } if record.provider != provider.name() => report.fault(
            "root key",
            format_args!(
                "the database was initialised with provider '{}', but KMS_PROVIDER is '{}'",
                record.provider,
                provider.name()
            ),
        ),
        State::Initialised { record, wrapped, .. } => match (provider.obtain(record.kdf_salt.as_deref()), wrapped) {
            (Ok(_), None) => report.fault("root key", "the database has no instance key: it was altered"),
            (Ok(root), Some(wrapped)) => match TrailKeys::open(root, wrapped.clone()) {
                Some(keys) => {
                    report.ok("root key", "opens this database");
                    return Some(keys);
                }
                None => {
                    let fault = "does not open this database: it is another one's, or the database was altered";
                    report.fault("root key", fault);
                }
            },
            (Err(SealError::NeedsOperator(what)), _) => {
                report.warning("root key", format_args!("the server starts sealed: {what}"))
            }
            (Err(SealError::Refused(what)), _) => report.fault("root key", what),
        },
        // Where the directory may not even be entered, nothing can be said.
        State::Closed if file.is_some_and(|file| matches!(file.try_exists(), Ok(false))) => report
            .fault("root key", format_args!("root-key file {} is missing; put it back from your backup", shown(file))),
        // Whether it opens the database can't be said; whether it is a key can.
        State::Closed | State::Empty => match file.filter(|file| file.exists()).map(|_| provider.obtain(None)) {
            None => {}
            Some(Ok(_)) => report.ok("root key", format_args!("{} holds a key", shown(file))),
            Some(Err(error)) => report.fault("root key", error),
        },
    }
    None
}

fn shown(file: Option<&Path>) -> String {
    file.map(|file| file.display().to_string()).unwrap_or_default()
}

fn token_file(config: &Config, state: &State, report: &mut Report) {
    if let (State::Empty, Some(file)) = (state, &config.init_token_file)
        && file.exists()
    {
        let fault = format!("{} exists already, and the first token must go to a new file; remove it", file.display());
        report.fault("SCAIVAULT_INIT_TOKEN_FILE", fault);
    }
}

fn next(config: &Config, state: &State, would_start: bool, report: &mut Report) {
    let text = match state {
        _ if would_start && report.faults() > 0 => {
            "the server would start, but somebody altered the audit trail or the disk damaged it: keep a copy of the database, and compare it with a backup, AUDIT_LOG_FILE and AUDIT_CHECKPOINT_FILE".to_owned()
        }
        _ if !would_start => "mend the faults, then run scaivault check again".to_owned(),
        State::Initialised { in_use: true, .. } => {
            format!("nothing; a server is running. Ask it: curl {}/v1/health/ready", config.listen.base_url)
        }
        State::Initialised { .. } | State::Closed => "start the server: scaivault server".to_owned(),
        State::Empty => match &config.kms {
            Kms::Passphrase { passphrase: None } => "set KMS_PASSPHRASE_FILE and run: scaivault init".to_owned(),
            Kms::File { path } => format!(
                "start the server: scaivault server. It initialises itself and prints the first token; then keep a copy of {} apart from the database",
                path.display()
            ),
            Kms::Env { .. } | Kms::Passphrase { .. } => {
                "start the server: scaivault server. It initialises itself and prints the first token".to_owned()
            }
        },
    };
    report.next(text);
}
