//! The loop that sees to it that what is due is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobKey, JobRecord, Plan};
use scaivault_store::{Lane, StoreError, WriteTx};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::JobKind;
use super::outside::Heartbeat;
use crate::error::{Code, Error, Internal, Outage, Result};
use crate::event::Delays;
use crate::vault::Vault;

/// What is planned wakes the runner; this is for clocks that jump and for other servers' plans.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events under load come by the thousand a second: they are handed on together.
const GATHER: Duration = Duration::from_millis(20);
/// Without the database it is tried again after one second, two, four and so on up to this.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// What fails all the time is said about once a minute.
const SAY_EVERY: u32 = 12;
/// What jobs that act outside get to end at shutdown; less than the server as a whole.
const DRAIN: Duration = if cfg!(test) { Duration::from_millis(300) } else { Duration::from_secs(8) };
/// A clock that went back by more than this was wrong before.
const CLOCK_SLACK_SECONDS: i64 = 5;
/// Jobs of one transaction that were planned by a clock that was ahead.
const RECALL_BATCH: i64 = 500;
/// How often in a row a job may ask to go on at once.
const MOST_AT_ONCE: u32 = 100;
/// The pause of one that asked more often: others have their turn in any case, but the processor would have no rest.
const AT_ONCE_PAUSE_MICROS: i64 = 50_000;
/// Jobs that are remembered to have asked for it.
const MOST_EAGER: usize = 10_000;

/// What the runner keeps in memory: nothing that a restart would miss.
#[derive(Default)]
pub(crate) struct Runner {
    wake: Notify,
    clock: Mutex<ClockWatch>,
    /// Jobs that run on this server beyond one transaction. Their leases are renewed; none of them is begun a second time.
    held: Mutex<HashMap<JobKey, JobRecord>>,
    /// How often in a row a job asked to go on at once.
    eager: Mutex<HashMap<JobKey, u32>>,
    /// Tenants whose events can't be handed on at the moment.
    pub(crate) delays: Mutex<Delays>,
}

#[derive(Default)]
struct ClockWatch {
    /// The latest time that was seen; zero before the first look.
    latest: i64,
    recalling: bool,
}

impl Runner {
    /// Something was planned, or happened.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn hold(&self, vault: &Arc<Vault>, taken: &JobRecord) -> Held {
        self.held.lock().insert(taken.key.clone(), taken.clone());
        Held { vault: Arc::clone(vault), key: taken.key.clone() }
    }

    pub(super) fn held(&self) -> Vec<JobRecord> {
        self.held.lock().values().cloned().collect()
    }

    /// How many of a kind run here.
    pub(super) fn held_of(&self, kind: JobKind) -> usize {
        self.held.lock().keys().filter(|key| key.kind == kind.as_str()).count()
    }

    pub(super) fn is_held(&self, key: &JobKey) -> bool {
        self.held.lock().contains_key(key)
    }

    /// When a job that wants to run again at `at` may.
    pub(super) fn next_turn(&self, key: &JobKey, at: Timestamp, now: Timestamp) -> Timestamp {
        let soon = Timestamp::from_micros(now.as_micros().saturating_add(AT_ONCE_PAUSE_MICROS));
        let mut eager = self.eager.lock();
        if at >= soon {
            eager.remove(key);
            return at;
        }
        if eager.len() >= MOST_EAGER {
            eager.clear();
        }
        let turns = eager.entry(key.clone()).or_default();
        *turns = turns.saturating_add(1);
        if *turns > MOST_AT_ONCE {
            if *turns == MOST_AT_ONCE + 1 {
                tracing::warn!(
                    kind = key.kind,
                    subject = key.subject,
                    "a job goes on at once all the time; it is slowed"
                );
            }
            return soon;
        }
        at
    }

    pub(super) fn no_more_turns(&self, key: &JobKey) {
        let mut eager = self.eager.lock();
        if !eager.is_empty() {
            eager.remove(key);
        }
    }
}

/// A job that runs here; dropping it says that it does not any more.
pub(super) struct Held {
    vault: Arc<Vault>,
    key: JobKey,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.vault.runner.held.lock().remove(&self.key);
    }
}

