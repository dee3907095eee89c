//! The audit trail: looking at it, proving it whole, signing where it stands (contract 06).

mod checkpoint;
mod filter;
mod growth;
mod history;
mod logs;
mod merge;
mod offline;
mod signing;
mod summary;
mod verify;
mod walk;

#[cfg(test)]
mod tests;

pub use checkpoint::{CheckpointPage, ListCheckpoints, SignedCheckpoint};
pub use filter::{LogFilter, StreamChoice, TimeRange, parse_actions, parse_actor_type};
pub use history::{IdentityHistory, IdentityTrail, PathHistory, PathSummary, PathTrail};
pub use logs::{LogPage, QueryLogs};
pub use offline::{TrailKeys, verify_chain};
pub use scaivault_store::audit::{StoredEntry, Totals};
pub use summary::{AuditSummary, Summary};
pub use verify::{Fault, VerifyChain, VerifyReport};

pub(crate) use checkpoint::sign_newest;
pub(crate) use growth::Growth;
pub(crate) use signing::AuditSigner;
