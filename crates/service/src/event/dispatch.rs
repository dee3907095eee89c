//! From the outbox to those who asked: each event is handed to the webhooks and subscriptions of its tenant once, in order.
//!
//! Not in the transaction of the change itself, which must not pay for the number of listeners.

use std::sync::Arc;

use scaivault_domain::time::Timestamp;
use scaivault_store::event::{self, Backlog, EventRecord};
use scaivault_store::{StoreResult, WriteTx};

use crate::error::Result;
use crate::vault::Vault;

/// Tenants and events of one transaction.
const TENANTS: i64 = 32;
const EVENTS: i64 = 500;

/// Takes what concerns it out of the events of one tenant, oldest first, for delivery; see [`LISTENERS`].
pub(crate) type Listener = fn(&Arc<Vault>, &mut WriteTx<'_>, &str, &[EventRecord], Timestamp) -> StoreResult<()>;

/// Who is told.
const LISTENERS: &[Listener] = &[];

impl Vault {
    /// Hands on one batch. Answers how many events it was.
    ///
    /// # Errors
    /// Without the database; then nothing was handed on.
    pub(crate) async fn dispatch_events(self: &Arc<Self>) -> Result<usize> {
        let vault = Arc::clone(self);
        let waiting =
            tokio::task::spawn_blocking(move || vault.store.read(|view| event::backlogs(view, TENANTS))).await;
        let waiting = waiting.map_err(crate::error::Error::internal)??;
        if waiting.is_empty() {
            return Ok(0);
        }
        let vault = Arc::clone(self);
        let handed_on = self.store.write(move |tx| {
            let mut handed_on: usize = 0;
            for backlog in &waiting {
                handed_on = handed_on.saturating_add(vault.hand_on(tx, backlog)?);
            }
            Ok(handed_on)
        });
        Ok(handed_on.await?)
    }

    fn hand_on(self: &Arc<Self>, tx: &mut WriteTx<'_>, backlog: &Backlog) -> StoreResult<usize> {
        let events = event::after(tx, &backlog.tenant_id, &backlog.dispatched_id, EVENTS)?;
        let Some(last) = events.last() else { return Ok(0) };
        // Another server that was quicker leaves nothing to do; its listeners were told.
        if !event::dispatched(tx, backlog, &last.id)? {
            return Ok(0);
        }
        let now = self.clock.now();
        for listener in LISTENERS {
            listener(self, tx, &backlog.tenant_id, &events, now)?;
        }
        Ok(events.len())
    }
}
