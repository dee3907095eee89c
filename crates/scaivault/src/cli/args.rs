//! The arguments. Secrets are never among them: everybody on the machine can read those of a process.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::command::ClientCommand;
use super::command::database::DatabaseArguments;
use super::settings::Early;
use crate::build_info::VERSION_LINE;

/// A multi-tenant secrets manager: one binary, one data directory.
#[derive(Debug, Parser)]
#[command(
    name = "scaivault",
    version = VERSION_LINE,
    after_help = "\
Start here:
  scaivault server                     a server on http://127.0.0.1:8443 with its data in ./scaivault-data;
                                       the first start prints a token and three commands to try it with
  scaivault check                      what is configured, what is wrong, what to do next

  export SCAIVAULT_TOKEN=skt_...       or scaivault auth login --token -
  scaivault secrets write app/db user=app password=-
  scaivault secrets read app/db --field password
  scaivault run --env PGPASSWORD=app/db#password -- psql -h db.example -U app

Settings of the server come from the environment (DATA_DIR, BIND_ADDRESS, TLS_CERT_FILE, KMS_PROVIDER, LOG_LEVEL, ...), those of
the other commands from ~/.scaivault/config.json, then SCAIVAULT_URL, SCAIVAULT_TOKEN, SCAIVAULT_TOKEN_FILE, SCAIVAULT_TENANT_ID;
flags win. Exit codes: 0 done, 1 failed, 2 not signed in, 3 not permitted, 4 not found, 5 bad usage, value or configuration."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) early: Early,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Server(ServerArguments),
    Init(InitArguments),
    Check(CheckArguments),
    /// Move an instance between SQLite and PostgreSQL
    Database(DatabaseArguments),
    #[command(flatten)]
    Client(Box<ClientCommand>),
}

/// Run the server
///
/// Runs until SIGTERM or SIGINT, then lets open requests end (SHUTDOWN_TIMEOUT, 30s) and exits with 0. A second signal cuts
/// that short.
///
/// On an empty data directory it initialises itself: it makes the database and the root key (both readable by you alone) and
/// prints the first token once. Keep a copy of the root key apart from the database: without it nothing can be decrypted.
///
/// Without a usable root key the server runs sealed: it answers health checks and waits for an operator.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints one line `listening on http://ADDRESS:PORT` to standard output when it is ready; the log goes to standard error.

Examples:
  scaivault server
  scaivault server --data-dir /var/lib/scaivault --listen 127.0.0.1:0     any free port
  TLS_CERT_FILE=cert.pem TLS_KEY_FILE=key.pem scaivault server            TLS on 0.0.0.0:8443
  ALLOW_PLAIN_HTTP=true scaivault server                                  behind a proxy that ends TLS")]
pub(crate) struct ServerArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Address and port to listen on; port 0 takes a free one [env: BIND_ADDRESS] [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
}

/// Initialise an empty data directory and print the first token
///
/// Makes the partner ptn_default, the tenant tnt_default, the user admin@localhost (super_admin) and a token with all scopes,
/// which is shown only this once. With SCAIVAULT_INIT_TOKEN_FILE the token goes to that new file instead.
///
/// `scaivault server` does the same by itself; this command is for scripts, and for whoever wants the token before the server
/// runs. A second run changes nothing and exits with 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault init --data-dir /var/lib/scaivault
  TOKEN=$(scaivault init --json | jq -r .token)")]
pub(crate) struct InitArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Print one JSON object (partner_id, tenant_id, identity_id, token) and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

/// Explain the configuration, the database, the keys and the audit trail; change nothing
///
/// Says what is as it should be, what is not, and what to do next. Works beside a running server. Walks every audit stream,
/// which takes a while where it is long. Exits with 0 if a server could start and unseal itself and the trail is
/// whole, else with 1 (5 for a bad setting).
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    /// Directory of the database and the root key [env: DATA_DIR] [default: ./scaivault-data]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        fn walk(command: &clap::Command, name: &str) {
            let name = format!("{name} {}", command.get_name());
            for below in command.get_subcommands() {
                walk(below, &name);
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let teaches = help.contains("Example") || help.contains("Start here");
            assert!(teaches || command.has_subcommands() || command.get_name() == "check", "{name} has no example");
            assert!(command.get_about().is_some(), "{name} does not say what it does");
        }
        walk(&Arguments::command(), "");
    }

    #[test]
    fn flags_of_the_client_stand_anywhere() {
        for line in [
            "--json secrets list --url http://a",
            "secrets --json --url http://a list",
            "secrets list --url http://a --json",
        ] {
            assert!(Arguments::try_parse_from(["scaivault"].into_iter().chain(line.split(' '))).is_ok(), "{line}");
        }
        assert!(Arguments::try_parse_from(["scaivault", "server", "--url", "http://a"]).is_err());
    }

    #[test]
    fn flags_are_read() {
        let arguments =
            Arguments::try_parse_from(["scaivault", "server", "--data-dir", "d", "--listen", "127.0.0.1:0"]);
        let Some(Command::Server(server)) = arguments.unwrap().command else { panic!("another command") };
        assert_eq!(server.listen, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!(server.data.data_dir, Some(PathBuf::from("d")));
        assert!(Arguments::try_parse_from(["scaivault", "server", "--listen", "8443"]).is_err());
        assert!(Arguments::try_parse_from(["scaivault", "init", "--token", "x"]).is_err());
    }
}
