//! Secret policies: recipes for new values, by tenant.

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};

#[derive(Debug, Clone, PartialEq)]
pub struct SecretPolicyRecord {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub policy_type: String,
    /// The recipe in the contract's wire shape.
    pub fields: serde_json::Value,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

pub(crate) const COLUMNS: &str = "id, name, description, policy_type, fields, is_active, created_at, updated_at";

pub(crate) fn read(row: &dyn Row) -> StoreResult<SecretPolicyRecord> {
    Ok(SecretPolicyRecord {
        id: row.text(0)?,
        name: row.text(1)?,
        description: row.opt_text(2)?,
        policy_type: row.text(3)?,
        fields: row.json(4)?,
        is_active: row.flag(5)?,
        created_at: row.time(6)?,
        updated_at: row.time(7)?,
    })
}

pub fn find(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<Option<SecretPolicyRecord>> {
    find_in(db, scope.tenant().as_str(), id)
}

/// For a secret that names the tenant its policies belong to (`policy_tenant_id`).
pub fn find_in(db: &mut impl Database, tenant_id: &str, id: &str) -> StoreResult<Option<SecretPolicyRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM secret_policy WHERE tenant_id = $1 AND id = $2"),
        params![tenant_id, id],
        read,
    )
}
