//! `scaivault secret-policies`

use clap::{Args, Subcommand};
use scaivault_domain::path::SecretPath;
use zeroize::Zeroizing;

use super::secrets::read::{data, values};
use super::shared::{FromFile, or_null, path, something};
use crate::cli::client::{Answer, Body, Id, Page, delete, get, patch, post};
use crate::cli::plan::{Plan, Planned};
use crate::failure::Failure;

const BASE: &str = "/v1/secret-policies";

#[derive(Debug, Subcommand)]
pub(crate) enum SecretPolicies {
    /// List recipes
    #[command(after_help = "Example:\n  scaivault secret-policies list")]
    List {
        #[arg(long)]
        include_inactive: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Show a recipe
    #[command(after_help = "Example:\n  scaivault secret-policies get sp_db")]
    Get { id: Id },
    /// Create a recipe
    #[command(after_help = "\
Examples:
  scaivault secret-policies create --name db --generate password=random
  scaivault secret-policies create --file recipe.json

A file, for generators with settings:
  {\"name\":\"db\",\"fields\":[{\"name\":\"password\",\"generator\":\"random\",\"config\":{\"length\":24,\"charset\":\"safe\"}}]}")]
    Create {
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Fields,
    },
    /// Change a recipe; fields are replaced together
    #[command(after_help = "Example:\n  scaivault secret-policies update sp_db --active false")]
    Update {
        id: Id,
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Fields,
        /// An inactive recipe generates nothing
        #[arg(long, value_name = "BOOL")]
        active: Option<bool>,
    },
    /// Delete a recipe
    #[command(after_help = "Example:\n  scaivault secret-policies delete sp_db --force")]
    Delete {
        id: Id,
        /// Detach it from whatever uses it
        #[arg(long)]
        force: bool,
    },
    /// Show what a recipe would make; nothing is stored
    #[command(after_help = "\
Examples:
  scaivault secret-policies preview sp_db
  scaivault secret-policies preview --file recipe.json        one that is not saved yet; `fields` is enough")]
    Preview {
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        id: Option<Id>,
        #[command(flatten)]
        from: FromFile,
    },
    /// Make a value on the server and write it; it is not shown
    #[command(after_help = "Example:\n  scaivault secret-policies generate sp_db app/db --expires-in 90d")]
    Generate {
        id: Id,
        #[arg(value_parser = path)]
        path: SecretPath,
        /// kv, json, certificate, ssh_key or api_key
        #[arg(long = "type", value_name = "TYPE")]
        secret_type: Option<String>,
        /// As 90d
        #[arg(long, value_name = "DURATION")]
        expires_in: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Fields {
    #[arg(long)]
    name: Option<String>,
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// password, api_key, oauth_client, ssh_key or custom
    #[arg(long = "type", value_name = "TYPE")]
    policy_type: Option<String>,
    /// A field and its generator with the usual settings: random, hex, uuid, rsa_keypair, ...; repeat it for several
    #[arg(long, value_name = "FIELD=GENERATOR")]
    generate: Vec<String>,
}

impl Fields {
    fn over(self, body: Body) -> Result<Body, Failure> {
        let mut fields = Vec::new();
        for field in &self.generate {
            let (name, generator) =
                field.split_once('=').ok_or_else(|| Failure::usage("--generate takes FIELD=GENERATOR"))?;
            fields.push(serde_json::json!({"name": name, "generator": generator}));
        }
        Ok(body
            .maybe("name", self.name)
            .maybe("description", self.description.map(or_null))
            .maybe("policy_type", self.policy_type)
            .maybe("fields", (!fields.is_empty()).then_some(fields)))
    }
}

impl Planned for SecretPolicies {
    fn plan(self) -> Result<Plan, Failure> {
        Ok(match self {
            Self::List { include_inactive, page } => get(BASE)
                .flag("include_inactive", include_inactive)
                .page(&page)
                .table("secret_policies", &["id", "name", "type=policy_type", "active=is_active", "updated_at"]),
            Self::Get { id } => get(BASE).id(&id).details(),
            Self::Create { from, fields } => post(BASE).body(something(fields.over(from.body()?)?)?).details(),
            Self::Update { id, from, fields, active } => {
                let body = fields.over(from.body()?)?.maybe("is_active", active);
                patch(BASE).id(&id).body(something(body)?).details()
            }
            Self::Delete { id, force } => delete(BASE)
                .id(&id)
                .flag("force", force)
                .said(format!("{id} is deleted"))
                .confirm(format!("Delete the recipe {id}?")),
            Self::Preview { id: Some(id), .. } => post(BASE).id(&id).then("preview").unkeyed().custom(preview),
            Self::Preview { id: None, from } => {
                post(BASE).then("preview").unkeyed().body(from.body()?.only("fields")).custom(preview)
            }
            Self::Generate { id, path, secret_type, expires_in } => {
                let options = Body::new().maybe("expires_in", expires_in);
                let body = Body::new()
                    .with("path", path.as_str())
                    .maybe("secret_type", secret_type)
                    .object("options", &options);
                post(BASE).id(&id).then("generate").body(body).details()
            }
        })
    }
}

fn preview(answer: &Answer) -> Result<Zeroizing<String>, Failure> {
    Ok(values(&data(answer)?))
}
