//! What the server does on its own account, beside requests.
//!
//! Every step is a function of the vault that runs once and can be called by a test; the task calls them in turn. A step that
//! fails is logged and comes round again; it never stops the others. Nothing runs while the server is sealed.

mod cleanup;
mod purge;
mod retention;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::Result;
use crate::vault::Vault;

/// How often statistics are flushed and streams are looked at.
const STEP: Duration = Duration::from_secs(2);
/// How often what is too old is looked for.
const SWEEP_SECONDS: i64 = 3600;

impl Vault {
    /// Runs until `stop` says true or its sender is gone. Then signs what is unsigned: what is cut off while the server is down
    /// shows.
    pub async fn maintain(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(STEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut swept_at = None;
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
            report("statistics", self.flush_statistics().await);
            report("checkpoints", self.write_checkpoints(false).await.map(|_| ()));
            // A clock that was set back must not put the sweep off.
            let rested = swept_at.is_some_and(|at| at <= now && now.micros_since(at) < SWEEP_SECONDS * 1_000_000);
            if !rested {
                swept_at = Some(now);
                self.sweep(&stop).await;
            }
        }
        if !self.is_sealed() {
            report("checkpoints", self.write_checkpoints(true).await.map(|_| ()));
        }
    }

    /// Removes what is too old, once.
    async fn sweep(self: &Arc<Self>, stop: &watch::Receiver<bool>) {
        let running = || !*stop.borrow();
        self.growth.forget_reconciliation();
        report("purge", repeat(running, || self.purge_step()).await);
        report("idempotency", repeat(running, || self.idempotency_step()).await);
        report("access counts", self.access_count_step().await);
        report("audit retention", repeat(running, || self.retention_step()).await);
    }
}

/// Runs a bounded step until it has nothing left to do, so that requests get their turn between two.
async fn repeat<F>(running: impl Fn() -> bool, mut step: impl FnMut() -> F) -> Result<()>
where
    F: Future<Output = Result<usize>>,
{
    while running() && step().await? > 0 {}
    Ok(())
}

fn report(step: &str, outcome: Result<()>) {
    if let Err(error) = outcome {
        let detail = error.internal_detail().map(crate::error::Internal::for_log);
        tracing::error!(step, code = error.code().as_str(), detail, "a maintenance step failed; it is tried again");
    }
}
