//! Checkpoints, on a thread and a connection of their own.

use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::tx::Change;

/// How often the checkpointer looks at the WAL.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// WAL size above which a checkpoint is worth its I/O.
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;
/// How long a writer waits for a destroyed key to leave the WAL.
const SCRUB_PATIENCE: Duration = Duration::from_secs(2);
/// How long emptying the WAL waits for readers, in milliseconds: commits wait with it.
pub(super) const READER_PATIENCE_MS: u32 = 500;

/// What the checkpoint thread is asked for beside its own rounds.
///
/// `secure_delete` wipes what was destroyed from the database file, but older images of its pages lie in the WAL until that is
/// emptied, which waits for readers of old snapshots: work for a thread that nobody's commit depends on.
pub(super) struct EmptyWal {
    /// Told when the WAL is empty.
    done: Option<Sender<()>>,
}

/// Asks for an empty WAL where something was destroyed, and waits a moment where a key was.
pub(super) fn scrub(errands: &Sender<EmptyWal>, changes: &[Change]) {
    if changes.contains(&Change::Shredded) {
        let (done, emptied) = crossbeam_channel::bounded(1);
        let asked = errands.send(EmptyWal { done: Some(done) });
        if asked.is_err() || emptied.recv_timeout(SCRUB_PATIENCE).is_err() {
            tracing::warn!("a destroyed key stays in the write-ahead log until readers of older snapshots are done");
        }
    } else if changes.contains(&Change::Erased) {
        let _ = errands.send(EmptyWal { done: None });
    }
}

/// Moves WAL pages into the database file, away from the writer: a commit never pays for a checkpoint.
pub(super) fn checkpoint_loop(connection: &rusqlite::Connection, wal: &Path, errands: &Receiver<EmptyWal>) {
    let mut owed: Vec<EmptyWal> = Vec::new();
    loop {
        match errands.recv_timeout(CHECKPOINT_EVERY) {
            Ok(errand) => {
                owed.push(errand);
                owed.extend(errands.try_iter());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let size = std::fs::metadata(wal).map_or(0, |meta| meta.len());
        // PASSIVE waits for nobody. A WAL that still grows (a reader always open) is restarted at sixteen times the size.
        let mode = if !owed.is_empty() || size > 16 * CHECKPOINT_BYTES {
            "TRUNCATE"
        } else if size >= CHECKPOINT_BYTES {
            "PASSIVE"
        } else {
            continue;
        };
        match connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(0)) {
            Ok(0) => owed.drain(..).filter_map(|errand| errand.done).for_each(|done| {
                let _ = done.send(());
            }),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "checkpoint failed; it is tried again"),
        }
    }
}
