//! An embedded database that no server has: for copies.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::connection::{SqliteReader, engine_error, open_connection};
use super::{lock_beside, restrict_to_owner};
use crate::copy::{Bounds, Column, Kind, Planned, Resting, Role, Table, behind, quoted, unfinished};
use crate::error::{StoreError, StoreResult};
use crate::migrate::{self, Migration};
use crate::sql::{Connection, Param, Row, params};

/// Pages of the log after which it is moved into the database file: there is no thread for it here.
const CHECKPOINT_PAGES: u32 = 4000;

pub(crate) struct SqliteAtRest {
    /// Before the lock: closed before that is given back.
    connection: SqliteReader,
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
        Ok(Self { connection: SqliteReader(connection), file: file.to_owned(), _lock: lock })
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
    fn connection(&mut self) -> &mut dyn Connection {
        &mut self.connection
    }

    fn shown(&self) -> String {
        format!("sqlite:{}", self.file.display())
    }

    fn tables(&mut self) -> StoreResult<Vec<Table>> {
        let connection = &mut self.connection;
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'";
        let mut tables = Vec::new();
        for name in list(connection, names, &[], |row| row.text(0))? {
            let columns = "SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid";
            let columns = list(connection, columns, params![&name], |row| {
                Ok((Column { name: row.text(0)?, kind: kind(row.text(1)?) }, row.int(2)?))
            })?;
            let mut key: Vec<(i64, String)> = columns
                .iter()
                .filter(|(_, place)| *place > 0)
                .map(|(column, place)| (*place, column.name.clone()))
                .collect();
            key.sort();
            let parents = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)";
            tables.push(Table {
                columns: columns.into_iter().map(|(column, _)| column).collect(),
                key: key.into_iter().map(|(_, name)| name).collect(),
                parents: list(connection, parents, params![&name], |row| row.text(0))?,
                name,
            });
        }
        Ok(tables)
    }

    fn has_table(&mut self, name: &str) -> StoreResult<bool> {
        has_table(&mut self.connection, name)
    }

    fn migrate(&mut self) -> StoreResult<()> {
        migrate::run(&mut self.connection, "BEGIN IMMEDIATE", Migration::for_sqlite)
    }

    /// One writer at a time is all there is to it.
    fn hold_still(&mut self, _tables: &[&str]) -> StoreResult<()> {
        self.connection.batch("BEGIN IMMEDIATE")
    }

    /// The lock is the proof.
    fn disturbed_by(&mut self) -> StoreResult<Option<String>> {
        Ok(None)
    }

    fn begin(&self) -> &'static str {
        "BEGIN IMMEDIATE"
    }

    /// Rows come one by one: who has enough bytes stops.
    fn page(&self, table: &Planned, bounds: Bounds, after: bool) -> String {
        let condition = if after { format!(" WHERE {}", behind(table)) } else { String::new() };
        let (columns, name, key) = (table.column_list(), quoted(&table.name), table.key_list());
        format!("SELECT {columns} FROM {name}{condition} ORDER BY {key} LIMIT {}", bounds.rows)
    }

    fn clear(&self, tables: &[&str]) -> String {
        tables.iter().rev().map(|table| format!("DELETE FROM {};", quoted(table))).collect()
    }

    fn takes_nul(&self) -> bool {
        true
    }

    fn settle(&mut self, _tables: &[&str]) {}
}
