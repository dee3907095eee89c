//! `scaivault policies`

use clap::{Args, Subcommand};

use super::shared::{FromFile, path, something};
use crate::cli::client::{Body, Id, Page, delete, get, patch, post};
use crate::cli::plan::{Plan, Planned};
use crate::failure::Failure;
use scaivault_domain::path::SecretPath;

const BASE: &str = "/v1/policies";

#[derive(Debug, Subcommand)]
pub(crate) enum Policies {
    /// List policies
    #[command(after_help = "Example:\n  scaivault policies list --include-inactive")]
    List {
        /// tenant or partner
        #[arg(long)]
        scope: Option<String>,
        #[arg(long)]
        include_inactive: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Show a policy with its rules and bindings
    #[command(after_help = "Example:\n  scaivault policies get pol_01J...")]
    Get {
        id: Id,
    },
    Create(Create),
    Update(Update),
    /// Delete a policy
    #[command(after_help = "Example:\n  scaivault policies delete pol_01J... --force")]
    Delete {
        id: Id,
        /// Its bindings too
        #[arg(long)]
        force: bool,
    },
    Bind(Bind),
    /// Take a policy from an identity
    #[command(after_help = "Example:\n  scaivault policies unbind pol_01J... bnd_01J...")]
    Unbind {
        id: Id,
        /// From `policies get`
        binding: Id,
    },
    Test(Test),
}

/// Create a policy
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault policies create --name app-readers --path 'app/**' --permission read --permission list
  scaivault policies create --file policy.json

A file for several rules, or rules with conditions:
  {\"name\":\"prod\",\"rules\":[{\"path_pattern\":\"prod/**\",\"permissions\":[\"read\"],\"conditions\":{\"require_mfa\":true}}]}")]
pub(crate) struct Create {
    #[command(flatten)]
    from: FromFile,
    #[command(flatten)]
    fields: Fields,
    /// tenant or partner
    #[arg(long)]
    scope: Option<String>,
}

/// Change a policy; rules are replaced together, bindings stay
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault policies update pol_01J... --file policy.json
  scaivault policies update pol_01J... --active false")]
pub(crate) struct Update {
    id: Id,
    #[command(flatten)]
    from: FromFile,
    #[command(flatten)]
    fields: Fields,
    /// An inactive policy grants nothing
    #[arg(long, value_name = "BOOL")]
    active: Option<bool>,
}

#[derive(Debug, Args)]
struct Fields {
    #[arg(long)]
    name: Option<String>,
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Paths of its one rule, a glob
    #[arg(long = "path", value_name = "GLOB", requires = "permissions")]
    pattern: Option<String>,
    /// read, write, delete, list, rotate or admin; repeat it for several
    #[arg(long = "permission", value_name = "PERMISSION", requires = "pattern")]
    permissions: Vec<String>,
}

impl Fields {
    fn over(self, body: Body) -> Body {
        let rule =
            self.pattern.map(|pattern| serde_json::json!([{"path_pattern": pattern, "permissions": self.permissions}]));
        body.maybe("name", self.name).maybe("description", self.description).maybe("rules", rule)
    }
}

/// Give a policy to a user, a service account or a group
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault policies bind pol_01J... --identity sa:crm
  scaivault policies bind pol_01J... --identity group:sre --expires-at 2026-12-31T00:00:00Z")]
pub(crate) struct Bind {
    id: Id,
    /// As user:mia@firm.example, sa:crm, group:sre, or its id
    #[arg(long, value_name = "IDENTITY")]
    identity: String,
    /// user, service_account, group or system; known from most identities
    #[arg(long = "type", value_name = "TYPE")]
    identity_type: Option<String>,
    /// When the binding ends
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

/// Ask what would be decided, and why; leaves no trace
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  scaivault policies test --identity sa:crm --path app/db --permission read --source-ip 10.1.2.3")]
pub(crate) struct Test {
    #[arg(long)]
    identity: String,
    #[arg(long, value_parser = path)]
    path: SecretPath,
    #[arg(long)]
    permission: String,
    /// As if the request came from there
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<String>,
    /// As if with a second factor
    #[arg(long)]
    mfa_verified: bool,
    /// As if at that time
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl Planned for Policies {
    fn plan(self) -> Result<Plan, Failure> {
        Ok(match self {
            Self::List { scope, include_inactive, page } => {
                get(BASE).query("scope", scope).flag("include_inactive", include_inactive).page(&page).table(
                    "policies",
                    &["id", "name", "scope", "rules=rule_count", "bindings=binding_count", "active=is_active"],
                )
            }
            Self::Get { id } => get(BASE).id(&id).details(),
            Self::Create(create) => {
                let body = create.fields.over(create.from.body()?).maybe("scope", create.scope);
                post(BASE).body(something(body)?).details()
            }
            Self::Update(update) => {
                let body = update.fields.over(update.from.body()?).maybe("is_active", update.active);
                patch(BASE).id(&update.id).body(something(body)?).details()
            }
            Self::Delete { id, force } => delete(BASE)
                .id(&id)
                .flag("force", force)
                .said(format!("{id} is deleted"))
                .confirm(format!("Delete the policy {id}?")),
            Self::Bind(bind) => {
                let kind = bind.identity_type.as_deref().or_else(|| kind(&bind.identity));
                let kind = kind.ok_or_else(|| Failure::usage("what kind of identity that is, --type has to say"))?;
                let body = Body::new()
                    .with("identity_type", kind)
                    .with("identity_id", bind.identity.as_str())
                    .maybe("expires_at", bind.expires_at);
                post(BASE).id(&bind.id).then("bindings").body(body).details()
            }
            Self::Unbind { id, binding } => delete(BASE)
                .id(&id)
                .then("bindings")
                .id(&binding)
                .said(format!("{binding} is removed"))
                .confirm(format!("Remove the binding {binding} of the policy {id}?")),
            Self::Test(test) => {
                let context = Body::new()
                    .maybe("source_ip", test.source_ip)
                    .maybe("mfa_verified", test.mfa_verified.then_some(true))
                    .maybe("timestamp", test.at);
                let body = Body::new()
                    .with("identity_id", test.identity)
                    .with("path", test.path.as_str())
                    .with("permission", test.permission)
                    .object("context", &context);
                post(BASE).then("test").unkeyed().body(body).details()
            }
        })
    }
}

/// What an identity's own form tells (contract 00 section 2).
fn kind(identity: &str) -> Option<&'static str> {
    let end = identity.find([':', '_'])?;
    match identity.split_at(end).0 {
        "user" | "usr" => Some("user"),
        "sa" => Some("service_account"),
        "group" | "grp" => Some("group"),
        "dynamic" | "federation" | "system" => Some("system"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_tells_its_kind() {
        let kinds = ["user:a@b", "usr_1", "sa:crm", "sa_1", "group:x", "dynamic:pg", "x:y", "z"].map(kind);
        let (user, account) = (Some("user"), Some("service_account"));
        assert_eq!(kinds, [user, user, account, account, Some("group"), Some("system"), None, None]);
    }
}
