//! Personal access tokens. Only their digests are stored.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Param, Row, json_text, params};
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

pub fn find(db: &mut impl Database, id: &str) -> StoreResult<Option<TokenRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM token WHERE id = $1"), params![id], read)
}

/// Which tokens a list may hold.
#[derive(Debug, Clone, Copy)]
pub struct TokenFilter<'a> {
    pub tenant_id: &'a str,
    /// Internal id of the one identity whose tokens are wanted.
    pub identity_id: Option<&'a str>,
    /// Leaves out what is revoked or has expired by then.
    pub live_at: Option<Timestamp>,
    /// Id of the last token of the page before.
    pub after: Option<&'a str>,
}

/// Tokens in the order in which they were made, at most `limit`.
pub fn list(db: &mut impl Database, filter: TokenFilter<'_>, limit: i64) -> StoreResult<Vec<TokenRecord>> {
    let mut sql = format!("SELECT {COLUMNS} FROM token WHERE tenant_id = $1 AND id > $2");
    let mut params = vec![Param::Text(filter.tenant_id), Param::Text(filter.after.unwrap_or_default())];
    if let Some(identity_id) = filter.identity_id {
        params.push(Param::Text(identity_id));
        sql.push_str(&format!(" AND identity_id = ${}", params.len()));
    }
    if let Some(now) = filter.live_at {
        params.push(Param::from(now));
        sql.push_str(&format!(" AND revoked_at IS NULL AND expires_at > ${}", params.len()));
    }
    params.push(Param::Int(limit));
    sql.push_str(&format!(" ORDER BY id LIMIT ${}", params.len()));
    db.all(&sql, &params, read)
}

pub fn insert(tx: &mut WriteTx<'_>, record: &TokenRecord, hash: &[u8; 32]) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO token ({COLUMNS}, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"),
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

/// Ends one token. The row stays, so that its use is told apart from that of an unknown one.
pub fn revoke(tx: &mut WriteTx<'_>, id: &str, at: Timestamp) -> StoreResult<()> {
    tx.connection()?
        .execute("UPDATE token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", params![id, at])?;
    tx.changed(Change::Access);
    Ok(())
}

/// Ends every token of an identity.
pub fn revoke_of_identity(tx: &mut WriteTx<'_>, tenant_id: &str, identity_id: &str, at: Timestamp) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE token SET revoked_at = $3 WHERE tenant_id = $1 AND identity_id = $2 AND revoked_at IS NULL",
        params![tenant_id, identity_id, at],
    )?;
    tx.changed(Change::Access);
    Ok(())
}
