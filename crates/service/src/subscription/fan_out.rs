//! From the outbox to the subscriptions of a tenant.

use std::collections::HashMap;
use std::sync::Arc;

use scaivault_domain::time::Timestamp;
use scaivault_store::event::EventRecord;
use scaivault_store::subscription::{self, Delivery, SubscriptionRecord};
use scaivault_store::subscription_buffer::{self, Buffer};
use scaivault_store::{StoreResult, WriteTx, tenant};

use super::owner::sight_of;
use super::{interest_of, lapsed_before};
use crate::event::Sight;
use crate::vault::Vault;
use crate::webhook::Queue;

/// Gives each subscription what it asked for and its owner may see now.
pub(crate) fn fan_out(
    vault: &Arc<Vault>,
    tx: &mut WriteTx<'_>,
    tenant_id: &str,
    events: &[EventRecord],
    now: Timestamp,
) -> StoreResult<()> {
    let listening = subscription::listening(tx, tenant_id)?;
    if listening.is_empty() {
        return Ok(());
    }
    let Some(tenant) = tenant::find(tx, tenant_id)? else { return Ok(()) };
    let mut sights: HashMap<String, Sight> = HashMap::new();
    let mut queue = Queue::new(vault, tenant_id, now);
    for record in listening {
        let wanted = wanted(&record, events);
        if wanted.is_empty() {
            continue;
        }
        if !sights.contains_key(&record.owner_id) {
            let sight = sight_of(tx, &record.owner_id, &tenant, &vault.settings, now)?;
            sights.insert(record.owner_id.clone(), sight);
        }
        let sight = sights.get(&record.owner_id);
        let sees = |found: &&EventRecord| sight.is_some_and(|sight| sight.sees(&found.event));
        let seen: Vec<&EventRecord> = wanted.into_iter().filter(sees).collect();
        if seen.is_empty() {
            continue;
        }
        match record.delivery {
            Delivery::Polling { buffer_size } => {
                let buffer = Buffer { tenant_id, subscription_id: &record.id, size: buffer_size };
                let ids: Vec<&str> = seen.iter().map(|found| found.id.as_str()).collect();
                subscription_buffer::add(tx, buffer, &ids, lapsed_before(now).as_str())?;
            }
            Delivery::Webhook => seen.iter().try_for_each(|found| queue.push(tx, &record.id, found))?,
        }
    }
    queue.finish(tx)
}

fn wanted<'e>(record: &SubscriptionRecord, events: &'e [EventRecord]) -> Vec<&'e EventRecord> {
    match interest_of(record) {
        Ok(interest) => {
            events.iter().filter(|found| found.id > record.start_id && interest.wants(&found.event)).collect()
        }
        // One damaged row must not keep events from everybody else.
        Err(error) => {
            tracing::error!(subscription = record.id, %error, "a subscription can't be read; it is given nothing");
            Vec::new()
        }
    }
}
