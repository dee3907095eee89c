//! Where secrets stand in their rotation cycle, and which are due.

use scaivault_domain::access::TenantScope;
use scaivault_domain::rotation::Progress;
use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::rotation_history;
use crate::sql::{Database, Param, Row, params};
use crate::tx::WriteTx;

/// The state of one secret under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationState {
    pub secret_id: String,
    pub policy_tenant_id: String,
    pub policy_id: String,
    pub overdue_at: Timestamp,
    pub progress: Progress,
}

/// A secret whose rotation is due by some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRecord {
    pub namespace: String,
    pub path: String,
    pub policy_id: String,
    pub due_at: Timestamp,
    pub overdue_at: Timestamp,
    pub last_rotated_at: Option<Timestamp>,
}

/// Which secrets [`due`] is asked for.
#[derive(Debug, Clone, Copy)]
pub struct DueFilter<'a> {
    pub policy_id: Option<&'a str>,
    /// Due at this time or before.
    pub until: Timestamp,
    /// Those whose grace is over by this time are left out; `None` takes them in.
    pub not_overdue_at: Option<Timestamp>,
}

fn read(row: &dyn Row) -> StoreResult<RotationState> {
    Ok(RotationState {
        secret_id: row.text(0)?,
        policy_tenant_id: row.text(1)?,
        policy_id: row.text(2)?,
        overdue_at: row.time(3)?,
        progress: Progress {
            due_at: row.time(4)?,
            warned: row.opt_int(5)?,
            due_told: row.flag(6)?,
            overdue_told: row.flag(7)?,
            failures: row.int(8)?,
            next_attempt_at: row.opt_time(9)?,
        },
    })
}

pub fn find(db: &mut impl Database, secret_id: &str) -> StoreResult<Option<RotationState>> {
    db.first(
        "SELECT secret_id, policy_tenant_id, policy_id, overdue_at, due_at, warned_seconds, due_told, overdue_told, failures,
           next_attempt_at
         FROM rotation_state WHERE secret_id = $1",
        params![secret_id],
        read,
    )
}

/// Writes how a secret stands whose schedule goes on.
pub fn save(tx: &mut WriteTx<'_>, state: &RotationState) -> StoreResult<()> {
    let progress = &state.progress;
    tx.connection()?.execute(
        "INSERT INTO rotation_state (secret_id, policy_tenant_id, policy_id, overdue_at, due_at, rests, warned_seconds, due_told,
           overdue_told, failures, next_attempt_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10)
         ON CONFLICT (secret_id) DO UPDATE SET policy_tenant_id = excluded.policy_tenant_id, policy_id = excluded.policy_id,
           overdue_at = excluded.overdue_at, due_at = excluded.due_at, rests = 0, warned_seconds = excluded.warned_seconds,
           due_told = excluded.due_told, overdue_told = excluded.overdue_told, failures = excluded.failures,
           next_attempt_at = excluded.next_attempt_at",
        params![
            &state.secret_id,
            &state.policy_tenant_id,
            &state.policy_id,
            state.overdue_at,
            progress.due_at,
            progress.warned,
            progress.due_told,
            progress.overdue_told,
            progress.failures,
            progress.next_attempt_at,
        ],
    )?;
    Ok(())
}

/// The schedule of a secret stands still; what was done in the cycle is remembered.
pub fn rest(tx: &mut WriteTx<'_>, secret_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("UPDATE rotation_state SET rests = 1 WHERE secret_id = $1", params![secret_id])?;
    Ok(())
}

/// The secret is under no policy any more, or gone: a value that is still waited for will not come.
pub fn forget(tx: &mut WriteTx<'_>, secret_id: &str, withdrawn_at: Option<Timestamp>) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM rotation_state WHERE secret_id = $1", params![secret_id])?;
    rotation_history::withdraw(tx, secret_id, withdrawn_at)
}

