//! From events to deliveries.

use std::collections::{BTreeMap, BTreeSet};

use scaivault_domain::id::{DeliveryId, Ulid};
use scaivault_domain::time::Timestamp;
use scaivault_store::event::EventRecord;
use scaivault_store::webhook_delivery::{self, NewDelivery};
use scaivault_store::{StoreError, StoreResult, WriteTx};

use super::destination::hasten;
use crate::event::envelope;
use crate::vault::Vault;

/// The deliveries that a listener makes of the events of one tenant. Give it the events in their order.
pub(crate) struct Queue<'a> {
    tenant_id: &'a str,
    now: Timestamp,
    next_id: Ulid,
    /// Envelopes that were made, by event.
    bodies: BTreeMap<String, String>,
    targets: BTreeSet<String>,
}

impl<'a> Queue<'a> {
    pub(crate) fn new(vault: &Vault, tenant_id: &'a str, now: Timestamp) -> StoreResult<Self> {
        let next_id = vault.ulid(now).map_err(|error| StoreError::Unavailable(format!("{error:?}")))?;
        Ok(Self { tenant_id, now, next_id, bodies: BTreeMap::new(), targets: BTreeSet::new() })
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
            id: DeliveryId::from_ulid(self.next_id).as_str().to_owned(),
            target_id: target_id.to_owned(),
            event_id: record.id.clone(),
            event_type: record.event.event_type.clone(),
            path: record.event.path.clone(),
            body,
            created_at: self.now,
        };
        // Rising within the batch, so that the log of deliveries shows events in their order.
        self.next_id = Ulid(self.next_id.0.wrapping_add(1));
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
