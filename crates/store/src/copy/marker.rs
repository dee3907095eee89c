//! What a destination bears until its copy is complete: of which source, and how far.
//!
//! Two tables beside those of the schema, made with the first step and dropped in the transaction of the last check.

use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection, params};

/// One row: what is copied here.
pub(crate) const COPY: &str = "unfinished_copy";
/// One row a table that was begun.
pub(crate) const PARTS: &str = "unfinished_copy_table";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    /// Where the source was, for people.
    pub(super) source: String,
    /// Digest of what never changes about an instance.
    pub(super) instance: Vec<u8>,
    /// Digest of the ends of all audit chains: who served the source in between moved one of them on.
    pub(super) trail: Vec<u8>,
    pub(super) schema_version: i64,
}

pub(super) const CREATE: &str = "
    CREATE TABLE unfinished_copy (
        id BIGINT PRIMARY KEY, source TEXT NOT NULL, instance BYTEA NOT NULL, trail BYTEA NOT NULL, schema_version BIGINT NOT NULL);
    CREATE TABLE unfinished_copy_table (name TEXT PRIMARY KEY, rows_copied BIGINT NOT NULL, finished BIGINT NOT NULL)";

pub(super) const DROP: &str = "DROP TABLE unfinished_copy_table; DROP TABLE unfinished_copy";

pub(super) fn find(connection: &mut dyn Connection) -> StoreResult<Option<Marker>> {
    let mut found = None;
    let sql = "SELECT source, instance, trail, schema_version FROM unfinished_copy WHERE id = 1";
    connection.query(sql, &[], &mut |row| {
        found = Some(Marker {
            source: row.text(0)?,
            instance: row.blob(1)?,
            trail: row.blob(2)?,
            schema_version: row.int(3)?,
        });
        Ok(false)
    })?;
    Ok(found)
}

pub(super) fn insert(connection: &mut dyn Connection, marker: &Marker) -> StoreResult<()> {
    connection.execute(
        "INSERT INTO unfinished_copy (id, source, instance, trail, schema_version) VALUES (1, $1, $2, $3, $4)",
        params![&marker.source, &marker.instance, &marker.trail, marker.schema_version],
    )?;
    Ok(())
}

/// How many rows of a table stand in the destination, and whether these are all.
pub(super) fn part(connection: &mut dyn Connection, table: &str) -> StoreResult<(u64, bool)> {
    let mut found = (0, false);
    let sql = "SELECT rows_copied, finished FROM unfinished_copy_table WHERE name = $1";
    connection.query(sql, params![table], &mut |row| {
        found = (row.int(0)?.unsigned_abs(), row.flag(1)?);
        Ok(false)
    })?;
    Ok(found)
}

/// Notes that `rows` more stand there. Part of the transaction that brings them.
pub(super) fn advance(connection: &mut dyn Connection, table: &str, rows: usize, finished: bool) -> StoreResult<()> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    connection.execute(
        "INSERT INTO unfinished_copy_table (name, rows_copied, finished) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET rows_copied = unfinished_copy_table.rows_copied + excluded.rows_copied,
           finished = excluded.finished",
        params![table, rows, finished],
    )?;
    Ok(())
}

/// Why no server starts on a destination; the caller has seen that the table [`COPY`] is there.
pub(crate) fn unfinished(connection: &mut dyn Connection) -> StoreError {
    let source = find(connection).ok().flatten().map(|marker| format!(" of {}", printable(&marker.source)));
    StoreError::InUse(format!(
        "the database holds an unfinished copy{}; run the same scaivault database copy again to finish it",
        source.unwrap_or_default()
    ))
}

/// It may be a path with anything in it.
pub(super) fn printable(text: &str) -> String {
    text.escape_debug().to_string()
}
