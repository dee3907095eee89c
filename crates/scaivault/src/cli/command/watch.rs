//! `scaivault watch`

use std::time::Duration;

use clap::Args;
use reqwest::header::HeaderName;

use crate::cli::client::{Event, get};
use crate::cli::session::Session;
use crate::cli::show::json::{Object, plain};
use crate::cli::show::text::printable;
use crate::failure::{Failure, GENERAL};
use crate::output;

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Print events as they come, one a line, until it is interrupted
///
/// Shows events of paths that you may read or list. A connection that breaks is opened again, and nothing in between is lost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault watch 'app/**'
  scaivault watch '**' --events secret.rotated,secret.deleted --json | jq -r .path")]
pub(crate) struct Watch {
    /// Paths, as 'app/**'
    #[arg(value_name = "GLOB", required = true)]
    paths: Vec<String>,
    /// As secret.rotated or 'secret.*'; several separated by commas
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    events: Vec<String>,
}

impl Watch {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut last: Option<String> = None;
        let mut was_open = false;
        let mut pause = Duration::from_secs(1);
        loop {
            let mut request =
                get("/v1/events/stream").queries("paths", &self.paths).queries("events", &self.events).endless();
            if let Some(last) = &last {
                request = request.header(HeaderName::from_static("last-event-id"), last);
            }
            match session.client.open(&request).await {
                Ok(mut stream) => {
                    was_open = true;
                    while let Some(event) = stream.next().await {
                        pause = Duration::from_secs(1);
                        last = event.id.clone().or(last);
                        print(session, &event)?;
                    }
                }
                // What was possible before comes back; what is refused, or was never there, does not.
                Err(failure) if was_open && failure.exit_code == GENERAL => {
                    output::notice(format_args!("scaivault: {}; tries again", printable(&failure.line)));
                }
                Err(failure) => return Err(failure),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn print(session: &Session, event: &Event) -> Result<(), Failure> {
    if event.name == "gap" {
        output::notice(
            "scaivault: warning: the server no longer holds all events since the last one; some are missing",
        );
        return Ok(());
    }
    if session.json {
        return session.print(format!("{}\n", event.data).as_bytes());
    }
    let envelope: Object<'_> = serde_json::from_str(&event.data)
        .map_err(|_| Failure::general("the server sent an event that can't be read"))?;
    let cells = ["timestamp", "event_type", "path", "identity_id"].map(|name| plain(envelope.get(name)));
    session.print(format!("{}\n", printable(&cells.join("  "))).as_bytes())
}
