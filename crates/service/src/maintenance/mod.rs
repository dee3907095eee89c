//! What the server does on its own account, beside requests and beside what is planned for a time.
//!
//! [`Vault::maintain`] looks after what is in memory: statistics, signatures, keys. What removes old rows are jobs (`job/kind.rs`),
//! done by one server of many. Every step is a function of the vault that does a bounded piece and can be called by a test. Nothing
//! runs while the server is sealed.

mod cleanup;
mod purge;
mod retention;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use scaivault_store::job::JobRecord;
use tokio::sync::watch;

use crate::error::Result;
use crate::job::{Doing, Next};
use crate::vault::Vault;

pub(crate) use cleanup::EVENTS_KEPT_SECONDS;

/// How often statistics are flushed and streams are looked at.
const STEP: Duration = Duration::from_secs(2);
/// How often what is too old is looked for.
const SWEEP_SECONDS: i64 = 3600;
/// One run of a sweep: it has to end well before its lease does, and goes on at once where it stopped.
const STEPS_OF_A_RUN: usize = 20;

impl Vault {
    /// Runs until `stop` says true or its sender is gone. Then signs what is unsigned: what is cut off while the server is down
    /// shows.
    pub async fn maintain(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(STEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut reconciled_at = self.clock.now();
        let mut keys_wiped_at = self.clock.now();
        while !*stop.borrow() {
            tokio::select! {
                _ = ticks.tick() => {}
                // Under load a thousand entries come faster than the ticks.
                () = self.growth.wait_until_due() => {
                    if !self.is_sealed() {
                        report("checkpoints", self.write_checkpoints(false).await.map(|_| ()));
                    }
                    continue;
                }
                changed = stop.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => break,
                },
            }
            let now = self.clock.now();
            // Keys nobody asks for would outlive their time in memory; and a request that was under way when the server was
            // sealed may have left one.
            let overdue = keys_wiped_at.plus_seconds(self.settings.key_cache_ttl_seconds) <= now;
            if self.is_sealed() || overdue {
                self.keyring.forget();
                keys_wiped_at = now;
            }
            if self.is_sealed() {
                continue;
            }
            // A clock that was set back must not put it off.
            let rested = reconciled_at <= now && now.micros_since(reconciled_at) < SWEEP_SECONDS * 1_000_000;
            if !rested {
                reconciled_at = now;
                self.growth.forget_reconciliation();
            }
            report("statistics", self.flush_statistics().await);
            report("checkpoints", self.write_checkpoints(false).await.map(|_| ()));
        }
        if !self.is_sealed() {
            report("checkpoints", self.write_checkpoints(true).await.map(|_| ()));
        }
    }
}

pub(crate) fn purge(vault: Arc<Vault>, _: JobRecord) -> Doing {
    Box::pin(async move { sweep(&vault, || vault.purge_step()).await })
}

pub(crate) fn drop_kept_answers(vault: Arc<Vault>, _: JobRecord) -> Doing {
    Box::pin(async move { sweep(&vault, || vault.idempotency_step()).await })
}

pub(crate) fn drop_access_counts(vault: Arc<Vault>, _: JobRecord) -> Doing {
    Box::pin(async move {
        sweep(&vault, || async {
            vault.access_count_step().await?;
            Ok(0)
        })
        .await
    })
}

pub(crate) fn cut_audit(vault: Arc<Vault>, _: JobRecord) -> Doing {
    Box::pin(async move { sweep(&vault, || vault.retention_step()).await })
}

pub(crate) fn drop_events(vault: Arc<Vault>, _: JobRecord) -> Doing {
    Box::pin(async move {
        let step = || async { Ok(vault.event_step().await?.saturating_add(vault.buffer_step().await?)) };
        sweep(&vault, step).await
    })
}

pub(crate) fn drop_deliveries(vault: Arc<Vault>, _: JobRecord) -> Doing {
    Box::pin(async move { sweep(&vault, || vault.delivery_step()).await })
}

pub(crate) fn drop_rotation_history(vault: Arc<Vault>, _: JobRecord) -> Doing {
    Box::pin(async move { sweep(&vault, || vault.rotation_history_step()).await })
}

/// Runs a bounded step until it has nothing left to do, so that requests get their turn between two.
async fn sweep<F>(vault: &Arc<Vault>, mut step: impl FnMut() -> F) -> Result<Next>
where
    F: Future<Output = Result<usize>>,
{
    for _ in 0..STEPS_OF_A_RUN {
        if step().await? == 0 {
            return Ok(Next::At(vault.clock.now().plus_seconds(SWEEP_SECONDS)));
        }
    }
    Ok(Next::At(vault.clock.now()))
}

fn report(step: &str, outcome: Result<()>) {
    if let Err(error) = outcome {
        let detail = error.internal_detail().map(crate::error::Internal::for_log);
        tracing::error!(step, code = error.code().as_str(), detail, "a maintenance step failed; it is tried again");
    }
}
