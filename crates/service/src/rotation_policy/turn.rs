//! The job of one secret: tells of its rotation, or does it (contract 04 section 3).

use scaivault_domain::access::SecretScope;
use scaivault_domain::audit::AuditAction;
use scaivault_domain::duration::Span;
use scaivault_domain::event::{EventBody, FailureText};
use scaivault_domain::rotation::{Step, Trigger, cycle_start};
use scaivault_domain::time::Timestamp;
use scaivault_store::rotation_policy::RotationPolicyRecord;
use scaivault_store::secret::{self, SecretRecord};
use scaivault_store::{StoreResult, WriteTx};
use serde_json::Value;

use super::follow::{self, Standing};
use super::history;
use crate::context::Work;
use crate::error::{Error, Result};
use crate::event::Happening;
use crate::job::{Job, Next, OwnEntry};
use crate::secret::rotate::{Turn, generate, grace_of, rotate_to};
use crate::secret::version::check_size;
use crate::secret::write::renew_expiry;

/// Does for a secret what is due by now. Everything commits together with the job's completion: a server that dies at any step leaves
/// nothing of it, and the next one does it once.
pub(crate) fn run(job: &Job, tx: &mut WriteTx<'_>, work: &mut Work<'_>) -> Result<Next> {
    let scope = &job.scope;
    let Some(mut record) = secret::by_id(tx, scope, job.subject())? else { return Ok(Next::Never) };
    set_right(tx, scope, &mut record, work)?;
    let Some(mut standing) = Standing::of(tx, &record, work.now)? else {
        follow::rest(tx, &record, work.now)?;
        return Ok(Next::Never);
    };
    while let Some(step) = standing.timetable.next_step(&standing.progress, work.now) {
        match &step {
            Step::Rotate => {
                if attempt(tx, work, scope, &record, &mut standing)? {
                    // The new cycle was planned with the new value.
                    return Ok(Next::Never);
                }
            }
            Step::TellDue => {
                history::pending(tx, work, &record, &standing.policy)?;
                tell(work, scope, &record, &standing, &step);
            }
            Step::TellOverdue | Step::Warn(_) => tell(work, scope, &record, &standing, &step),
        }
        standing.progress.done(&step);
    }
    standing.save(tx, &record)?;
    Ok(standing.next_look().map_or(Next::Never, Next::At))
}

/// A rotation in the future was written by a clock that has been set back since. Left as it is, it would keep the secret from being
/// rotated until the clock is there again.
fn set_right(tx: &mut WriteTx<'_>, scope: &SecretScope, record: &mut SecretRecord, work: &Work<'_>) -> Result<()> {
    let start = record.last_rotated_at.map(|last| cycle_start(last, work.now));
    if record.rotation.is_some() && start != record.last_rotated_at {
        record.last_rotated_at = start;
        secret::update(tx, scope, record)?;
    }
    Ok(())
}

fn tell(work: &mut Work<'_>, scope: &SecretScope, record: &SecretRecord, standing: &Standing, step: &Step) {
    let (policy, due_at) = (&standing.policy, standing.progress.due_at);
    let due = |threshold: String, due_now: bool| EventBody::RotationDue {
        rotation_policy_id: policy.id.clone(),
        rotation_policy_name: policy.name.clone(),
        warn_before: threshold.clone(),
        threshold,
        due_now,
        due_at,
        current_version: record.current_version,
    };
    let body = match step {
        Step::Warn(span) => due(span.as_str().to_owned(), false),
        Step::TellDue => due(Span::from_seconds(0).as_str().to_owned(), true),
        Step::TellOverdue => EventBody::RotationOverdue {
            rotation_policy_id: policy.id.clone(),
            due_at,
            overdue_since: standing.timetable.overdue_at(due_at),
        },
        Step::Rotate => return,
    };
    work.emit(Happening::of_secret(scope, record, body));
}

/// Rotates, or notes why it could not be done and when it is tried again. Answers whether it was done.
///
/// # Errors
/// When a value has to be made first, or the failure itself can't be written down.
fn attempt(
    tx: &mut WriteTx<'_>,
    work: &mut Work<'_>,
    scope: &SecretScope,
    record: &SecretRecord,
    standing: &mut Standing,
) -> Result<bool> {
    let mut extra =
        vec![("trigger", Value::from(Trigger::Scheduled.as_str())), ("old_version", record.current_version.into())];
    let how = (Trigger::Scheduled, None);
    let error = match generate_and_rotate(tx, work, scope, record, &standing.policy, how)? {
        Ok(done) => {
            extra.push(("new_version", done.record.current_version.into()));
            leave_entry(work, &done.record, standing, extra, None);
            return Ok(true);
        }
        Err(error) if work.making.lacks_something() => return Err(error),
        Err(error) => error,
    };
    let next_attempt_at = standing.progress.failed(work.now);
    history::failed(tx, work, record, &standing.policy, Trigger::Scheduled, &error)?;
    tell_failure(work, scope, record, &standing.policy, &error, Some(next_attempt_at));
    let detail = error.internal_detail().map(crate::error::Internal::for_log);
    tracing::warn!(policy = standing.policy.id, code = error.code().as_str(), detail, "a rotation failed");
    leave_entry(work, record, standing, extra, Some(error));
    Ok(false)
}

pub(super) fn tell_failure(
    work: &mut Work<'_>,
    scope: &SecretScope,
    record: &SecretRecord,
    policy: &RotationPolicyRecord,
    error: &Error,
    next_attempt_at: Option<Timestamp>,
) {
    let body = EventBody::RotationFailed {
        rotation_policy_id: policy.id.clone(),
        error: FailureText { code: error.code().as_str().to_owned(), message: error.sentence() },
        next_attempt_at,
    };
    work.emit(Happening::of_secret(scope, record, body));
}

/// A rotation with a value that the server made.
pub(super) struct Done {
    pub(super) record: SecretRecord,
    pub(super) history_id: Option<String>,
}

/// Makes a value and rotates to it, or leaves nothing. The outer error is a storage failure: the whole transaction is lost.
pub(super) fn generate_and_rotate(
    tx: &mut WriteTx<'_>,
    work: &mut Work<'_>,
    scope: &SecretScope,
    record: &SecretRecord,
    policy: &RotationPolicyRecord,
    (trigger, reason): (Trigger, Option<&str>),
) -> StoreResult<Result<Done>> {
    let told = work.notes.events.len();
    let mut next = record.clone();
    let rotated = tx.attempt(|tx| {
        let data = generate(tx, work, scope, &next, Some(policy))?;
        check_size(work, &data)?;
        renew_expiry(&mut next, work.now)?;
        let grace_seconds = grace_of(Some(policy))?;
        let turn = Turn { trigger, policy: Some(policy), grace_seconds, generated: true, reason };
        rotate_to(tx, work, scope, &mut next, &data, &turn)
    })?;
    if rotated.is_err() {
        work.notes.events.truncate(told);
    }
    Ok(rotated.map(|rotation| Done { record: next, history_id: rotation.history_id }))
}

fn leave_entry(
    work: &mut Work<'_>,
    record: &SecretRecord,
    standing: &Standing,
    extra: Vec<(&str, Value)>,
    failed: Option<Error>,
) {
    work.leave_entry(OwnEntry {
        action: AuditAction::Rotate,
        secret_path: Some(record.path.clone()),
        resource_id: Some(standing.policy.id.clone()),
        extra: extra.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        failed,
    });
}

#[cfg(test)]
mod tests;
