//! Write transactions: a group of one lane goes into one, is repeated where another was in the way, and is never left in doubt where
//! that can be helped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use scaivault_domain::audit::AuditEntry;

use super::link::{LOCK_SECONDS, Link, SILENCE, lock_key};
use super::shared::{RECONNECT, Shared};
use crate::audit::{Sealed, Witness};
use crate::error::{StoreError, StoreResult};
use crate::lane::Lane;
use crate::sql::{Connection as _, json_text, params};
use crate::store::WriteJob;
use crate::tx::{Change, Harvest, WriteTx};

type Group = Vec<Box<dyn WriteJob>>;

/// How long the fate of a commit whose answer was lost is looked for.
const DOUBT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
/// How long a write waits for its lane: below the limit of a statement.
const LANE_SECONDS: u64 = 18;
/// Repetitions of a transaction that others were in the way of.
const REPEATS: u32 = 12;

/// Runs until the lanes are closed and empty.
pub(super) fn write_loop(shared: &Shared, next: fn(&Shared) -> Option<(Lane, Group)>) {
    let mut writer = Writer { shared, link: None };
    while let Some((lane, mut group)) = next(shared) {
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.run(&lane, &mut group)));
        if lane != Lane::Beside {
            shared.lanes.done(&lane);
        }
        let fates = ran.unwrap_or_else(|_| {
            writer.link = None;
            vec![Err(StoreError::corrupt("a storage thread panicked")); group.len()]
        });
        for (job, fate) in group.into_iter().zip(fates) {
            job.settle(fate);
        }
    }
}

struct Writer<'s> {
    shared: &'s Shared,
    link: Option<Link>,
}

/// What became of one attempt at a transaction.
enum Attempt {
    /// Durable; each write's own fate.
    Done(Vec<StoreResult<()>>),
    /// Nothing of it is there, and the next attempt may do better.
    Again(StoreError),
    /// Nothing of it is there, and it would fail again.
    Failed(StoreError),
    /// Nobody knows whether it is there.
    Doubtful(StoreError),
}

