//! What is to happen to a secret at a time: planned anew whenever what it depends on changes, in the same transaction.

use scaivault_domain::access::SecretScope;
use scaivault_domain::time::Timestamp;
use scaivault_store::WriteTx;
use scaivault_store::secret::SecretRecord;

use super::expiry;
use crate::error::Result;
use crate::job::{self, JobKind};
use crate::rotation_policy::follow;

/// To be called after every change of a secret's expiry, schedule or place, with the record as it was written. The times are worked
/// out by the jobs themselves; this only has them look.
pub(crate) fn plan(tx: &mut WriteTx<'_>, scope: &SecretScope, record: &SecretRecord, now: Timestamp) -> Result<()> {
    expiry::plan(tx, scope, record, now)?;
    follow::plan(tx, scope.namespace(), record, now)
}

/// The secret is gone for good.
pub(crate) fn end(tx: &mut WriteTx<'_>, record: &SecretRecord) -> Result<()> {
    job::cancel(tx, JobKind::TellExpiry, &record.id)?;
    job::cancel(tx, JobKind::Rotation, &record.id)?;
    Ok(())
}
