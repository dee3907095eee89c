//! `scaivault database copy`: an instance moves from one database to another. No server takes part; see `scaivault_store::copy`.

mod place;
mod progress;
mod trail;

use std::time::Instant;

use clap::{Args, Subcommand};
use scaivault_store::copy::{CopyError, Copying, TableSum};
use serde_json::json;

use self::place::{Destination, Source};
use self::progress::Telling;
use self::trail::Walked;
use crate::cli::args::DataArguments;
use crate::cli::environment::Flags;
use crate::cli::unwritten;
use crate::failure::Failure;
use crate::{output, process};

// No doc comment: it would stand in the help.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct DatabaseArguments {
    #[command(subcommand)]
    command: DatabaseCommand,
}

#[derive(Debug, Subcommand)]
enum DatabaseCommand {
    Copy(Box<CopyArguments>),
}

/// Copy the whole instance to another database, between SQLite and PostgreSQL
///
/// All servers must be stopped; none can start on either database until the copy is done. The destination is empty, or holds
/// what an earlier run of the same copy left: then it goes on where that one ended, whatever ended it. At the end every row of both
/// sides is read and compared, and every audit chain of the copy is verified; until then no server starts on the destination.
///
/// The source is not changed. The root key is no part of the database: the new servers need the same one. It is used here, as
/// the settings name it, to check the signatures of the audit trail; without it they are left out.
///
/// A URL with a password is not taken from the command line, which everybody on the machine can read: name the variable or the
/// file that holds it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault database copy --from sqlite:/var/lib/scaivault/scaivault.db --to-env DATABASE_URL
  scaivault database copy --from-file old-url --to-file new-url --json
  scaivault database copy --from-env DATABASE_URL --to sqlite:/srv/scaivault/scaivault.db

Afterwards set DATABASE_URL of all servers to the new database, and keep the old one until you are sure of it.")]
struct CopyArguments {
    #[command(flatten)]
    from: Source,
    #[command(flatten)]
    to: Destination,
    /// Remove what an unfinished copy left in the destination, and begin anew
    #[arg(long)]
    restart: bool,
    /// Finish the copy although an audit chain does not verify, as it did not in the source
    #[arg(long)]
    allow_broken_audit: bool,
    /// Say nothing but failures and the result
    #[arg(long, short = 'q')]
    quiet: bool,
    /// Print one JSON object (from, to, rows, seconds, tables, audit) and nothing else
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArguments,
}

pub(crate) fn run(arguments: &DatabaseArguments) -> Result<(), Failure> {
    let DatabaseCommand::Copy(copy) = &arguments.command;
    copy.run()
}

impl CopyArguments {
    fn run(&self) -> Result<(), Failure> {
        let (config, _) = Flags::from(&self.data).configuration()?;
        let (from, to) = (self.from.place()?, self.to.place()?);
        if place::are_same(&from, &to) {
            return Err(Failure::usage("--from and --to name the same file"));
        }
        process::harden();
        let begun = Instant::now();
        let mut telling = Telling::new(self.quiet);
        let mut copying = Copying::begin(&from, &to, self.restart).map_err(failure)?;
        let (source, destination) = copying.shown();
        let (there, all) = copying.standing();
        if copying.is_resumed() {
            telling.say(format_args!("going on with an unfinished copy: {there} of {all} rows are there"));
        } else {
            telling.say(format_args!("copying {all} rows from {source} to {destination}"));
        }
        let resumed = copying.is_resumed();
        copying.transfer(&mut |progress| telling.tell(&progress)).map_err(failure)?;
        telling.say("comparing all rows of both sides");
        let mut verification = copying.verify(&mut |progress| telling.tell(&progress)).map_err(failure)?;
        telling.say("verifying the audit chains of the copy");
        let keys = trail::keys(&config, &mut verification);
        if let Err(why) = &keys {
            telling.say(format_args!("the signatures of the audit trail are not checked: {why}"));
        }
        let walked = trail::walk(&mut verification, keys.as_ref().ok(), &mut telling)?;
        if !walked.broken.is_empty() && !self.allow_broken_audit {
            return Err(Failure::general(format!(
                "the copy is like its source, but audit chains are broken in both: {}; the copy stays unfinished. To move all the same: --allow-broken-audit",
                walked.broken.join("; ")
            )));
        }
        let tables = verification.tables.clone();
        verification.finish().map_err(failure)?;
        let done = Done { source, destination, resumed, tables, walked, signatures: keys.is_ok(), begun };
        output::result(&if self.json { done.as_json() } else { done.as_text() }).map_err(unwritten)
    }
}

/// What there is to say at the end.
struct Done {
    source: String,
    destination: String,
    resumed: bool,
    tables: Vec<TableSum>,
    walked: Walked,
    signatures: bool,
    begun: Instant,
}

impl Done {
    fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    fn as_json(&self) -> String {
        let tables: Vec<_> = self
            .tables
            .iter()
            .map(|table| json!({"table": table.table, "rows": table.rows, "sha256": hex::encode(table.digest)}))
            .collect();
        let audit = json!({
            "chains": self.walked.chains, "entries": self.walked.entries, "checkpoints": self.walked.checkpoints,
            "signatures_checked": self.signatures, "broken": self.walked.broken,
        });
        let done = json!({
            "from": self.source, "to": self.destination, "resumed": self.resumed, "rows": self.rows(),
            "seconds": (self.begun.elapsed().as_millis() as f64) / 1000.0, "tables": tables, "audit": audit,
        });
        format!("{done}\n")
    }

    fn as_text(&self) -> String {
        let Walked { chains, entries, checkpoints, .. } = self.walked;
        let signatures = match (self.signatures, self.walked.broken.len()) {
            (true, 0) => "all valid",
            (false, 0) => "valid; their signatures need the root key and were not checked",
            _ => "not all valid, as in the source",
        };
        format!(
            "copied {rows} rows of {count} tables to {destination} in {seconds:.1} s; every row was compared
audit trail: {chains} chains, {entries} entries, {checkpoints} checkpoints, {signatures}

Next:
  1. Set DATABASE_URL of all servers to the new database.
  2. Give them the same root key (KMS_PROVIDER and its settings): the keys in the database are wrapped by it.
  3. Start one, look at scaivault check and GET /v1/audit/verify, then start the others.
  4. Keep {source} until you are sure; never start a server on it again: it would go its own way.
",
            rows = self.rows(),
            count = self.tables.len(),
            seconds = self.begun.elapsed().as_secs_f64(),
            source = self.source,
            destination = self.destination,
        )
    }
}

fn failure(error: CopyError) -> Failure {
    Failure::general(error)
}
