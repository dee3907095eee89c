//! What the server does at a time, on its own account: durable, once, also across restarts and on many nodes.
//!
//! A job names what it is about and nothing else: when it runs, it looks at how things stand, does what is due by then, and says when
//! to look again. So a job that runs twice, late, or after the clock was moved does no harm.

mod due;
mod failure;
mod inside;
mod kind;
mod outside;
mod runner;

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;

use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::audit::AuditAction;
use scaivault_domain::id::{PartnerId, TenantId};
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobRecord, Plan};
use scaivault_store::tenant::TenantRecord;
use scaivault_store::{StoreError, StoreResult, WriteTx};

use crate::context::Work;
use crate::error::{Error, Result};
use crate::vault::Vault;

pub(crate) use failure::{caught, pause_after};
pub(crate) use kind::JobKind;
pub(crate) use runner::Runner;

/// What follows when a job ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    At(Timestamp),
    /// Nothing, until somebody plans it anew.
    Never,
}

/// A job that only changes the database: its effect commits together with its completion. It may run again from the start, like a
/// command.
pub(crate) type Inside = fn(&Job, &mut WriteTx<'_>, &mut Work<'_>) -> Result<Next>;

/// A job that acts beyond one transaction. Whoever dies in the middle of it leaves it to be done again.
pub(crate) type Outside = fn(Arc<Vault>, JobRecord) -> Doing;
pub(crate) type Doing = Pin<Box<dyn Future<Output = Result<Next>> + Send>>;

#[derive(Clone, Copy)]
pub(crate) enum Body {
    Inside(Inside),
    Outside(Outside),
}

/// A job of a tenant on its way through a transaction.
pub(crate) struct Job {
    pub(crate) record: JobRecord,
    pub(crate) scope: SecretScope,
}

impl Job {
    pub(crate) fn subject(&self) -> &str {
        &self.record.key.subject
    }
}

/// An entry that a job leaves in the trail.
#[derive(Debug, Clone)]
pub(crate) struct OwnEntry {
    pub(crate) action: AuditAction,
    pub(crate) secret_path: Option<String>,
    pub(crate) resource_id: Option<String>,
    pub(crate) extra: std::collections::BTreeMap<String, serde_json::Value>,
    pub(crate) failed: Option<Error>,
}

/// Where a job of a tenant works. The tenant is the one whose policies hold; the namespace may be its partner's.
pub(crate) fn scope_of(tenant: &TenantRecord, namespace: &str) -> StoreResult<SecretScope> {
    let owner = TenantScope::of_the_server(
        TenantId::parse(&tenant.id).map_err(StoreError::corrupt)?,
        PartnerId::parse(&tenant.partner_id).map_err(StoreError::corrupt)?,
    );
    let space = if namespace == tenant.id { Space::Tenant } else { Space::Partner };
    Ok(SecretScope::of_the_server(space, owner))
}

/// Plans a job on something in `scope`, in place of what was planned for the subject.
pub(crate) fn plan(
    tx: &mut WriteTx<'_>,
    kind: JobKind,
    subject: &str,
    scope: &SecretScope,
    run_at: Timestamp,
    now: Timestamp,
) -> StoreResult<()> {
    let (tenant_id, namespace) = (scope.owner().tenant().as_str(), scope.namespace());
    job::plan(tx, &Plan { kind: kind.as_str(), subject, tenant_id, namespace, run_at }, now)
}

pub(crate) fn cancel(tx: &mut WriteTx<'_>, kind: JobKind, subject: &str) -> StoreResult<()> {
    job::cancel(tx, kind.as_str(), subject)
}
