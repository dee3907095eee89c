//! The store as the service sees it.

use std::sync::{Arc, OnceLock};

use std::time::Duration;

use scaivault_domain::audit::AuditEntry;
use scaivault_domain::time::{Clock, Timestamp};

use crate::audit::AuditParts;
use crate::engine::Engine;
use crate::engine::postgres::{PostgresEngine, PostgresOptions};
use crate::engine::sqlite::{SqliteEngine, SqliteOptions};
use crate::error::{StoreError, StoreResult};
use crate::lane::Lane;
use crate::tx::{Change, ReadView, WriteTx};

/// Hears of every commit, on the writer, before the writers' callers are answered. It must be quick and must not block.
pub trait CommitListener: Send + Sync {
    /// `changes` of this node or of another one; `entries` of this node only, as they stand in the trail now.
    fn committed(&self, changes: &[Change], entries: &[AuditEntry]);
}

/// The one listener, once it is there.
pub(crate) type Listener = Arc<OnceLock<Arc<dyn CommitListener>>>;

/// How long a probe of readiness waits for the database.
const CHECK: Duration = Duration::from_secs(4);
/// How long a request waits to hear of what others changed.
const CATCH_UP: Duration = Duration::from_secs(3);

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    listener: Listener,
}

impl Store {
    /// Opens (and creates or migrates) an embedded database.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another server has it open, [`StoreError::SchemaTooNew`] when a newer program wrote it.
    pub fn open_sqlite(options: &SqliteOptions) -> StoreResult<Self> {
        let listener = Arc::new(OnceLock::new());
        let engine = SqliteEngine::open(options, Arc::clone(&listener))?;
        Ok(Self { engine: Arc::new(engine), listener })
    }

    /// Opens (and creates or migrates) a database of PostgreSQL, and joins its nodes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can't be reached or is not fit, [`StoreError::SchemaTooNew`] when a newer program wrote it.
    pub fn open_postgres(options: &PostgresOptions) -> StoreResult<Self> {
        let listener = Arc::new(OnceLock::new());
        let engine = PostgresEngine::open(options, Arc::clone(&listener))?;
        Ok(Self { engine: Arc::new(engine), listener })
    }

    /// Sets the one listener; later calls are ignored.
    pub fn listen(&self, listener: Arc<dyn CommitListener>) {
        let _ = self.listener.set(listener);
    }

    /// Runs `work` in a write transaction and answers after it is durable. `work` may run again from the start when the
    /// engine has to repeat the transaction, so it must have no effect outside it.
    ///
    /// # Errors
    /// What `work` failed with, or the commit's own failure; in both cases nothing was changed.
    pub async fn write<T, F>(&self, lane: Lane, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteTx<'_>) -> StoreResult<T> + Send + 'static,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.engine.submit(lane, Box::new(OneWrite { work, output: None, sender }))?;
        receiver.await.map_err(|_| unsettled())?
    }

    /// Like [`Store::write`], for start-up code that has no async runtime.
    pub fn write_blocking<T, F>(&self, lane: Lane, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteTx<'_>) -> StoreResult<T> + Send + 'static,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.engine.submit(lane, Box::new(OneWrite { work, output: None, sender }))?;
        receiver.blocking_recv().map_err(|_| unsettled())?
    }

    /// Runs `look` over one snapshot, on the calling thread (which must be allowed to block).
    pub fn read<T>(&self, look: impl FnOnce(&mut ReadView<'_>) -> T) -> T {
        let mut view = self.engine.view();
        look(&mut view)
    }

    /// `sqlite` or `postgresql`.
    pub fn engine_name(&self) -> &'static str {
        self.engine.name()
    }

    /// Whether reads and durable writes work right now; after a failed write this really writes.
    ///
    /// # Errors
    /// What is wrong; also when there is no answer for some seconds.
    pub async fn check(&self) -> StoreResult<()> {
        let answered = tokio::time::timeout(CHECK, self.check_patiently()).await;
        answered.unwrap_or_else(|_| Err(StoreError::Unavailable("the database does not answer".to_owned())))
    }

