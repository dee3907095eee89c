//! Client secrets of service accounts. Only their digests are stored.

use scaivault_domain::time::Timestamp;

use crate::directory::{Listed, Page};
use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::WriteTx;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    pub id: String,
    pub tenant_id: String,
    pub service_account_id: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, tenant_id, service_account_id, created_at, expires_at, last_used_at";

fn read(row: &dyn Row) -> StoreResult<CredentialRecord> {
    Ok(CredentialRecord {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        service_account_id: row.text(2)?,
        created_at: row.time(3)?,
        expires_at: row.opt_time(4)?,
        last_used_at: row.opt_time(5)?,
    })
}

pub fn list(db: &mut impl Database, service_account_id: &str, page: Page) -> StoreResult<Listed<CredentialRecord>> {
    let total =
        db.number("SELECT COUNT(*) FROM credential WHERE service_account_id = $1", params![service_account_id])?;
    let items = db.all(
        &format!("SELECT {COLUMNS} FROM credential WHERE service_account_id = $1 ORDER BY id LIMIT $2 OFFSET $3"),
        params![service_account_id, page.limit, page.offset],
        read,
    )?;
    Ok(Listed { items, total })
}

/// How many are still good.
pub fn count_live(db: &mut impl Database, service_account_id: &str, now: Timestamp) -> StoreResult<i64> {
    db.number(
        "SELECT COUNT(*) FROM credential WHERE service_account_id = $1 AND (expires_at IS NULL OR expires_at > $2)",
        params![service_account_id, now],
    )
}

pub fn insert(tx: &mut WriteTx<'_>, record: &CredentialRecord, hash: &[u8; 32]) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO credential ({COLUMNS}, secret_hash) VALUES ($1, $2, $3, $4, $5, $6, $7)"),
        params![
            &record.id,
            &record.tenant_id,
            &record.service_account_id,
            record.created_at,
            record.expires_at,
            record.last_used_at,
            hash
        ],
    )?;
    Ok(())
}

/// Whether there was one to delete.
pub fn delete(tx: &mut WriteTx<'_>, service_account_id: &str, id: &str) -> StoreResult<bool> {
    let gone = tx
        .connection()?
        .execute("DELETE FROM credential WHERE service_account_id = $1 AND id = $2", params![service_account_id, id])?;
    Ok(gone > 0)
}

pub fn delete_all(tx: &mut WriteTx<'_>, service_account_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM credential WHERE service_account_id = $1", params![service_account_id])?;
    Ok(())
}
