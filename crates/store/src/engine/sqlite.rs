//! SQLite: one writer thread with group commit, a pool of snapshot connections, checkpoints on a connection of their own.
//!
//! A commit costs one fsync however many jobs share it: while the writer waits for the disk, the next jobs queue up and go
//! into the next transaction together. `synchronous=FULL` with WAL means that an acknowledged write survives a power cut.

mod checkpoint;
mod connection;
pub(crate) mod inspect;
pub(crate) mod rest;
mod writer;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;

use self::checkpoint::{EmptyWal, READER_PATIENCE_MS, checkpoint_loop};
use self::connection::{SqliteConnection, SqliteReader, engine_error, open_connection};
use self::writer::write_loop;
use crate::engine::{Engine, spawn};
use crate::error::{StoreError, StoreResult};
use crate::lane::Lane;
use crate::migrate::{self, Migration};
use crate::sql::Connection;
use crate::store::{Listener, WriteJob};
use crate::tx::{ReadView, SnapshotSource};

/// Writes that may wait. Beyond it callers get 503 at once instead of a queue without end.
const QUEUE_LIMIT: usize = 16_384;
const READERS: usize = 8;

/// Where an embedded database lives.
#[derive(Debug, Clone)]
pub struct SqliteLocation {
    pub file: PathBuf,
}

#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub location: SqliteLocation,
}

pub(crate) struct SqliteEngine {
    jobs: Mutex<Option<Sender<Box<dyn WriteJob>>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    free_readers: Receiver<rusqlite::Connection>,
    return_reader: Sender<rusqlite::Connection>,
    write_failed: Arc<AtomicBool>,
    checkpoints: Mutex<Option<Sender<EmptyWal>>>,
    /// Held until the engine is closed; the operating system drops the lock however the process ends.
    lock: Mutex<Option<File>>,
}

impl SqliteEngine {
    pub(crate) fn open(options: &SqliteOptions, listener: Listener) -> StoreResult<Self> {
        let file = &options.location.file;
        let lock = lock_beside(file)?;
        let mut writer = open_connection(file)?;
        restrict_to_owner(file)?;
        rest::refuse_unfinished(&mut SqliteConnection(&mut writer))?;
        migrate::run(&mut SqliteConnection(&mut writer), "BEGIN IMMEDIATE", Migration::for_sqlite)?;

        let (return_reader, free_readers) = crossbeam_channel::bounded(READERS);
        for _ in 0..READERS {
            let reader = open_connection(file)?;
            reader.pragma_update(None, "query_only", true).map_err(engine_error)?;
            let _ = return_reader.send(reader);
        }

        let write_failed = Arc::new(AtomicBool::new(false));
        let (job_sender, job_receiver) = crossbeam_channel::bounded(QUEUE_LIMIT);
        let failed = Arc::clone(&write_failed);
        let (errand_sender, errand_receiver) = crossbeam_channel::unbounded();
        let errands = errand_sender.clone();
        let writer_thread =
            spawn("store-writer", move || write_loop(writer, &job_receiver, &failed, &listener, &errands))?;

        let checkpointer = open_connection(file)?;
        checkpointer.pragma_update(None, "busy_timeout", READER_PATIENCE_MS).map_err(engine_error)?;
        let wal = PathBuf::from(format!("{}-wal", file.display()));
        let checkpoint_thread =
            spawn("store-checkpoint", move || checkpoint_loop(&checkpointer, &wal, &errand_receiver))?;

        Ok(Self {
            jobs: Mutex::new(Some(job_sender)),
            threads: Mutex::new(vec![writer_thread, checkpoint_thread]),
            free_readers,
            return_reader,
            write_failed,
            checkpoints: Mutex::new(Some(errand_sender)),
            lock: Mutex::new(Some(lock)),
        })
    }
}

impl Engine for SqliteEngine {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn submit(&self, _lane: Lane, job: Box<dyn WriteJob>) -> StoreResult<()> {
        let guard = self.jobs.lock();
        let sender = guard.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(job).map_err(|_| StoreError::Unavailable("too many writes are waiting".to_owned()))
    }

    fn view(&self) -> ReadView<'_> {
        ReadView::new(PooledSnapshot { engine: self, reader: None })
    }

    fn last_write_failed(&self) -> bool {
        self.write_failed.load(Ordering::Acquire)
    }

    fn pool(&self) -> (usize, usize) {
        (READERS, self.free_readers.len())
    }

    fn close(&self) {
        self.jobs.lock().take();
        self.checkpoints.lock().take();
        let me = std::thread::current().id();
        // A listener may hold the last handle on this engine, on the writer thread: it cannot wait for itself.
        for thread in self.threads.lock().drain(..).filter(|thread| thread.thread().id() != me) {
            if thread.join().is_err() {
                tracing::error!("a storage thread ended by a panic");
            }
        }
        // Nothing is written from here on: the next server may have it, though somebody here still holds the handle.
        self.lock.lock().take();
    }
}

impl Drop for SqliteEngine {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock_beside(file: &Path) -> StoreResult<File> {
    let path = PathBuf::from(format!("{}.lock", file.display()));
    let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let lock =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| unavailable(&error))?;
    restrict_to_owner(&path)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(format!(
            "another ScaiVault server has {} open; stop it first, or give this one another --data-dir",
            file.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(unavailable(&error)),
    }
}

#[cfg(unix)]
fn restrict_to_owner(file: &Path) -> StoreResult<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| StoreError::Unavailable(format!("{}: {error}", file.display())))
}

#[cfg(not(unix))]
fn restrict_to_owner(_file: &Path) -> StoreResult<()> {
    Ok(())
}

/// A snapshot connection on loan from the pool; the read transaction begins with the first query.
struct PooledSnapshot<'e> {
    engine: &'e SqliteEngine,
    reader: Option<SqliteReader>,
}

impl SnapshotSource for PooledSnapshot<'_> {
    fn snapshot(&mut self) -> StoreResult<&mut dyn Connection> {
        if self.reader.is_none() {
            let reader = self
                .engine
                .free_readers
                .recv_timeout(Duration::from_secs(10))
                .map_err(|_| StoreError::Unavailable("no read connection became free".to_owned()))?;
            let begun = reader.execute_batch("BEGIN DEFERRED").map_err(engine_error);
            self.reader = Some(SqliteReader(reader));
            begun?;
        }
        self.reader
            .as_mut()
            .map(|reader| reader as &mut dyn Connection)
            .ok_or_else(|| StoreError::Unavailable("no read connection".to_owned()))
    }
}

impl Drop for PooledSnapshot<'_> {
    fn drop(&mut self) {
        if let Some(SqliteReader(reader)) = self.reader.take() {
            if !reader.is_autocommit() {
                let _ = reader.execute_batch("COMMIT");
            }
            let _ = self.engine.return_reader.send(reader);
        }
    }
}

impl Migration {
    /// Schema text is written for both engines; these two words are all that SQLite spells otherwise.
    fn for_sqlite(&self) -> String {
        self.sqlite.replace("BYTEA", "BLOB").replace("/* clustered */", "WITHOUT ROWID")
    }
}
