//! Subscriptions delivered by webhook: the webhooks' own machine does the work (`webhook/destination.rs`); here is what is different.

use std::sync::Arc;

use scaivault_domain::access::TenantScope;
use scaivault_domain::id::SubscriptionId;
use scaivault_domain::time::Timestamp;
use scaivault_store::webhook_delivery::NewDelivery;
use scaivault_store::{StoreResult, WriteTx, event, subscription, tenant};

use super::owner::sight_of;
use crate::error::{Error, Result};
use crate::event::Happening;
use crate::vault::Vault;
use crate::webhook::GivenUp;

impl Vault {
    /// Whether a delivery may still be sent. One to a subscription's owner may not when the owner is gone, suspended, or no longer sees
    /// the path; others always may.
    pub(crate) async fn may_be_told(self: &Arc<Self>, scope: &TenantScope, delivery: &NewDelivery) -> Result<bool> {
        if !delivery.target_id.starts_with(SubscriptionId::PREFIX) {
            return Ok(true);
        }
        let (vault, scope, delivery) = (Arc::clone(self), scope.clone(), delivery.clone());
        let look = move || {
            vault.store.read(|view| {
                let tenant_id = scope.tenant().as_str();
                let record = subscription::find(view, &scope, &delivery.target_id)?;
                let found = event::find(view, tenant_id, &delivery.event_id)?;
                let (Some(record), Some(found), Some(tenant)) = (record, found, tenant::find(view, tenant_id)?) else {
                    return Ok(false);
                };
                let sight = sight_of(view, &record.owner_id, &tenant, &vault.settings, vault.clock.now())?;
                Ok(sight.sees(&found.event))
            })
        };
        let looked: StoreResult<bool> = tokio::task::spawn_blocking(look).await.map_err(Error::internal)?;
        Ok(looked?)
    }
}

/// The server switched the target off. Nobody but the owner and administrators sees that: there is no event of it.
pub(crate) fn given_up(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    id: &str,
    _why: GivenUp,
    now: Timestamp,
) -> StoreResult<Option<Happening>> {
    if let Some(mut record) = subscription::find(tx, scope, id)? {
        record.enabled = false;
        record.updated_at = now;
        subscription::update(tx, scope, &record)?;
    }
    Ok(None)
}