impl Writer<'_> {
    /// Answers the fate of each write of the group.
    fn run(&mut self, lane: &Lane, group: &mut [Box<dyn WriteJob>]) -> Vec<StoreResult<()>> {
        let mut repeats = 0;
        let error = loop {
            match self.attempt(lane, group) {
                Attempt::Done(fates) => return fates,
                Attempt::Again(StoreError::Conflict(why)) => {
                    repeats += 1;
                    if repeats > REPEATS {
                        break StoreError::Unavailable(format!("other writes were in the way too often ({why})"));
                    }
                    self.shared.pause(self.shared.jitter(Duration::from_millis(u64::from(repeats * repeats))));
                }
                Attempt::Again(error) => {
                    // Counted from the beginning of the outage, not of this group: who comes later does not wait for all before.
                    if self.shared.outage.since().elapsed() >= RECONNECT || self.shared.is_closing() {
                        break error;
                    }
                    self.shared.pause(PAUSE);
                }
                // One of them is to blame, and the others must not pay for it.
                Attempt::Failed(_) if group.len() > 1 => {
                    return group.iter_mut().flat_map(|job| self.run(lane, std::slice::from_mut(job))).collect();
                }
                Attempt::Failed(error) | Attempt::Doubtful(error) => break error,
            }
        };
        self.shared.write_failed.store(true, Ordering::Release);
        tracing::error!(%error, writes = group.len(), "a write transaction failed");
        vec![Err(error); group.len()]
    }

    fn attempt(&mut self, lane: &Lane, group: &mut [Box<dyn WriteJob>]) -> Attempt {
        let ready = self.link.take().filter(|link| !link.is_spent());
        let mut link = match ready.map_or_else(|| self.shared.connect(), Ok) {
            Ok(link) => link,
            Err(error) => return Attempt::Again(error),
        };
        let mut harvest = Harvest::default();
        let attempt = match self.run_group(&mut link, lane, group, &mut harvest) {
            Ok((xid, fates)) => self.commit(&mut link, &xid, harvest, fates),
            Err(error) if link.is_broken() || link.conflict => Attempt::Again(error),
            Err(error) => Attempt::Failed(error),
        };
        let over = matches!(attempt, Attempt::Done(_)) || link.end("ROLLBACK").is_ok();
        if over && !link.is_broken() {
            self.link = Some(link);
        }
        attempt
    }

    /// Begins, takes the locks of the lane, and runs every write in a savepoint of its own. Answers the transaction's id.
    fn run_group(
        &self,
        link: &mut Link,
        lane: &Lane,
        group: &mut [Box<dyn WriteJob>],
        harvest: &mut Harvest,
    ) -> StoreResult<(String, Vec<StoreResult<()>>)> {
        link.begin_anew();
        let begun = link.simple(&self.begin(lane))?;
        let xid = begun.ok_or_else(|| StoreError::corrupt("a transaction without an id"))?;
        let mut fates = Vec::with_capacity(group.len());
        for job in group.iter_mut() {
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                WriteTx::new(link, harvest).attempt(|tx| job.run(tx))
            }));
            let fate = ran.unwrap_or_else(|_| Err(StoreError::corrupt("a write panicked")))?;
            if link.is_broken() || link.conflict {
                return Err(fate
                    .err()
                    .unwrap_or_else(|| StoreError::Conflict("a conflict was passed over".to_owned())));
            }
            fates.push(fate);
        }
        if link.failed {
            return Err(StoreError::corrupt("a failed statement was passed over"));
        }
        Ok((xid, fates))
    }

    fn begin(&self, lane: &Lane) -> String {
        let key = |name: &str| lock_key(&self.shared.schema, name);
        let whole = key("whole");
        let locks = match lane {
            Lane::Beside | Lane::Upkeep => String::new(),
            Lane::Tenant(id) => format!(
                "SELECT pg_advisory_xact_lock_shared({whole}); SELECT pg_advisory_xact_lock({});",
                key(&format!("tenant {id}"))
            ),
            Lane::Whole => format!("SELECT pg_advisory_xact_lock({whole});"),
        };
        // The turn of a lane may be longer in coming than any row.
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '{LANE_SECONDS}s'; {locks}
             SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; SELECT pg_current_xact_id()::text"
        )
    }

    /// Nothing that happened may stay without its entry: what can't be recorded is not committed.
    fn commit(&mut self, link: &mut Link, xid: &str, harvest: Harvest, fates: Vec<StoreResult<()>>) -> Attempt {
        let Harvest { changes, entries } = harvest;
        let sealed = match self.shared.chains.seal(link, entries) {
            Ok(sealed) => sealed,
            Err(error) if link.is_broken() || link.conflict || matches!(error, StoreError::Conflict(_)) => {
                return Attempt::Again(error);
            }
            Err(error) => return Attempt::Failed(StoreError::Audit(error.to_string())),
        };
        // Every transaction leaves something by which it can be found: its row in the feed, or the end of a chain.
        let told = !changes.is_empty() || sealed.entries.is_empty();
        if let Err(error) = if told { self.tell_others(link, xid, &changes) } else { Ok(()) } {
            return if link.is_broken() || link.conflict { Attempt::Again(error) } else { Attempt::Failed(error) };
        }
        match link.end("COMMIT") {
            // The wait for the standby was cancelled: committed here, and perhaps nowhere else.
            Ok(()) if link.warned => {
                tracing::warn!("a commit came back with a warning; it counts only when a later one is durable");
                if let Err(doubt) = self.shared.touch(link) {
                    return self.doubt(doubt);
                }
            }
            Ok(()) => {}
            Err(error) if !link.is_broken() => {
                return if link.conflict { Attempt::Again(error) } else { Attempt::Failed(error) };
            }
            Err(error) => match self.was_committed(xid, told, &sealed) {
                Ok(true) => {}
                Ok(false) => return Attempt::Again(error),
                Err(doubt) => return self.doubt(doubt),
            },
        }
        let entries = sealed.committed();
        self.shared.outage.over();
        // A write that needs no room on the disk proves nothing.
        if !entries.is_empty() {
            self.shared.write_failed.store(false, Ordering::Release);
        }
        self.publish(&changes, &entries);
        Attempt::Done(fates)
    }

    /// What was to change may change yet, when nobody here waits for it any more: this node listens to itself from now on.
    fn doubt(&self, doubt: StoreError) -> Attempt {
        self.shared.hears_itself.store(true, Ordering::Release);
        if let Some(listener) = self.shared.listener.get() {
            listener.committed(&[Change::Everything], &[]);
        }
        Attempt::Doubtful(doubt)
    }

    fn publish(&self, changes: &[Change], entries: &[AuditEntry]) {
        if let Some(listener) = self.shared.listener.get() {
            listener.committed(changes, entries);
        }
        if !changes.is_empty() {
            self.shared.bell.ring();
        }
    }

    fn tell_others(&self, link: &mut Link, xid: &str, changes: &[Change]) -> StoreResult<()> {
        let xid: i64 = xid.parse().map_err(StoreError::corrupt)?;
        link.execute(
            concat!(
                "INSERT INTO change_feed (xid, origin, at, changes)
             VALUES ($1, $2, ",
                clock!(),
                ", $3)"
            ),
            params![xid, &self.shared.incarnation, &json_text(&changes)?],
        )?;
        Ok(())
    }

    /// The connection was lost between COMMIT and its answer: what does the database say?
    ///
    /// The transaction's id alone does not tell: after a failover to a standby that had not heard of it, another may bear it. What it
    /// wrote does. And it counts only when it is as durable as any commit, which one more commit after it proves: the lost one may have
    /// given up waiting for its standby.
    fn was_committed(&mut self, xid: &str, told: bool, sealed: &Sealed) -> StoreResult<bool> {
        let until = Instant::now() + DOUBT;
        let mut last = StoreError::Unavailable("the outcome of a commit is not known".to_owned());
        while Instant::now() < until {
            match self.look_for(xid, told, sealed, until) {
                Ok(Some(found)) => {
                    tracing::warn!(
                        committed = found,
                        "the answer to a commit was lost; the database says what became of it"
                    );
                    return Ok(found);
                }
                Ok(None) => {}
                Err(error) => last = error,
            }
            self.shared.pause(PAUSE);
        }
        Err(last)
    }

    /// `None` while the transaction is still going on.
    fn look_for(&mut self, xid: &str, told: bool, sealed: &Sealed, until: Instant) -> StoreResult<Option<bool>> {
        let mut link = self.shared.connect()?;
        link.set_patience(until.saturating_duration_since(Instant::now()).max(PAUSE));
        let status = link.simple(&format!(
            "SELECT CASE WHEN '{xid}'::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'unknown'
                    ELSE pg_xact_status('{xid}'::xid8) END"
        ))?;
        let found = match status.as_deref() {
            Some("in progress") => return Ok(None),
            Some("committed") if told => self.stands_in_feed(&mut link, xid)?,
            Some("committed") => match sealed.witness() {
                Some(witness) => holds(&mut link, &witness)?,
                None => false,
            },
            _ => false,
        };
        if found {
            self.shared.touch(&mut link)?;
        }
        link.set_patience(SILENCE);
        self.link = Some(link);
        Ok(Some(found))
    }

    fn stands_in_feed(&self, link: &mut Link, xid: &str) -> StoreResult<bool> {
        let xid: i64 = xid.parse().map_err(StoreError::corrupt)?;
        let mut found = false;
        let row = "SELECT 1 FROM change_feed WHERE xid = $1 AND origin = $2";
        link.query(row, params![xid, &self.shared.incarnation], &mut |_| {
            found = true;
            Ok(false)
        })?;
        Ok(found)
    }
}

/// By the entry itself: the end of its chain may have been moved on by a node of the same name.
fn holds(link: &mut Link, witness: &Witness) -> StoreResult<bool> {
    let Witness { chain, seq, hash } = witness;
    let mut found = false;
    link.query(
        "SELECT 1 FROM audit_entry WHERE stream = $1 AND chain = $2 AND seq = $3 AND hash = $4",
        params![&chain.stream, &chain.node, *seq, hash],
        &mut |_| {
            found = true;
            Ok(false)
        },
    )?;
    Ok(found)
}

/// A writer thread of each kind.
pub(super) fn spawn_writers(shared: &Arc<Shared>, writers: usize) -> StoreResult<Vec<std::thread::JoinHandle<()>>> {
    let mut threads = Vec::with_capacity(writers);
    for number in 0..writers.max(2) {
        let shared = Arc::clone(shared);
        let next: fn(&Shared) -> Option<(Lane, Group)> =
            if number == 0 { |shared| shared.lanes.next_beside() } else { |shared| shared.lanes.next() };
        threads.push(super::spawn(&format!("store-writer-{number}"), move || write_loop(&shared, next))?);
    }
    Ok(threads)
}
