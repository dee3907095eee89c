//! `secrets diff`

use clap::Args;
use scaivault_domain::path::SecretPath;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::OWN;
use super::read::data;
use crate::cli::client::{Request, get};
use crate::cli::command::shared::path;
use crate::cli::session::Session;
use crate::cli::show::json::{Object, bare};
use crate::cli::show::text::printable;
use crate::failure::Failure;

/// Compare two versions field by field; shows names, values only with --reveal
#[derive(Debug, Args)]
#[command(after_help = "\
`+` was added, `-` was removed, `~` has another value. Reads both versions, and the audit trail says so.

Examples:
  scaivault secrets diff app/db --from 1 --to 2
  scaivault secrets diff app/db --from 3 --reveal      against the current version")]
pub(crate) struct Diff {
    #[arg(value_parser = path)]
    path: SecretPath,
    #[arg(long, value_name = "N")]
    from: u64,
    /// The current version if not given
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// Show the values too
    #[arg(long, conflicts_with = "json")]
    reveal: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Removed,
    Changed,
}

impl Diff {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let request =
            |version: Option<u64>| -> Request { get(OWN.address()).path(&self.path).query("version", version) };
        let from = session.client.send(&request(Some(self.from))).await?;
        let to = session.client.send(&request(self.to)).await?;
        let (old, new) = (data(&from)?, data(&to)?);
        let changes = changes(&old, &new);
        if session.json {
            let names = |wanted| -> Value {
                changes.iter().filter(|(_, change)| *change == wanted).map(|(name, _)| name.as_str()).collect()
            };
            let object = json!({
                "path": self.path.as_str(),
                "added": names(Change::Added),
                "removed": names(Change::Removed),
                "changed": names(Change::Changed),
            });
            return session.print(format!("{object}\n").as_bytes());
        }
        let mut text = Zeroizing::new(String::new());
        let mut line = |mark: char, name: &str, object: &Object<'_>| {
            text.push(mark);
            text.push(' ');
            text.push_str(&printable(name));
            if let Some(value) = object.get(name).filter(|_| self.reveal) {
                text.push_str(": ");
                text.push_str(&printable(&bare(value)));
            }
            text.push('\n');
        };
        for (name, change) in &changes {
            match change {
                Change::Added => line('+', name, &new),
                Change::Removed => line('-', name, &old),
                Change::Changed if self.reveal => {
                    line('-', name, &old);
                    line('+', name, &new);
                }
                Change::Changed => line('~', name, &new),
            }
        }
        session.print(text.as_bytes())
    }
}

fn changes(old: &Object<'_>, new: &Object<'_>) -> Vec<(String, Change)> {
    let of_old = old.iter().filter_map(|(name, value)| match new.get(name) {
        None => Some((name.to_owned(), Change::Removed)),
        Some(other) if is_text(value.get()) != is_text(other.get()) || bare(other) != bare(value) => {
            Some((name.to_owned(), Change::Changed))
        }
        Some(_) => None,
    });
    let added = new.iter().filter(|(name, _)| old.get(name).is_none());
    of_old.chain(added.map(|(name, _)| (name.to_owned(), Change::Added))).collect()
}

/// `1` and `"1"` look the same and are not.
fn is_text(json: &str) -> bool {
    json.starts_with('"')
}
