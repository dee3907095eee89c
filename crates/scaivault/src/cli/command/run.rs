//! `scaivault run`: secrets as variables of one process.

mod child;
mod obeyed;
mod variables;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::cli::session::Session;
use crate::failure::Failure;
use variables::{Below, Wish};

/// Run a command with secrets in its environment, and nowhere else
///
/// Signals go on to the command and its exit code comes back: 128 and the signal's number where a signal ended it, 127 where
/// the command was not found. If a secret can't be read, the command is not started.
#[derive(Debug, Args)]
#[command(after_help = "\
NAME=PATH without #FIELD takes the field called like NAME in lower case, else the only one. --prefix takes every field of
every secret below: `app/db` with a field `password` below the prefix `app/` becomes DB_PASSWORD. Whoever may write below a
prefix chooses these names, so variables that programs obey (PATH, LD_PRELOAD, HTTPS_PROXY and the like) are refused, and so are
variables that are set already, unless --override is given; --env may set any.
More wishes, one a line as for --env, may stand in the variable SECRETS.

Examples:
  scaivault run --env PGPASSWORD=app/db#password -- psql -h db.example -U app
  scaivault run --prefix app/ -- ./server
  scaivault run --env DB_PASSWORD=app/db --env API_KEY=app/api#key -- npm start")]
pub(crate) struct Run {
    /// A variable and the field it holds; repeat it for several. Wins over --prefix
    #[arg(long = "env", value_name = "NAME=PATH[#FIELD]")]
    wishes: Vec<Wish>,
    /// Every secret whose path begins so
    #[arg(long)]
    prefix: Option<String>,
    /// Let secrets of --prefix replace variables that are set already
    #[arg(long = "override", requires = "prefix")]
    overrides: bool,
    /// Leave SCAIVAULT_TOKEN and the other credentials of this program in the command's environment
    #[arg(long)]
    keep_token: bool,
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    pub(super) async fn run(self, session: &Session) -> Result<ExitCode, Failure> {
        let mut wishes = variables::from_environment()?;
        wishes.extend(self.wishes);
        if wishes.is_empty() && self.prefix.is_none() {
            return Err(Failure::usage("give --env or --prefix: without them there is nothing to do but the command"));
        }
        let below = self.prefix.as_deref().map(|prefix| Below { prefix, overrides: self.overrides });
        let variables = variables::fetch(session, &wishes, below).await?;
        child::run(&self.command, &variables, self.keep_token).await
    }
}
