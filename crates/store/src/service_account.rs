//! Service accounts: identities of programs.

use scaivault_domain::time::Timestamp;

use crate::directory::{Filter, Listed, Page};
use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountRecord {
    pub id: String,
    pub tenant_id: String,
    pub name: String,
    pub description: Option<String>,
    /// Bits of a `ScopeSet`; `None` follows the default.
    pub allowed_scopes: Option<i64>,
    /// Bits of a `RoleSet`.
    pub roles: i64,
    pub status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, tenant_id, name, description, allowed_scopes, roles, status, created_at, updated_at";

fn read(row: &dyn Row) -> StoreResult<ServiceAccountRecord> {
    Ok(ServiceAccountRecord {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        name: row.text(2)?,
        description: row.opt_text(3)?,
        allowed_scopes: row.opt_int(4)?,
        roles: row.int(5)?,
        status: row.text(6)?,
        created_at: row.time(7)?,
        updated_at: row.time(8)?,
    })
}

pub fn find(db: &mut impl Database, id: &str) -> StoreResult<Option<ServiceAccountRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM service_account WHERE id = $1"), params![id], read)
}

pub fn find_by_name(db: &mut impl Database, tenant_id: &str, name: &str) -> StoreResult<Option<ServiceAccountRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM service_account WHERE tenant_id = $1 AND name = $2 AND status <> 'DELETED'"),
        params![tenant_id, name],
        read,
    )
}

/// Service accounts of a tenant by name.
pub fn list(
    db: &mut impl Database,
    tenant_id: &str,
    status: Option<&str>,
    page: Page,
) -> StoreResult<Listed<ServiceAccountRecord>> {
    let mut filter = Filter::by_status(status);
    filter.and("tenant_id = ", tenant_id);
    filter.list(db, COLUMNS, "service_account", "name, id", page, read)
}

pub fn insert(tx: &mut WriteTx<'_>, record: &ServiceAccountRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO service_account ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
        params![
            &record.id,
            &record.tenant_id,
            &record.name,
            &record.description,
            record.allowed_scopes,
            record.roles,
            &record.status,
            record.created_at,
            record.updated_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Writes back everything but the id, the tenant and the time of creation.
pub fn update(tx: &mut WriteTx<'_>, record: &ServiceAccountRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE service_account SET name = $2, description = $3, allowed_scopes = $4, roles = $5, status = $6, updated_at = $7
         WHERE id = $1",
        params![
            &record.id,
            &record.name,
            &record.description,
            record.allowed_scopes,
            record.roles,
            &record.status,
            record.updated_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}
