//! `secrets rotate`

use std::path::PathBuf;

use clap::Args;
use scaivault_domain::path::SecretPath;

use super::OWN;
use crate::cli::ask;
use crate::cli::client::{Body, post};
use crate::cli::command::shared::path;
use crate::cli::plan::Plan;
use crate::failure::Failure;

/// Give a secret a new value at once; the old one stays readable for a grace period
///
/// Without --value-file and --generate the server generates the value if the secret's rotation policy says so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault secrets rotate app/db --generate --grace 1h --reason 'left the team'
  scaivault secrets rotate app/db --value-file new.json          {\"password\":\"...\"}
  make-password | scaivault secrets rotate app/db --value-file - --grace 0s")]
pub(crate) struct Rotate {
    #[arg(value_parser = path)]
    path: SecretPath,
    /// The new value, a JSON object; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    value_file: Option<PathBuf>,
    /// The server makes the value, by the secret's recipe
    #[arg(long, conflicts_with = "value_file")]
    generate: bool,
    /// How long older versions stay readable by their number; 0s ends them at once
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
    /// Stands in the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only if this version is current
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

impl Rotate {
    pub(super) fn plan(self) -> Result<Plan, Failure> {
        let mut body = Body::new();
        if let Some(file) = &self.value_file {
            body = body.data("new_value", &Body::from_json(&ask::content(file)?, &ask::name(file))?);
        }
        let body = body
            .maybe("generate", self.generate.then_some(true))
            .maybe("grace_period", self.grace)
            .maybe("reason", self.reason);
        Ok(post(OWN.address()).path(&self.path).then("rotate").if_version(self.if_version).body(body).details())
    }
}
