//! `secret.accessed`: made only while a webhook or a subscription names it, because there are as many as there are reads (contract 07
//! section 2).
//!
//! A read must not ask the database for that. Whether anybody listens is kept in memory, and forgotten when listeners change.

use scaivault_domain::access::{Permit, SecretScope, Space};
use scaivault_domain::event::{EventBody, EventPattern, EventType};
use scaivault_store::secret::SecretRecord;
use scaivault_store::{Database, StoreResult, WriteTx, subscription, tenant, webhook};

use super::Happening;
use crate::context::Work;
use crate::vault::Vault;

impl Vault {
    /// Whether anybody hears of reads in this place; `None` when it is not in memory.
    pub(crate) fn reads_are_heard(&self, scope: &SecretScope) -> Option<bool> {
        self.read_listeners.get(scope.namespace())
    }

    /// Has [`Self::reads_are_heard`] know. Takes a read connection, so it must not be called with one in hand; a failure only leaves it
    /// unknown.
    pub(crate) fn learn_who_hears_reads(&self, scope: &SecretScope) {
        let load = |namespace: &String| self.store.read(|view| anybody_hears(view, scope.space(), namespace));
        if let Err(error) = self.read_listeners.get_or_load(scope.namespace().to_owned(), load) {
            tracing::warn!(%error, "who listens to reads can't be looked up");
        }
    }

    /// Of those who hear of a shared secret, only they hear of reads who asked for it.
    pub(super) fn hears_reads(&self, tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<bool> {
        match self.read_listeners.get(tenant_id) {
            Some(known) => Ok(known),
            None => tenant_hears(tx, tenant_id),
        }
    }
}

fn anybody_hears(db: &mut impl Database, space: Space, namespace: &str) -> StoreResult<bool> {
    let tenants = match space {
        Space::Tenant => return tenant_hears(db, namespace),
        Space::Partner => tenant::ids_of_partner(db, namespace)?,
    };
    for tenant_id in tenants {
        if tenant_hears(db, &tenant_id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn tenant_hears(db: &mut impl Database, tenant_id: &str) -> StoreResult<bool> {
    let name = EventType::SecretAccessed;
    let webhooks = webhook::listening(db, tenant_id)?;
    let asked = |pattern: &String| EventPattern::parse(pattern).is_ok_and(|one| one.matches(name));
    Ok(webhooks.iter().any(|webhook| webhook.events.iter().any(asked))
        || subscription::names_event(db, tenant_id, name.as_str())?)
}

/// To be called with what was just disclosed. The read of somebody whom nobody listens to leaves nothing.
pub(crate) fn tell(work: &mut Work<'_>, permit: &Permit, record: &SecretRecord, version: i64) {
    if work.vault.reads_are_heard(permit.secrets()) == Some(false) {
        return;
    }
    let body = EventBody::SecretAccessed { version, accessed_by: work.actor().to_owned() };
    work.emit(Happening::of_secret(permit.secrets(), record, body));
}
