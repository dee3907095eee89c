//! What goes over the wire: the types that the HTTP server, the CLI and the tests share.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod audit;
pub mod batch;
pub mod error;
pub mod identity;
mod nullable;
pub mod policy;
pub mod rotation_policy;
pub mod secret;
pub mod secret_policy;
pub mod subscription;
pub mod system;
pub mod token;
pub mod webhook;
