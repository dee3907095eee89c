//! Jobs that only change the database: the effect, its events, its entries and the completion in one transaction.

use std::ops::Range;
use std::sync::Arc;

use scaivault_domain::access::Space;
use scaivault_domain::id::RequestId;
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobRecord};
use scaivault_store::{Lane, StoreError, StoreResult, WriteTx};
use tokio::task::JoinSet;

use super::due::Prepared;
use super::failure::caught;
use super::outside::LEASE_SECONDS;
use super::runner::Held;
use super::{Body, Job, JobKind};
use crate::context::Work;
use crate::error::{Error, Result};
use crate::event::Origin;
use crate::making::Making;
use crate::vault::Vault;

/// Jobs that wait for values that take long to make. As many as one transaction takes; the rest comes back soon.
const SLOW_AT_A_TIME: usize = 64;
const SLOW_COME_BACK_SECONDS: i64 = 5;

type Batch = Arc<Vec<Prepared>>;

/// What became of a job inside a transaction.
enum Ran {
    /// It, or its failure, is written down.
    Settled,
    /// It needs a value that takes long to make; nothing was done yet but that it was taken.
    Lacks(JobRecord, Making),
    /// Somebody else has it.
    Gone,
}

impl Vault {
    /// Takes what is due. Answers how many jobs it was.
    pub(super) async fn take_due(self: &Arc<Self>, under_way: &mut JoinSet<()>) -> Result<usize> {
        let vault = Arc::clone(self);
        let due = tokio::task::spawn_blocking(move || vault.find_due()).await.map_err(Error::internal)??;
        let closed = self.close_of_nobody(due.of_nobody).await?;
        let ran = self.run_inside(Arc::new(due.inside), under_way).await?;
        let started = self.start_outside(due.outside, under_way).await?;
        Ok(closed.saturating_add(ran).saturating_add(started))
    }

    /// Jobs of deleted tenants end; those of tenants that never were are shown to the operator.
    async fn close_of_nobody(self: &Arc<Self>, jobs: Vec<(JobRecord, bool)>) -> Result<usize> {
        let count = jobs.len();
        if count == 0 {
            return Ok(0);
        }
        let vault = Arc::clone(self);
        let close_all = self.store.write(Lane::Whole, move |tx| {
            let now = vault.clock.now();
            for (found, deleted) in &jobs {
                let Some(taken) = job::take(tx, found, now, now)? else { continue };
                if *deleted {
                    job::complete(tx, &taken)?;
                } else {
                    job::bury(tx, &taken, "tenant_not_found: There is no such tenant", now)?;
                }
            }
            Ok(())
        });
        close_all.await?;
        Ok(count)
    }

    async fn run_inside(self: &Arc<Self>, batch: Batch, under_way: &mut JoinSet<()>) -> Result<usize> {
        if batch.is_empty() {
            return Ok(0);
        }
        let ran = match self.run_together(&batch, 0..batch.len()).await {
            Ok(ran) => ran,
            Err(StoreError::Closed) => return Err(StoreError::Closed.into()),
            Err(error) => {
                let ran = self.run_apart(&batch).await?;
                tracing::warn!(%error, jobs = batch.len(), "jobs failed together; they were run one by one");
                ran
            }
        };
        let mut took: usize = 0;
        let mut no_room = Vec::new();
        let mut room = SLOW_AT_A_TIME.saturating_sub(self.slow_under_way());
        for (index, ran) in ran.into_iter().enumerate() {
            match ran {
                Ran::Gone => continue,
                Ran::Settled => {}
                Ran::Lacks(taken, making) if room > 0 => {
                    room -= 1;
                    let held = self.runner.hold(self, &taken);
                    under_way.spawn(Arc::clone(self).run_slowly(Arc::clone(&batch), index, taken, making, held));
                }
                Ran::Lacks(taken, _) => no_room.push(taken),
            }
            took = took.saturating_add(1);
        }
        if !no_room.is_empty() {
            let at = self.clock.now().plus_seconds(SLOW_COME_BACK_SECONDS);
            self.store
                .write(Lane::Upkeep, move |tx| no_room.iter().try_for_each(|taken| job::postpone(tx, taken, at)))
                .await?;
        }
        Ok(took)
    }

    fn slow_under_way(&self) -> usize {
        let inside = |kind: &&JobKind| matches!(kind.body(), Body::Inside(_));
        JobKind::ALL.iter().filter(inside).map(|kind| self.runner.held_of(*kind)).sum()
    }

    async fn run_together(self: &Arc<Self>, batch: &Batch, range: Range<usize>) -> StoreResult<Vec<Ran>> {
        let (vault, batch) = (Arc::clone(self), Arc::clone(batch));
        let lane = lane_of(batch.get(range.clone()).unwrap_or_default());
        let run_all = self.store.write(lane, move |tx| {
            let now = vault.clock.now();
            let run = |prepared: &Prepared| match job::take(tx, &prepared.found, now, now.plus_seconds(LEASE_SECONDS))?
            {
                Some(taken) => vault.run_taken(tx, prepared, taken, Making::default(), now),
                None => Ok(Ran::Gone),
            };
            batch.get(range.clone()).unwrap_or_default().iter().map(run).collect::<StoreResult<Vec<_>>>()
        });
        run_all.await
    }

