//! Jobs that act beyond one transaction: taken under a lease, which is renewed while they run.

use std::sync::Arc;
use std::time::Duration;

use scaivault_store::job::{self, JobRecord};
use scaivault_store::{Lane, StoreError};
use tokio::task::{JoinHandle, JoinSet};

use super::runner::Held;
use super::{Next, Outside};
use crate::error::{Error, Result};
use crate::vault::Vault;

/// A crashed server's jobs are taken over after this (contract 04 section 3).
pub(super) const LEASE_SECONDS: i64 = 30;
/// Often enough that one that fails does no harm.
const RENEW_EVERY: Duration = Duration::from_secs(8);

impl Vault {
    /// Takes what was found, all in one transaction, and sets it going. Answers how many were still there to take.
    pub(super) async fn start_outside(
        self: &Arc<Self>,
        found: Vec<(JobRecord, Outside)>,
        under_way: &mut JoinSet<()>,
    ) -> Result<usize> {
        if found.is_empty() {
            return Ok(0);
        }
        let vault = Arc::clone(self);
        let take_all = self.store.write(Lane::Upkeep, move |tx| {
            let now = vault.clock.now();
            let mut taken = Vec::new();
            for (found, run) in &found {
                if let Some(record) = job::take(tx, found, now, now.plus_seconds(LEASE_SECONDS))? {
                    taken.push((record, *run));
                }
            }
            Ok::<_, StoreError>(taken)
        });
        let taken = take_all.await?;
        let started = taken.len();
        for (taken, run) in taken {
            let held = self.runner.hold(self, &taken);
            under_way.spawn(Arc::clone(self).run_outside(taken, run, held));
        }
        Ok(started)
    }

    async fn run_outside(self: Arc<Self>, taken: JobRecord, run: Outside, held: Held) {
        // A task of its own, so that a panic is a failure like any other; dropped with this one, so that a shutdown reaches it.
        let mut task = JoinSet::new();
        task.spawn(run(Arc::clone(&self), taken.clone()));
        let result = match task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(panicked)) => Err(Error::internal(panicked)),
            None => Err(Error::internal("a job did not run")),
        };
        let vault = Arc::clone(&self);
        let settled = self.store.write(Lane::Upkeep, move |tx| {
            let now = vault.clock.now();
            match &result {
                Ok(next) => vault.settle(tx, &taken, *next, now),
                Err(error) => vault.failed(tx, &taken, error, now),
            }
        });
        if let Err(error) = settled.await {
            tracing::error!(%error, "what became of a job can't be written; it runs again when its lease is over");
        }
        drop(held);
    }

    /// Writes down what follows from a job that went well.
    pub(super) fn settle(
        &self,
        tx: &mut scaivault_store::WriteTx<'_>,
        taken: &JobRecord,
        next: Next,
        now: scaivault_domain::time::Timestamp,
    ) -> Result<(), StoreError> {
        match next {
            Next::At(at) => job::again(tx, taken, self.runner.next_turn(&taken.key, at, now), now),
            Next::Never => {
                self.runner.no_more_turns(&taken.key);
                job::complete(tx, taken)
            }
        }
    }
}

/// Renews the leases of what runs on this server, until it is dropped.
pub(super) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    pub(super) fn start(vault: &Arc<Vault>) -> Self {
        let vault = Arc::clone(vault);
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                vault.renew_leases().await;
            }
        }))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Vault {
    pub(super) async fn renew_leases(self: &Arc<Self>) {
        let held = self.runner.held();
        if held.is_empty() {
            return;
        }
        let vault = Arc::clone(self);
        let renewed = self.store.write(Lane::Upkeep, move |tx| {
            let lease_until = vault.clock.now().plus_seconds(LEASE_SECONDS);
            held.iter().try_for_each(|taken| job::renew(tx, taken, lease_until).map(|_| ()))
        });
        // Without the database nobody else takes them either; the turn of the loop says what is wrong.
        if let Err(error) = renewed.await {
            tracing::debug!(%error, "leases can't be renewed");
        }
    }
}
