//! `scaivault subscriptions`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::shared::{FromFile, signed, something};
use crate::cli::client::{Body, Id, Page, delete, get, patch, post};
use crate::cli::plan::{Plan, Planned};
use crate::failure::Failure;

const BASE: &str = "/v1/subscriptions";

#[derive(Debug, Subcommand)]
pub(crate) enum Subscriptions {
    /// List your subscriptions
    #[command(after_help = "Example:\n  scaivault subscriptions list")]
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Show a subscription
    #[command(after_help = "Example:\n  scaivault subscriptions get sub_01J...")]
    Get { id: Id },
    /// Create a subscription; without --endpoint one to poll
    #[command(after_help = "\
Examples:
  scaivault subscriptions create --name crm --path 'app/**' --event 'secret.*'
  scaivault subscriptions create --name crm --path 'app/**' --event secret.rotated --endpoint https://crm.example/hook --secret-file hook.secret
  scaivault subscriptions create --file subscription.json")]
    Create {
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Interest,
        /// Where events are sent
        #[arg(long, value_name = "URL", requires = "secret_file")]
        endpoint: Option<String>,
        /// File with the secret that signs deliveries; `-` reads standard input
        #[arg(long, value_name = "FILE", requires = "endpoint")]
        secret_file: Option<PathBuf>,
        /// How many events wait for a poll before the oldest go
        #[arg(long, value_name = "N", conflicts_with = "endpoint")]
        buffer_size: Option<u32>,
    },
    /// Change a subscription
    #[command(after_help = "Example:\n  scaivault subscriptions update sub_01J... --enabled false")]
    Update {
        id: Id,
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Interest,
    },
    /// Delete a subscription
    #[command(after_help = "Example:\n  scaivault subscriptions delete sub_01J...")]
    Delete { id: Id },
    /// Wait for events and show them; they come again until they are acknowledged
    #[command(after_help = "\
Examples:
  scaivault subscriptions poll sub_01J... --timeout 60
  scaivault subscriptions poll sub_01J... --since evt_01J... --json")]
    Poll {
        id: Id,
        /// How long to wait for the first, in seconds (30)
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u32>,
        /// Only events after this one
        #[arg(long, value_name = "ID")]
        since: Option<String>,
        #[arg(long, value_name = "N")]
        max_events: Option<u32>,
    },
    /// Acknowledge events: they don't come again
    #[command(after_help = "Example:\n  scaivault subscriptions ack sub_01J... evt_01J... evt_01J...")]
    Ack {
        id: Id,
        #[arg(required = true)]
        events: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Interest {
    #[arg(long)]
    name: Option<String>,
    /// Repeat it for several
    #[arg(long = "path", value_name = "GLOB")]
    paths: Vec<String>,
    /// As secret.rotated or 'secret.*'; repeat it for several
    #[arg(long = "event", value_name = "EVENT")]
    events: Vec<String>,
    /// Only of secrets with this tag; repeat it for several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

impl Interest {
    fn over(self, body: Body) -> Body {
        let filters = Body::new().list("tags", &self.tags);
        body.maybe("name", self.name)
            .list("paths", &self.paths)
            .list("events", &self.events)
            .object("filters", &filters)
            .maybe("enabled", self.enabled)
    }
}

impl Planned for Subscriptions {
    fn plan(self) -> Result<Plan, Failure> {
        Ok(match self {
            Self::List { page } => get(BASE).page(&page).table(
                "subscriptions",
                &["id", "name", "identity=identity_id", "paths", "events", "delivery=delivery.type", "status"],
            ),
            Self::Get { id } => get(BASE).id(&id).details(),
            Self::Create { from, fields, endpoint, secret_file, buffer_size } => {
                let kind = if endpoint.is_some() { "webhook" } else { "polling" };
                let delivery = Body::new().with("type", kind).maybe("url", endpoint).maybe("buffer_size", buffer_size);
                let delivery = signed(delivery, secret_file)?;
                let mut body = fields.over(from.body()?);
                // A file may say how events are delivered; without one this does.
                if !body.has("delivery") || kind == "webhook" || buffer_size.is_some() {
                    body = body.object("delivery", &delivery);
                }
                post(BASE).body(body).details()
            }
            Self::Update { id, from, fields } => {
                patch(BASE).id(&id).body(something(fields.over(from.body()?))?).details()
            }
            Self::Delete { id } => {
                delete(BASE).id(&id).said(format!("{id} is deleted")).confirm(format!("Delete the subscription {id}?"))
            }
            Self::Poll { id, timeout, since, max_events } => get(BASE)
                .id(&id)
                .then("poll")
                .query("timeout", timeout)
                .query("since_event_id", since)
                .query("max_events", max_events)
                .table("events", &["event_id", "event_type", "timestamp", "path", "identity=identity_id"]),
            Self::Ack { id, events } => {
                let body = Body::new().list("event_ids", &events);
                post(BASE).id(&id).then("ack").body(body).details()
            }
        })
    }
}
