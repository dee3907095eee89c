//! `secrets delete` and `secrets restore`

use clap::Args;
use scaivault_domain::path::SecretPath;

use super::{OWN, Space};
use crate::cli::client::{delete, post};
use crate::cli::command::shared::path;
use crate::cli::plan::Plan;

/// Move a secret to the trash, or end it or one version for good
#[derive(Debug, Args)]
#[command(after_help = "\
A secret in the trash comes back with `scaivault secrets restore` until its retention (30 days) is over.

Examples:
  scaivault secrets delete app/db
  scaivault secrets delete app/db --hard --yes        all versions, at once, for good
  scaivault secrets delete app/db --version 2         one version, for good")]
pub(crate) struct Delete {
    #[arg(value_parser = path)]
    path: SecretPath,
    /// For good: it can't be restored
    #[arg(long)]
    hard: bool,
    /// This version only, for good
    #[arg(long, value_name = "N", conflicts_with = "hard")]
    version: Option<u64>,
    /// Only if this version is current
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

impl Delete {
    pub(crate) fn plan(self, space: Space) -> Plan {
        let path = &self.path;
        let question = match self.version {
            Some(version) => format!("Delete version {version} of {path} for good?"),
            None if self.hard => format!("Delete {path} and all its versions for good?"),
            None => format!("Delete {path}? It can be restored for a while."),
        };
        delete(space.address())
            .path(path)
            .flag("permanent", self.hard)
            .query("version", self.version)
            .if_version(self.if_version)
            .details()
            .confirm(question)
    }
}

/// Bring a deleted secret back with all its versions
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  scaivault secrets restore app/db")]
pub(crate) struct Restore {
    #[arg(value_parser = path)]
    path: SecretPath,
}

impl Restore {
    pub(super) fn plan(self) -> Plan {
        post(OWN.address()).path(&self.path).then("restore").details()
    }
}
