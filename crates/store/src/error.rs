//! What can go wrong below the service.

use thiserror::Error;

pub type StoreResult<T> = Result<T, StoreError>;

/// A storage failure. Texts are for the log: they name tables and constraints, never values.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// An audit entry can't be written; whatever it was to record must not happen.
    #[error("the audit trail can't be written: {0}")]
    Audit(String),
    /// The store was closed, as it is at the end of a shutdown.
    #[error("the store is closed")]
    Closed,
    /// Another transaction was in the way; this one is repeated by the engine before anybody hears of it.
    #[error("transactions in conflict: {0}")]
    Conflict(String),
    /// A row that this server can't have written, or can't read any more.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// A unique or foreign-key rule refused the change; `constraint` names it where the engine says so.
    #[error("constraint violated: {constraint}")]
    Constraint { constraint: String },
    /// Another server holds the data directory.
    #[error("{0}")]
    InUse(String),
    /// The schema is newer than this program.
    #[error("the database has schema version {found}, this program knows {known}; start the newer program")]
    SchemaTooNew { found: i64, known: i64 },
    /// The engine can't do its work at the moment: full disk, lost connection.
    #[error("storage unavailable: {0}")]
    Unavailable(String),
}

impl StoreError {
    pub fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}
