//! `scaivault rotation`

use clap::{Args, Subcommand};
use scaivault_domain::path::SecretPath;

use super::shared::{FromFile, or_null, path, something};
use crate::cli::client::{Answer, Body, Id, Page, delete, get, patch, post};
use crate::cli::plan::{Plan, Planned};
use crate::cli::session::Session;
use crate::cli::show::json::Object;
use crate::failure::Failure;

const POLICIES: &str = "/v1/rotation/policies";
const HISTORY: &[&str] = &[
    "secret_path",
    "status",
    "trigger",
    "old=old_version",
    "new=new_version",
    "started_at",
    "completed_at",
    "error=error.code",
];

#[derive(Debug, Subcommand)]
pub(crate) enum Rotation {
    /// Schedules, and the secrets they serve
    #[command(subcommand)]
    Policies(Policies),
    Due(Due),
    History(History),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policies {
    /// List rotation policies
    #[command(after_help = "Example:\n  scaivault rotation policies list")]
    List {
        /// Without disabled ones
        #[arg(long)]
        active_only: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Show a rotation policy
    #[command(after_help = "Example:\n  scaivault rotation policies get rot_quarterly")]
    Get { id: Id },
    /// Create a rotation policy
    #[command(after_help = "\
Examples:
  scaivault rotation policies create --name quarterly --interval 90d --grace 48h --warn-before 7d,1d
  scaivault rotation policies create --name nightly --interval 1d --auto-generate true --secret-policy sp_db")]
    Create {
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Fields,
    },
    /// Change a rotation policy
    #[command(after_help = "Example:\n  scaivault rotation policies update rot_quarterly --interval 60d")]
    Update {
        id: Id,
        #[command(flatten)]
        from: FromFile,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete a rotation policy; its secrets stay, without a schedule
    #[command(after_help = "Example:\n  scaivault rotation policies delete rot_quarterly")]
    Delete { id: Id },
    /// Let the schedule go on
    #[command(after_help = "Example:\n  scaivault rotation policies enable rot_quarterly")]
    Enable { id: Id },
    /// Pause the schedule; secrets stay attached
    #[command(after_help = "Example:\n  scaivault rotation policies disable rot_quarterly")]
    Disable { id: Id },
    /// Put a secret under the schedule
    #[command(after_help = "Example:\n  scaivault rotation policies attach rot_quarterly app/db")]
    Attach {
        id: Id,
        #[arg(value_parser = path)]
        path: SecretPath,
    },
    /// Take a secret from the schedule
    #[command(after_help = "Example:\n  scaivault rotation policies detach rot_quarterly app/db")]
    Detach {
        id: Id,
        #[arg(value_parser = path)]
        path: SecretPath,
    },
    /// List the secrets under the schedule
    #[command(after_help = "Example:\n  scaivault rotation policies secrets rot_quarterly")]
    Secrets {
        id: Id,
        #[command(flatten)]
        page: Page,
    },
    /// Rotate now what is under the schedule, or some of it
    #[command(after_help = "\
Examples:
  scaivault rotation policies rotate rot_nightly
  scaivault rotation policies rotate rot_nightly app/db app/api --reason 'left the team'")]
    Rotate {
        id: Id,
        #[arg(value_parser = path)]
        paths: Vec<SecretPath>,
        /// Stands in the audit trail
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Fields {
    #[arg(long)]
    name: Option<String>,
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// From one rotation to the next, as 90d
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,
    /// How long older versions stay readable after a rotation
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
    /// When to warn ahead, as 7d,1d
    #[arg(long, value_name = "DURATIONS")]
    warn_before: Option<String>,
    /// The server makes the new value itself
    #[arg(long, value_name = "BOOL")]
    auto_generate: Option<bool>,
    /// Recipe of the new value; '' = none
    #[arg(long, value_name = "ID")]
    secret_policy: Option<String>,
    /// Webhook that hears of its rotations; repeat it for several
    #[arg(long = "webhook", value_name = "ID")]
    webhooks: Vec<String>,
}

impl Fields {
    fn over(self, body: Body) -> Body {
        body.maybe("name", self.name)
            .maybe("description", self.description.map(or_null))
            .maybe("interval", self.interval)
            .maybe("grace_period", self.grace)
            .maybe("warn_before", self.warn_before)
            .maybe("auto_generate", self.auto_generate)
            .maybe("secret_policy_id", self.secret_policy.map(or_null))
            .list("webhook_ids", &self.webhooks)
    }
}

/// List what has to be rotated soon
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  scaivault rotation due --within-hours 168")]
pub(crate) struct Due {
    #[arg(long, value_name = "N")]
    within_hours: Option<u32>,
    /// Of one rotation policy
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// Without what is late already
    #[arg(long)]
    without_overdue: bool,
    #[command(flatten)]
    page: Page,
}

/// List past rotations of a policy
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  scaivault rotation history rot_quarterly --status failed")]
pub(crate) struct History {
    /// Rotation policy
    id: Id,
    /// success, failed or pending
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Rotation {
    pub(super) async fn run(self, session: Session) -> Result<(), Failure> {
        let is_rotation = matches!(self, Self::Policies(Policies::Rotate { .. }));
        let mut plan = self.plan()?;
        if !is_rotation {
            return session.perform(plan).await;
        }
        if let Some(question) = plan.question.take() {
            session.confirm(&question)?;
        }
        let answer = session.client.send(&plan.request).await?;
        session.show(&answer, &mut plan.show)?;
        failed(&answer)
    }
}

/// A rotation of many succeeds even if some of it failed. The command does not.
fn failed(answer: &Answer) -> Result<(), Failure> {
    let items: Vec<Object<'_>> = answer.read()?;
    match items.iter().filter(|item| item.string("status").as_deref() == Some("failed")).count() {
        0 => Ok(()),
        count => Err(Failure::general(format!("{count} of {} rotations failed, see above", items.len()))),
    }
}

impl Planned for Rotation {
    fn plan(self) -> Result<Plan, Failure> {
        match self {
            Self::Policies(policies) => policies.plan(),
            Self::Due(due) => Ok(get("/v1/rotation/due")
                .query("within_hours", due.within_hours)
                .query("policy_id", due.policy)
                .query("include_overdue", due.without_overdue.then_some(false))
                .page(&due.page)
                .table(
                    "data",
                    &[
                        "secret_path",
                        "policy_id",
                        "next_rotation",
                        "last_rotated_at",
                        "hours_remaining",
                        "overdue=is_overdue",
                    ],
                )),
            Self::History(history) => Ok(get(POLICIES)
                .id(&history.id)
                .then("history")
                .query("status", history.status)
                .page(&history.page)
                .table("data", HISTORY)),
        }
    }
}

impl Planned for Policies {
    fn plan(self) -> Result<Plan, Failure> {
        Ok(match self {
            Self::List { active_only, page } => get(POLICIES).flag("active_only", active_only).page(&page).table(
                "data",
                &[
                    "id",
                    "name",
                    "interval",
                    "grace_period",
                    "auto_generate",
                    "active=is_active",
                    "secrets=secrets_count",
                ],
            ),
            Self::Get { id } => get(POLICIES).id(&id).details(),
            Self::Create { from, fields } => post(POLICIES).body(something(fields.over(from.body()?))?).details(),
            Self::Update { id, from, fields } => {
                patch(POLICIES).id(&id).body(something(fields.over(from.body()?))?).details()
            }
            Self::Delete { id } => delete(POLICIES)
                .id(&id)
                .said(format!("{id} is deleted"))
                .confirm(format!("Delete the rotation policy {id}? Its secrets lose their schedule.")),
            Self::Enable { id } => post(POLICIES).id(&id).then("enable").details(),
            Self::Disable { id } => post(POLICIES).id(&id).then("disable").details(),
            Self::Attach { id, path } => {
                let body = Body::new().with("secret_path", path.as_str());
                post(POLICIES).id(&id).then("secrets").body(body).details()
            }
            Self::Detach { id, path } => delete(POLICIES)
                .id(&id)
                .then("secrets")
                .path(&path)
                .said(format!("{path} has no schedule any more"))
                .confirm(format!("Take {path} from the schedule {id}?")),
            Self::Secrets { id, page } => get(POLICIES)
                .id(&id)
                .then("secrets")
                .page(&page)
                .table("data", &["secret_path", "assigned_at", "assigned_by", "last_rotated_at", "next_rotation"]),
            Self::Rotate { id, paths, reason } => {
                let paths: Vec<String> = paths.iter().map(|path| path.as_str().to_owned()).collect();
                let body = Body::new().list("secret_paths", &paths).maybe("reason", reason);
                let question = match paths.len() {
                    0 => format!("Rotate all secrets under {id} now?"),
                    count => format!("Rotate {count} of the secrets under {id} now?"),
                };
                post(POLICIES).id(&id).then("rotate").body(body).table("", HISTORY).confirm(question)
            }
        })
    }
}
