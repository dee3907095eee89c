//! SQLite: one writer thread with group commit, a pool of snapshot connections, checkpoints on a connection of their own.
//!
//! A commit costs one fsync however many jobs share it: while the writer waits for the disk, the next jobs queue up and go
//! into the next transaction together. `synchronous=FULL` with WAL means that an acknowledged write survives a power cut.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use parking_lot::Mutex;
use rusqlite::types::ValueRef;

use crate::audit::ChainHeads;
use crate::engine::Engine;
use crate::error::{StoreError, StoreResult};
use crate::migrate;
use crate::sql::{Connection, Param, Row};
use crate::store::{CommitListener, WriteJob};
use crate::tx::{Change, ReadView, SnapshotSource, WriteTx};

/// Jobs of one transaction at most. Bounds how long the first of a group waits for the last.
const GROUP_LIMIT: usize = 512;
/// Writes that may wait. Beyond it callers get 503 at once instead of a queue without end.
const QUEUE_LIMIT: usize = 16_384;
const READERS: usize = 8;
/// How often the checkpointer looks at the WAL.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// WAL size above which a checkpoint is worth its I/O.
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;
const STATEMENT_CACHE: usize = 256;

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
    stop_checkpoints: Mutex<Option<Sender<()>>>,
    /// Held until the engine is closed; the operating system drops the lock however the process ends.
    lock: Mutex<Option<File>>,
}

impl SqliteEngine {
    pub(crate) fn open(options: &SqliteOptions, listener: Arc<OnceLock<Arc<dyn CommitListener>>>) -> StoreResult<Self> {
        let file = &options.location.file;
        let lock = lock_beside(file)?;
        let mut writer = open_connection(file)?;
        restrict_to_owner(file)?;
        migrate::run(&mut SqliteConnection(&mut writer))?;

        let (return_reader, free_readers) = crossbeam_channel::bounded(READERS);
        for _ in 0..READERS {
            let reader = open_connection(file)?;
            reader.pragma_update(None, "query_only", true).map_err(engine_error)?;
            let _ = return_reader.send(reader);
        }

        let write_failed = Arc::new(AtomicBool::new(false));
        let (job_sender, job_receiver) = crossbeam_channel::bounded(QUEUE_LIMIT);
        let failed = Arc::clone(&write_failed);
        let writer_thread = spawn("store-writer", move || write_loop(writer, &job_receiver, &failed, &listener))?;

        let checkpointer = open_connection(file)?;
        let wal = PathBuf::from(format!("{}-wal", file.display()));
        let (stop_checkpoints, stopped) = crossbeam_channel::bounded(0);
        let checkpoint_thread = spawn("store-checkpoint", move || checkpoint_loop(&checkpointer, &wal, &stopped))?;

        Ok(Self {
            jobs: Mutex::new(Some(job_sender)),
            threads: Mutex::new(vec![writer_thread, checkpoint_thread]),
            free_readers,
            return_reader,
            write_failed,
            stop_checkpoints: Mutex::new(Some(stop_checkpoints)),
            lock: Mutex::new(Some(lock)),
        })
    }
}

impl Engine for SqliteEngine {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn submit(&self, job: Box<dyn WriteJob>) -> StoreResult<()> {
        let guard = self.jobs.lock();
        let sender = guard.as_ref().ok_or_else(|| StoreError::Unavailable("the store is closed".to_owned()))?;
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
        self.stop_checkpoints.lock().take();
        for thread in self.threads.lock().drain(..) {
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

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> StoreResult<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| StoreError::Unavailable(format!("thread {name}: {error}")))
}

fn write_loop(
    mut connection: rusqlite::Connection,
    jobs: &Receiver<Box<dyn WriteJob>>,
    failed: &AtomicBool,
    listener: &OnceLock<Arc<dyn CommitListener>>,
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
            if changes.contains(&Change::Shredded) {
                empty_wal(&connection);
            }
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

/// `secure_delete` wipes a destroyed key from the database file, but older images of its page lie in the WAL until that is
/// emptied. A reader that holds an old snapshot can make this wait; what then remains the next checkpoint takes.
fn empty_wal(connection: &rusqlite::Connection) {
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if busy != Ok(0) {
        tracing::warn!(?busy, "a destroyed key stays in the write-ahead log until the next checkpoint");
    }
}

/// Moves WAL pages into the database file, away from the writer: a commit never pays for a checkpoint.
fn checkpoint_loop(connection: &rusqlite::Connection, wal: &Path, stopped: &Receiver<()>) {
    while stopped.recv_timeout(CHECKPOINT_EVERY) == Err(RecvTimeoutError::Timeout) {
        let size = std::fs::metadata(wal).map_or(0, |meta| meta.len());
        if size < CHECKPOINT_BYTES {
            continue;
        }
        // PASSIVE waits for nobody. A WAL that still grows (a reader always open) is restarted at sixteen times the size.
        let mode = if size > 16 * CHECKPOINT_BYTES { "TRUNCATE" } else { "PASSIVE" };
        if let Err(error) = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())) {
            tracing::warn!(%error, "checkpoint failed; it is tried again");
        }
    }
}

