//! PostgreSQL: any number of nodes on one database.
//!
//! Writes run at the same time where their lanes allow it (`lane.rs`), in READ COMMITTED transactions under advisory locks: whatever a
//! write reads in its lane stays true until it commits. Nodes share nothing but the database. What one changes the others hear of
//! through the change feed, and a node that is not sure to have heard serves nothing from memory.

mod address;
mod feed;
mod lanes;
mod link;
mod node;
mod pool;
mod shared;
mod tls;
mod value;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use scaivault_domain::time::Clock;

pub use self::address::{DEFAULT_POOL_SIZE, PostgresAddress, PostgresOptions, SMALLEST_POOL};
use self::feed::feed_loop;
use self::link::{Link, lock_key};
use self::pool::{Pool, PooledSnapshot};
use self::shared::Shared;
use self::writer::spawn_writers;
use crate::engine::Engine;
use crate::error::{StoreError, StoreResult};
use crate::lane::Lane;
use crate::migrate::{self, Migration};
use crate::store::{Listener, WriteJob};
use crate::tx::ReadView;

/// PostgreSQL 14, as the server numbers it.
const OLDEST_SERVER: i64 = 140_000;

pub(crate) struct PostgresEngine {
    shared: Arc<Shared>,
    pool: Pool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl PostgresEngine {
    pub(crate) fn open(options: &PostgresOptions, listener: Listener) -> StoreResult<Self> {
        options.check()?;
        let mut link = Link::connect(&options.address)?;
        let schema = prepare(&mut link, &options.address)?;
        let incarnation = format!("{:032x}", u128::from_be_bytes(random()));
        let starting = lock_key(&schema, "start");
        // One node after the other: the first one migrates, the others find it done.
        link.simple(&format!("SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({starting})"))?;
        migrate::run(&mut link, "BEGIN", Migration::for_postgres)?;
        let node_id = node::enter(&mut link, options.node_id.as_deref(), &incarnation, env!("CARGO_PKG_VERSION"))?;
        drop(link);
        tracing::info!(node_id, schema, "joined the database");

        let shared = Arc::new(Shared::new(options.address.clone(), schema, node_id, incarnation, listener));
        let writers = options.pool_size.saturating_sub(1).div_ceil(2).max(2);
        let readers = options.pool_size.saturating_sub(1).saturating_sub(writers).max(1);
        let mut threads = spawn_writers(&shared, writers)?;
        let feeding = Arc::clone(&shared);
        threads.push(spawn("store-feed", move || feed_loop(&feeding))?);
        Ok(Self { shared, pool: Pool::new(readers), threads: Mutex::new(threads) })
    }
}

/// Sees to it that the server is one that will do; answers the schema that the tables are in.
fn prepare(link: &mut Link, address: &PostgresAddress) -> StoreResult<String> {
    let unfit = |text: String| Err(StoreError::Unavailable(text));
    let version = link.simple("SHOW server_version_num")?.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    if version < OLDEST_SERVER {
        return unfit(format!("PostgreSQL 14 or newer is needed; this one is {}", version / 10_000));
    }
    let encoding = link.simple("SHOW server_encoding")?.unwrap_or_default();
    if encoding != "UTF8" {
        return unfit(format!("the database must have the encoding UTF8; it has {encoding}"));
    }
    if let Some(schema) = &address.schema {
        let there = link.simple(&format!("SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'"))?;
        if there.is_none() {
            link.simple(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""))?;
        }
    }
    match link.simple("SELECT current_schema()")? {
        Some(schema) => Ok(schema),
        None => unfit(
            "the role has no schema that it may use; create one, or name it with schema= in DATABASE_URL".to_owned(),
        ),
    }
}

impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn submit(&self, lane: Lane, job: Box<dyn WriteJob>) -> StoreResult<()> {
        self.shared.lanes.submit(lane, job)
    }

    fn view(&self) -> ReadView<'_> {
        ReadView::new(PooledSnapshot::new(&self.pool, &self.shared))
    }

    fn last_write_failed(&self) -> bool {
        self.shared.write_failed.load(Ordering::Acquire)
    }

    fn pool(&self) -> (usize, usize) {
        self.pool.standing()
    }

    fn memory_holds(&self) -> bool {
        self.shared.freshness.holds()
    }

    fn catch_up(&self) -> Option<tokio::sync::oneshot::Receiver<()>> {
        Some(self.shared.bell.wait())
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        let shared = Arc::clone(&self.shared);
        Some(Arc::new(NodeClock(shared)))
    }

    fn node_id(&self) -> Option<&str> {
        Some(&self.shared.node_id)
    }

    fn close(&self) {
        self.shared.close();
        let me = std::thread::current().id();
        let threads: Vec<_> = self.threads.lock().drain(..).filter(|thread| thread.thread().id() != me).collect();
        if threads.is_empty() {
            return;
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a storage thread ended by a panic");
            }
        }
        let left = self
            .shared
            .connect()
            .and_then(|mut link| node::leave(&mut link, &self.shared.node_id, &self.shared.incarnation));
        if let Err(error) = left {
            tracing::warn!(%error, "this node could not say goodbye; its id is free in a minute");
        }
    }
}

impl Drop for PostgresEngine {
    fn drop(&mut self) {
        self.close();
    }
}

struct NodeClock(Arc<Shared>);

impl Clock for NodeClock {
    fn now(&self) -> scaivault_domain::time::Timestamp {
        self.0.clock.now()
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> StoreResult<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| StoreError::Unavailable(format!("thread {name}: {error}")))
}

/// Enough to tell starts apart; nothing rests on nobody guessing it.
fn random() -> [u8; 16] {
    use std::hash::{BuildHasher, Hasher};
    let half = || std::hash::RandomState::new().build_hasher().finish().to_be_bytes();
    let mut bytes = [0; 16];
    for (byte, random) in bytes.iter_mut().zip(half().into_iter().chain(half())) {
        *byte = random;
    }
    bytes
}

impl Migration {
    /// Schema text is written for both engines. Text is ordered by its bytes, as it is there, whatever the database's locale.
    pub(crate) fn for_postgres(&self) -> String {
        self.postgres.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" /* clustered */", "")
    }
}
