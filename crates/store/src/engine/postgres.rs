//! PostgreSQL: any number of nodes on one database.
//!
//! Writes run at the same time where their lanes allow it (`lane.rs`), in READ COMMITTED transactions under advisory locks: whatever a
//! write reads in its lane stays true until it commits. Nodes share nothing but the database. What one changes the others hear of
//! through the change feed, and a node that is not sure to have heard serves nothing from memory.

/// The database's clock in microseconds since 1970, as SQL: the one by which all nodes go.
macro_rules! clock {
    () => {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"
    };
}

mod address;
mod failure;
mod feed;
pub(crate) mod inspect;
mod lanes;
mod link;
mod node;
mod parts;
mod pool;
pub(crate) mod rest;
mod shared;
mod tls;
mod value;
mod wire;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use scaivault_domain::time::{Clock, Timestamp};

use self::address::refused;
pub use self::address::{DEFAULT_POOL_SIZE, PostgresAddress, PostgresOptions, SMALLEST_POOL};
use self::feed::feed_loop;
use self::link::{Link, lock_key};
use self::pool::{Pool, PooledSnapshot};
use self::shared::Shared;
use self::writer::spawn_writers;
use crate::audit::AuditParts;
use crate::engine::{Engine, spawn};
use crate::error::StoreResult;
use crate::lane::Lane;
use crate::migrate::{self, Migration};
use crate::sql::{Connection as _, params};
use crate::store::{Listener, WriteJob};
use crate::tx::ReadView;

/// How long a start may take: a large database is migrated, or another node migrates it. A server that is gone is noticed by TCP.
const START: Duration = Duration::from_secs(12 * 3600);
/// Of what the disk is asked to take before a node says again that writes work: more than lies free in pages that it has.
const PROBE_BYTES: usize = 64 * 1024;

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
        let schema = options.address.schema.clone();
        let incarnation = format!("{:032x}", u128::from_be_bytes(random()));
        let starting = lock_key(&schema, "start");
        // One node after the other: the first one migrates, the others find it done.
        link.set_patience(START);
        link.simple("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")?;
        if link.simple(&format!("SELECT pg_try_advisory_lock({starting})"))?.as_deref() != Some("t") {
            tracing::info!("another node starts; waiting for it");
            link.simple(&format!("SELECT pg_advisory_lock({starting})"))?;
        }
        prepare(&mut link, &schema)?;
        rest::refuse_unfinished(&mut link)?;
        migrate::run(&mut link, "BEGIN", Migration::for_postgres)?;
        parts::make_first(&mut link, &schema);
        let node_id = node::enter(&mut link, options.node_id.as_deref(), &incarnation, env!("CARGO_PKG_VERSION"))?;
        let clock = link.simple(concat!("SELECT ", clock!()))?;
        drop(link);
        tracing::info!(node_id, schema, "joined the database");

        let shared = Arc::new(Shared::new(options.address.clone(), schema, node_id, incarnation, listener));
        if let Some(clock) = clock.and_then(|text| text.parse().ok()) {
            shared.clock.set(std::time::Instant::now(), clock);
        }
        let writers = options.pool_size.saturating_sub(1).div_ceil(2).max(2);
        let readers = options.pool_size.saturating_sub(1).saturating_sub(writers).max(1);
        let mut threads = spawn_writers(&shared, writers)?;
        let feeding = Arc::clone(&shared);
        threads.push(spawn("store-feed", move || feed_loop(&feeding))?);
        Ok(Self { shared, pool: Pool::new(readers), threads: Mutex::new(threads) })
    }

    /// Takes room on the disk and gives it back: a table of its own, so that new pages have to be found, and nothing of it stays.
    fn probe_room(&self) -> StoreResult<()> {
        let mut link = self.shared.connect()?;
        link.simple(
            "BEGIN; CREATE TABLE write_probe (filler BYTEA); ALTER TABLE write_probe ALTER filler SET STORAGE EXTERNAL",
        )?;
        let filler = vec![0; PROBE_BYTES];
        link.execute("INSERT INTO write_probe VALUES ($1)", params![&filler])?;
        link.end("ROLLBACK")?;
        self.shared.touch(&mut link)?;
        self.shared.write_failed.store(false, Ordering::Release);
        Ok(())
    }
}

/// Sees to it that the server is one that will do, and that there is a schema.
fn prepare(link: &mut Link, schema: &str) -> StoreResult<()> {
    check_server(link)?;
    if link.simple(&format!("SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'"))?.is_none() {
        let made = link.simple(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""));
        made.map_err(|error| {
            refused(&format!(
                "there is no schema {schema} and this role may not make it; as its owner: CREATE SCHEMA {schema} AUTHORIZATION <role> ({error})"
            ))
        })?;
    }
    Ok(())
}

/// # Errors
/// What is wrong with the server or the database.
fn check_server(link: &mut Link) -> StoreResult<()> {
    let version = link.simple("SHOW server_version_num")?.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    if version < OLDEST_SERVER {
        return Err(refused(&format!("PostgreSQL 14 or newer is needed; this one is {}", version / 10_000)));
    }
    match link.simple("SHOW server_encoding")?.unwrap_or_default().as_str() {
        "UTF8" => Ok(()),
        other => Err(refused(&format!("the database must have the encoding UTF8; it has {other}"))),
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

    fn probe(&self) -> Option<StoreResult<()>> {
        Some(self.probe_room())
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

    fn audit_parts(&self) -> StoreResult<Option<AuditParts>> {
        parts::list(&mut self.shared.connect()?).map(Some)
    }

    fn prepare_audit_parts(&self, now: Timestamp, retention_seconds: i64) -> StoreResult<usize> {
        parts::prepare(&self.shared, now, retention_seconds)
    }

    fn drop_audit_parts(&self, before: Timestamp) -> StoreResult<usize> {
        parts::drop_cut(&self.shared, before)
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
