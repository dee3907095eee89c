//! Where deliveries go: what a webhook and a subscription that is delivered by webhook have in common.

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;
use scaivault_domain::webhook::Health;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryTarget {
    /// Of the webhook or subscription.
    pub id: String,
    pub url: String,
    /// Sealed under the tenant's key.
    pub secret: Vec<u8>,
    /// Signs too, until its end.
    pub previous: Option<PreviousSecret>,
    /// While this is false its deliveries rest.
    pub enabled: bool,
    pub health: Health,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Sealed under the tenant's key.
    pub secret: Vec<u8>,
    pub ends_at: Timestamp,
}

impl DeliveryTarget {
    /// Whether deliveries go to the same place with the same signatures; how they went so far plays no part.
    pub fn sends_like(&self, other: &Self) -> bool {
        (&self.url, &self.secret, &self.previous, self.enabled)
            == (&other.url, &other.secret, &other.previous, other.enabled)
    }
}

/// Of table `t`.
pub(crate) const COLUMNS: &str =
    "t.id, t.url, t.secret, t.previous_secret, t.previous_secret_ends_at, t.enabled, t.recent, t.failing_since";
/// How many those are.
pub(crate) const WIDTH: usize = 8;

/// Reads [`COLUMNS`] that begin at `from`.
pub(crate) fn read(row: &dyn Row, from: usize) -> StoreResult<DeliveryTarget> {
    let previous = row.opt_blob(from + 3)?.zip(row.opt_time(from + 4)?);
    Ok(DeliveryTarget {
        id: row.text(from)?,
        url: row.text(from + 1)?,
        secret: row.blob(from + 2)?,
        previous: previous.map(|(secret, ends_at)| PreviousSecret { secret, ends_at }),
        enabled: row.flag(from + 5)?,
        health: Health { recent: row.int(from + 6)?, failing_since: row.opt_time(from + 7)? },
    })
}

pub fn find(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<Option<DeliveryTarget>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM delivery_target t WHERE t.tenant_id = $1 AND t.id = $2"),
        params![scope.tenant().as_str(), id],
        |row| read(row, 0),
    )
}

pub fn insert(tx: &mut WriteTx<'_>, scope: &TenantScope, target: &DeliveryTarget) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO delivery_target (tenant_id, id, url, secret, previous_secret, previous_secret_ends_at, enabled, recent,
           failing_since)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            scope.tenant().as_str(),
            &target.id,
            &target.url,
            &target.secret,
            target.previous.as_ref().map(|previous| &previous.secret),
            target.previous.as_ref().map(|previous| previous.ends_at),
            target.enabled,
            target.health.recent,
            target.health.failing_since,
        ],
    )?;
    tx.changed(Change::Listeners);
    Ok(())
}

/// Writes back what can change.
pub fn update(tx: &mut WriteTx<'_>, scope: &TenantScope, target: &DeliveryTarget) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE delivery_target SET url = $3, secret = $4, previous_secret = $5, previous_secret_ends_at = $6, enabled = $7,
           recent = $8, failing_since = $9
         WHERE tenant_id = $1 AND id = $2",
        params![
            scope.tenant().as_str(),
            &target.id,
            &target.url,
            &target.secret,
            target.previous.as_ref().map(|previous| &previous.secret),
            target.previous.as_ref().map(|previous| previous.ends_at),
            target.enabled,
            target.health.recent,
            target.health.failing_since,
        ],
    )?;
    tx.changed(Change::Listeners);
    Ok(())
}

/// Notes how the newest attempt went.
pub fn set_health(tx: &mut WriteTx<'_>, scope: &TenantScope, id: &str, health: Health) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE delivery_target SET recent = $3, failing_since = $4 WHERE tenant_id = $1 AND id = $2",
        params![scope.tenant().as_str(), id, health.recent, health.failing_since],
    )?;
    Ok(())
}

/// Destroys the previous secret if its time is over by `now`. Answers when it ends otherwise; `None` when there is none (any more).
pub fn end_previous(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    id: &str,
    now: Timestamp,
) -> StoreResult<Option<Timestamp>> {
    let touched = tx.connection()?.execute(
        "UPDATE delivery_target SET previous_secret = NULL, previous_secret_ends_at = NULL
         WHERE tenant_id = $1 AND id = $2 AND previous_secret_ends_at <= $3",
        params![scope.tenant().as_str(), id, now],
    )?;
    if touched > 0 {
        tx.changed(Change::Erased);
        return Ok(None);
    }
    Ok(find(tx, scope, id)?.and_then(|target| target.previous).map(|previous| previous.ends_at))
}

/// Removes a target and every delivery to it.
pub fn delete(tx: &mut WriteTx<'_>, scope: &TenantScope, id: &str) -> StoreResult<()> {
    remove(tx, scope.tenant().as_str(), id)
}

/// As [`delete`], for what ends with its owner.
pub(crate) fn remove(tx: &mut WriteTx<'_>, tenant_id: &str, id: &str) -> StoreResult<()> {
    let keys = params![tenant_id, id];
    tx.connection()?.execute("DELETE FROM webhook_delivery WHERE tenant_id = $1 AND target_id = $2", keys)?;
    let touched = tx.connection()?.execute("DELETE FROM delivery_target WHERE tenant_id = $1 AND id = $2", keys)?;
    if touched > 0 {
        tx.changed(Change::Listeners);
        tx.changed(Change::Erased);
    }
    Ok(())
}

/// Removes a tenant's webhooks, targets and deliveries with the tenant.
pub fn delete_all(tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<()> {
    for table in ["webhook_delivery", "webhook", "delivery_target"] {
        tx.connection()?.execute(&format!("DELETE FROM {table} WHERE tenant_id = $1"), params![tenant_id])?;
    }
    tx.changed(Change::Listeners);
    Ok(())
}
