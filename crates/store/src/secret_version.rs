//! The versions of secrets: sealed values, their ends, and the tombstones of what was removed.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::WriteTx;

/// A stored version without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    pub version: i64,
    pub created_at: Timestamp,
    pub created_by: String,
    pub readable_until: Option<Timestamp>,
}

/// What a value looks like at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedValue {
    pub data_key: Vec<u8>,
    pub ciphertext: Vec<u8>,
}

/// The state of a version number that was once given out.
#[derive(Debug, Clone)]
pub enum VersionAt {
    /// The number is known, its value is gone.
    Removed,
    Stored(VersionRecord),
}

const COLUMNS: &str = "version, created_at, created_by, readable_until";

fn read(row: &dyn Row) -> StoreResult<VersionRecord> {
    Ok(VersionRecord {
        version: row.int(0)?,
        created_at: row.time(1)?,
        created_by: row.text(2)?,
        readable_until: row.opt_time(3)?,
    })
}

pub fn insert(tx: &mut WriteTx<'_>, secret_id: &str, version: &VersionRecord, value: &SealedValue) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO secret_version (secret_id, version, created_at, created_by, readable_until, data_key, ciphertext)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            secret_id,
            version.version,
            version.created_at,
            &version.created_by,
            version.readable_until,
            &value.data_key,
            &value.ciphertext
        ],
    )?;
    Ok(())
}

/// All stored versions, newest first.
pub fn stored(db: &mut impl Database, secret_id: &str) -> StoreResult<Vec<VersionRecord>> {
    db.all(
        &format!(
            "SELECT {COLUMNS} FROM secret_version WHERE secret_id = $1 AND removed_at IS NULL ORDER BY version DESC"
        ),
        params![secret_id],
        read,
    )
}

pub fn find(db: &mut impl Database, secret_id: &str, version: i64) -> StoreResult<Option<VersionRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM secret_version WHERE secret_id = $1 AND version = $2 AND removed_at IS NULL"),
        params![secret_id, version],
        read,
    )
}

/// The version written last up to `at`, stored or not.
pub fn written_until(db: &mut impl Database, secret_id: &str, at: Timestamp) -> StoreResult<Option<VersionAt>> {
    db.first(
        &format!(
            "SELECT {COLUMNS}, removed_at FROM secret_version WHERE secret_id = $1 AND created_at <= $2
             ORDER BY version DESC LIMIT 1"
        ),
        params![secret_id, at],
        |row| {
            let record = read(row)?;
            Ok(if row.opt_int(4)?.is_some() { VersionAt::Removed } else { VersionAt::Stored(record) })
        },
    )
}

pub fn value(db: &mut impl Database, secret_id: &str, version: i64) -> StoreResult<Option<SealedValue>> {
    db.first(
        "SELECT data_key, ciphertext FROM secret_version WHERE secret_id = $1 AND version = $2 AND removed_at IS NULL",
        params![secret_id, version],
        |row| Ok(SealedValue { data_key: row.blob(0)?, ciphertext: row.blob(1)? }),
    )
}

/// Every number that was ever given out, oldest first: its record and, for a tombstone, since when the value is gone.
pub fn history(db: &mut impl Database, secret_id: &str) -> StoreResult<Vec<(VersionRecord, Option<Timestamp>)>> {
    db.all(
        &format!("SELECT {COLUMNS}, removed_at FROM secret_version WHERE secret_id = $1 ORDER BY version"),
        params![secret_id],
        |row| Ok((read(row)?, row.opt_time(4)?)),
    )
}

/// A number that is taken and has no value.
pub fn insert_tombstone(
    tx: &mut WriteTx<'_>,
    secret_id: &str,
    version: &VersionRecord,
    removed_at: Timestamp,
) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO secret_version (secret_id, version, created_at, created_by, readable_until, removed_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            secret_id,
            version.version,
            version.created_at,
            &version.created_by,
            version.readable_until,
            removed_at
        ],
    )?;
    Ok(())
}

/// The wrapped data keys of the stored versions.
pub fn data_keys(db: &mut impl Database, secret_id: &str) -> StoreResult<Vec<(i64, Vec<u8>)>> {
    db.all(
        "SELECT version, data_key FROM secret_version WHERE secret_id = $1 AND removed_at IS NULL",
        params![secret_id],
        |row| Ok((row.int(0)?, row.blob(1)?)),
    )
}

/// Puts the same data key, wrapped anew, in the place of the old wrap.
pub fn replace_data_key(tx: &mut WriteTx<'_>, secret_id: &str, version: i64, data_key: &[u8]) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE secret_version SET data_key = $3 WHERE secret_id = $1 AND version = $2",
        params![secret_id, version, data_key],
    )?;
    Ok(())
}

pub fn count(db: &mut impl Database, secret_id: &str) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM secret_version WHERE secret_id = $1 AND removed_at IS NULL", params![secret_id])
}

/// Shreds a version's key and value; the number stays taken.
pub fn remove(tx: &mut WriteTx<'_>, secret_id: &str, version: i64, now: Timestamp) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE secret_version SET data_key = NULL, ciphertext = NULL, removed_at = $3 WHERE secret_id = $1 AND version = $2",
        params![secret_id, version, now],
    )?;
    Ok(())
}

/// Sets the end of every readable version below `current`; an earlier end stays (contract 04 section 4).
pub fn end_older(tx: &mut WriteTx<'_>, secret_id: &str, current: i64, readable_until: Timestamp) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE secret_version SET readable_until = $3
         WHERE secret_id = $1 AND version < $2 AND removed_at IS NULL AND (readable_until IS NULL OR readable_until > $3)",
        params![secret_id, current, readable_until],
    )?;
    Ok(())
}

/// The current version is readable whatever end it once had.
pub fn clear_end(tx: &mut WriteTx<'_>, secret_id: &str, version: i64) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE secret_version SET readable_until = NULL WHERE secret_id = $1 AND version = $2",
        params![secret_id, version],
    )?;
    Ok(())
}

pub(crate) fn delete_all(tx: &mut WriteTx<'_>, secret_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM secret_version WHERE secret_id = $1", params![secret_id])?;
    Ok(())
}
