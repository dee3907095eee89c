//! Handing on: in order, once, and each tenant for itself.

use std::sync::{Arc, Mutex, PoisonError};

use scaivault_domain::time::Timestamp;
use scaivault_store::event::EventRecord;
use scaivault_store::{StoreError, StoreResult, WriteTx};

use crate::vault::Vault;

/// (tenant, event, event type) in the order of hearing. Tenants name their test.
static HEARD: Mutex<Vec<(String, String, String)>> = Mutex::new(Vec::new());

/// Fails at an event that says so in its type.
pub(super) fn listener(
    _: &Arc<Vault>,
    _: &mut WriteTx<'_>,
    tenant: &str,
    events: &[EventRecord],
    _: Timestamp,
) -> StoreResult<()> {
    for record in events {
        match record.event.event_type.as_str() {
            "test.fail" => return Err(StoreError::corrupt("on purpose")),
            "test.panic" => panic!("on purpose"),
            kind if kind.starts_with("test.") => {
                let heard = (tenant.to_owned(), record.id.clone(), kind.to_owned());
                HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
            }
            _ => {}
        }
    }
    Ok(())
}
