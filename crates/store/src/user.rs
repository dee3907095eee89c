//! People.

use scaivault_domain::time::Timestamp;

use crate::directory::{Filter, Listed, Page, like_part};
use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    pub id: String,
    pub tenant_id: String,
    pub email: String,
    pub display_name: Option<String>,
    /// Argon2id in PHC form.
    pub password_hash: Option<String>,
    /// Bits of a `ScopeSet`; `None` follows the default for the user's roles.
    pub allowed_scopes: Option<i64>,
    /// Bits of a `RoleSet`.
    pub roles: i64,
    pub mfa_enabled: bool,
    pub status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_synced_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, tenant_id, email, display_name, password_hash, allowed_scopes, roles, mfa_enabled, status, \
     created_at, updated_at, last_synced_at";

fn read(row: &dyn Row) -> StoreResult<UserRecord> {
    Ok(UserRecord {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        email: row.text(2)?,
        display_name: row.opt_text(3)?,
        password_hash: row.opt_text(4)?,
        allowed_scopes: row.opt_int(5)?,
        roles: row.int(6)?,
        mfa_enabled: row.flag(7)?,
        status: row.text(8)?,
        created_at: row.time(9)?,
        updated_at: row.time(10)?,
        last_synced_at: row.opt_time(11)?,
    })
}

pub fn find(db: &mut impl Database, id: &str) -> StoreResult<Option<UserRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM directory_user WHERE id = $1"), params![id], read)
}

pub fn find_by_email(db: &mut impl Database, tenant_id: &str, email: &str) -> StoreResult<Option<UserRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM directory_user WHERE tenant_id = $1 AND email = $2 AND status <> 'DELETED'"),
        params![tenant_id, email],
        read,
    )
}

/// Users of a tenant by e-mail; `part` is looked for in e-mail and name, whatever its case.
pub fn list(
    db: &mut impl Database,
    tenant_id: &str,
    status: Option<&str>,
    part: Option<&str>,
    page: Page,
) -> StoreResult<Listed<UserRecord>> {
    let pattern = part.map(|part| like_part(&part.to_lowercase()));
    let mut filter = Filter::by_status(status);
    filter.and("tenant_id = ", tenant_id);
    if let Some(pattern) = &pattern {
        filter.and_holds("search", pattern);
    }
    filter.list(db, COLUMNS, "directory_user", "email, id", page, read)
}

/// What `part` of [`list`] is looked for in. The engines fold case differently, so it is done here.
fn search_text(record: &UserRecord) -> String {
    format!("{}\n{}", record.email, record.display_name.as_deref().unwrap_or_default()).to_lowercase()
}

pub fn insert(tx: &mut WriteTx<'_>, record: &UserRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO directory_user ({COLUMNS}, search) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"),
        params![
            &record.id,
            &record.tenant_id,
            &record.email,
            &record.display_name,
            &record.password_hash,
            record.allowed_scopes,
            record.roles,
            record.mfa_enabled,
            &record.status,
            record.created_at,
            record.updated_at,
            record.last_synced_at,
            &search_text(record)
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Writes back everything but the id, the tenant and the time of creation.
pub fn update(tx: &mut WriteTx<'_>, record: &UserRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE directory_user SET email = $2, display_name = $3, password_hash = $4, allowed_scopes = $5, roles = $6,
           mfa_enabled = $7, status = $8, updated_at = $9, last_synced_at = $10, search = $11
         WHERE id = $1",
        params![
            &record.id,
            &record.email,
            &record.display_name,
            &record.password_hash,
            record.allowed_scopes,
            record.roles,
            record.mfa_enabled,
            &record.status,
            record.updated_at,
            record.last_synced_at,
            &search_text(record)
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}
