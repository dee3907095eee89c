//! The one writer: jobs that wait go into one transaction and share its fsync.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::checkpoint::{EmptyWal, scrub};
use super::connection::{SqliteConnection, engine_error};
use crate::audit::{ChainWriter, Sealed};
use crate::error::{StoreError, StoreResult};
use crate::store::{Listener, WriteJob};
use crate::tx::{Harvest, WriteTx};

/// Jobs of one transaction at most. Bounds how long the first of a group waits for the last.
const GROUP_LIMIT: usize = 512;

/// Runs until every sender of `jobs` is gone.
pub(super) fn write_loop(
    mut connection: rusqlite::Connection,
    jobs: &Receiver<Box<dyn WriteJob>>,
    failed: &AtomicBool,
    listener: &Listener,
    errands: &Sender<EmptyWal>,
) {
    let chains = ChainWriter::new("");
    while let Ok(first) = jobs.recv() {
        let mut harvest = Harvest::default();
        let mut group = Vec::new();
        let ran = run_group(&mut connection, first, jobs, &mut harvest, &mut group)
            .and_then(|()| commit(&mut connection, &chains, &mut harvest));
        failed.store(ran.is_err(), Ordering::Release);
        let fate = match ran {
            Ok(sealed) => {
                let entries = sealed.committed();
                if let Some(listener) = listener.get() {
                    listener.committed(&harvest.changes, &entries);
                }
                scrub(errands, &harvest.changes);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "a write transaction failed");
                if !connection.is_autocommit() {
                    let _ = connection.execute_batch("ROLLBACK");
                }
                Err(error)
            }
        };
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
    harvest: &mut Harvest,
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
            let mut tx = WriteTx::new(&mut sqlite, harvest);
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
    Ok(())
}

/// Nothing that happened may stay without its entry: what can't be recorded is not committed.
fn commit(connection: &mut rusqlite::Connection, chains: &ChainWriter, harvest: &mut Harvest) -> StoreResult<Sealed> {
    let sealed = chains
        .seal(&mut SqliteConnection(connection), std::mem::take(&mut harvest.entries))
        .map_err(|error| StoreError::Audit(error.to_string()))?;
    connection.execute_batch("COMMIT").map_err(engine_error)?;
    Ok(sealed)
}
