//! Taking what is due and seeing it through.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use scaivault_domain::id::RequestId;
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobRecord, Plan};
use scaivault_store::tenant::{self, TenantRecord};
use scaivault_store::{StoreError, StoreResult, WriteTx};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{Body, Inside, Job, JobKind, Next, Outside, scope_of};
use crate::context::Work;
use crate::error::{Error, Internal, Result};
use crate::event::Origin;
use crate::making::Making;
use crate::vault::Vault;
use crate::warm::WarmKeys;

/// Jobs of one transaction: some ten milliseconds during which nobody else writes.
const BATCH: i64 = 64;
/// Jobs that act outside at a time.
const OUTSIDE_AT_A_TIME: usize = 64;
/// A crashed server's jobs are taken over after this (contract 04 section 3).
const LEASE_SECONDS: i64 = 30;
/// What is planned wakes the runner; this is for clocks that jump and for other servers' plans.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events under load come by the thousand a second: they are handed on together.
const GATHER: Duration = Duration::from_millis(20);
/// A clock that went back by more than this was wrong before.
const CLOCK_SLACK_SECONDS: i64 = 5;
/// Tries before a job is given up: more than a day with the pauses of [`pause_after`].
const MOST_FAILURES: i64 = 30;
const LONGEST_PAUSE_SECONDS: i64 = 3600;

/// What the runner keeps in memory: nothing that a restart would miss.
#[derive(Default)]
pub(crate) struct Runner {
    wake: Notify,
    last_seen: AtomicI64,
}