    async fn check_patiently(&self) -> StoreResult<()> {
        if self.engine.last_write_failed() {
            let engine = Arc::clone(&self.engine);
            match tokio::task::spawn_blocking(move || engine.probe()).await.map_err(|_| unsettled())? {
                Some(proven) => proven?,
                None => self.write(Lane::Beside, crate::instance::touch).await?,
            }
        }
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.read(crate::instance::exists))
            .await
            .map_err(|_| unsettled())?
            .map(|_| ())
    }

    /// Whether what was read a while ago may still be used: only while this node is sure to hear of what others change.
    pub fn memory_holds(&self) -> bool {
        self.engine.memory_holds()
    }

    /// Waits until this node has heard of everything that is committed by now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the others can't be heard.
    pub async fn catch_up(&self) -> StoreResult<()> {
        let Some(heard) = self.engine.catch_up() else { return Ok(()) };
        match tokio::time::timeout(CATCH_UP, heard).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Unavailable("the change feed does not answer".to_owned())),
        }
    }

    /// The clock that all nodes of the database go by; `None` where there is one node, which goes by its own.
    pub fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.engine.clock()
    }

    /// Under which name this node is known to the others; `None` on the embedded store.
    pub fn node_id(&self) -> Option<&str> {
        self.engine.node_id()
    }

    /// The parts by time that the audit trail lies in; `None` where it lies in one piece. Blocks.
    ///
    /// # Errors
    /// Without the database.
    pub fn audit_parts(&self) -> StoreResult<Option<AuditParts>> {
        self.engine.audit_parts()
    }

    /// Makes the parts of the audit trail for `now` and some time ahead, in a width that suits how long entries are kept; answers how
    /// many were made. Blocks, for seconds where others are in the way. Entries without a part are kept all the same.
    ///
    /// # Errors
    /// Without the database, and when others were in the way for too long.
    pub fn prepare_audit_parts(&self, now: Timestamp, retention_seconds: i64) -> StoreResult<usize> {
        self.engine.prepare_audit_parts(now, retention_seconds)
    }

    /// Removes entries that are at or below the anchors of their chains: parts that end at `before` or earlier as a whole, what lies
    /// beside the parts row by row. Answers how many parts and rows went; what others are in the way of goes another time.
    /// Blocks, as above.
    ///
    /// # Errors
    /// Without the database.
    pub fn drop_audit_parts(&self, before: Timestamp) -> StoreResult<usize> {
        self.engine.drop_audit_parts(before)
    }

    /// Connections of the read pool: (in all, free).
    pub fn pool(&self) -> (usize, usize) {
        self.engine.pool()
    }

    /// Finishes what waits and closes the database. Later writes fail.
    pub fn close(&self) {
        self.engine.close();
    }
}

/// Whatever gives snapshots, one after the other: long walks take many, so that none stands in the way of the rest.
pub trait Snapshots {
    fn read<T>(&mut self, look: impl FnOnce(&mut ReadView<'_>) -> T) -> T;
}

impl Snapshots for Store {
    fn read<T>(&mut self, look: impl FnOnce(&mut ReadView<'_>) -> T) -> T {
        Store::read(self, look)
    }
}

/// Closing the store finishes what waits, so a job that nobody settled was lost with its thread.
fn unsettled() -> StoreError {
    StoreError::Unavailable("a storage thread ended".to_owned())
}

/// A unit of work on its way through the writer.
pub(crate) trait WriteJob: Send {
    fn run(&mut self, tx: &mut WriteTx<'_>) -> StoreResult<()>;
    /// Called once, after the fate of the transaction is known.
    fn settle(self: Box<Self>, fate: StoreResult<()>);
}

struct OneWrite<T, F> {
    work: F,
    output: Option<T>,
    sender: tokio::sync::oneshot::Sender<StoreResult<T>>,
}

impl<T, F> WriteJob for OneWrite<T, F>
where
    T: Send,
    F: FnMut(&mut WriteTx<'_>) -> StoreResult<T> + Send,
{
    fn run(&mut self, tx: &mut WriteTx<'_>) -> StoreResult<()> {
        self.output = Some((self.work)(tx)?);
        Ok(())
    }

    fn settle(self: Box<Self>, fate: StoreResult<()>) {
        let Self { output, sender, .. } = *self;
        let answer = fate.and_then(|()| output.ok_or_else(|| StoreError::corrupt("a write was settled before it ran")));
        // A caller that went away (client disconnected) has nobody to tell; the write stands all the same.
        let _ = sender.send(answer);
    }
}
