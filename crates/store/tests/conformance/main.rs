//! What every storage engine must do, whichever it is. An engine joins by adding itself to [`engines`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod events;
mod job_courses;
mod jobs;
mod listing;
mod lives;
mod rotation;
mod secrets;
mod subscriptions;
mod transactions;
mod webhooks;

use std::sync::atomic::{AtomicU32, Ordering};

use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::id::{PartnerId, TenantId};
use scaivault_domain::path::SecretPath;
use scaivault_domain::secret::{Metadata, SecretType};
use scaivault_domain::time::Timestamp;
use scaivault_store::secret::SecretRecord;
use scaivault_store::{PostgresAddress, PostgresOptions, SqliteLocation, SqliteOptions, Store};
use tempfile::TempDir;

/// Where PostgreSQL is, for the tests that run on it too; `scripts/postgres run` sets it.
const POSTGRES: &str = "SCAIVAULT_TEST_POSTGRES";

/// A database of its own for one test; `open` may be called again after the store was closed.
pub struct Bench {
    place: Place,
}

enum Place {
    Sqlite(TempDir),
    Postgres(Box<PostgresAddress>),
}

impl Bench {
    pub fn open(&self) -> Store {
        self.try_open().unwrap()
    }

    pub fn try_open(&self) -> scaivault_store::StoreResult<Store> {
        match &self.place {
            Place::Sqlite(directory) => Store::open_sqlite(&SqliteOptions {
                location: SqliteLocation { file: directory.path().join("store.db") },
            }),
            Place::Postgres(address) => Store::open_postgres(&PostgresOptions {
                pool_size: 6,
                ..PostgresOptions::new(PostgresAddress::clone(address))
            }),
        }
    }

    /// Whether the database is this server's alone.
    pub fn is_embedded(&self) -> bool {
        matches!(self.place, Place::Sqlite(_))
    }
}

/// One bench for every engine that there is.
pub fn engines() -> Vec<Bench> {
    let mut engines = vec![Bench { place: Place::Sqlite(tempfile::tempdir().unwrap()) }];
    #[allow(clippy::disallowed_methods, reason = "a test has no settings")]
    if let Ok(url) = std::env::var(POSTGRES) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let schema = format!("conformance_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let address = PostgresAddress::parse(&url).unwrap().in_schema(&schema);
        engines.push(Bench { place: Place::Postgres(Box::new(address)) });
    }
    engines
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_777_629_600 + seconds)
}

pub fn scope(tenant: &str) -> SecretScope {
    let owner = TenantScope::of_the_server(TenantId::parse(tenant).unwrap(), PartnerId::parse("ptn_a").unwrap());
    SecretScope::of_the_server(Space::Tenant, owner)
}

pub fn path(text: &str) -> SecretPath {
    SecretPath::parse(text).unwrap()
}

pub fn record(id: &str, path: &str) -> SecretRecord {
    SecretRecord {
        id: id.to_owned(),
        path: path.to_owned(),
        secret_type: SecretType::Kv,
        metadata: Metadata::default(),
        current_version: 1,
        last_version: 1,
        max_versions: 10,
        expires_in: None,
        expires_at: None,
        notify_before: "30d".to_owned(),
        policy_tenant_id: "tnt_a".to_owned(),
        rotation: None,
        last_rotated_at: None,
        secret_policy_id: None,
        created_at: at(0),
        updated_at: at(0),
        trash: None,
    }
}
