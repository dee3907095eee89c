//! The rules of ScaiVault, pure: no SQL, no HTTP, no I/O.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod access;
pub mod action;
pub mod audit;
pub mod condition;
pub mod cursor;
pub mod duration;
pub mod event;
pub mod expiry;
pub mod glob;
pub mod id;
pub mod name;
pub mod path;
pub mod policy;
pub mod rate;
pub mod recipe;
pub mod role;
pub mod rotation;
pub mod scope;
pub mod secret;
pub mod time;
pub mod webhook;