/// Removes what hangs on a policy with the policy.
pub(crate) fn delete_of_policy(tx: &mut WriteTx<'_>, tenant_id: &str, policy_id: &str) -> StoreResult<()> {
    for table in ["rotation_state", "rotation_replan", "rotation_history"] {
        // Another policy may get its id.
        tx.connection()?.execute(
            &format!("DELETE FROM {table} WHERE policy_tenant_id = $1 AND policy_id = $2"),
            params![tenant_id, policy_id],
        )?;
    }
    Ok(())
}

/// Removes a tenant's with the tenant.
pub fn delete_all(tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<()> {
    for table in ["rotation_state", "rotation_replan", "rotation_history"] {
        tx.connection()?.execute(&format!("DELETE FROM {table} WHERE policy_tenant_id = $1"), params![tenant_id])?;
    }
    Ok(())
}

fn due_query(of_one_policy: bool) -> String {
    // Said so that the index of one policy is taken, and not the other one, which has its policy to look for.
    let which = if of_one_policy { "r.rests < 1 AND r.policy_id = $8" } else { "r.rests = 0" };
    format!(
        "SELECT s.namespace, s.path, r.policy_id, r.due_at, r.overdue_at, s.last_rotated_at
         FROM rotation_state r JOIN secret s ON s.id = r.secret_id
         WHERE r.policy_tenant_id = $1 AND {which} AND r.due_at <= $2 AND r.overdue_at > $3 AND r.due_at >= $4
           AND (r.due_at > $4 OR s.path > $5 OR (s.path = $5 AND s.namespace > $6))
         ORDER BY r.due_at, s.path, s.namespace LIMIT $7"
    )
}

/// Secrets that are due, the longest due first, then by path. `after` is time, path and namespace of the last one shown.
pub fn due(
    db: &mut impl Database,
    scope: &TenantScope,
    filter: &DueFilter<'_>,
    after: Option<(Timestamp, &str, &str)>,
    limit: i64,
) -> StoreResult<Vec<DueRecord>> {
    let (time, path, namespace) = after.unwrap_or((Timestamp::MIN, "", ""));
    let not_overdue_at = filter.not_overdue_at.unwrap_or(Timestamp::MIN);
    let mut values = vec![
        Param::from(scope.tenant().as_str()),
        Param::from(filter.until),
        Param::from(not_overdue_at),
        Param::from(time),
        Param::from(path),
        Param::from(namespace),
        Param::from(limit),
    ];
    values.extend(filter.policy_id.map(Param::from));
    db.all(&due_query(filter.policy_id.is_some()), &values, |row| {
        Ok(DueRecord {
            namespace: row.text(0)?,
            path: row.text(1)?,
            policy_id: row.text(2)?,
            due_at: row.time(3)?,
            overdue_at: row.time(4)?,
            last_rotated_at: row.opt_time(5)?,
        })
    })
}

/// How far the secrets of a changed policy were planned anew: path and namespace of the last one. `None`: it is done.
pub fn replanned_to(db: &mut impl Database, tenant_id: &str, policy_id: &str) -> StoreResult<Option<(String, String)>> {
    db.first(
        "SELECT path, namespace FROM rotation_replan WHERE policy_tenant_id = $1 AND policy_id = $2",
        params![tenant_id, policy_id],
        |row| Ok((row.text(0)?, row.text(1)?)),
    )
}

/// Notes how far it is, or with `None` that it is done.
pub fn set_replanned_to(
    tx: &mut WriteTx<'_>,
    tenant_id: &str,
    policy_id: &str,
    last: Option<(&str, &str)>,
) -> StoreResult<()> {
    match last {
        None => tx.connection()?.execute(
            "DELETE FROM rotation_replan WHERE policy_tenant_id = $1 AND policy_id = $2",
            params![tenant_id, policy_id],
        )?,
        Some((path, namespace)) => tx.connection()?.execute(
            "INSERT INTO rotation_replan (policy_tenant_id, policy_id, path, namespace) VALUES ($1, $2, $3, $4)
             ON CONFLICT (policy_tenant_id, policy_id) DO UPDATE SET path = excluded.path, namespace = excluded.namespace",
            params![tenant_id, policy_id, path, namespace],
        )?,
    };
    Ok(())
}

#[cfg(test)]
mod tests;