impl Runner {
    /// Something was planned, or happened.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// A job and what it needs that must not be fetched inside a transaction.
struct Prepared {
    found: JobRecord,
    run: Inside,
    kind: JobKind,
    tenant: TenantRecord,
    keys: WarmKeys,
}

/// What became of a job inside a transaction.
enum Ran {
    /// It, or its failure, is written down.
    Settled(Vec<scaivault_domain::audit::AuditEntry>),
    /// It needs a value that takes long to make; nothing was done yet but that it was taken.
    Lacks(JobRecord, Making),
    /// Somebody else has it.
    Gone,
}

impl Vault {
    /// Runs jobs until `stop` says true or its sender is gone; then lets those that act outside end.
    pub async fn run_jobs(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut outside = JoinSet::new();
        let mut planned = false;
        while !*stop.borrow() {
            let busy = match self.is_sealed() {
                true => false,
                false => {
                    planned = planned || self.plan_housekeeping().await.is_ok();
                    self.turn(&mut outside).await
                }
            };
            while outside.try_join_next().is_some() {}
            if busy {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = self.runner.wake.notified() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                Some(_) = outside.join_next(), if !outside.is_empty() => {}
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        while outside.join_next().await.is_some() {}
    }

    /// Does everything that is due now, and what follows from it, and waits for all of it. Answers how many jobs ran.
    ///
    /// # Errors
    /// Without the database.
    pub async fn run_due_jobs(self: &Arc<Self>) -> Result<usize> {
        let mut ran: usize = 0;
        loop {
            self.recall_after_clock().await?;
            let handed_on = self.dispatch_events().await?;
            let mut outside = JoinSet::new();
            let took = self.take_due(&mut outside).await?;
            while outside.join_next().await.is_some() {}
            ran = ran.saturating_add(took);
            if handed_on == 0 && took == 0 {
                return Ok(ran);
            }
        }
    }

    /// When the next job is due; `None` without any.
    ///
    /// # Errors
    /// Without the database.
    pub fn next_job_at(&self) -> Result<Option<Timestamp>> {
        let now = self.clock.now();
        Ok(self.store.read(|view| job::next_at(view, now))?)
    }

    /// Whether there may be more to do at once.
    async fn turn(self: &Arc<Self>, outside: &mut JoinSet<()>) -> bool {
        let turn = async {
            self.recall_after_clock().await?;
            let handed_on = self.dispatch_events().await?;
            let took = self.take_due(outside).await?;
            Ok::<_, Error>(handed_on > 0 || took > 0)
        };
        turn.await.unwrap_or_else(|error| {
            let detail = error.internal_detail().map(Internal::for_log);
            tracing::error!(code = error.code().as_str(), detail, "jobs can't be run; they are tried again");
            false
        })
    }

    async fn plan_housekeeping(self: &Arc<Self>) -> Result<()> {
        let now = self.clock.now();
        let plan_all = move |tx: &mut WriteTx<'_>| {
            for kind in JobKind::HOUSEKEEPING {
                let (tenant_id, namespace) = ("", "");
                let plan = Plan { kind: kind.as_str(), subject: "instance", tenant_id, namespace, run_at: now };
                job::plan_first(tx, &plan, now)?;
            }
            Ok(())
        };
        Ok(self.store.write(plan_all).await?)
    }

    /// What was planned while the clock was ahead would rest until the clock is there again.
    async fn recall_after_clock(self: &Arc<Self>) -> Result<()> {
        let now = self.clock.now();
        let before = self.runner.last_seen.swap(now.as_micros(), Ordering::AcqRel);
        // The first look after a start counts as one back: nobody knows what the clock did meanwhile.
        let went_back = before == 0 || now.plus_seconds(CLOCK_SLACK_SECONDS).as_micros() < before;
        if went_back {
            while self.store.write(move |tx| job::recall(tx, now, BATCH)).await? > 0 {}
        }
        Ok(())
    }

    async fn take_due(self: &Arc<Self>, outside: &mut JoinSet<()>) -> Result<usize> {
        let vault = Arc::clone(self);
        let room = i64::try_from(OUTSIDE_AT_A_TIME.saturating_sub(outside.len())).unwrap_or(0);
        let (inside, found_outside) =
            tokio::task::spawn_blocking(move || vault.prepare_due(room)).await.map_err(Error::internal)??;
        let mut took = self.run_inside(inside).await?;
        for (found, run) in found_outside {
            let now = self.clock.now();
            let taken = self.store.write(move |tx| job::take(tx, &found, now, now.plus_seconds(LEASE_SECONDS))).await?;
            if let Some(taken) = taken {
                took = took.saturating_add(1);
                outside.spawn(Arc::clone(self).run_outside(taken, run));
            }
        }
        Ok(took)
    }

    /// What is due, with the keys it needs: loading one takes a read connection, which nobody may wait for inside a transaction.
    fn prepare_due(self: &Arc<Self>, room_outside: i64) -> Result<(Vec<Prepared>, Vec<(JobRecord, Outside)>)> {
        let now = self.clock.now();
        let (inside, outside) = self.store.read(|view| {
            let mut inside = Vec::new();
            for found in job::due(view, &JobKind::names(true), now, BATCH)? {
                let tenant = tenant::find(view, &found.tenant_id)?;
                inside.push((found, tenant));
            }
            Ok::<_, StoreError>((inside, job::due(view, &JobKind::names(false), now, room_outside)?))
        })?;
        let mut prepared = Vec::with_capacity(inside.len());
        for (found, tenant) in inside {
            match (JobKind::parse(&found.key.kind).map(|kind| (kind, kind.body())), tenant) {
                (Some((kind, Body::Inside(run))), Some(tenant)) => {
                    let keys = self.load_keys_of(&scope_of(&tenant, &found.namespace)?, now);
                    prepared.push(Prepared { found, run, kind, tenant, keys });
                }
                _ => tracing::error!(job = ?found.key, "a job of no tenant"),
            }
        }
        let run_of = |found: JobRecord| match JobKind::parse(&found.key.kind)?.body() {
            Body::Outside(run) => Some((found, run)),
            Body::Inside(_) => None,
        };
        Ok((prepared, outside.into_iter().filter_map(run_of).collect()))
    }

    async fn run_inside(self: &Arc<Self>, jobs: Vec<Prepared>) -> Result<usize> {
        if jobs.is_empty() {
            return Ok(0);
        }
        let jobs = Arc::new(jobs);
        let (vault, batch) = (Arc::clone(self), Arc::clone(&jobs));
        let ran = self.store.write(move |tx| {
            let now = vault.clock.now();
            let run = |prepared: &Prepared| {
                let lease_until = now.plus_seconds(LEASE_SECONDS);
                match job::take(tx, &prepared.found, now, lease_until)? {
                    Some(taken) => vault.run_taken(tx, prepared, taken, Making::default(), now),
                    None => Ok(Ran::Gone),
                }
            };
            batch.iter().map(run).collect::<StoreResult<Vec<_>>>()
        });
        let mut took: usize = 0;
        for (index, ran) in ran.await?.into_iter().enumerate() {
            match ran {
                Ran::Gone => {}
                Ran::Settled(entries) => {
                    took = took.saturating_add(1);
                    entries.iter().for_each(|entry| self.published(entry));
                }
                Ran::Lacks(taken, making) => {
                    took = took.saturating_add(1);
                    self.run_slowly(Arc::clone(&jobs), index, taken, making).await?;
                }
            }
        }
        Ok(took)
    }

    /// For a job that needs slow values: they are made, then it runs once more in a transaction of its own.
    async fn run_slowly(
        self: &Arc<Self>,
        jobs: Arc<Vec<Prepared>>,
        index: usize,
        taken: JobRecord,
        mut lacking: Making,
    ) -> Result<()> {
        while let Some(making) = self.make(lacking).await {
            let (vault, jobs, taken) = (Arc::clone(self), Arc::clone(&jobs), taken.clone());
            let ran = self.store.write(move |tx| {
                let prepared = jobs.get(index).ok_or_else(|| StoreError::corrupt("a job that was not prepared"))?;
                match job::is_held(tx, &taken)? {
                    true => vault.run_taken(tx, prepared, taken.clone(), making.clone(), vault.clock.now()),
                    false => Ok(Ran::Gone),
                }
            });
            match ran.await? {
                Ran::Gone => break,
                Ran::Settled(entries) => {
                    entries.iter().for_each(|entry| self.published(entry));
                    break;
                }
                Ran::Lacks(_, more) => lacking = more,
            }
        }
        Ok(())
    }

    /// The effect, its events, its entries and what becomes of the job: together.
    fn run_taken(
        self: &Arc<Self>,
        tx: &mut WriteTx<'_>,
        prepared: &Prepared,
        taken: JobRecord,
        making: Making,
        now: Timestamp,
    ) -> StoreResult<Ran> {
        let actor = prepared.kind.identity();
        let mut work = Work::new(self, actor, &prepared.tenant.settings, now, prepared.keys.clone());
        work.making = making;
        let scope = scope_of(&prepared.tenant, &prepared.found.namespace)?;
        let job = Job { record: taken, scope };
        let result = tx.attempt(|tx| (prepared.run)(&job, tx, &mut work))?;
        let Job { record: taken, scope } = job;
        if result.is_err() && work.making.lacks_something() {
            return Ok(Ran::Lacks(taken, work.making));
        }
        let next = match result {
            Ok(next) => next,
            Err(error) => {
                self.failed(tx, &taken, &error, now)?;
                return Ok(Ran::Settled(Vec::new()));
            }
        };
        let request_id = self.ulid(now).map(RequestId::from_ulid).map_err(unrecorded)?;
        let origin = Origin {
            tenant_id: scope.owner().tenant().as_str(),
            partner_id: scope.owner().partner().as_str(),
            identity_id: actor,
            request_id: request_id.as_str(),
        };
        self.append_events(tx, &origin, &work.notes.events, now)?;
        let mut entries = Vec::new();
        for own in &work.notes.entries {
            let mut draft = self.own_draft(&origin, &scope, own, now).map_err(unrecorded)?;
            draft.append(tx)?;
            entries.push(draft.entry);
        }
        match next {
            Next::At(at) => job::again(tx, &taken, at, now)?,
            Next::Never => job::complete(tx, &taken)?,
        }
        Ok(Ran::Settled(entries))
    }

    async fn run_outside(self: Arc<Self>, taken: JobRecord, run: Outside) {
        let result = run(Arc::clone(&self), taken.clone()).await;
        let vault = Arc::clone(&self);
        let settled = self.store.write(move |tx| {
            let now = vault.clock.now();
            match &result {
                Ok(Next::At(at)) => job::again(tx, &taken, *at, now),
                Ok(Next::Never) => job::complete(tx, &taken),
                Err(error) => vault.failed(tx, &taken, error, now),
            }
        });
        if let Err(error) = settled.await {
            tracing::error!(%error, "what became of a job can't be written; it runs again when its lease is over");
        }
    }

    /// Puts a failed job off, longer each time, and gives it up in the end.
    fn failed(&self, tx: &mut WriteTx<'_>, taken: &JobRecord, error: &Error, now: Timestamp) -> StoreResult<()> {
        let detail = error.internal_detail().map(Internal::for_log);
        let (kind, subject, code) = (taken.key.kind.as_str(), taken.key.subject.as_str(), error.code().as_str());
        // What an operator may read: the public words. The internal ones are in the log, under the same job.
        let text = format!("{code}: {}", error.message());
        if taken.failures + 1 >= MOST_FAILURES {
            tracing::error!(
                kind,
                subject,
                code,
                detail,
                "a job failed too often and is given up; see GET /v1/sys/jobs"
            );
            return job::bury(tx, taken, &text, now);
        }
        tracing::warn!(kind, subject, code, detail, "a job failed; it is tried again");
        let pause = self.scattered(pause_after(taken.failures)).map_err(unrecorded)?;
        job::retry(tx, taken, Timestamp::from_micros(now.as_micros().saturating_add(pause)), &text, now)
    }

    /// Microseconds: `seconds`, a tenth more or less, so that what failed together does not come back together.
    pub(crate) fn scattered(&self, seconds: i64) -> Result<i64> {
        let mut random = [0; 2];
        self.entropy.fill(&mut random).map_err(Error::internal)?;
        // 90 % and up to 20 % of it more, in 65536 steps.
        let share = i64::from(u16::from_be_bytes(random));
        let micros = seconds.saturating_mul(1_000_000);
        Ok(micros / 10 * 9 + micros / 5 / 65_536 * share)
    }
}

/// 10 s, 40 s, 160 s ... an hour.
fn pause_after(failures: i64) -> i64 {
    let doubled = u32::try_from(failures.clamp(0, 8)).unwrap_or(8);
    10_i64.saturating_mul(4_i64.saturating_pow(doubled)).min(LONGEST_PAUSE_SECONDS)
}

fn unrecorded(error: Error) -> StoreError {
    StoreError::Audit(format!("{error:?}"))
}
