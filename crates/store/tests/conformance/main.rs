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

use std::path::PathBuf;

use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::id::{PartnerId, TenantId};
use scaivault_domain::path::SecretPath;
use scaivault_domain::secret::{Metadata, SecretType};
use scaivault_domain::time::Timestamp;
use scaivault_store::secret::SecretRecord;
use scaivault_store::{SqliteLocation, SqliteOptions, Store};
use tempfile::TempDir;

/// A database of its own for one test; `open` may be called again after the store was closed.
pub struct Bench {
    directory: TempDir,
    engine: &'static str,
}

impl Bench {
    pub fn open(&self) -> Store {
        self.try_open().unwrap()
    }

    pub fn try_open(&self) -> scaivault_store::StoreResult<Store> {
        match self.engine {
            "sqlite" => Store::open_sqlite(&SqliteOptions { location: SqliteLocation { file: self.file() } }),
            other => panic!("no engine {other}"),
        }
    }

    pub fn file(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }
}

/// One bench for every engine.
pub fn engines() -> Vec<Bench> {
    ["sqlite"].into_iter().map(|engine| Bench { directory: tempfile::tempdir().unwrap(), engine }).collect()
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
