//! From events to deliveries.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use scaivault_domain::id::{DeliveryId, Ulid};
use scaivault_domain::time::Timestamp;
use scaivault_store::event::EventRecord;
use scaivault_store::webhook_delivery::{self, NewDelivery};
use scaivault_store::{StoreError, StoreResult, WriteTx};

use super::destination::hasten;
use crate::error::Result;
use crate::event::envelope;
use crate::vault::Vault;

/// The deliveries that a listener makes of the events of one tenant. Give it the events in their order.
pub(crate) struct Queue<'a> {
    tenant_id: &'a str,
    now: Timestamp,
    vault: &'a Vault,
    /// Envelopes that were made, by event.
    bodies: BTreeMap<String, String>,
    targets: BTreeSet<String>,
}

impl<'a> Queue<'a> {
    pub(crate) fn new(vault: &'a Vault, tenant_id: &'a str, now: Timestamp) -> Self {
        Self { tenant_id, now, vault, bodies: BTreeMap::new(), targets: BTreeSet::new() }
    }

    /// One event for one target.
    pub(crate) fn push(&mut self, tx: &mut WriteTx<'_>, target_id: &str, record: &EventRecord) -> StoreResult<()> {
        let body = match self.bodies.get(&record.id) {
            Some(body) => body.clone(),
            None => {
                let body = envelope(record).map_err(|error| StoreError::corrupt(format!("{error:?}")))?;
                self.bodies.insert(record.id.clone(), body.clone());
                body
            }
        };
        let delivery = NewDelivery {
            id: self.vault.delivery_id(self.now).map_err(|error| StoreError::Unavailable(format!("{error:?}")))?,
            target_id: target_id.to_owned(),
            event_id: record.id.clone(),
            event_type: record.event.event_type.clone(),
            path: record.event.path.clone(),
            body,
            created_at: self.now,
        };
        webhook_delivery::insert(tx, self.tenant_id, &delivery)?;
        if !self.targets.contains(target_id) {
            self.targets.insert(target_id.to_owned());
        }
        Ok(())
    }

    /// Has the deliveries sent.
    pub(crate) fn finish(self, tx: &mut WriteTx<'_>) -> StoreResult<()> {
        self.targets.iter().try_for_each(|target_id| hasten(tx, self.tenant_id, target_id, self.now))
    }
}

/// The newest id of a delivery. Within a millisecond they rise, so that the log of deliveries shows events in their order.
#[derive(Default)]
pub(crate) struct DeliveryIds(Mutex<Ulid>);

impl DeliveryIds {
    fn after(&self, fresh: Ulid) -> Ulid {
        let mut last = self.0.lock();
        let successor = Ulid(last.0.wrapping_add(1));
        *last = if fresh.timestamp_ms() == last.timestamp_ms() { fresh.max(successor) } else { fresh };
        *last
    }
}

impl Vault {
    pub(super) fn delivery_id(&self, now: Timestamp) -> Result<String> {
        let id = self.delivery_ids.after(self.ulid(now)?);
        Ok(DeliveryId::from_ulid(id).as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_within_a_millisecond() {
        let ids = DeliveryIds::default();
        let at = |millis, random| ids.after(Ulid::from_parts(millis, random));
        let first = at(5, 1000);
        let (second, third) = (at(5, 10), at(5, 5000));
        assert!(first < second && second < third && third.random() == 5000);
        assert!(at(6, 1) > third);
        assert_eq!(at(4, 7), Ulid::from_parts(4, 7), "a clock that goes back is followed");
    }
}
