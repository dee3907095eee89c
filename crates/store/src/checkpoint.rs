//! Signed checkpoints of the audit chains, and the anchors that retention leaves.

use scaivault_domain::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Row, params};
use crate::tx::WriteTx;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRecord {
    pub stream: String,
    pub seq: i64,
    pub hash: [u8; 32],
    pub at: Timestamp,
    pub key_id: String,
    pub signature: Vec<u8>,
}

const COLUMNS: &str = "stream, seq, hash, at, key_id, signature";

fn read(row: &dyn Row) -> StoreResult<CheckpointRecord> {
    Ok(CheckpointRecord {
        stream: row.text(0)?,
        seq: row.int(1)?,
        hash: row.blob(2)?.try_into().map_err(|_| StoreError::corrupt("a checkpoint hash has the wrong length"))?,
        at: row.time(3)?,
        key_id: row.text(4)?,
        signature: row.blob(5)?,
    })
}

pub fn insert(tx: &mut WriteTx<'_>, record: &CheckpointRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO audit_checkpoint ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (stream, seq) DO NOTHING"),
        params![&record.stream, record.seq, &record.hash, record.at, &record.key_id, &record.signature],
    )?;
    Ok(())
}

/// Checkpoints of a stream, newest first, below `before`.
pub fn list(
    db: &mut impl Database,
    stream: &str,
    before: Option<i64>,
    limit: i64,
) -> StoreResult<Vec<CheckpointRecord>> {
    db.all(
        &format!("SELECT {COLUMNS} FROM audit_checkpoint WHERE stream = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3"),
        params![stream, before.unwrap_or(i64::MAX), limit],
        read,
    )
}

/// Checkpoints of `from..=to`, in order.
pub fn between(db: &mut impl Database, stream: &str, from: i64, to: i64) -> StoreResult<Vec<CheckpointRecord>> {
    db.all(
        &format!("SELECT {COLUMNS} FROM audit_checkpoint WHERE stream = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq"),
        params![stream, from, to],
        read,
    )
}

pub fn newest(db: &mut impl Database, stream: &str) -> StoreResult<Option<CheckpointRecord>> {
    Ok(list(db, stream, None, 1)?.pop())
}

/// Drops checkpoints of entries that retention removes; the anchor takes their place.
pub fn drop_until(tx: &mut WriteTx<'_>, stream: &str, seq: i64) -> StoreResult<u64> {
    tx.connection()?.execute("DELETE FROM audit_checkpoint WHERE stream = $1 AND seq <= $2", params![stream, seq])
}

/// Where retention last cut a stream.
pub fn anchor(db: &mut impl Database, stream: &str) -> StoreResult<Option<CheckpointRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM audit_anchor WHERE stream = $1"), params![stream], read)
}

/// Remembers where retention cut; replaces the older anchor.
pub fn set_anchor(tx: &mut WriteTx<'_>, record: &CheckpointRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!(
            "INSERT INTO audit_anchor ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, at = excluded.at,
               key_id = excluded.key_id, signature = excluded.signature"
        ),
        params![&record.stream, record.seq, &record.hash, record.at, &record.key_id, &record.signature],
    )?;
    Ok(())
}

#[derive(Debug, Clone)]
pub struct SigningKeyRecord {
    pub key_id: String,
    pub public_key: Vec<u8>,
    pub wrapped: Vec<u8>,
    pub created_at: Timestamp,
}

/// Signing keys for one purpose, newest first.
pub fn signing_keys(db: &mut impl Database, purpose: &str) -> StoreResult<Vec<SigningKeyRecord>> {
    db.all(
        "SELECT key_id, public_key, wrapped, created_at FROM signing_key WHERE purpose = $1 ORDER BY created_at DESC",
        params![purpose],
        |row| {
            Ok(SigningKeyRecord {
                key_id: row.text(0)?,
                public_key: row.blob(1)?,
                wrapped: row.blob(2)?,
                created_at: row.time(3)?,
            })
        },
    )
}

pub fn insert_signing_key(tx: &mut WriteTx<'_>, purpose: &str, key: &SigningKeyRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO signing_key (key_id, purpose, public_key, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)",
        params![&key.key_id, purpose, &key.public_key, &key.wrapped, key.created_at],
    )?;
    Ok(())
}
