//! Rotation policies and the secrets they serve (contract 04 sections 1 and 2).

mod assignment;
mod change;
mod due;
pub(crate) mod follow;
pub(crate) mod history;
mod read;
mod rotate;
mod schedule;
pub(crate) mod turn;

pub use assignment::{Assignment, AttachSecret, DetachSecret, ListAssignments};
pub use change::{CreateRotationPolicy, DeleteRotationPolicy, SetRotationPolicyActive, UpdateRotationPolicy};
pub use due::{DueSecret, ListDueSecrets};
pub use history::ListRotationHistory;
pub use read::{GetRotationPolicy, ListRotationPolicies};
pub use rotate::{MOST_ROTATED, RotatePolicySecrets, RotationReport};
pub use scaivault_store::rotation_history::HistoryItem;
pub use scaivault_store::rotation_policy::RotationPolicyListed;
pub use schedule::schedule_faults;

use scaivault_domain::access::Permit;
use scaivault_store::rotation_policy::{self, RotationPolicyRecord};
use scaivault_store::{Database, WriteTx, webhook};

use crate::error::Result;
use crate::secret::write::rotation_policy_not_found;
use crate::webhook::webhook_not_found;

/// A policy of the tenant, by its id.
fn existing(db: &mut impl Database, permit: &Permit, id: &str) -> Result<RotationPolicyRecord> {
    rotation_policy::find(db, permit.tenant(), id)?.ok_or_else(|| rotation_policy_not_found(id))
}

/// A policy as answers show it.
fn counted(db: &mut impl Database, permit: &Permit, record: RotationPolicyRecord) -> Result<RotationPolicyListed> {
    let secrets_count = rotation_policy::count_secrets(db, permit.tenant(), &record.id)?;
    Ok(RotationPolicyListed { record, secrets_count })
}

/// # Errors
/// 404 for the first that is no webhook of the tenant.
fn check_webhooks(tx: &mut WriteTx<'_>, permit: &Permit, ids: &[String]) -> Result<()> {
    for id in ids {
        webhook::find(tx, permit.tenant(), id)?.ok_or_else(|| webhook_not_found(id))?;
    }
    Ok(())
}
