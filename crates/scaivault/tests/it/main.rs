//! The integration tests: one binary, files named after routes, each test on an application of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod audit;
mod batch;
mod check;
mod cli;
mod convention;
mod database_copy;
mod event;
mod identity;
mod life;
mod metrics_port;
mod nodes;
mod policy;
mod process;
mod recipe;
mod rotation;
mod secret;
mod stream;
mod subscription;
mod system;
mod tamper;
mod twin;
mod walk;
mod webhook;
