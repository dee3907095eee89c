//! `scaivault audit`

use clap::{Args, Subcommand};
use scaivault_domain::path::SecretPath;

use super::shared::path;
use crate::cli::client::{Id, Page, Request, get};
use crate::cli::plan::Plan;
use crate::cli::session::Session;
use crate::cli::show::json::Object;
use crate::failure::Failure;

const BASE: &str = "/v1/audit";
const COLUMNS: &[&str] = &[
    "timestamp",
    "action",
    "identity=identity_id",
    "path=secret_path",
    "status=status_code",
    "error=error_code",
    "source_ip",
    "request_id",
];

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    Logs(Logs),
    /// Who touched a path, and how often
    #[command(after_help = "Example:\n  scaivault audit secret app/db --from 2026-05-01T00:00:00Z")]
    Secret {
        #[arg(value_parser = path)]
        path: SecretPath,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        page: Page,
    },
    /// What an identity did
    #[command(after_help = "Example:\n  scaivault audit identity sa:crm --limit 20")]
    Identity {
        id: Id,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        page: Page,
    },
    /// Counts; of the last 30 days if nothing else is said
    #[command(after_help = "Example:\n  scaivault audit summary --from 2026-05-01T00:00:00Z")]
    Summary {
        #[command(flatten)]
        time: Time,
    },
    /// Let the server prove that nobody altered the trail; exits with 1 if somebody did
    #[command(after_help = "Example:\n  scaivault audit verify --from-seq 1000")]
    Verify {
        /// First entry
        #[arg(long, value_name = "N")]
        from_seq: Option<u64>,
        /// Last entry
        #[arg(long, value_name = "N")]
        to_seq: Option<u64>,
    },
}

/// Search the trail, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault audit logs --path-prefix app/ --action read,write
  scaivault audit logs --success false --from 2026-05-01T00:00:00Z --all
  scaivault audit logs --request-id req_01J...")]
pub(crate) struct Logs {
    #[command(flatten)]
    time: Time,
    /// One, or several separated by commas
    #[arg(long)]
    action: Option<String>,
    #[arg(long, value_name = "ID")]
    identity: Option<String>,
    /// user, service_account or system
    #[arg(long, value_name = "TYPE")]
    identity_type: Option<String>,
    #[arg(long, value_name = "PREFIX")]
    path_prefix: Option<String>,
    /// true: what was done; false: what was refused
    #[arg(long, value_name = "BOOL")]
    success: Option<bool>,
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<String>,
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// system: the trail of the instance
    #[arg(long)]
    stream: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Time {
    /// From that time on, as 2026-05-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before that time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Time {
    fn within(self, request: Request) -> Request {
        request.query("from", self.from).query("to", self.to)
    }
}

impl Audit {
    pub(super) async fn run(self, session: Session) -> Result<(), Failure> {
        match self {
            Self::Verify { from_seq, to_seq } => verify(&session, from_seq, to_seq).await,
            other => session.perform(other.plan()).await,
        }
    }

    fn plan(self) -> Plan {
        match self {
            Self::Logs(logs) => logs.plan(),
            Self::Secret { path, time, page } => {
                time.within(get(BASE).then("secrets").path(&path)).page(&page).report("logs", COLUMNS)
            }
            Self::Identity { id, time, page } => {
                time.within(get(BASE).then("identities").id(&id)).page(&page).report("logs", COLUMNS)
            }
            Self::Summary { time } => time.within(get(BASE).then("summary")).details(),
            Self::Verify { from_seq, to_seq } => proof(from_seq, to_seq).details(),
        }
    }
}

impl Logs {
    fn plan(self) -> Plan {
        self.time
            .within(get(BASE).then("logs"))
            .query("action", self.action)
            .query("identity_id", self.identity)
            .query("identity_type", self.identity_type)
            .query("path_prefix", self.path_prefix)
            .query("success", self.success)
            .query("source_ip", self.source_ip)
            .query("request_id", self.request_id)
            .query("stream", self.stream)
            .page(&self.page)
            .table("logs", COLUMNS)
    }
}

fn proof(from_seq: Option<u64>, to_seq: Option<u64>) -> Request {
    get(BASE).then("verify").query("from_seq", from_seq).query("to_seq", to_seq)
}

/// The answer is a success either way; the command is not.
async fn verify(session: &Session, from_seq: Option<u64>, to_seq: Option<u64>) -> Result<(), Failure> {
    let answer = session.client.send(&proof(from_seq, to_seq)).await?;
    session.show(&answer, &mut proof(from_seq, to_seq).details().show)?;
    let is_valid = answer.read::<Object<'_>>()?.is_true("valid");
    if is_valid { Ok(()) } else { Err(Failure::general("the trail is not valid, see above")) }
}
