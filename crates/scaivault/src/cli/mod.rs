//! The command line: arguments, commands, exit codes (contract 13 section 1).

mod args;
mod check;
mod environment;
mod init;
mod server;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::failure::{Failure, GENERAL, USAGE};
use crate::output;
use args::{Arguments, Command};

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Also `--help` and `--version`, which are no errors and go to standard output.
        Err(error) => {
            let written = error.print();
            let bad = error.use_stderr() || written.is_err();
            return if bad { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match arguments.command {
        None => help(),
        Some(Command::Server(arguments)) => server::run(&arguments),
        Some(Command::Init(arguments)) => init::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit_code, line }) => {
            output::notice(format_args!("scaivault: {line}"));
            ExitCode::from(exit_code)
        }
    }
}

fn help() -> Result<(), Failure> {
    let text = Arguments::command().render_help().to_string();
    output::result(&text).map_err(unwritten)
}

/// A result that could not be written is no success, whatever was done.
fn unwritten(error: std::io::Error) -> Failure {
    Failure { exit_code: GENERAL, line: format!("can't write to standard output: {error}") }
}