fn open_connection(file: &Path) -> StoreResult<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(file).map_err(engine_error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection
        .execute_batch(
            // secure_delete: a shredded key must not linger in free pages.
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;
             PRAGMA busy_timeout=10000; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192;",
        )
        .map_err(engine_error)?;
    Ok(connection)
}

fn lock_beside(file: &Path) -> StoreResult<File> {
    let path = PathBuf::from(format!("{}.lock", file.display()));
    let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| unavailable(&error))?;
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

pub(super) fn engine_error(error: rusqlite::Error) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(failure, text) if failure.code == rusqlite::ErrorCode::ConstraintViolation => {
            StoreError::Constraint { constraint: text.clone().unwrap_or_default() }
        }
        rusqlite::Error::SqliteFailure(failure, _)
            if matches!(failure.code, rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) =>
        {
            StoreError::corrupt(error)
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// A snapshot connection on loan from the pool; the read transaction begins with the first query.
struct PooledSnapshot<'e> {
    engine: &'e SqliteEngine,
    reader: Option<SqliteReader>,
}

pub(super) struct SqliteReader(pub(super) rusqlite::Connection);

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

struct SqliteConnection<'c>(&'c mut rusqlite::Connection);

impl Connection for SqliteConnection<'_> {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
        execute(self.0, sql, params)
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>], each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>) -> StoreResult<()> {
        query(self.0, sql, params, each)
    }

    fn batch(&mut self, sql: &str) -> StoreResult<()> {
        self.0.execute_batch(&translate(sql)).map_err(engine_error)
    }
}

impl Connection for SqliteReader {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
        execute(&self.0, sql, params)
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>], each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>) -> StoreResult<()> {
        query(&self.0, sql, params, each)
    }

    fn batch(&mut self, sql: &str) -> StoreResult<()> {
        self.0.execute_batch(sql).map_err(engine_error)
    }
}

/// Schema text is written for both engines; these two words are all that SQLite spells otherwise.
fn translate(sql: &str) -> String {
    sql.replace("BYTEA", "BLOB").replace("/* clustered */", "WITHOUT ROWID")
}

fn execute(connection: &rusqlite::Connection, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
    let mut statement = connection.prepare_cached(sql).map_err(engine_error)?;
    bind(&mut statement, params)?;
    statement.raw_execute().map(|count| count as u64).map_err(engine_error)
}

fn query(
    connection: &rusqlite::Connection,
    sql: &str,
    params: &[Param<'_>],
    each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(sql).map_err(engine_error)?;
    bind(&mut statement, params)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(engine_error)? {
        if !each(&SqliteRow(row))? {
            break;
        }
    }
    Ok(())
}

/// `$3` is a name to SQLite, not a position, so each is looked up by its name.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Param<'_>]) -> StoreResult<()> {
    for index in 1..=statement.parameter_count() {
        let position = statement
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$'))
            .and_then(|digits| digits.parse::<usize>().ok())
            .and_then(|number| number.checked_sub(1));
        let param = position
            .and_then(|position| params.get(position))
            .ok_or_else(|| StoreError::corrupt("a query names a parameter that it was not given"))?;
        match param {
            Param::Blob(bytes) => statement.raw_bind_parameter(index, bytes),
            Param::Int(number) => statement.raw_bind_parameter(index, number),
            Param::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Param::Text(text) => statement.raw_bind_parameter(index, text),
        }
        .map_err(engine_error)?;
    }
    Ok(())
}

struct SqliteRow<'r>(&'r rusqlite::Row<'r>);

impl SqliteRow<'_> {
    fn value(&self, column: usize) -> StoreResult<ValueRef<'_>> {
        self.0.get_ref(column).map_err(engine_error)
    }
}

impl Row for SqliteRow<'_> {
    fn opt_int(&self, column: usize) -> StoreResult<Option<i64>> {
        match self.value(column)? {
            ValueRef::Integer(number) => Ok(Some(number)),
            ValueRef::Null => Ok(None),
            _ => Err(wrong_type(column)),
        }
    }

    fn opt_text(&self, column: usize) -> StoreResult<Option<String>> {
        match self.value(column)? {
            ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| wrong_type(column)),
            ValueRef::Null => Ok(None),
            _ => Err(wrong_type(column)),
        }
    }

    fn opt_blob(&self, column: usize) -> StoreResult<Option<Vec<u8>>> {
        match self.value(column)? {
            ValueRef::Blob(bytes) => Ok(Some(bytes.to_vec())),
            ValueRef::Null => Ok(None),
            _ => Err(wrong_type(column)),
        }
    }
}

fn wrong_type(column: usize) -> StoreError {
    StoreError::corrupt(format!("column {column} holds a value of another type"))
}
