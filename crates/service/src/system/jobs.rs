//! `/v1/sys/jobs`: what the server has to do at a time, and what it gave up.

use scaivault_domain::access::{Permit, Target};
use scaivault_domain::action::Action;
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, DeadJob, JobKey};
use scaivault_store::{ReadView, StoreResult, WriteTx};

use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::job::JobKind;
use crate::operation::{Command, Operation, Query};

/// `GET /v1/sys/jobs`
#[derive(Debug, Clone, Copy)]
pub struct LookAtJobs {
    /// Of the jobs that were given up.
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOverview {
    /// Planned, due or not.
    pub waiting: i64,
    /// Among them those whose time has come.
    pub due: i64,
    pub dead_count: i64,
    /// The newest first, as many as were asked for.
    pub dead: Vec<DeadJob>,
}

impl Operation for LookAtJobs {
    type Output = JobOverview;
    const ACTION: Action = Action::SystemJobs;

    fn target(&self) -> Target {
        Target::Instance
    }
}

impl Query for LookAtJobs {
    fn run(&self, _permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<JobOverview> {
        let due_of = |kind: &JobKind| job::count_due(view, kind.as_str(), cx.now);
        let due = JobKind::ALL.iter().map(due_of).collect::<StoreResult<Vec<_>>>()?.into_iter().sum();
        let dead = job::dead(view, i64::from(self.limit))?;
        let (waiting, dead_count) = (job::count_waiting(view)?, job::count_dead(view)?);
        cx.note("returned", dead.len());
        Ok(JobOverview { waiting, due, dead_count, dead })
    }
}

/// `POST /v1/sys/jobs/retry`
#[derive(Debug, Clone)]
pub struct RetryJob {
    pub kind: String,
    pub subject: String,
}

/// A job that is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetriedJob {
    pub kind: String,
    pub subject: String,
    pub run_at: Timestamp,
}

impl Operation for RetryJob {
    type Output = RetriedJob;
    const ACTION: Action = Action::SystemJobRetry;

    fn target(&self) -> Target {
        Target::Instance
    }
}

impl Command for RetryJob {
    fn run(&self, _permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<RetriedJob> {
        cx.touched(format!("{}/{}", self.kind, self.subject));
        let key = JobKey { kind: self.kind.clone(), subject: self.subject.clone() };
        if !job::revive(tx, &key, cx.now)? {
            return Err(Error::new(Code::NotFound, "No job of that kind and subject was given up"));
        }
        Ok(RetriedJob { kind: key.kind, subject: key.subject, run_at: cx.now })
    }
}
