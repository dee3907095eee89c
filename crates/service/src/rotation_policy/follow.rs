//! Keeping the plans of secrets in step with their policies: what a policy asks for a secret, and when the job has to look.

use scaivault_domain::access::TenantScope;
use scaivault_domain::duration::{Span, SpanList};
use scaivault_domain::rotation::{Progress, Timetable, cycle_start};
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, Plan};
use scaivault_store::rotation_policy::{self, RotationPolicyRecord};
use scaivault_store::rotation_state::{self, RotationState};
use scaivault_store::secret::SecretRecord;
use scaivault_store::{Database, WriteTx};

use crate::context::Work;
use crate::error::{Error, Result};
use crate::job::{Job, JobKind, Next};

/// Secrets that one transaction plans anew after a change of their policy.
const BATCH: usize = 500;

/// Where a secret stands under an active policy.
pub(crate) struct Standing {
    pub(super) policy: RotationPolicyRecord,
    pub(super) timetable: Timetable,
    pub(super) progress: Progress,
}

impl Standing {
    /// `None` while there is nothing to follow: no policy, a disabled one, or the secret lies in the trash.
    pub(super) fn of(db: &mut impl Database, record: &SecretRecord, now: Timestamp) -> Result<Option<Self>> {
        let Some(attached) = record.rotation.as_ref().filter(|_| record.trash.is_none()) else { return Ok(None) };
        let found = rotation_policy::find_in(db, &record.policy_tenant_id, &attached.policy_id)?;
        let Some(policy) = found.filter(|policy| policy.is_active) else { return Ok(None) };
        let timetable = timetable(&policy)?;
        let state = rotation_state::find(db, &record.id)?;
        let progress = progress(&timetable, state.as_ref(), record, now);
        Ok(Some(Self { policy, timetable, progress }))
    }

    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.timetable.next_look(&self.progress)
    }

    pub(super) fn save(&self, tx: &mut WriteTx<'_>, record: &SecretRecord) -> Result<()> {
        let state = RotationState {
            secret_id: record.id.clone(),
            policy_tenant_id: record.policy_tenant_id.clone(),
            policy_id: self.policy.id.clone(),
            overdue_at: self.timetable.overdue_at(self.progress.due_at),
            progress: self.progress,
        };
        Ok(rotation_state::save(tx, &state)?)
    }
}

/// What a stored policy asks for.
pub(crate) fn timetable(policy: &RotationPolicyRecord) -> Result<Timetable> {
    Ok(Timetable {
        interval: Span::parse(&policy.interval).map_err(Error::internal)?,
        grace_period: Span::parse(&policy.grace_period).map_err(Error::internal)?,
        warn_before: SpanList::parse(&policy.warn_before, usize::MAX).map_err(Error::internal)?,
        auto_generate: policy.auto_generate,
    })
}

/// What of the stored state holds for a secret's present cycle under its present policy.
pub(crate) fn progress(
    timetable: &Timetable,
    state: Option<&RotationState>,
    record: &SecretRecord,
    now: Timestamp,
) -> Progress {
    let due_at = timetable.due_at(cycle_start(record.last_rotated_at.unwrap_or(record.created_at), now));
    let of_policy = |state: &&RotationState| {
        let attached = record.rotation.as_ref().map(|attached| attached.policy_id.as_str());
        state.policy_tenant_id == record.policy_tenant_id && Some(state.policy_id.as_str()) == attached
    };
    match state.filter(of_policy) {
        Some(state) => state.progress.for_due(due_at, now),
        None => Progress::new(due_at),
    }
}

/// Has the job look at a secret when there is something to do for it, or never if there is not. To be called after every change of
/// the secret, in the same transaction.
pub(crate) fn plan(tx: &mut WriteTx<'_>, namespace: &str, record: &SecretRecord, now: Timestamp) -> Result<()> {
    plan_with(tx, namespace, record, now, |_| {})
}

