//! Rotation policies and the secrets they serve (contract 04 sections 1 and 2).

mod assignment;
mod change;
mod read;
mod schedule;

pub use assignment::{Assignment, AttachSecret, DetachSecret, ListAssignments};
pub use change::{CreateRotationPolicy, DeleteRotationPolicy, SetRotationPolicyActive, UpdateRotationPolicy};
pub use read::{GetRotationPolicy, ListRotationPolicies};
pub use scaivault_store::rotation_policy::RotationPolicyListed;
pub use schedule::schedule_faults;

use scaivault_domain::access::Permit;
use scaivault_store::Database;
use scaivault_store::rotation_policy::{self, RotationPolicyRecord};

use crate::error::{Code, Error, Result};
use crate::secret::write::rotation_policy_not_found;

/// A policy of the tenant, by its id.
fn existing(db: &mut impl Database, permit: &Permit, id: &str) -> Result<RotationPolicyRecord> {
    rotation_policy::find(db, permit.tenant(), id)?.ok_or_else(|| rotation_policy_not_found(id))
}

/// A policy as answers show it.
fn counted(db: &mut impl Database, permit: &Permit, record: RotationPolicyRecord) -> Result<RotationPolicyListed> {
    let secrets_count = rotation_policy::count_secrets(db, permit.tenant(), &record.id)?;
    Ok(RotationPolicyListed { record, secrets_count })
}

/// Webhooks are not there yet, so that any that is named is absent.
fn check_webhooks(ids: &[String]) -> Result<()> {
    match ids.first() {
        None => Ok(()),
        Some(id) => Err(Error::new(Code::WebhookNotFound, format!("Webhook '{id}' not found")).with("id", id.as_str())),
    }
}
