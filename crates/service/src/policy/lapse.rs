//! What is told of bindings: that they were made, and once that they are over, removed or lapsed.
//!
//! It is told where the bound identity is at home: a partner's policy is bound in many tenants, and none of them has any business with
//! the identities of the others.

use scaivault_domain::event::EventBody;
use scaivault_store::binding::{self, BindingShown};
use scaivault_store::job::Plan;
use scaivault_store::{WriteTx, job};

use crate::context::Work;
use crate::error::Result;
use crate::event::Happening;
use crate::job::{Job, JobKind, Next};

/// To be called with a binding that was just written.
pub(super) fn made(tx: &mut WriteTx<'_>, work: &mut Work<'_>, bound: &BindingShown) -> Result<()> {
    let record = &bound.record;
    if let Some(run_at) = record.expires_at {
        let (tenant_id, namespace) = (record.tenant_id.as_str(), record.tenant_id.as_str());
        let kind = JobKind::LapseBinding.as_str();
        job::plan(tx, &Plan { kind, subject: &record.id, tenant_id, namespace, run_at }, work.now)?;
    }
    let body = EventBody::PolicyBindingCreated {
        policy_id: record.policy_id.clone(),
        binding_id: record.id.clone(),
        identity_type: record.identity_type.clone(),
        bound_identity_id: bound.identity_id.clone(),
        expires_at: record.expires_at,
    };
    work.emit(Happening::new(body).told_to(&record.tenant_id));
    Ok(())
}

/// To be called with a binding that is removed, by itself or with what it hung on. That of one which had lapsed was told before.
pub(crate) fn removed(tx: &mut WriteTx<'_>, work: &mut Work<'_>, bound: BindingShown) -> Result<()> {
    if bound.record.expires_at.is_some() {
        job::cancel(tx, JobKind::LapseBinding.as_str(), &bound.record.id)?;
    }
    if bound.record.lapsed_at.is_none() {
        over(work, bound);
    }
    Ok(())
}

/// To be called while the identity is still there, before all that it is bound to goes with it.
pub(crate) fn removed_with(
    tx: &mut WriteTx<'_>,
    work: &mut Work<'_>,
    tenant_id: &str,
    identity_key: &str,
) -> Result<()> {
    for bound in binding::of_identity(tx, tenant_id, identity_key)? {
        removed(tx, work, bound)?;
    }
    Ok(())
}

/// The job of one binding: its time is over. It grants nothing from that second on by itself, and stays in the lists.
pub(crate) fn tell(job: &Job, tx: &mut WriteTx<'_>, work: &mut Work<'_>) -> Result<Next> {
    let Some(bound) = binding::in_tenant(tx, job.scope.owner(), job.subject())? else { return Ok(Next::Never) };
    match bound.record.expires_at.filter(|_| bound.record.lapsed_at.is_none()) {
        Some(end) if end > work.now => Ok(Next::At(end)),
        Some(_) => {
            binding::lapsed(tx, &bound.record.id, work.now)?;
            over(work, bound);
            Ok(Next::Never)
        }
        None => Ok(Next::Never),
    }
}

fn over(work: &mut Work<'_>, bound: BindingShown) {
    let record = bound.record;
    let body = EventBody::PolicyBindingDeleted {
        policy_id: record.policy_id,
        binding_id: record.id,
        identity_type: record.identity_type,
        bound_identity_id: bound.identity_id,
        expires_at: record.expires_at,
    };
    work.emit(Happening::new(body).told_to(&record.tenant_id));
}
