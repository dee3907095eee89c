//! The one writer: jobs that wait go into one transaction and share its fsync.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Receiver, Sender};

use super::checkpoint::{EmptyWal, scrub};
use super::connection::{SqliteConnection, engine_error};
use crate::audit::ChainHeads;
use crate::error::{StoreError, StoreResult};
use crate::store::{CommitListener, WriteJob};
use crate::tx::{Change, WriteTx};

/// Jobs of one transaction at most. Bounds how long the first of a group waits for the last.
const GROUP_LIMIT: usize = 512;

/// Runs until every sender of `jobs` is gone.
pub(super) fn write_loop(
    mut connection: rusqlite::Connection,
    jobs: &Receiver<Box<dyn WriteJob>>,
    failed: &AtomicBool,
    listener: &OnceLock<Arc<dyn CommitListener>>,
    errands: &Sender<EmptyWal>,
) {
    let mut heads = ChainHeads::default();
    while let Ok(first) = jobs.recv() {
        let mut changes = Vec::new();
        let mut group = Vec::new();
        let fate = run_group(&mut connection, first, jobs, &mut heads, &mut changes, &mut group);
        failed.store(fate.is_err(), Ordering::Release);
        if let Err(error) = &fate {
            tracing::error!(%error, "a write transaction failed");
            heads = ChainHeads::default();
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
        } else {
            if let Some(listener) = listener.get() {
                listener.committed(&changes);
            }
            scrub(errands, &changes);
        }
        for (job, own) in group {
            job.settle(own.and(fate.clone()));
        }
    }
}

type Settled = Vec<(Box<dyn WriteJob>, StoreResult<()>)>;

fn run_group(
    connection: &mut rusqlite::Connection,
    first: Box<dyn WriteJob>,
    jobs: &Receiver<Box<dyn WriteJob>>,
    heads: &mut ChainHeads,
    changes: &mut Vec<Change>,
    group: &mut Settled,
) -> StoreResult<()> {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        group.push((first, Ok(())));
        return Err(engine_error(error));
    }
    let mut next = Some(first);
    while let Some(mut job) = next {
        // A panic in a job is a bug, but it must not take the writer with it: the transaction is given up, the thread goes on.
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut sqlite = SqliteConnection(connection);
            let mut tx = WriteTx::new(&mut sqlite, heads, changes);
            tx.attempt(|tx| job.run(tx))
        }));
        let own = ran.unwrap_or_else(|_| Err(StoreError::corrupt("a write panicked")));
        let own = match own {
            Ok(own) => own,
            // The savepoint itself failed: SQLite gave the transaction up (full disk, I/O error). Everybody in it fails.
            Err(error) => {
                group.push((job, Ok(())));
                return Err(error);
            }
        };
        let lost = connection.is_autocommit();
        group.push((job, own));
        if lost {
            return Err(StoreError::Unavailable("the transaction was rolled back by the engine".to_owned()));
        }
        next = if group.len() < GROUP_LIMIT { jobs.try_recv().ok() } else { None };
    }
    connection.execute_batch("COMMIT").map_err(engine_error)
}
