//! `scaivault webhooks`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::shared::{FromFile, signed, something};
use crate::cli::client::{Answer, Body, Id, Page, delete, get, patch, post};
use crate::cli::plan::{Plan, Planned};
use crate::cli::session::Session;
use crate::cli::show::json::{Object, bare};
use crate::failure::Failure;

const BASE: &str = "/v1/webhooks";

#[derive(Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// List webhooks
    #[command(after_help = "Example:\n  scaivault webhooks list")]
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Show a webhook and how its deliveries go
    #[command(after_help = "Example:\n  scaivault webhooks get wh_01J...")]
    Get { id: Id },
    /// Create a webhook
    #[command(after_help = "\
Examples:
  openssl rand -hex 32 > hook.secret
  scaivault webhooks create --name ops --endpoint https://hooks.example/x --event 'secret.*' --secret-file hook.secret
  scaivault webhooks create --file webhook.json")]
    Create {
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Fields,
    },
    /// Change a webhook
    #[command(after_help = "\
Examples:
  scaivault webhooks update wh_01J... --enabled true
  scaivault webhooks update wh_01J... --secret-file new.secret --previous-secret-ttl 24h")]
    Update {
        id: Id,
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Fields,
        /// How long the old secret signs too
        #[arg(long, value_name = "DURATION")]
        previous_secret_ttl: Option<String>,
    },
    /// Delete a webhook; what waits for delivery is dropped
    #[command(after_help = "Example:\n  scaivault webhooks delete wh_01J...")]
    Delete { id: Id },
    /// Send a test event now
    #[command(after_help = "Example:\n  scaivault webhooks test wh_01J...")]
    Test { id: Id },
    /// List deliveries, newest first
    #[command(after_help = "Example:\n  scaivault webhooks deliveries wh_01J... --status failed")]
    Deliveries {
        id: Id,
        /// success, failed or pending
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Send an event of the past once more
    #[command(after_help = "Example:\n  scaivault webhooks redeliver wh_01J... del_01J...")]
    Redeliver { id: Id, delivery: Id },
}

#[derive(Debug, Args)]
pub(crate) struct Fields {
    #[arg(long)]
    name: Option<String>,
    /// Where events are sent
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// File with the secret that signs deliveries; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// As secret.rotated or 'secret.*'; repeat it for several
    #[arg(long = "event", value_name = "EVENT")]
    events: Vec<String>,
    /// Only events of paths that begin so
    #[arg(long, value_name = "PREFIX")]
    path_prefix: Option<String>,
    /// Only of secrets with this tag; repeat it for several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

impl Fields {
    fn over(self, body: Body) -> Result<Body, Failure> {
        let filters = Body::new().maybe("path_prefix", self.path_prefix).list("tags", &self.tags);
        let body = body
            .maybe("name", self.name)
            .maybe("url", self.endpoint)
            .list("events", &self.events)
            .object("filters", &filters)
            .maybe("enabled", self.enabled);
        signed(body, self.secret_file)
    }
}

impl Webhooks {
    pub(super) async fn run(self, session: Session) -> Result<(), Failure> {
        let tested = match &self {
            Self::Test { id } => Some(id.to_string()),
            _ => None,
        };
        let mut plan = self.plan()?;
        let Some(id) = tested else { return session.perform(plan).await };
        let answer = session.client.send(&plan.request).await?;
        session.show(&answer, &mut plan.show)?;
        arrived(&answer, &id)
    }
}

/// The request for a test succeeds even if the delivery does not. The command does not.
fn arrived(answer: &Answer, id: &str) -> Result<(), Failure> {
    let tested: Object<'_> = answer.read()?;
    if tested.string("status").as_deref() == Some("success") {
        return Ok(());
    }
    let why = match tested.get("response_code").map(bare).filter(|code| code != "null") {
        Some(code) => format!("the receiver answered {code}"),
        None => "there was no answer".to_owned(),
    };
    Err(Failure::general(format!("the test delivery failed: {why}; `scaivault webhooks deliveries {id}` says more")))
}

impl Planned for Webhooks {
    fn plan(self) -> Result<Plan, Failure> {
        Ok(match self {
            Self::List { page } => {
                get(BASE).page(&page).table("webhooks", &["id", "name", "url", "events", "status", "enabled"])
            }
            Self::Get { id } => get(BASE).id(&id).details(),
            Self::Create { from, fields } => post(BASE).body(something(fields.over(from.body()?)?)?).details(),
            Self::Update { id, from, fields, previous_secret_ttl } => {
                let body = fields.over(from.body()?)?.maybe("previous_secret_ttl", previous_secret_ttl);
                patch(BASE).id(&id).body(something(body)?).details()
            }
            Self::Delete { id } => {
                delete(BASE).id(&id).said(format!("{id} is deleted")).confirm(format!("Delete the webhook {id}?"))
            }
            Self::Test { id } => post(BASE).id(&id).then("test").unkeyed().details(),
            Self::Deliveries { id, status, page } => {
                let columns =
                    &["id", "event_type", "event_id", "timestamp", "status", "attempts", "code=response_code", "error"];
                get(BASE).id(&id).then("deliveries").query("status", status).page(&page).table("deliveries", columns)
            }
            Self::Redeliver { id, delivery } => {
                post(BASE).id(&id).then("deliveries").id(&delivery).then("redeliver").details()
            }
        })
    }
}
