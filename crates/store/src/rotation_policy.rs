//! Rotation policies: schedules and behaviour, by tenant.

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicyRecord {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// Durations as they were given.
    pub interval: String,
    pub grace_period: String,
    /// Comma-separated, longest first; empty for none.
    pub warn_before: String,
    pub auto_generate: bool,
    pub secret_policy_id: Option<String>,
    pub webhook_ids: Vec<String>,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

pub(crate) const COLUMNS: &str = "id, name, description, interval_text, grace_text, warn_before, auto_generate, secret_policy_id, \
     webhook_ids, is_active, created_at, updated_at";

pub(crate) fn read(row: &dyn Row) -> StoreResult<RotationPolicyRecord> {
    Ok(RotationPolicyRecord {
        id: row.text(0)?,
        name: row.text(1)?,
        description: row.opt_text(2)?,
        interval: row.text(3)?,
        grace_period: row.text(4)?,
        warn_before: row.text(5)?,
        auto_generate: row.flag(6)?,
        secret_policy_id: row.opt_text(7)?,
        webhook_ids: row.json(8)?,
        is_active: row.flag(9)?,
        created_at: row.time(10)?,
        updated_at: row.time(11)?,
    })
}

pub fn find(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<Option<RotationPolicyRecord>> {
    find_in(db, scope.tenant().as_str(), id)
}

/// For a secret that names the tenant its policies belong to (`policy_tenant_id`).
pub fn find_in(db: &mut impl Database, tenant_id: &str, id: &str) -> StoreResult<Option<RotationPolicyRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM rotation_policy WHERE tenant_id = $1 AND id = $2"),
        params![tenant_id, id],
        read,
    )
}
