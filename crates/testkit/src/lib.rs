//! What every test stands on: an application in one line, actors with exactly the rights a test gives them, a clock that only
//! moves when told to, and checks that run when a test ends.
//!
//! ```ignore
//! let app = TestApp::new().await;
//! let (owner, reader, stranger) = app.actors().await;
//! owner.put("/v1/secrets/app/db", json!({"data": {"password": app.canary()}})).await.expect(201);
//! reader.get("/v1/secrets/app/db").await.expect(200);
//! stranger.get("/v1/secrets/app/db").await.expect_error(403, "access_denied");
//! ```
//!
//! Tests run on SQLite, and with `SCAIVAULT_TEST_ENGINE=postgresql` on PostgreSQL:
//! `scripts/postgres run -- env SCAIVAULT_TEST_ENGINE=postgresql cargo nextest run -p scaivault`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test kit fails by panicking"
)]

mod actor;
mod answer;
mod app;
mod database;
mod raw;
mod teardown;

pub use actor::{Actor, Call};
pub use answer::Answer;
pub use app::{START, TestApp, TestAppBuilder};
pub use database::{Engine, TestDatabase, off_thread};
pub use raw::{Cell, Raw, blob};
