//! An embedded database that no server has: for copies.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::connection::{SqliteConnection, engine_error, open_connection};
use super::{lock_beside, restrict_to_owner};
use crate::copy::{Bounds, Column, Kind, Planned, Resting, Role, Table, behind, quoted, unfinished};
use crate::error::{StoreError, StoreResult};
use crate::migrate::{self, Migration};
use crate::sql::{Connection, Param, Row, params};

/// Pages of the log after which it is moved into the database file: there is no thread for it here.
const CHECKPOINT_PAGES: u32 = 4000;

pub(crate) struct SqliteAtRest {
    connection: rusqlite::Connection,
    file: PathBuf,
    /// As long as it is held, no server starts.
    _lock: File,
}

impl SqliteAtRest {
    /// Opening recovers what a server left that was not closed in order.
    pub(crate) fn open(file: &Path, role: Role) -> StoreResult<Self> {
        let exists = file.try_exists().map_err(|error| unreadable(file, &error))?;
        if role == Role::Source && !exists {
            return Err(unreadable(file, &"there is no such file"));
        }
        let lock = lock_beside(file)?;
        let connection = open_connection(file)?;
        if role == Role::Destination {
            restrict_to_owner(file)?;
            connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(engine_error)?;
        }
        Ok(Self { connection, file: file.to_owned(), _lock: lock })
    }
}

fn unreadable(file: &Path, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{}: {why}", file.display()))
}

/// # Errors
/// The database is the destination of a copy that is not complete.
pub(super) fn refuse_unfinished(connection: &mut dyn Connection) -> StoreResult<()> {
    if has_table(connection, crate::copy::marker::COPY)? { Err(unfinished(connection)) } else { Ok(()) }
}

fn has_table(connection: &mut dyn Connection, name: &str) -> StoreResult<bool> {
    let mut found = false;
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1";
    connection.query(sql, params![name], &mut |_| {
        found = true;
        Ok(false)
    })?;
    Ok(found)
}

fn list<T>(
    connection: &mut dyn Connection,
    sql: &str,
    params: &[Param<'_>],
    read: impl Fn(&dyn Row) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    let mut found = Vec::new();
    connection.query(sql, params, &mut |row| {
        found.push(read(row)?);
        Ok(true)
    })?;
    Ok(found)
}

fn kind(declared: String) -> Result<Kind, String> {
    match declared.as_str() {
        "BIGINT" | "INTEGER" => Ok(Kind::Int),
        "TEXT" => Ok(Kind::Text),
        "BLOB" => Ok(Kind::Blob),
        _ => Err(declared),
    }
}

impl Resting for SqliteAtRest {
    fn run(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> StoreResult<()>) -> StoreResult<()> {
        work(&mut SqliteConnection(&mut self.connection))
    }
}
