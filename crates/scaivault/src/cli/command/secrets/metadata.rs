//! `secrets metadata`, `versions` and `patch`: everything but the value.

use clap::Args;
use scaivault_domain::path::SecretPath;
use serde_json::Value;

use super::OWN;
use crate::cli::client::{Body, get, patch};
use crate::cli::command::shared::{or_null, path, something};
use crate::cli::plan::Plan;
use crate::failure::Failure;

/// Show everything about a secret but its value
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  scaivault secrets metadata app/db")]
pub(crate) struct Metadata {
    #[arg(value_parser = path)]
    path: SecretPath,
    /// Also one in the trash
    #[arg(long)]
    include_deleted: bool,
}

impl Metadata {
    pub(super) fn plan(self) -> Plan {
        get(OWN.address()).then("metadata").path(&self.path).flag("include_deleted", self.include_deleted).details()
    }
}

/// List the versions of a secret
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  scaivault secrets versions app/db")]
pub(crate) struct Versions {
    #[arg(value_parser = path)]
    path: SecretPath,
}

impl Versions {
    pub(super) fn plan(self) -> Plan {
        let columns = &["version", "state", "created_at", "created_by", "readable_until"];
        get(OWN.address()).path(&self.path).then("versions").table("versions", columns)
    }
}

/// Change metadata and options; makes no new version
#[derive(Debug, Args)]
#[command(after_help = "\
An empty text clears: --description '' removes the description, --tag '' all tags.

Examples:
  scaivault secrets patch app/db --tag postgres --tag critical --max-versions 25
  scaivault secrets patch app/db --owner team:crm --expires-in never")]
pub(crate) struct Patch {
    #[arg(value_parser = path)]
    path: SecretPath,
    /// Repeat it for several; together they replace the tags there are
    #[arg(long = "tag", value_name = "TAG")]
    tags: Option<Vec<String>>,
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[arg(long)]
    owner: Option<String>,
    /// How many versions are kept
    #[arg(long, value_name = "N")]
    max_versions: Option<u32>,
    /// From now on, as 90d; or never
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
    /// Rotation policy to attach; '' detaches
    #[arg(long, value_name = "ID")]
    rotation_policy: Option<String>,
    /// Secret policy to attach; '' detaches
    #[arg(long, value_name = "ID")]
    secret_policy: Option<String>,
    /// Only if this version is current
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

impl Patch {
    pub(super) fn plan(self) -> Result<Plan, Failure> {
        let tags = self.tags.map(|tags| tags.into_iter().filter(|tag| !tag.is_empty()).collect::<Vec<_>>());
        let metadata = Body::new()
            .maybe("tags", tags)
            .maybe("description", self.description.map(or_null))
            .maybe("owner", self.owner.map(or_null));
        let never = |text: String| if text == "never" { Value::Null } else { text.into() };
        let options = Body::new()
            .maybe("max_versions", self.max_versions)
            .maybe("expires_in", self.expires_in.map(never))
            .maybe("rotation_policy_id", self.rotation_policy.map(or_null))
            .maybe("secret_policy_id", self.secret_policy.map(or_null));
        let body = something(Body::new().object("metadata", &metadata).object("options", &options))?;
        Ok(patch(OWN.address()).path(&self.path).if_version(self.if_version).body(body).details())
    }
}
