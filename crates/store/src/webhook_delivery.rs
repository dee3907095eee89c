//! Events on their way to webhooks, and how it went. Kept for thirty days.

use scaivault_domain::access::TenantScope;
use scaivault_domain::id::DeliveryId;
use scaivault_domain::time::Timestamp;
use scaivault_domain::webhook::DeliveryStatus;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Row, params};
use crate::tx::WriteTx;

/// One event for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    pub id: String,
    pub target_id: String,
    pub event_id: String,
    pub event_type: String,
    /// First attempts of one path are made in the order of the events.
    pub path: Option<String>,
    /// The envelope as it is sent.
    pub body: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    pub delivery: NewDelivery,
    pub status: DeliveryStatus,
    pub attempts: i64,
    pub last: Option<AttemptRecord>,
    /// While it is pending.
    pub next_attempt_at: Option<Timestamp>,
}

/// How the newest attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// `None` without an answer.
    pub response_code: Option<i64>,
    pub duration_ms: i64,
    /// `None` for a success.
    pub error: Option<String>,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Success,
    Failed,
    Again(Timestamp),
}

/// The deliveries of a day, in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub deliveries: i64,
    pub succeeded: i64,
    pub failed: i64,
    /// Of newest attempts, summed.
    pub duration_ms: i64,
    /// How many of them have a duration.
    pub attempted: i64,
}

const COLUMNS: &str = "id, target_id, event_id, event_type, path, body, created_at, status, attempts, response_code, duration_ms, \
     error, next_attempt_at";

fn read(row: &dyn Row) -> StoreResult<DeliveryRecord> {
    let status = DeliveryStatus::parse(&row.text(7)?).ok_or_else(|| StoreError::corrupt("a delivery's status"))?;
    let last = row.opt_int(10)?.map(|duration_ms| {
        Ok::<_, StoreError>(AttemptRecord { response_code: row.opt_int(9)?, duration_ms, error: row.opt_text(11)? })
    });
    Ok(DeliveryRecord {
        delivery: NewDelivery {
            id: row.text(0)?,
            target_id: row.text(1)?,
            event_id: row.text(2)?,
            event_type: row.text(3)?,
            path: row.opt_text(4)?,
            body: row.text(5)?,
            created_at: row.time(6)?,
        },
        status,
        attempts: row.int(8)?,
        last: last.transpose()?,
        next_attempt_at: row.opt_time(12)?,
    })
}

/// A delivery whose first attempt is due.
pub fn insert(tx: &mut WriteTx<'_>, tenant_id: &str, delivery: &NewDelivery) -> StoreResult<()> {
    write(tx, tenant_id, delivery, None, delivery.created_at)
}

/// A delivery that was made at once and is over.
pub fn insert_finished(
    tx: &mut WriteTx<'_>,
    tenant_id: &str,
    delivery: &NewDelivery,
    attempt: &AttemptRecord,
    now: Timestamp,
) -> StoreResult<()> {
    write(tx, tenant_id, delivery, Some(attempt), now)
}

fn write(
    tx: &mut WriteTx<'_>,
    tenant_id: &str,
    delivery: &NewDelivery,
    attempt: Option<&AttemptRecord>,
    now: Timestamp,
) -> StoreResult<()> {
    let status = match attempt {
        None => DeliveryStatus::Pending,
        Some(AttemptRecord { error: None, .. }) => DeliveryStatus::Success,
        Some(_) => DeliveryStatus::Failed,
    };
    let next_attempt_at = attempt.is_none().then_some(now);
    let finished_at = attempt.map(|_| now);
    let (response_code, duration_ms) = match attempt {
        Some(attempt) => (attempt.response_code, Some(attempt.duration_ms)),
        None => (None, None),
    };
    let error = attempt.and_then(|attempt| attempt.error.clone());
    tx.connection()?.execute(
        &format!(
            "INSERT INTO webhook_delivery (tenant_id, {COLUMNS}, planned_at, finished_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
        ),
        params![
            tenant_id,
            &delivery.id,
            &delivery.target_id,
            &delivery.event_id,
            &delivery.event_type,
            &delivery.path,
            &delivery.body,
            delivery.created_at,
            status.as_str(),
            i64::from(attempt.is_some()),
            response_code,
            duration_ms,
            &error,
            next_attempt_at,
            now,
            finished_at,
        ],
    )?;
    Ok(())
}

pub fn find(
    db: &mut impl Database,
    scope: &TenantScope,
    target_id: &str,
    id: &str,
) -> StoreResult<Option<DeliveryRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM webhook_delivery WHERE tenant_id = $1 AND target_id = $2 AND id = $3"),
        params![scope.tenant().as_str(), target_id, id],
        read,
    )
}

/// The deliveries to a target before the one with the id `before`, newest first.
pub fn list(
    db: &mut impl Database,
    scope: &TenantScope,
    target_id: &str,
    status: Option<DeliveryStatus>,
    before: Option<&str>,
    limit: i64,
) -> StoreResult<Vec<DeliveryRecord>> {
    let status = status.map(DeliveryStatus::as_str);
    // Greater than every id of ours.
    let before = before.unwrap_or("del_~");
    let tenant_id = scope.tenant().as_str();
    match status {
        None => db.all(
            &format!(
                "SELECT {COLUMNS} FROM webhook_delivery WHERE tenant_id = $1 AND target_id = $2 AND id < $3
                 ORDER BY id DESC LIMIT $4"
            ),
            params![tenant_id, target_id, before, limit],
            read,
        ),
        Some(status) => db.all(
            &format!(
                "SELECT {COLUMNS} FROM webhook_delivery WHERE tenant_id = $1 AND target_id = $2 AND id < $3 AND status = $5
                 ORDER BY id DESC LIMIT $4"
            ),
            params![tenant_id, target_id, before, limit, status],
            read,
        ),
    }
}