impl Vault {
    /// Runs jobs until `stop` says true or its sender is gone; then lets those that act outside end.
    pub async fn run_jobs(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let heartbeat = Heartbeat::start(&self);
        let mut under_way = JoinSet::new();
        let mut housekeeping = false;
        let mut troubles: u32 = 0;
        while !*stop.borrow() && stop.has_changed().is_ok() {
            let turn = match self.is_sealed() {
                true => Ok(false),
                false => self.turn(&mut under_way, &mut housekeeping).await,
            };
            while under_way.try_join_next().is_some() {}
            match turn {
                Ok(busy) => {
                    if troubles > 0 {
                        tracing::info!("jobs run again");
                    }
                    troubles = 0;
                    if busy {
                        tokio::task::yield_now().await;
                        continue;
                    }
                }
                Err(error) if is_closed(&error) => break,
                Err(error) => {
                    say_trouble(&error, troubles);
                    troubles = troubles.saturating_add(1);
                }
            }
            tokio::select! {
                () = self.runner.wake.notified(), if troubles == 0 => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(rest_after(troubles)) => {}
                Some(_) = under_way.join_next(), if troubles == 0 && !under_way.is_empty() => {}
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        self.drain(under_way).await;
        drop(heartbeat);
    }

    /// Lets end what is under way. What does not end in time is given back, and done again at the next start.
    async fn drain(self: &Arc<Self>, mut under_way: JoinSet<()>) {
        let ended = async { while under_way.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ended).await.is_ok() {
            return;
        }
        let left = self.runner.held();
        tracing::warn!(jobs = left.len(), "jobs did not end in time; they are done again at the next start");
        under_way.shutdown().await;
        let given_back =
            self.store.write(Lane::Upkeep, move |tx| left.iter().try_for_each(|taken| job::release(tx, taken)));
        if let Err(error) = given_back.await {
            tracing::warn!(%error, "jobs can't be given back; they are taken up when their lease is over");
        }
    }

    /// Does everything that is due now, and what follows from it, and waits for all of it. Answers how many jobs ran.
    ///
    /// # Errors
    /// Without the database.
    pub async fn run_due_jobs(self: &Arc<Self>) -> Result<usize> {
        let mut ran: usize = 0;
        while !self.is_sealed() {
            let recalled = self.recall_after_clock().await?;
            let handed_on = self.dispatch_events().await?;
            let mut under_way = JoinSet::new();
            let took = self.take_due(&mut under_way).await?;
            while under_way.join_next().await.is_some() {}
            ran = ran.saturating_add(took);
            if handed_on == 0 && took == 0 && !recalled {
                break;
            }
        }
        Ok(ran)
    }

    /// When the next job is due, in the past if it is late; `None` without any.
    ///
    /// # Errors
    /// Without the database.
    pub fn next_job_at(&self) -> Result<Option<Timestamp>> {
        let now = self.clock.now();
        let names: Vec<&str> = JobKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let times = self.store.read(|view| job::next_of_each(view, &names, now))?;
        Ok(times.into_iter().flatten().min())
    }

    /// Whether there may be more to do at once.
    async fn turn(self: &Arc<Self>, under_way: &mut JoinSet<()>, housekeeping: &mut bool) -> Result<bool> {
        if !*housekeeping {
            self.plan_housekeeping().await?;
            *housekeeping = true;
        }
        let recalled = self.recall_after_clock().await?;
        let handed_on = self.dispatch_events().await?;
        let took = self.take_due(under_way).await?;
        Ok(recalled || handed_on > 0 || took > 0)
    }

    pub(super) async fn plan_housekeeping(self: &Arc<Self>) -> Result<()> {
        let now = self.clock.now();
        let plan_all = move |tx: &mut WriteTx<'_>| {
            for kind in JobKind::HOUSEKEEPING {
                let (tenant_id, namespace) = ("", "");
                let plan = Plan { kind: kind.as_str(), subject: "instance", tenant_id, namespace, run_at: now };
                job::plan_first(tx, &plan, now)?;
            }
            Ok::<_, StoreError>(())
        };
        Ok(self.store.write(Lane::Upkeep, plan_all).await?)
    }

    /// What was planned while the clock was ahead would rest until the clock is there again. Looks at one batch of it; answers
    /// whether there may be more.
    async fn recall_after_clock(self: &Arc<Self>) -> Result<bool> {
        let now = self.clock.now();
        {
            let mut watch = self.runner.clock.lock();
            // The first look after a start counts as one back: nobody knows what the clock did meanwhile. The latest time stays where
            // it was while the clock goes back little by little.
            if watch.latest == 0 || now.plus_seconds(CLOCK_SLACK_SECONDS).as_micros() < watch.latest {
                watch.recalling = true;
                watch.latest = now.as_micros();
            }
            watch.latest = watch.latest.max(now.as_micros());
            if !watch.recalling {
                return Ok(false);
            }
        }
        let recalled = self.store.write(Lane::Upkeep, move |tx| job::recall(tx, now, RECALL_BATCH)).await?;
        if recalled == 0 {
            self.runner.clock.lock().recalling = false;
        } else {
            tracing::info!(
                jobs = recalled,
                "the clock went back: jobs that were planned in the future are looked at now"
            );
        }
        Ok(recalled > 0)
    }
}

fn rest_after(troubles: u32) -> Duration {
    match troubles {
        0 => LOOK_EVERY,
        _ => LOOK_EVERY.saturating_mul(2_u32.saturating_pow((troubles - 1).min(8))).min(LONGEST_REST),
    }
}

/// The store is closed at the end of a shutdown; there is nothing to be done any more.
fn is_closed(error: &Error) -> bool {
    error.code() == Code::ServiceUnavailable
        && error.details().get("reason").and_then(|reason| reason.as_str()) == Some(Outage::ShuttingDown.as_str())
}

fn say_trouble(error: &Error, troubles: u32) {
    if troubles.is_multiple_of(SAY_EVERY) {
        let detail = error.internal_detail().map(Internal::for_log);
        tracing::error!(code = error.code().as_str(), detail, "jobs can't be run; they are tried again");
    }
}
