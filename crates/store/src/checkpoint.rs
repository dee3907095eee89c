//! Signed checkpoints of the audit chains, and the anchors that retention leaves.

use scaivault_domain::time::Timestamp;

use crate::audit::Chain;
use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Row, params};
use crate::tx::WriteTx;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRecord {
    pub chain: Chain,
    pub seq: i64,
    pub hash: [u8; 32],
    pub at: Timestamp,
    pub key_id: String,
    pub signature: Vec<u8>,
}

const COLUMNS: &str = "stream, chain, seq, hash, at, key_id, signature";

fn read(row: &dyn Row) -> StoreResult<CheckpointRecord> {
    Ok(CheckpointRecord {
        chain: Chain { stream: row.text(0)?, node: row.text(1)? },
        seq: row.int(2)?,
        hash: row.blob(3)?.try_into().map_err(|_| StoreError::corrupt("a checkpoint hash has the wrong length"))?,
        at: row.time(4)?,
        key_id: row.text(5)?,
        signature: row.blob(6)?,
    })
}

/// `false` when another node signed for the same entry first: then that is the checkpoint.
pub fn insert(tx: &mut WriteTx<'_>, record: &CheckpointRecord) -> StoreResult<bool> {
    let inserted = tx.connection()?.execute(
        &format!("INSERT INTO audit_checkpoint ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (stream, chain, seq) DO NOTHING"),
        params![&record.chain.stream, &record.chain.node, record.seq, &record.hash, record.at, &record.key_id, &record.signature],
    )?;
    Ok(inserted > 0)
}

/// Checkpoints of a chain, newest first, below `before`.
pub fn list(
    db: &mut impl Database,
    chain: &Chain,
    before: Option<i64>,
    limit: i64,
) -> StoreResult<Vec<CheckpointRecord>> {
    db.all(
        &format!(
            "SELECT {COLUMNS} FROM audit_checkpoint WHERE stream = $1 AND chain = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4"
        ),
        params![&chain.stream, &chain.node, before.unwrap_or(i64::MAX), limit],
        read,
    )
}

/// Checkpoints of `from..=to`, in order.
pub fn between(db: &mut impl Database, chain: &Chain, from: i64, to: i64) -> StoreResult<Vec<CheckpointRecord>> {
    db.all(
        &format!(
            "SELECT {COLUMNS} FROM audit_checkpoint WHERE stream = $1 AND chain = $2 AND seq >= $3 AND seq <= $4 ORDER BY seq"
        ),
        params![&chain.stream, &chain.node, from, to],
        read,
    )
}

pub fn newest(db: &mut impl Database, chain: &Chain) -> StoreResult<Option<CheckpointRecord>> {
    Ok(list(db, chain, None, 1)?.pop())
}

/// Drops checkpoints of entries that retention removes; the anchor takes their place.
pub fn drop_until(tx: &mut WriteTx<'_>, chain: &Chain, seq: i64) -> StoreResult<u64> {
    tx.connection()?.execute(
        "DELETE FROM audit_checkpoint WHERE stream = $1 AND chain = $2 AND seq <= $3",
        params![&chain.stream, &chain.node, seq],
    )
}

/// Where retention last cut a chain.
pub fn anchor(db: &mut impl Database, chain: &Chain) -> StoreResult<Option<CheckpointRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM audit_anchor WHERE stream = $1 AND chain = $2"),
        params![&chain.stream, &chain.node],
        read,
    )
}

/// Remembers where retention cut; replaces the older anchor.
pub fn set_anchor(tx: &mut WriteTx<'_>, record: &CheckpointRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!(
            "INSERT INTO audit_anchor ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (stream, chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, at = excluded.at,
               key_id = excluded.key_id, signature = excluded.signature"
        ),
        params![
            &record.chain.stream,
            &record.chain.node,
            record.seq,
            &record.hash,
            record.at,
            &record.key_id,
            &record.signature
        ],
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