    /// After a batch was lost as a whole: the one that is to blame fails, the others go on.
    async fn run_apart(self: &Arc<Self>, batch: &Batch) -> Result<Vec<Ran>> {
        let mut all = Vec::with_capacity(batch.len());
        let mut refused: usize = 0;
        for (index, prepared) in batch.iter().enumerate() {
            match self.run_together(batch, index..index.saturating_add(1)).await {
                Ok(ran) => {
                    refused = 0;
                    all.extend(ran);
                }
                Err(error) => {
                    let found = prepared.found.clone();
                    let written =
                        self.write_failure(error.into(), move |tx, now| job::take(tx, &found, now, now)).await;
                    match written {
                        Ok(()) => all.push(Ran::Settled),
                        Err(error) => {
                            refused = refused.saturating_add(1);
                            // Two in a row that can't even be marked: it is the database that is to blame.
                            if refused > 1 || batch.len() == 1 {
                                return Err(error);
                            }
                            all.push(Ran::Gone);
                        }
                    }
                }
            }
        }
        Ok(all)
    }

    /// For a job that could not even write down how it failed. `taken` finds it again.
    async fn write_failure(
        self: &Arc<Self>,
        error: Error,
        taken: impl Fn(&mut WriteTx<'_>, Timestamp) -> StoreResult<Option<JobRecord>> + Send + 'static,
    ) -> Result<()> {
        let vault = Arc::clone(self);
        let failed = self.store.write(Lane::Upkeep, move |tx| {
            let now = vault.clock.now();
            match taken(tx, now)? {
                Some(taken) => vault.failed(tx, &taken, &error, now),
                None => Ok(()),
            }
        });
        Ok(failed.await?)
    }

    /// For a job that needs slow values: they are made, then it runs once more in a transaction of its own.
    async fn run_slowly(
        self: Arc<Self>,
        batch: Batch,
        index: usize,
        taken: JobRecord,
        mut lacking: Making,
        held: Held,
    ) {
        while let Some(making) = self.make(lacking).await {
            let (vault, batch, found) = (Arc::clone(&self), Arc::clone(&batch), taken.clone());
            let lane = lane_of(batch.get(index..=index).unwrap_or_default());
            let ran = self.store.write(lane, move |tx| {
                let prepared = batch.get(index).ok_or_else(|| StoreError::corrupt("a job that was not prepared"))?;
                match job::is_held(tx, &found)? {
                    true => vault.run_taken(tx, prepared, found.clone(), making.clone(), vault.clock.now()),
                    false => Ok(Ran::Gone),
                }
            });
            match ran.await {
                Ok(Ran::Lacks(_, more)) => lacking = more,
                Ok(Ran::Settled | Ran::Gone) => break,
                Err(error) => {
                    // Without the database this fails as well, and it runs again when its lease is over.
                    let found = taken.clone();
                    let _ = self.write_failure(error.into(), move |_, _| Ok(Some(found.clone()))).await;
                    break;
                }
            }
        }
        drop(held);
    }

    /// The outer error is a storage failure: the whole transaction is lost. Whatever else goes wrong is the job's own failure, and
    /// written down as such.
    fn run_taken(
        self: &Arc<Self>,
        tx: &mut WriteTx<'_>,
        prepared: &Prepared,
        taken: JobRecord,
        making: Making,
        now: Timestamp,
    ) -> StoreResult<Ran> {
        let mut work = Work::new(self, prepared.kind.identity(), &prepared.tenant.settings, now, prepared.keys.clone());
        work.making = making;
        let job = Job { record: taken, scope: prepared.scope.clone() };
        let result = tx.attempt(|tx| caught(|| self.do_job(prepared, &job, tx, &mut work)))?;
        match result {
            Ok(()) => Ok(Ran::Settled),
            Err(_) if work.making.lacks_something() => Ok(Ran::Lacks(job.record, work.making)),
            Err(error) => {
                self.failed(tx, &job.record, &error, now)?;
                Ok(Ran::Settled)
            }
        }
    }

    fn do_job(
        self: &Arc<Self>,
        prepared: &Prepared,
        job: &Job,
        tx: &mut WriteTx<'_>,
        work: &mut Work<'_>,
    ) -> Result<()> {
        let next = (prepared.run)(job, tx, work)?;
        let request_id = RequestId::from_ulid(self.ulid(work.now)?);
        let origin = Origin {
            tenant_id: job.scope.owner().tenant().as_str(),
            partner_id: job.scope.owner().partner().as_str(),
            identity_id: prepared.kind.identity(),
            request_id: request_id.as_str(),
        };
        self.append_events(tx, &origin, &work.notes.events, work.now)?;
        for own in &work.notes.entries {
            self.own_draft(&origin, &job.scope, own, work.now)?.append(tx)?;
        }
        self.settle(tx, &job.record, next, work.now)?;
        Ok(())
    }
}

/// Jobs on one tenant's own secrets keep out of the way of all others.
fn lane_of(jobs: &[Prepared]) -> Lane {
    let Some(scope) = jobs.first().map(|first| &first.scope) else { return Lane::Upkeep };
    let alike = |job: &Prepared| job.scope.space() == Space::Tenant && job.scope.namespace() == scope.namespace();
    if jobs.iter().all(alike) { Lane::of(scope.owner()) } else { Lane::Whole }
}
