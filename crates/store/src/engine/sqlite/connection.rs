//! Statements and rows of SQLite.

use std::path::Path;

use rusqlite::types::ValueRef;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection, Param, Row};

const STATEMENT_CACHE: usize = 256;

pub(super) fn open_connection(file: &Path) -> StoreResult<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(file).map_err(engine_error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection
        .execute_batch(
            // secure_delete: a shredded key must not linger in free pages.
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;
             PRAGMA busy_timeout=10000; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192;",
        )
        .map_err(engine_error)?;
    Ok(connection)
}

pub(super) fn engine_error(error: rusqlite::Error) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(failure, text) if failure.code == rusqlite::ErrorCode::ConstraintViolation => {
            StoreError::Constraint { constraint: text.clone().unwrap_or_default() }
        }
        rusqlite::Error::SqliteFailure(failure, _)
            if matches!(failure.code, rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) =>
        {
            StoreError::corrupt(error)
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// A connection of the read pool.
pub(super) struct SqliteReader(pub(super) rusqlite::Connection);

/// The writer's connection.
pub(super) struct SqliteConnection<'c>(pub(super) &'c mut rusqlite::Connection);

impl Connection for SqliteConnection<'_> {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
        execute(self.0, sql, params)
    }

    fn query(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>,
    ) -> StoreResult<()> {
        query(self.0, sql, params, each)
    }

    fn batch(&mut self, sql: &str) -> StoreResult<()> {
        self.0.execute_batch(sql).map_err(engine_error)
    }
}

impl Connection for SqliteReader {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
        execute(&self.0, sql, params)
    }

    fn query(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>,
    ) -> StoreResult<()> {
        query(&self.0, sql, params, each)
    }

    fn batch(&mut self, sql: &str) -> StoreResult<()> {
        self.0.execute_batch(sql).map_err(engine_error)
    }
}

fn execute(connection: &rusqlite::Connection, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
    let mut statement = connection.prepare_cached(sql).map_err(engine_error)?;
    bind(&mut statement, params)?;
    statement.raw_execute().map(|count| count as u64).map_err(engine_error)
}

fn query(
    connection: &rusqlite::Connection,
    sql: &str,
    params: &[Param<'_>],
    each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(sql).map_err(engine_error)?;
    bind(&mut statement, params)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(engine_error)? {
        if !each(&SqliteRow(row))? {
            break;
        }
    }
    Ok(())
}

/// `$3` is a name to SQLite, not a position, so each is looked up by its name.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Param<'_>]) -> StoreResult<()> {
    for index in 1..=statement.parameter_count() {
        let position = statement
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$'))
            .and_then(|digits| digits.parse::<usize>().ok())
            .and_then(|number| number.checked_sub(1));
        let param = position
            .and_then(|position| params.get(position))
            .ok_or_else(|| StoreError::corrupt("a query names a parameter that it was not given"))?;
        match param {
            Param::Blob(bytes) => statement.raw_bind_parameter(index, bytes),
            Param::Int(number) => statement.raw_bind_parameter(index, number),
            Param::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Param::Text(text) => statement.raw_bind_parameter(index, text),
        }
        .map_err(engine_error)?;
    }
    Ok(())
}

struct SqliteRow<'r>(&'r rusqlite::Row<'r>);

impl SqliteRow<'_> {
    fn value(&self, column: usize) -> StoreResult<ValueRef<'_>> {
        self.0.get_ref(column).map_err(engine_error)
    }
}

impl Row for SqliteRow<'_> {
    fn opt_int(&self, column: usize) -> StoreResult<Option<i64>> {
        match self.value(column)? {
            ValueRef::Integer(number) => Ok(Some(number)),
            ValueRef::Null => Ok(None),
            _ => Err(wrong_type(column)),
        }
    }

    fn opt_text(&self, column: usize) -> StoreResult<Option<String>> {
        match self.value(column)? {
            ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| wrong_type(column)),
            ValueRef::Null => Ok(None),
            _ => Err(wrong_type(column)),
        }
    }

    fn opt_blob(&self, column: usize) -> StoreResult<Option<Vec<u8>>> {
        match self.value(column)? {
            ValueRef::Blob(bytes) => Ok(Some(bytes.to_vec())),
            ValueRef::Null => Ok(None),
            _ => Err(wrong_type(column)),
        }
    }
}

fn wrong_type(column: usize) -> StoreError {
    StoreError::corrupt(format!("column {column} holds a value of another type"))
}
