//! `secrets move` and `secrets copy`

use clap::Args;
use scaivault_domain::path::SecretPath;

use super::OWN;
use crate::cli::client::{Body, post};
use crate::cli::command::shared::path;
use crate::cli::plan::Plan;

const COLUMNS: &[&str] = &["from", "to", "version"];

/// Give a secret another path, with all its versions
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault secrets move app/db app/postgres
  scaivault secrets move old new --recursive        everything below old/, all or nothing")]
pub(crate) struct Move {
    #[arg(value_parser = path)]
    from: SecretPath,
    #[arg(value_parser = path)]
    to: SecretPath,
    /// Both are folders
    #[arg(long)]
    recursive: bool,
    /// Only if this version is current
    #[arg(long, value_name = "N", conflicts_with = "recursive")]
    if_version: Option<u64>,
}

impl Move {
    pub(super) fn plan(self) -> Plan {
        let body = Body::new().with("destination", self.to.as_str());
        let body = body.maybe("recursive", self.recursive.then_some(true));
        let request = post(OWN.address()).path(&self.from).then("move").if_version(self.if_version);
        request.body(body).table("moved", COLUMNS)
    }
}

/// Write a secret to another path too
#[derive(Debug, Args)]
#[command(after_help = "\
Whoever may read the destination reads the copy.

Examples:
  scaivault secrets copy app/db staging/db --current-only
  scaivault secrets copy app new-app --recursive")]
pub(crate) struct Copy {
    #[arg(value_parser = path)]
    from: SecretPath,
    #[arg(value_parser = path)]
    to: SecretPath,
    /// Both are folders
    #[arg(long)]
    recursive: bool,
    /// The current version alone, as version 1
    #[arg(long)]
    current_only: bool,
}

impl Copy {
    pub(super) fn plan(self) -> Plan {
        let body = Body::new()
            .with("destination", self.to.as_str())
            .maybe("recursive", self.recursive.then_some(true))
            .maybe("include_versions", self.current_only.then_some(false));
        post(OWN.address()).path(&self.from).then("copy").body(body).table("copied", COLUMNS)
    }
}
