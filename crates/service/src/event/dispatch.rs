//! From the outbox to those who asked: each event is handed to the webhooks and subscriptions of its tenant once, in order.
//!
//! Not in the transaction of the change itself, which must not pay for the number of listeners.

use std::collections::HashMap;
use std::sync::Arc;

use scaivault_domain::time::Timestamp;
use scaivault_store::event::{self, Backlog};
use scaivault_store::{Lane, StoreResult, WriteTx};

use super::audience::{Basis, HandOn};
use crate::error::{Error, Result};
use crate::job::{caught, pause_after};
use crate::vault::Vault;

/// Tenants and events of one transaction: some ten milliseconds during which nobody else writes.
const TENANTS: usize = 32;
const EVENTS: usize = 500;
const MOST_LOOKS: usize = 8;

/// Takes what concerns it out of the events of one tenant, for delivery; see [`LISTENERS`].
pub(crate) type Listener = fn(&Arc<Vault>, &mut WriteTx<'_>, &HandOn, Timestamp) -> StoreResult<()>;

/// Who is told.
const LISTENERS: &[Listener] = &[
    crate::webhook::listen,
    crate::subscription::fan_out,
    #[cfg(test)]
    super::tests::listener,
];

/// Tenants whose events can't be handed on at the moment. It keeps nobody else's, and nothing is passed over: they wait.
#[derive(Default)]
pub(crate) struct Delays {
    tenants: HashMap<String, Delay>,
    /// The last tenant of the batch before: the next one begins behind it, so that all get their turn.
    last: String,
}

struct Delay {
    failures: i64,
    until: Timestamp,
    /// For a clock that goes back.
    since: Timestamp,
}

impl Delays {
    fn holds(&self, tenant_id: &str, now: Timestamp) -> bool {
        self.tenants.get(tenant_id).is_some_and(|delay| delay.since <= now && now < delay.until)
    }

    fn failures(&self, tenant_id: &str) -> i64 {
        self.tenants.get(tenant_id).map_or(0, |delay| delay.failures)
    }

    fn failed(&mut self, tenant_id: &str, now: Timestamp) -> i64 {
        let failures = self.failures(tenant_id);
        let until = now.plus_seconds(pause_after(failures));
        let failures = failures.saturating_add(1);
        self.tenants.insert(tenant_id.to_owned(), Delay { failures, until, since: now });
        failures
    }
}

/// A tenant's part of a batch.
struct Part {
    backlog: Backlog,
    limit: usize,
    /// As it was worked out before the transaction, and on what; `None` if that failed or would be of no use.
    prepared: Option<(Basis, HandOn)>,
}

impl Vault {
    /// Hands on one batch. Answers how many events it was; a tenant whose events can't be handed on counts for one.
    ///
    /// # Errors
    /// Without the database; then nothing was handed on.
    pub(crate) async fn dispatch_events(self: &Arc<Self>) -> Result<usize> {
        let vault = Arc::clone(self);
        let prepared = tokio::task::spawn_blocking(move || {
            let waiting = vault.waiting_events()?;
            Ok::<_, Error>(
                waiting.into_iter().map(|(backlog, limit)| vault.prepare(backlog, limit)).collect::<Vec<_>>(),
            )
        });
        let parts = prepared.await.map_err(Error::internal)??;
        if parts.is_empty() {
            return Ok(0);
        }
        // Each by itself, so that what fails for one tenant, whatever it is, fails for that one only; all at once, so that they share
        // commits where they can.
        let writes: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let (vault, tenant) = (Arc::clone(self), part.backlog.tenant_id.clone());
                let (store, lane) = (self.store.clone(), Lane::Tenant(tenant.clone()));
                let hand_on = move |tx: &mut WriteTx<'_>| tx.attempt(|tx| caught(|| vault.hand_on(tx, &part)));
                (tenant, tokio::spawn(async move { store.write(lane, hand_on).await }))
            })
            .collect();
        let mut count: usize = 0;
        let now = self.clock.now();
        for (tenant, write) in writes {
            match write.await.map_err(Error::internal)?? {
                Ok(handed_on) => {
                    count = count.saturating_add(handed_on);
                    self.runner.delays.lock().tenants.remove(&tenant);
                }
                Err(error) => {
                    count = count.saturating_add(1);
                    let failures = self.runner.delays.lock().failed(&tenant, now);
                    tracing::error!(tenant, %error, failures, "events can't be handed on; they wait and are tried again");
                }
            }
        }
        Ok(count)
    }

    /// Backlogs, and how much of each goes into this transaction. Blocks.
    fn waiting_events(&self) -> StoreResult<Vec<(Backlog, usize)>> {
        let now = self.clock.now();
        let mut last = std::mem::take(&mut self.runner.delays.lock().last);
        let limit = i64::try_from(TENANTS).unwrap_or(i64::MAX);
        // Past those that have to wait, but not for ever.
        for _ in 0..MOST_LOOKS {
            let mut waiting = self.store.read(|view| event::backlogs(view, &last, limit))?;
            if waiting.is_empty() && last.is_empty() {
                break;
            }
            let more = waiting.len() >= TENANTS;
            last = waiting.last().filter(|_| more).map(|backlog| backlog.tenant_id.clone()).unwrap_or_default();
            let mut delays = self.runner.delays.lock();
            delays.last.clone_from(&last);
            waiting.retain(|backlog| !delays.holds(&backlog.tenant_id, now));
            if waiting.is_empty() {
                continue;
            }
            let share = EVENTS / waiting.len();
            // After a failure one by one: what comes before the event that is to blame gets through.
            let with_limit = |backlog: Backlog| {
                let limit = if delays.failures(&backlog.tenant_id) > 0 { 1 } else { share };
                (backlog, limit)
            };
            return Ok(waiting.into_iter().map(with_limit).collect());
        }
        Ok(Vec::new())
    }

    /// Blocks.
    fn prepare(&self, backlog: Backlog, limit: usize) -> Part {
        let Some(basis) = self.basis() else { return Part { backlog, limit, prepared: None } };
        // What goes wrong here goes wrong again in the transaction, where it is counted.
        let prepared = caught(|| self.prepare_hand_on(&backlog, limit, self.clock.now())).ok();
        Part { backlog, limit, prepared: prepared.map(|prepared| (basis, prepared)) }
    }

    fn hand_on(self: &Arc<Self>, tx: &mut WriteTx<'_>, part: &Part) -> StoreResult<usize> {
        let (backlog, now) = (&part.backlog, self.clock.now());
        let made;
        let hand_on = match &part.prepared {
            Some((basis, prepared)) if self.still_holds(tx, *basis) => prepared,
            Some(_) | None => {
                made = self.hand_on_anew(tx, backlog, part.limit, now)?;
                &made
            }
        };
        // Without any the head says more than there is: nothing is left to hand on.
        let last = hand_on.events.last().map_or(&backlog.last_id, |event| &event.id);
        // Another server that was quicker leaves nothing to do; its listeners were told.
        if !event::dispatched(tx, backlog, last)? {
            return Ok(0);
        }
        for listener in LISTENERS {
            listener(self, tx, hand_on, now)?;
        }
        Ok(hand_on.events.len())
    }
}
