//! Secret policies: recipes for new values, by tenant.

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};

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

/// The id of the policy that has a name already.
pub fn id_of_name(db: &mut impl Database, scope: &TenantScope, name: &str) -> StoreResult<Option<String>> {
    db.first(
        "SELECT id FROM secret_policy WHERE tenant_id = $1 AND name = $2",
        params![scope.tenant().as_str(), name],
        |row| row.text(0),
    )
}

/// The policies behind the one named `after`, by name.
pub fn list(
    db: &mut impl Database,
    scope: &TenantScope,
    include_inactive: bool,
    after: Option<&str>,
    limit: i64,
) -> StoreResult<Vec<SecretPolicyRecord>> {
    db.all(
        &format!(
            "SELECT {COLUMNS} FROM secret_policy
             WHERE tenant_id = $1 AND is_active >= $2 AND name > $3 ORDER BY name LIMIT $4"
        ),
        params![scope.tenant().as_str(), !include_inactive, after.unwrap_or(""), limit],
        read,
    )
}

pub fn insert(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &SecretPolicyRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO secret_policy (tenant_id, {COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
        params![
            scope.tenant().as_str(),
            &record.id,
            &record.name,
            &record.description,
            &record.policy_type,
            &json_text(&record.fields)?,
            record.is_active,
            record.created_at,
            record.updated_at
        ],
    )?;
    Ok(())
}

/// Writes back what can change.
pub fn update(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &SecretPolicyRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE secret_policy SET name = $3, description = $4, policy_type = $5, fields = $6, is_active = $7, updated_at = $8
         WHERE tenant_id = $1 AND id = $2",
        params![
            scope.tenant().as_str(),
            &record.id,
            &record.name,
            &record.description,
            &record.policy_type,
            &json_text(&record.fields)?,
            record.is_active,
            record.updated_at
        ],
    )?;
    Ok(())
}

/// How many secrets and rotation policies use a policy. Secrets in the trash count while they can come back: restoring promises
/// their policies.
pub fn count_uses(db: &mut impl Database, scope: &TenantScope, id: &str, now: Timestamp) -> StoreResult<i64> {
    let tenant_id = scope.tenant().as_str();
    let secrets = db.number(
        "SELECT COUNT(*) FROM secret
         WHERE policy_tenant_id = $1 AND secret_policy_id = $2 AND (deleted_at IS NULL OR recoverable_until > $3)",
        params![tenant_id, id, now],
    )?;
    let rotation_policies = db.number(
        "SELECT COUNT(*) FROM rotation_policy WHERE tenant_id = $1 AND secret_policy_id = $2",
        params![tenant_id, id],
    )?;
    Ok(secrets + rotation_policies)
}

/// Removes a policy; the secrets and rotation policies that used it have none afterwards.
pub fn delete(tx: &mut WriteTx<'_>, scope: &TenantScope, id: &str) -> StoreResult<()> {
    let tenant_id = scope.tenant().as_str();
    let connection = tx.connection()?;
    connection.execute(
        "UPDATE secret SET secret_policy_id = NULL WHERE policy_tenant_id = $1 AND secret_policy_id = $2",
        params![tenant_id, id],
    )?;
    connection.execute(
        "UPDATE rotation_policy SET secret_policy_id = NULL WHERE tenant_id = $1 AND secret_policy_id = $2",
        params![tenant_id, id],
    )?;
    connection.execute("DELETE FROM secret_policy WHERE tenant_id = $1 AND id = $2", params![tenant_id, id])?;
    tx.changed(Change::AllSecrets);
    Ok(())
}
