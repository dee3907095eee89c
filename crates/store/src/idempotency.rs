//! Kept answers of requests with an Idempotency-Key (contract 00 section 7).

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, params};
use crate::tx::WriteTx;

#[derive(Debug, Clone)]
pub struct KeptReply {
    pub body_hash: Vec<u8>,
    /// Sealed under the tenant's key.
    pub reply: Vec<u8>,
}

pub fn find(db: &mut impl Database, request_key: &[u8; 32], not_before: Timestamp) -> StoreResult<Option<KeptReply>> {
    db.first(
        "SELECT body_hash, reply FROM idempotency WHERE request_key = $1 AND created_at >= $2",
        params![request_key, not_before],
        |row| Ok(KeptReply { body_hash: row.blob(0)?, reply: row.blob(1)? }),
    )
}

pub fn keep(
    tx: &mut WriteTx<'_>,
    request_key: &[u8; 32],
    tenant_id: &str,
    kept: &KeptReply,
    now: Timestamp,
) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO idempotency (request_key, tenant_id, body_hash, reply, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (request_key) DO UPDATE SET body_hash = excluded.body_hash, reply = excluded.reply, created_at = excluded.created_at",
        params![request_key, tenant_id, &kept.body_hash, &kept.reply, now],
    )?;
    Ok(())
}

/// Drops answers older than `before`, a bounded batch.
pub fn drop_old(tx: &mut WriteTx<'_>, before: Timestamp, limit: i64) -> StoreResult<u64> {
    tx.connection()?.execute(
        // The age once more: a key may be taken anew while this waits for its row.
        "DELETE FROM idempotency WHERE created_at < $1
           AND request_key IN (SELECT request_key FROM idempotency WHERE created_at < $1 LIMIT $2)",
        params![before, limit],
    )
}
