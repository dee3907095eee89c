//! The command line: arguments, commands, exit codes (contract 13 section 1).

mod args;
mod ask;
mod check;
mod client;
mod command;
mod environment;
mod init;
mod plan;
mod server;
mod session;
mod settings;
mod show;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::failure::{Failure, GENERAL, USAGE};
use crate::output;
use args::{Arguments, Command};
use command::ClientCommand;
use settings::Early;
use show::text::printable;

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Also `--help` and `--version`, which are no errors and go to standard output.
        Err(error) => return explain(&error),
    };
    if !arguments.early.is_empty() && !matches!(arguments.command, Some(Command::Client(_))) {
        output::notice(
            "scaivault: --url, --tenant, --partner, --json, --yes and --debug are for commands that ask a server",
        );
        return ExitCode::from(USAGE);
    }
    let outcome = match arguments.command {
        None => help().map(|()| ExitCode::SUCCESS),
        Some(Command::Server(arguments)) => server::run(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Init(arguments)) => init::run(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Check(arguments)) => check::run(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Database(arguments)) => command::database::run(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Client(command)) => ask_the_server(*command, arguments.early),
    };
    match outcome {
        Ok(exit_code) => exit_code,
        Err(Failure { exit_code, line }) => {
            // It may quote a server, and through it anybody.
            output::notice(format_args!("scaivault: {}", printable(&line)));
            ExitCode::from(exit_code)
        }
    }
}

fn explain(error: &clap::Error) -> ExitCode {
    // The explanation may quote an argument, and a token in a wrong place must not reach a log through it.
    let text = error.render();
    if error.use_stderr() && holds_a_token(&text.to_string()) {
        output::notice(
            "scaivault: a token is no argument: give it by SCAIVAULT_TOKEN, or to scaivault auth login --token -",
        );
        return ExitCode::from(USAGE);
    }
    let written = error.print();
    if error.use_stderr() || written.is_err() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// A client does one thing after another: one thread is enough.
fn ask_the_server(command: ClientCommand, early: Early) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::general(format!("no runtime: {error}")))?.block_on(command.run(early))
}

fn holds_a_token(text: &str) -> bool {
    // Help says `skt_...`.
    ["skt_", "skr_", "sks_", "eyJ"]
        .iter()
        .any(|mark| text.split(mark).skip(1).any(|rest| rest.starts_with(|char: char| char.is_ascii_alphanumeric())))
}

fn help() -> Result<(), Failure> {
    let text = Arguments::command().render_help().to_string();
    output::result(&text).map_err(unwritten)
}

/// A result that could not be written is no success, whatever was done.
fn unwritten(error: std::io::Error) -> Failure {
    Failure { exit_code: GENERAL, line: format!("can't write to standard output: {error}") }
}
