//! What became of the rotations of a policy's secrets (contract 04 section 2).

use scaivault_domain::access::Permit;
use scaivault_domain::rotation::{Fate, Trigger};
use scaivault_store::rotation_history::{self, HistoryItem, NewHistoryItem};
use scaivault_store::rotation_policy::RotationPolicyRecord;
use scaivault_store::secret::SecretRecord;
use scaivault_store::{ReadView, WriteTx};

use super::existing;
use crate::context::{Context, Work};
use crate::error::{Error, Result};
use crate::operation::{Query, tenant_operation};
use crate::page::{Page, one_more, single_after};

/// `GET /v1/rotation/policies/{id}/history`, newest first.
#[derive(Debug, Clone)]
pub struct ListRotationHistory {
    pub policy_id: String,
    pub fate: Option<Fate>,
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

tenant_operation!(ListRotationHistory, RotationHistory, Page<HistoryItem>);

impl Query for ListRotationHistory {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<HistoryItem>> {
        let policy = existing(view, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let before = single_after(self.after.as_deref())?;
        let found = rotation_history::list(view, permit.tenant(), &policy.id, self.fate, before, one_more(self.limit))?;
        let page = Page::cut(found, self.limit, |last| vec![last.id.clone()]);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

/// An item of what happens to a secret now, as far as all items are alike.
pub(super) fn item(
    work: &Work<'_>,
    record: &SecretRecord,
    policy: &RotationPolicyRecord,
    fate: Fate,
    trigger: Trigger,
) -> NewHistoryItem {
    NewHistoryItem {
        policy_tenant_id: record.policy_tenant_id.clone(),
        policy_id: policy.id.clone(),
        secret_id: record.id.clone(),
        path: record.path.clone(),
        fate,
        trigger,
        old_version: record.current_version,
        new_version: None,
        started_at: work.now,
        completed_at: (fate != Fate::Pending).then_some(work.now),
        error: None,
    }
}

/// Notes that a secret has its new value, in place of the rotation that was waited for if one was.
pub(crate) fn succeeded(
    tx: &mut WriteTx<'_>,
    work: &Work<'_>,
    record: &SecretRecord,
    policy: &RotationPolicyRecord,
    trigger: Trigger,
    previous: i64,
) -> Result<String> {
    let done = NewHistoryItem {
        old_version: previous,
        new_version: Some(record.current_version),
        ..item(work, record, policy, Fate::Success, trigger)
    };
    match rotation_history::complete_pending(tx, &done)? {
        Some(id) => Ok(id),
        None => Ok(rotation_history::append(tx, &done, work.ulid()?)?),
    }
}

/// Notes that a new value is waited for, once a cycle.
pub(super) fn pending(
    tx: &mut WriteTx<'_>,
    work: &Work<'_>,
    record: &SecretRecord,
    policy: &RotationPolicyRecord,
) -> Result<()> {
    if !rotation_history::is_pending(tx, &record.id)? {
        let waiting = item(work, record, policy, Fate::Pending, Trigger::Scheduled);
        rotation_history::append(tx, &waiting, work.ulid()?)?;
    }
    Ok(())
}

/// Notes that an attempt failed. What the item says of it is what the API would say.
pub(super) fn failed(
    tx: &mut WriteTx<'_>,
    work: &Work<'_>,
    record: &SecretRecord,
    policy: &RotationPolicyRecord,
    trigger: Trigger,
    error: &Error,
) -> Result<HistoryItem> {
    let said = (error.code().as_str().to_owned(), error.sentence());
    let new = NewHistoryItem { error: Some(said), ..item(work, record, policy, Fate::Failed, trigger) };
    let id = rotation_history::append(tx, &new, work.ulid()?)?;
    Ok(shown(new, id))
}

/// An item as an answer shows it.
fn shown(new: NewHistoryItem, id: String) -> HistoryItem {
    HistoryItem {
        id,
        policy_id: new.policy_id,
        path: new.path,
        status: new.fate.as_str().to_owned(),
        trigger: new.trigger.as_str().to_owned(),
        old_version: Some(new.old_version),
        new_version: new.new_version,
        started_at: new.started_at,
        completed_at: new.completed_at,
        error: new.error,
    }
}
