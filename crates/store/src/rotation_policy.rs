//! Rotation policies: schedules and behaviour, by tenant.

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::rotation_state;
use crate::secret::{self, SecretRecord};
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};

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

/// A policy as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicyListed {
    pub record: RotationPolicyRecord,
    /// Attached secrets; those in the trash rest and are not counted.
    pub secrets_count: i64,
}

/// A secret that a policy serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentRecord {
    /// The tenant's id, or the partner's for a shared secret.
    pub namespace: String,
    pub path: String,
    pub assigned_at: Timestamp,
    pub assigned_by: String,
    pub last_rotated_at: Option<Timestamp>,
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

/// The id of the policy that has a name already.
pub fn id_of_name(db: &mut impl Database, scope: &TenantScope, name: &str) -> StoreResult<Option<String>> {
    db.first(
        "SELECT id FROM rotation_policy WHERE tenant_id = $1 AND name = $2",
        params![scope.tenant().as_str(), name],
        |row| row.text(0),
    )
}

/// The policies behind the one named `after`, by name.
pub fn list(
    db: &mut impl Database,
    scope: &TenantScope,
    active_only: bool,
    after: Option<&str>,
    limit: i64,
) -> StoreResult<Vec<RotationPolicyListed>> {
    db.all(
        &format!(
            "SELECT {COLUMNS}, (SELECT COUNT(*) FROM secret s
               WHERE s.policy_tenant_id = p.tenant_id AND s.rotation_policy_id = p.id AND s.deleted_at IS NULL)
             FROM rotation_policy p WHERE p.tenant_id = $1 AND p.is_active >= $2 AND p.name > $3 ORDER BY p.name LIMIT $4"
        ),
        params![scope.tenant().as_str(), active_only, after.unwrap_or(""), limit],
        |row| Ok(RotationPolicyListed { record: read(row)?, secrets_count: row.int(12)? }),
    )
}

/// How many secrets are attached, those in the trash left out.
pub fn count_secrets(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<i64> {
    db.number(
        "SELECT COUNT(*) FROM secret WHERE policy_tenant_id = $1 AND rotation_policy_id = $2 AND deleted_at IS NULL",
        params![scope.tenant().as_str(), id],
    )
}

pub fn insert(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &RotationPolicyRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!(
            "INSERT INTO rotation_policy (tenant_id, {COLUMNS})
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        ),
        params![
            scope.tenant().as_str(),
            &record.id,
            &record.name,
            &record.description,
            &record.interval,
            &record.grace_period,
            &record.warn_before,
            record.auto_generate,
            &record.secret_policy_id,
            &json_text(&record.webhook_ids)?,
            record.is_active,
            record.created_at,
            record.updated_at
        ],
    )?;
    Ok(())
}

/// Writes back what can change.
pub fn update(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &RotationPolicyRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE rotation_policy SET name = $3, description = $4, interval_text = $5, grace_text = $6, warn_before = $7,
           auto_generate = $8, secret_policy_id = $9, webhook_ids = $10, is_active = $11, updated_at = $12
         WHERE tenant_id = $1 AND id = $2",
        params![
            scope.tenant().as_str(),
            &record.id,
            &record.name,
            &record.description,
            &record.interval,
            &record.grace_period,
            &record.warn_before,
            record.auto_generate,
            &record.secret_policy_id,
            &json_text(&record.webhook_ids)?,
            record.is_active,
            record.updated_at
        ],
    )?;
    Ok(())
}

/// Removes a policy with its history; its secrets, also those in the trash, have none afterwards. Jobs that were planned for them find
/// nothing to do.
pub fn delete(tx: &mut WriteTx<'_>, scope: &TenantScope, id: &str) -> StoreResult<()> {
    let tenant_id = scope.tenant().as_str();
    rotation_state::delete_of_policy(tx, tenant_id, id)?;
    tx.connection()?.execute(
        "UPDATE secret SET rotation_policy_id = NULL, rotation_assigned_at = NULL, rotation_assigned_by = NULL
         WHERE policy_tenant_id = $1 AND rotation_policy_id = $2",
        params![tenant_id, id],
    )?;
    tx.connection()?.execute("DELETE FROM rotation_policy WHERE tenant_id = $1 AND id = $2", params![tenant_id, id])?;
    tx.changed(Change::AllSecrets);
    Ok(())
}

