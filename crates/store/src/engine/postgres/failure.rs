//! What the server's errors mean to us.

use tokio_postgres::error::{DbError, SqlState};

use super::link::Link;
use super::wire::described;
use crate::error::StoreError;

impl Link {
    /// What went wrong, in words that hold no value; notes what it means for the transaction and the connection.
    pub(super) fn failure(&mut self, error: &tokio_postgres::Error) -> StoreError {
        self.failed = true;
        let Some(db) = error.as_db_error() else {
            if error.is_closed() || self.is_broken() {
                self.driver = None;
            }
            return StoreError::Unavailable(described(error));
        };
        let code = db.code();
        // We have no checks of our own: it is a row on its way to a part of the trail that another part was just made beside.
        let repeatable =
            [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::CHECK_VIOLATION];
        if repeatable.contains(code) {
            self.conflict = true;
            return StoreError::Conflict(code.code().to_owned());
        }
        if ends_connection(code) {
            self.driver = None;
        }
        match code.code().get(..2) {
            Some("23") => StoreError::Constraint { constraint: db.constraint().unwrap_or_default().to_owned() },
            // What the server says of resources, of its own state and of access names no values.
            Some("08" | "28" | "3D" | "53" | "55" | "57" | "58") => {
                StoreError::Unavailable(format!("{} ({})", db.message(), code.code()))
            }
            Some("25") => StoreError::Unavailable(format!("the database takes no writes ({})", code.code())),
            Some("42") => StoreError::Unavailable(named(db)),
            Some("XX") => StoreError::corrupt(format!("the database reports damage ({})", code.code())),
            _ => StoreError::corrupt(format!("the database refused a statement ({})", code.code())),
        }
    }
}

/// The server is going down, or is no longer the one that takes writes: another connection finds out who is.
fn ends_connection(code: &SqlState) -> bool {
    matches!(code.code(), "25006" | "57P01" | "57P02" | "57P03" | "25P03")
}

/// A missing right or table, with its name: operators need it, and it is none of our values.
fn named(db: &DbError) -> String {
    let object = db.table().or(db.schema()).unwrap_or_default();
    format!("the database refused a statement: {} {object} ({})", db.message(), db.code().code())
}
