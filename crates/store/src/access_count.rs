//! How often values were read, by hour. Written in batches by the statistics flush, never on the path of a read.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, params};
use crate::tx::WriteTx;

/// Reads leave the window in steps of one hour (contract 01 section 5).
pub const WINDOW_HOURS: i64 = 30 * 24;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessStatistics {
    pub last_accessed_at: Option<Timestamp>,
    pub reads_30d: i64,
}

pub fn hour_of(at: Timestamp) -> i64 {
    at.as_seconds().div_euclid(3600)
}

pub fn add(tx: &mut WriteTx<'_>, secret_id: &str, hour: i64, reads: i64, last_at: Timestamp) -> StoreResult<()> {
    // The secret may be gone by the time its reads are flushed; its statistics went with it.
    tx.connection()?.execute(
        "INSERT INTO secret_access (secret_id, hour, reads, last_at)
         SELECT id, $2, $3, $4 FROM secret WHERE id = $1
         ON CONFLICT (secret_id, hour) DO UPDATE SET
           reads = secret_access.reads + excluded.reads,
           last_at = CASE WHEN excluded.last_at > secret_access.last_at THEN excluded.last_at ELSE secret_access.last_at END",
        params![secret_id, hour, reads, last_at],
    )?;
    Ok(())
}

pub fn of(db: &mut impl Database, secret_id: &str, now: Timestamp) -> StoreResult<AccessStatistics> {
    let since = hour_of(now) - WINDOW_HOURS;
    let found = db.first(
        "SELECT MAX(last_at), CAST(SUM(CASE WHEN hour > $2 THEN reads ELSE 0 END) AS BIGINT) FROM secret_access WHERE secret_id = $1",
        params![secret_id, since],
        |row| Ok(AccessStatistics { last_accessed_at: row.opt_time(0)?, reads_30d: row.opt_int(1)?.unwrap_or(0) }),
    )?;
    Ok(found.unwrap_or_default())
}

/// Drops hours that left the window, but keeps each secret's newest one: it says when the secret was last read.
pub fn prune(tx: &mut WriteTx<'_>, now: Timestamp) -> StoreResult<u64> {
    tx.connection()?.execute(
        "DELETE FROM secret_access WHERE hour <= $1 AND EXISTS
           (SELECT 1 FROM secret_access newer WHERE newer.secret_id = secret_access.secret_id AND newer.hour > secret_access.hour)",
        params![hour_of(now) - WINDOW_HOURS],
    )
}

pub(crate) fn delete_all(tx: &mut WriteTx<'_>, secret_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM secret_access WHERE secret_id = $1", params![secret_id])?;
    Ok(())
}
