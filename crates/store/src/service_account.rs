//! Service accounts and the client secrets they prove themselves with.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};

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
