//! Storage: one SQL, two engines.
//!
//! `engine/` holds what differs between database engines; every other file holds the queries of one concept, written once in
//! the dialect both engines share. Functions that read or change tenant data take a scope that only the access decision can
//! make (`scaivault_domain::access`), so that a query can't leave its tenant by accident.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod access_count;
pub mod audit;
pub mod binding;
pub mod checkpoint;
pub mod copy;
pub mod credential;
pub mod delivery_target;
pub mod directory;
mod engine;
mod error;
pub mod event;
pub mod figures;
pub mod group;
pub mod idempotency;
pub mod instance;
pub mod job;
pub mod key;
mod lane;
pub mod membership;
mod migrate;
pub mod partner;
pub mod policy;
pub mod rotation_history;
pub mod rotation_policy;
pub mod rotation_state;
pub mod secret;
pub mod secret_expiry;
pub mod secret_list;
pub mod secret_policy;
pub mod secret_version;
pub mod service_account;
mod sql;
mod store;
pub mod subscription;
pub mod subscription_buffer;
pub mod tenant;
pub mod token;
mod tx;
pub mod user;
pub mod webhook;
pub mod webhook_delivery;

pub use engine::inspect::{Inspected, Inspection};
pub use engine::postgres::inspect::inspect_postgres;
pub use engine::postgres::{DEFAULT_POOL_SIZE, PostgresAddress, PostgresOptions, SMALLEST_POOL};
pub use engine::sqlite::inspect::inspect_sqlite;
pub use engine::sqlite::{SqliteLocation, SqliteOptions};
pub use error::{StoreError, StoreResult};
pub use lane::Lane;
pub use sql::{Connection, Database, Param, Row};
pub use store::{CommitListener, Snapshots, Store};
pub use tx::{Change, ReadView, WriteTx};
