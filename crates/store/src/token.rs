//! Personal access tokens. Only their digests are stored.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    pub id: String,
    pub tenant_id: String,
    /// Internal id of the user or service account.
    pub identity_id: String,
    pub token_ref: String,
    pub name: String,
    /// Bits of a `ScopeSet`.
    pub scopes: i64,
    pub ip_ranges: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub mfa_verified_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, tenant_id, identity_id, token_ref, name, scopes, ip_ranges, created_at, expires_at, revoked_at, \
     last_used_at, mfa_verified_at";

fn read(row: &dyn Row) -> StoreResult<TokenRecord> {
    Ok(TokenRecord {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        identity_id: row.text(2)?,
        token_ref: row.text(3)?,
        name: row.text(4)?,
        scopes: row.int(5)?,
        ip_ranges: row.json(6)?,
        created_at: row.time(7)?,
        expires_at: row.time(8)?,
        revoked_at: row.opt_time(9)?,
        last_used_at: row.opt_time(10)?,
        mfa_verified_at: row.opt_time(11)?,
    })
}

pub fn find_by_hash(db: &mut impl Database, hash: &[u8; 32]) -> StoreResult<Option<TokenRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM token WHERE hash = $1"), params![hash], read)
}

pub fn insert(tx: &mut WriteTx<'_>, record: &TokenRecord, hash: &[u8; 32]) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!(
            "INSERT INTO token ({COLUMNS}, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        ),
        params![
            &record.id,
            &record.tenant_id,
            &record.identity_id,
            &record.token_ref,
            &record.name,
            record.scopes,
            &json_text(&record.ip_ranges)?,
            record.created_at,
            record.expires_at,
            record.revoked_at,
            record.last_used_at,
            record.mfa_verified_at,
            hash
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Notes when a token was last used; written in batches with the access statistics.
pub fn touch(tx: &mut WriteTx<'_>, id: &str, at: Timestamp) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE token SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        params![id, at],
    )?;
    Ok(())
}
