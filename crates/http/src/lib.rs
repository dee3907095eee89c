//! The HTTP door: every route on one page (`router.rs`), handlers that parse and render, the pipeline between.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod answer_budget;
mod app;
mod client_address;
mod endpoint;
mod error;
pub mod extract;
mod input;
mod openapi;
mod pattern;
mod reply;
mod route;
mod router;
pub mod serve;
mod settings;

pub use answer_budget::{AnswerBudget, Charge};
pub use app::app;
pub use openapi::render as openapi_document;
pub use router::{RouteInfo, route_infos};
pub use settings::{BuildInfo, HttpSettings, MetricsExposure};