/// What is to be attempted by now, the longest due first and then in the order of the events.
pub fn due(
    db: &mut impl Database,
    scope: &TenantScope,
    target_id: &str,
    now: Timestamp,
    limit: i64,
) -> StoreResult<Vec<DeliveryRecord>> {
    db.all(
        &format!(
            "SELECT {COLUMNS} FROM webhook_delivery
             WHERE tenant_id = $1 AND target_id = $2 AND status = 'pending' AND next_attempt_at <= $3
             ORDER BY next_attempt_at, event_id LIMIT $4"
        ),
        params![scope.tenant().as_str(), target_id, now, limit],
        read,
    )
}

/// When the next attempt is due, and when that was said.
pub fn next(
    db: &mut impl Database,
    scope: &TenantScope,
    target_id: &str,
) -> StoreResult<Option<(Timestamp, Timestamp)>> {
    db.first(
        "SELECT next_attempt_at, planned_at FROM webhook_delivery
         WHERE tenant_id = $1 AND target_id = $2 AND status = 'pending' ORDER BY next_attempt_at LIMIT 1",
        params![scope.tenant().as_str(), target_id],
        |row| Ok((row.time(0)?, row.time(1)?)),
    )
}

/// Makes due what was planned at a time that is still to come: the clock was wrong then.
pub fn recall(tx: &mut WriteTx<'_>, scope: &TenantScope, target_id: &str, now: Timestamp) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE webhook_delivery SET next_attempt_at = $3, planned_at = $3
         WHERE tenant_id = $1 AND target_id = $2 AND status = 'pending' AND planned_at > $3",
        params![scope.tenant().as_str(), target_id, now],
    )?;
    Ok(())
}

/// Writes down an attempt on a delivery as it was found. `false` when somebody else made that attempt, or the delivery is no more.
pub fn attempted(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    found: &DeliveryRecord,
    attempt: &AttemptRecord,
    fate: Fate,
    now: Timestamp,
) -> StoreResult<bool> {
    let (status, next_attempt_at) = match fate {
        Fate::Success => (DeliveryStatus::Success, None),
        Fate::Failed => (DeliveryStatus::Failed, None),
        Fate::Again(at) => (DeliveryStatus::Pending, Some(at)),
    };
    let finished_at = next_attempt_at.is_none().then_some(now);
    let touched = tx.connection()?.execute(
        "UPDATE webhook_delivery SET status = $5, attempts = attempts + 1, response_code = $6, duration_ms = $7, error = $8,
           next_attempt_at = $9, planned_at = $10, finished_at = $11
         WHERE tenant_id = $1 AND target_id = $2 AND id = $3 AND attempts = $4 AND status = 'pending'",
        params![
            scope.tenant().as_str(),
            &found.delivery.target_id,
            &found.delivery.id,
            found.attempts,
            status.as_str(),
            attempt.response_code,
            attempt.duration_ms,
            &attempt.error,
            next_attempt_at,
            now,
            finished_at,
        ],
    )?;
    Ok(touched > 0)
}

/// Removes a delivery that is still to be made.
pub fn withdraw(tx: &mut WriteTx<'_>, scope: &TenantScope, target_id: &str, id: &str) -> StoreResult<()> {
    tx.connection()?.execute(
        "DELETE FROM webhook_delivery WHERE tenant_id = $1 AND target_id = $2 AND id = $3 AND status = 'pending'",
        params![scope.tenant().as_str(), target_id, id],
    )?;
    Ok(())
}

/// What was delivered to a target since a time.
pub fn figures(db: &mut impl Database, scope: &TenantScope, target_id: &str, since: Timestamp) -> StoreResult<Figures> {
    // Ids begin with their time, so the key itself tells what is younger.
    let first = DeliveryId::from_ulid(scaivault_domain::id::ulid(since, [0; 10]));
    let found = db.first(
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN status = 'success' THEN 1 ELSE 0 END), 0),
           COALESCE(SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END), 0), CAST(COALESCE(SUM(duration_ms), 0) AS BIGINT), COUNT(duration_ms)
         FROM webhook_delivery WHERE tenant_id = $1 AND target_id = $2 AND id >= $3",
        params![scope.tenant().as_str(), target_id, first.as_str()],
        |row| {
            Ok(Figures {
                deliveries: row.int(0)?,
                succeeded: row.int(1)?,
                failed: row.int(2)?,
                duration_ms: row.int(3)?,
                attempted: row.int(4)?,
            })
        },
    )?;
    Ok(found.unwrap_or_default())
}

/// Deliveries that wait for an attempt, in all tenants. Those to targets that are switched off rest and do not count.
pub fn count_waiting(db: &mut impl Database) -> StoreResult<i64> {
    db.number(
        "SELECT COUNT(*) FROM webhook_delivery d JOIN delivery_target t ON t.tenant_id = d.tenant_id AND t.id = d.target_id
         WHERE d.status = 'pending' AND t.enabled = 1",
        params![],
    )
}

/// Drops a batch of what was made before a time and is over, or rests with its target. Answers how many.
pub fn drop_old(tx: &mut WriteTx<'_>, before: Timestamp, limit: i64) -> StoreResult<u64> {
    tx.connection()?.execute(
        "DELETE FROM webhook_delivery WHERE (tenant_id, target_id, id) IN (
           SELECT d.tenant_id, d.target_id, d.id FROM webhook_delivery d
           LEFT JOIN delivery_target t ON t.tenant_id = d.tenant_id AND t.id = d.target_id
           WHERE d.created_at < $1 AND (d.status <> 'pending' OR COALESCE(t.enabled, 0) = 0) LIMIT $2)",
        params![before, limit],
    )
}
