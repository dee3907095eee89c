//! What became of rotations, by policy.

use scaivault_domain::access::TenantScope;
use scaivault_domain::id::{RotationHistoryId, Ulid};
use scaivault_domain::rotation::{Fate, Trigger};
use scaivault_domain::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Param, Row, params};
use crate::tx::WriteTx;

/// A rotation that happened, failed or is waited for, without the id that the history gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHistoryItem {
    pub policy_tenant_id: String,
    pub policy_id: String,
    pub secret_id: String,
    pub path: String,
    pub fate: Fate,
    pub trigger: Trigger,
    pub old_version: i64,
    pub new_version: Option<i64>,
    pub started_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    /// Code and message, as the API would say it.
    pub error: Option<(String, String)>,
}

/// An item as the history shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryItem {
    pub id: String,
    pub policy_id: String,
    pub path: String,
    pub status: String,
    pub trigger: String,
    pub old_version: Option<i64>,
    pub new_version: Option<i64>,
    pub started_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    pub error: Option<(String, String)>,
}

/// What a secret that was detached, or deleted for good, leaves of a rotation that was waited for.
const WITHDRAWN: (&str, &str) = ("invalid_state", "The secret left the policy before a new value came");

const COLUMNS: &str =
    "id, policy_id, path, status, cause, old_version, new_version, started_at, completed_at, error_code, error_message";

fn read(row: &dyn Row) -> StoreResult<HistoryItem> {
    Ok(HistoryItem {
        id: row.text(0)?,
        policy_id: row.text(1)?,
        path: row.text(2)?,
        status: row.text(3)?,
        trigger: row.text(4)?,
        old_version: row.opt_int(5)?,
        new_version: row.opt_int(6)?,
        started_at: row.time(7)?,
        completed_at: row.opt_time(8)?,
        error: row.opt_text(9)?.zip(row.opt_text(10)?),
    })
}

/// Writes an item behind all others of its policy and answers its id: `fresh`, or the successor of the last one where the clock stood
/// still or was set back.
pub fn append(tx: &mut WriteTx<'_>, item: &NewHistoryItem, fresh: Ulid) -> StoreResult<String> {
    let newest =
        "SELECT id FROM rotation_history WHERE policy_tenant_id = $1 AND policy_id = $2 ORDER BY id DESC LIMIT 1";
    let last = tx.first(newest, params![&item.policy_tenant_id, &item.policy_id], |row| row.text(0))?;
    let id = match last.as_deref() {
        Some(last) => RotationHistoryId::from_ulid(fresh.max(successor(last)?)),
        None => RotationHistoryId::from_ulid(fresh),
    };
    tx.connection()?.execute(
        &format!(
            "INSERT INTO rotation_history (policy_tenant_id, secret_id, {COLUMNS})
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        ),
        params![
            &item.policy_tenant_id,
            &item.secret_id,
            id.as_str(),
            &item.policy_id,
            &item.path,
            item.fate.as_str(),
            item.trigger.as_str(),
            item.old_version,
            item.new_version,
            item.started_at,
            item.completed_at,
            item.error.as_ref().map(|(code, _)| code.as_str()),
            item.error.as_ref().map(|(_, message)| message.as_str()),
        ],
    )?;
    Ok(id.as_str().to_owned())
}

fn successor(last: &str) -> StoreResult<Ulid> {
    let corrupt = || StoreError::corrupt("an id of the rotation history can't be read");
    let text = last.strip_prefix(RotationHistoryId::PREFIX).ok_or_else(corrupt)?;
    Ulid::from_string(text).ok().and_then(|ulid| ulid.0.checked_add(1)).map(Ulid).ok_or_else(corrupt)
}

/// Turns the rotation that is waited for into the one that happened. `None` when none is waited for.
pub fn complete_pending(tx: &mut WriteTx<'_>, done: &NewHistoryItem) -> StoreResult<Option<String>> {
    tx.first(
        "UPDATE rotation_history SET status = $4, cause = $5, path = $6, old_version = $7, new_version = $8, completed_at = $9
         WHERE policy_tenant_id = $1 AND policy_id = $2 AND secret_id = $3 AND status = 'pending' RETURNING id",
        params![
            &done.policy_tenant_id,
            &done.policy_id,
            &done.secret_id,
            done.fate.as_str(),
            done.trigger.as_str(),
            &done.path,
            done.old_version,
            done.new_version,
            done.completed_at,
        ],
        |row| row.text(0),
    )
}

pub fn find(db: &mut impl Database, tenant_id: &str, policy_id: &str, id: &str) -> StoreResult<Option<HistoryItem>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM rotation_history WHERE policy_tenant_id = $1 AND policy_id = $2 AND id = $3"),
        params![tenant_id, policy_id, id],
        read,
    )
}

pub fn is_pending(db: &mut impl Database, secret_id: &str) -> StoreResult<bool> {
    let pending = "SELECT COUNT(*) FROM rotation_history WHERE secret_id = $1 AND status = 'pending'";
    Ok(db.number(pending, params![secret_id])? > 0)
}

/// What is waited for will not come.
pub(crate) fn withdraw(tx: &mut WriteTx<'_>, secret_id: &str, now: Option<Timestamp>) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE rotation_history SET status = 'failed', completed_at = $2, error_code = $3, error_message = $4
         WHERE secret_id = $1 AND status = 'pending'",
        params![secret_id, now, WITHDRAWN.0, WITHDRAWN.1],
    )?;
    Ok(())
}

/// The items of a policy in front of the one named `before`, newest first.
pub fn list(
    db: &mut impl Database,
    scope: &TenantScope,
    policy_id: &str,
    fate: Option<Fate>,
    before: Option<&str>,
    limit: i64,
) -> StoreResult<Vec<HistoryItem>> {
    let of_fate = if fate.is_some() { "AND status = $5" } else { "" };
    // Behind every id there is: `rh_` and 26 capitals.
    let before = before.unwrap_or("rh_~");
    let mut values =
        vec![Param::from(scope.tenant().as_str()), Param::from(policy_id), Param::from(before), Param::from(limit)];
    values.extend(fate.map(|fate| Param::from(fate.as_str())));
    db.all(
        &format!(
            "SELECT {COLUMNS} FROM rotation_history WHERE policy_tenant_id = $1 AND policy_id = $2 AND id < $3 {of_fate}
             ORDER BY id DESC LIMIT $4"
        ),
        &values,
        read,
    )
}

/// Drops a batch of what began before `before` and is over; answers how many.
pub fn drop_old(tx: &mut WriteTx<'_>, before: Timestamp, limit: i64) -> StoreResult<u64> {
    tx.connection()?.execute(
        "DELETE FROM rotation_history WHERE (policy_tenant_id, policy_id, id) IN (
           SELECT policy_tenant_id, policy_id, id FROM rotation_history
           WHERE started_at < $1 AND status <> 'pending' ORDER BY started_at LIMIT $2)",
        params![before, limit],
    )
}
