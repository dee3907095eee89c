//! From the outbox to the subscriptions of a tenant.

use std::collections::HashMap;
use std::sync::Arc;

use scaivault_domain::time::Timestamp;
use scaivault_store::event::EventRecord;
use scaivault_store::subscription::{self, Delivery, SubscriptionRecord};
use scaivault_store::subscription_buffer::{self, Buffer};
use scaivault_store::{Database, StoreResult, WriteTx, tenant};

use super::owner::sight_of;
use super::{interest_of, lapsed_before};
use crate::event::{HandOn, Interest, Sight};
use crate::settings::Settings;
use crate::vault::Vault;
use crate::webhook::Queue;

/// A subscription as far as it listens.
pub(crate) struct Subscriber {
    id: String,
    owner_id: String,
    interest: Interest,
    delivery: Delivery,
    /// Only events behind this one are for it.
    start_id: String,
}

/// The events that a subscription is given.
pub(crate) struct Share {
    subscriber: Arc<Subscriber>,
    events: Vec<Arc<EventRecord>>,
}

impl Subscriber {
    /// Of the subscriptions of a tenant that are switched on.
    pub(crate) fn all_in(db: &mut impl Database, tenant_id: &str) -> StoreResult<Vec<Arc<Self>>> {
        let listening = subscription::listening(db, tenant_id)?;
        Ok(listening.into_iter().filter_map(compiled).map(Arc::new).collect())
    }

    /// How much there is to compile.
    pub(crate) fn patterns(&self) -> usize {
        self.interest.paths.len()
    }
}

fn compiled(record: SubscriptionRecord) -> Option<Subscriber> {
    match interest_of(&record) {
        Ok(interest) => {
            let SubscriptionRecord { id, owner_id, delivery, start_id, .. } = record;
            Some(Subscriber { id, owner_id, interest, delivery, start_id })
        }
        // One damaged row must not keep events from everybody else.
        Err(error) => {
            tracing::error!(subscription = record.id, %error, "a subscription can't be read; it is given nothing");
            None
        }
    }
}

/// Gives each subscription what it asked for and its owner may see now.
pub(crate) fn shares(
    db: &mut impl Database,
    subscribers: &[Arc<Subscriber>],
    events: &[Arc<EventRecord>],
    tenant_id: &str,
    settings: &Settings,
    now: Timestamp,
) -> StoreResult<Vec<Share>> {
    if subscribers.is_empty() || events.is_empty() {
        return Ok(Vec::new());
    }
    let Some(tenant) = tenant::find(db, tenant_id)? else { return Ok(Vec::new()) };
    let mut sights: HashMap<&str, Sight> = HashMap::new();
    let mut shares = Vec::new();
    for subscriber in subscribers {
        let wants =
            |found: &&Arc<EventRecord>| found.id > subscriber.start_id && subscriber.interest.wants(&found.event);
        let wanted: Vec<&Arc<EventRecord>> = events.iter().filter(wants).collect();
        if wanted.is_empty() {
            continue;
        }
        let owner_id = subscriber.owner_id.as_str();
        if !sights.contains_key(owner_id) {
            sights.insert(owner_id, sight_of(db, owner_id, &tenant, settings, now)?);
        }
        let sight = sights.get(owner_id);
        let sees = |found: &&Arc<EventRecord>| sight.is_some_and(|sight| sight.sees(&found.event));
        let seen: Vec<Arc<EventRecord>> = wanted.into_iter().filter(sees).map(Arc::clone).collect();
        if !seen.is_empty() {
            shares.push(Share { subscriber: Arc::clone(subscriber), events: seen });
        }
    }
    Ok(shares)
}

/// For `event/dispatch.rs`: puts each share into the subscription's buffer, or has it sent.
pub(crate) fn fan_out(vault: &Arc<Vault>, tx: &mut WriteTx<'_>, hand_on: &HandOn, now: Timestamp) -> StoreResult<()> {
    let tenant_id = hand_on.tenant_id.as_str();
    let mut queue = Queue::new(vault, tenant_id, now);
    for Share { subscriber, events } in &hand_on.shares {
        match subscriber.delivery {
            Delivery::Polling { buffer_size } => {
                let buffer = Buffer { tenant_id, subscription_id: &subscriber.id, size: buffer_size };
                let ids: Vec<&str> = events.iter().map(|found| found.id.as_str()).collect();
                subscription_buffer::add(tx, buffer, &ids, lapsed_before(now).as_str())?;
            }
            Delivery::Webhook => events.iter().try_for_each(|found| queue.push(tx, &subscriber.id, found))?,
        }
    }
    queue.finish(tx)
}
