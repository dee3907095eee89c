//! The instance itself: its health, its seal, its keys (contract 12).

mod health;
mod jobs;
mod keys;
mod metrics;
mod seal;

#[cfg(test)]
mod tests;

pub use health::{DetailedHealth, HealthDetails, Readiness};
pub use jobs::{JobOverview, LookAtJobs, RetriedJob, RetryJob};
pub use keys::{KeyOverview, ListKeys};
pub use metrics::ReadMetrics;
pub use seal::SealServer;

pub(crate) use metrics::Counted;
pub(crate) use seal::UnsealGate;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub const API_VERSION: &str = "v1";
