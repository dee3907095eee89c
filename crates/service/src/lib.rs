//! The pipeline and the operations: what ScaiVault does, whichever door a request came through.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod admit;
pub mod audit;
mod batch;
mod cache;
mod caller;
mod context;
pub mod error;
pub mod event;
mod failure_log;
pub mod identity;
pub mod init;
mod job;
mod kept;
mod keyring;
mod maintenance;
mod making;
mod metrics;
mod mirror;
mod naming;
mod operation;
pub mod page;
mod pipeline;
pub mod policy;
pub mod rate;
mod replay;
pub mod rotation_policy;
mod running;
pub mod seal;
pub mod secret;
pub mod secret_policy;
mod session;
mod settings;
mod statistics;
pub mod subscription;
pub mod system;
#[cfg(test)]
mod testing;
pub mod token;
mod trail;
mod vault;
mod warm;
pub mod webhook;

pub use admit::{Admitted, Refused};
pub use batch::{Found, LARGEST_BATCH_IN_SECRETS};
pub use caller::{Caller, Identity, RequestMeta, Session};
pub use context::{Context, Outcome};
pub use error::{Code, Error, FaultCode, FieldFault, Outage, Result};
pub use init::FirstStart;
pub use keyring::KeySet;
pub use metrics::{InFlight, METRICS_CONTENT_TYPE, Metrics};
pub use operation::{Batch, Command, Operation, Part, Query};
pub use pipeline::{Answer, Reply};
pub use replay::{Idempotency, Render};
pub use session::TenantChoice;
pub use settings::Settings;
pub use system::Readiness;
pub use vault::{Parts, SealOrError, Vault, invalid_cursor};
