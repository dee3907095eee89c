//! A database of a test's own, on either engine.

use std::path::{Path, PathBuf};

use scaivault_crypto::{Entropy, SystemEntropy};
use scaivault_store::{PostgresAddress, PostgresOptions, SqliteLocation, SqliteOptions, Store};

use crate::raw::Raw;

/// Which storage engine a test runs on: `sqlite` (also when it is not set) or `postgresql`.
const ENGINE: &str = "SCAIVAULT_TEST_ENGINE";
/// Where PostgreSQL is; `scripts/postgres run` sets it.
const POSTGRES: &str = "SCAIVAULT_TEST_POSTGRES";
/// Connections of a node: the feed's, three for writes, two for reads.
const POOL: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

impl Engine {
    /// What this run of the tests is about.
    pub fn of_this_run() -> Self {
        match variable(ENGINE).as_deref() {
            None | Some("sqlite") => Self::Sqlite,
            Some("postgresql") => Self::Postgres,
            Some(other) => panic!("{ENGINE} must be sqlite or postgresql, not '{other}'"),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a test has no settings")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// On SQLite a file in the test's directory, on PostgreSQL a schema of its own, which goes with this value.
#[derive(Debug)]
pub struct TestDatabase(Place);

#[derive(Debug)]
enum Place {
    Postgres { url: String, schema: String },
    Sqlite(PathBuf),
}

impl TestDatabase {
    /// Nothing is made before it is opened.
    pub fn new(engine: Engine, directory: &Path) -> Self {
        match engine {
            Engine::Sqlite => Self(Place::Sqlite(directory.join("scaivault.db"))),
            Engine::Postgres => {
                let url = variable(POSTGRES);
                let url = url.unwrap_or_else(|| panic!("{POSTGRES} must name a database: use scripts/postgres run"));
                let mut random = [0; 8];
                SystemEntropy::new().fill(&mut random).unwrap();
                Self(Place::Postgres { url, schema: format!("test_{:016x}", u64::from_be_bytes(random)) })
            }
        }
    }

    pub fn engine(&self) -> Engine {
        match self.0 {
            Place::Postgres { .. } => Engine::Postgres,
            Place::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Opens it as a server does. Blocks; on PostgreSQL each open store is a node.
    pub fn open(&self) -> Store {
        match &self.0 {
            Place::Sqlite(file) => {
                let location = SqliteLocation { file: file.clone() };
                Store::open_sqlite(&SqliteOptions { location }).unwrap()
            }
            Place::Postgres { url, schema } => {
                let address = PostgresAddress::parse(url).unwrap().in_schema(schema);
                Store::open_postgres(&PostgresOptions { pool_size: POOL, ..PostgresOptions::new(address) }).unwrap()
            }
        }
    }

    /// A connection behind the server's back.
    pub fn raw(&self) -> Raw {
        match &self.0 {
            Place::Sqlite(file) => Raw::of_sqlite(file),
            Place::Postgres { url, schema } => Raw::of_postgres(url, schema),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Place::Postgres { schema, .. } = &self.0 {
            let drop = format!("SET lock_timeout = '10s'; DROP SCHEMA IF EXISTS {schema} CASCADE");
            if let Err(error) = self.raw().try_batch(&drop)
                && !std::thread::panicking()
            {
                panic!("the schema of a test can't be dropped; is its store still open? {error}");
            }
        }
    }
}

/// Does what may block on a thread of its own: the runtime of an async test may have no other than the one that it stands on.
pub fn off_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
