//! The audit trail: what an entry says, how it is hashed, and how a chain of them is checked.
//!
//! Contract 06. A stream is a chain: every entry holds the hash of the one before, a hash covers the
//! canonical JSON of its entry, and signed checkpoints pin hashes down from outside the chain.

mod action;
mod canonical;
mod chain;
mod checkpoint;
mod entry;

pub use action::AuditAction;
pub use canonical::canonical_json;
pub use canonical::hash_of_exported;
pub use chain::ChainFault;
pub use chain::ChainLink;
pub use chain::ChainReport;
pub use chain::ChainVerifier;
pub use checkpoint::Checkpoint;
pub use entry::AuditEntry;

/// `prev_hash` of the first entry of a stream.
pub const GENESIS_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The stream of what belongs to no tenant.
pub const INSTANCE_STREAM: &str = "system";

/// An entry that has no canonical form. Always a mistake of the server, never of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuditError {
    /// A number that is no integer of at most 2^53 - 1: other readers would print it otherwise.
    #[error("number without a canonical form")]
    Number,
    /// An `extra_data` value that is not a string, integer, boolean or array of strings.
    #[error("extra_data of a type that is not allowed")]
    ExtraType,
    /// An `extra_data` key that is empty or not printable ASCII.
    #[error("extra_data key is not ASCII")]
    ExtraKey,
    /// The serialiser failed, or what should be an entry is no JSON object.
    #[error("entry cannot be serialised")]
    Serialise,
}

#[cfg(test)]
mod tests;