const ASSIGNMENT: &str =
    "SELECT namespace, path, rotation_assigned_at, rotation_assigned_by, last_rotated_at FROM secret
     WHERE policy_tenant_id = $1 AND rotation_policy_id = $2 AND deleted_at IS NULL";

fn read_assignment(row: &dyn Row) -> StoreResult<AssignmentRecord> {
    Ok(AssignmentRecord {
        namespace: row.text(0)?,
        path: row.text(1)?,
        assigned_at: row.time(2)?,
        assigned_by: row.text(3)?,
        last_rotated_at: row.opt_time(4)?,
    })
}

/// The secrets of a policy by path. `after` is path and namespace of the last one shown: a shared secret may have the path of
/// one of the tenant's own.
pub fn assignments(
    db: &mut impl Database,
    scope: &TenantScope,
    id: &str,
    after: Option<(&str, &str)>,
    limit: i64,
) -> StoreResult<Vec<AssignmentRecord>> {
    let (path, namespace) = after.unwrap_or(("", ""));
    db.all(
        &format!("{ASSIGNMENT} AND (path > $3 OR (path = $3 AND namespace > $4)) ORDER BY path, namespace LIMIT $5"),
        params![scope.tenant().as_str(), id, path, namespace, limit],
        read_assignment,
    )
}

/// Secrets as `secret::read` takes them, and behind that their namespace.
fn attached_where(more: &str) -> String {
    format!(
        "SELECT {}, namespace FROM secret
         WHERE policy_tenant_id = $1 AND rotation_policy_id = $2 AND deleted_at IS NULL AND {more}",
        secret::COLUMNS
    )
}

fn read_attached(row: &dyn Row) -> StoreResult<(String, SecretRecord)> {
    Ok((row.text(secret::COLUMNS.split(',').count())?, secret::read(row)?))
}

/// The attached secrets behind the one at `after` (path and namespace), by path, each with its namespace.
pub fn attached(
    db: &mut impl Database,
    scope: &TenantScope,
    id: &str,
    after: (&str, &str),
    limit: i64,
) -> StoreResult<Vec<(String, SecretRecord)>> {
    db.all(
        &attached_where("(path > $3 OR (path = $3 AND namespace > $4)) ORDER BY path, namespace LIMIT $5"),
        params![scope.tenant().as_str(), id, after.0, after.1, limit],
        read_attached,
    )
}

/// The secrets at one path that a policy serves, each with its namespace: the tenant's own, the partner's, or both.
pub fn attached_at(
    db: &mut impl Database,
    scope: &TenantScope,
    id: &str,
    path: &str,
) -> StoreResult<Vec<(String, SecretRecord)>> {
    db.all(&attached_where("path = $3"), params![scope.tenant().as_str(), id, path], read_attached)
}

/// Takes the policy off one secret, if it is that secret's; answers the secret's id if it was.
pub fn detach(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    id: &str,
    namespace: &str,
    path: &str,
) -> StoreResult<Option<String>> {
    let detached = tx.first(
        "UPDATE secret SET rotation_policy_id = NULL, rotation_assigned_at = NULL, rotation_assigned_by = NULL
         WHERE policy_tenant_id = $1 AND rotation_policy_id = $2 AND namespace = $3 AND path = $4 AND deleted_at IS NULL
         RETURNING id",
        params![scope.tenant().as_str(), id, namespace, path],
        |row| row.text(0),
    )?;
    if detached.is_some() {
        tx.changed(Change::Secret { namespace: namespace.to_owned(), path: path.to_owned() });
    }
    Ok(detached)
}