fn plan_with(
    tx: &mut WriteTx<'_>,
    namespace: &str,
    record: &SecretRecord,
    now: Timestamp,
    adjust: impl FnOnce(&mut Progress),
) -> Result<()> {
    let Some(mut standing) = Standing::of(tx, record, now)? else { return rest(tx, record, now) };
    let state = rotation_state::find(tx, &record.id)?;
    if state.is_some_and(|state| !is_under(&state, record)) {
        rotation_state::forget(tx, &record.id, Some(now))?;
    }
    adjust(&mut standing.progress);
    standing.save(tx, record)?;
    let (kind, subject) = (JobKind::Rotation.as_str(), record.id.as_str());
    // The job sets right what a clock that was ahead has written.
    let is_ahead = record.last_rotated_at.is_some_and(|last| cycle_start(last, now) != last);
    match standing.next_look().map(|at| if is_ahead { now } else { at }) {
        // The policies are those of one tenant, also where another one writes to a shared secret.
        Some(run_at) => {
            let tenant_id = record.policy_tenant_id.as_str();
            job::plan(tx, &Plan { kind, subject, tenant_id, namespace, run_at }, now)?;
        }
        None => job::cancel(tx, kind, subject)?,
    }
    Ok(())
}

fn is_under(state: &RotationState, record: &SecretRecord) -> bool {
    state.policy_tenant_id == record.policy_tenant_id
        && record.rotation.as_ref().is_some_and(|attached| attached.policy_id == state.policy_id)
}

/// Lets the schedule of a secret stand still. Most secrets have none: that costs a look and no write.
pub(super) fn rest(tx: &mut WriteTx<'_>, record: &SecretRecord, now: Timestamp) -> Result<()> {
    let Some(state) = rotation_state::find(tx, &record.id)? else { return Ok(()) };
    if is_under(&state, record) {
        rotation_state::rest(tx, &record.id)?;
    } else {
        rotation_state::forget(tx, &record.id, Some(now))?;
    }
    Ok(job::cancel(tx, JobKind::Rotation.as_str(), &record.id)?)
}

/// A secret was taken off its policy.
pub(super) fn detached(tx: &mut WriteTx<'_>, secret_id: &str, now: Timestamp) -> Result<()> {
    rotation_state::forget(tx, secret_id, Some(now))?;
    Ok(job::cancel(tx, JobKind::Rotation.as_str(), secret_id)?)
}

/// A policy changed: plans its secrets anew, by path. The first ones at once, those that one transaction should not hold by a job.
pub(super) fn replan(tx: &mut WriteTx<'_>, scope: &TenantScope, policy_id: &str, now: Timestamp) -> Result<()> {
    let tenant_id = scope.tenant().as_str();
    let subject = format!("{tenant_id}/{policy_id}");
    let kind = JobKind::RotationReplan.as_str();
    let last = replan_batch(tx, scope, policy_id, ("", ""), now)?;
    rotation_state::set_replanned_to(tx, tenant_id, policy_id, last.as_ref().map(|(path, ns)| (&**path, &**ns)))?;
    match last {
        Some(_) => {
            let plan = Plan { kind, subject: &subject, tenant_id, namespace: tenant_id, run_at: now };
            job::plan(tx, &plan, now)?;
        }
        None => job::cancel(tx, kind, &subject)?,
    }
    Ok(())
}

/// The job that goes on with what [`replan`] began.
pub(crate) fn go_on(job: &Job, tx: &mut WriteTx<'_>, work: &mut Work<'_>) -> Result<Next> {
    let scope = job.scope.owner();
    let tenant_id = scope.tenant().as_str();
    let (_, policy_id) = job.subject().split_once('/').ok_or_else(|| Error::internal("a job without its policy"))?;
    let Some((path, namespace)) = rotation_state::replanned_to(tx, tenant_id, policy_id)? else {
        return Ok(Next::Never);
    };
    let last = replan_batch(tx, scope, policy_id, (&path, &namespace), work.now)?;
    rotation_state::set_replanned_to(tx, tenant_id, policy_id, last.as_ref().map(|(path, ns)| (&**path, &**ns)))?;
    Ok(if last.is_some() { Next::At(work.now) } else { Next::Never })
}

/// Answers path and namespace of the last one if there may be more. Whoever changed a policy wants a failed rotation tried now.
fn replan_batch(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    policy_id: &str,
    after: (&str, &str),
    now: Timestamp,
) -> Result<Option<(String, String)>> {
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let found = rotation_policy::attached(tx, scope, policy_id, after, limit)?;
    for (namespace, record) in &found {
        plan_with(tx, namespace, record, now, |progress| progress.next_attempt_at = None)?;
    }
    let last = found.last().filter(|_| found.len() == BATCH);
    Ok(last.map(|(namespace, record)| (record.path.clone(), namespace.clone())))
}
