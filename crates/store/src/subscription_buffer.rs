//! What polling subscriptions have not acknowledged yet. The rows name events; how many there are is kept with the subscription, so
//! that nobody has to count them.

use scaivault_domain::access::TenantScope;

use crate::error::StoreResult;
use crate::event::{self, EventRecord};
use crate::sql::{Database, params};
use crate::tx::{Change, WriteTx};

/// A buffer and the room it has.
#[derive(Debug, Clone, Copy)]
pub struct Buffer<'a> {
    pub tenant_id: &'a str,
    pub subscription_id: &'a str,
    pub size: i64,
}

/// Puts events at the end; what no longer fits goes at the other. Events before `lapsed_before` go without being counted: their time
/// was over.
pub fn add(tx: &mut WriteTx<'_>, buffer: Buffer<'_>, event_ids: &[&str], lapsed_before: &str) -> StoreResult<()> {
    let room = usize::try_from(buffer.size).unwrap_or(usize::MAX);
    let (passed_over, kept) = event_ids.split_at(event_ids.len().saturating_sub(room));
    for event_id in kept {
        tx.connection()?.execute(
            "INSERT INTO subscription_buffer (tenant_id, subscription_id, event_id) VALUES ($1, $2, $3)",
            params![buffer.tenant_id, buffer.subscription_id, *event_id],
        )?;
    }
    count(tx, buffer, number(kept.len()), number(passed_over.len()))?;
    if let Some(newest) = passed_over.last() {
        begin_behind(tx, buffer, newest)?;
    }
    trim(tx, buffer, lapsed_before)?;
    tx.changed(Change::Buffered { subscription_id: buffer.subscription_id.to_owned() });
    Ok(())
}

/// Takes out the oldest until the rest fits.
pub fn trim(tx: &mut WriteTx<'_>, buffer: Buffer<'_>, lapsed_before: &str) -> StoreResult<()> {
    if excess(tx, buffer)? <= 0 {
        return Ok(());
    }
    drop_lapsed(tx, buffer.tenant_id, buffer.subscription_id, lapsed_before)?;
    let excess = excess(tx, buffer)?;
    if excess <= 0 {
        return Ok(());
    }
    let newest = tx.first(
        "SELECT event_id FROM subscription_buffer WHERE tenant_id = $1 AND subscription_id = $2 ORDER BY event_id
         LIMIT 1 OFFSET $3",
        params![buffer.tenant_id, buffer.subscription_id, excess.saturating_sub(1)],
        |row| row.text(0),
    )?;
    let keys = params![buffer.tenant_id, buffer.subscription_id];
    let all = "DELETE FROM subscription_buffer WHERE tenant_id = $1 AND subscription_id = $2";
    let gone = match &newest {
        Some(newest) => {
            begin_behind(tx, buffer, newest)?;
            let up_to = params![buffer.tenant_id, buffer.subscription_id, newest];
            tx.connection()?.execute(&format!("{all} AND event_id <= $3"), up_to)?
        }
        // More are counted than there are.
        None => tx.connection()?.execute(all, keys)?,
    };
    let gone = i64::try_from(gone).unwrap_or(i64::MAX);
    count(tx, buffer, gone.saturating_neg(), gone)
}

/// Notes the newest event that was pushed out: who wants to go on behind an earlier one missed something.
fn begin_behind(tx: &mut WriteTx<'_>, buffer: Buffer<'_>, event_id: &str) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE subscription SET start_id = $3 WHERE tenant_id = $1 AND id = $2 AND start_id < $3",
        params![buffer.tenant_id, buffer.subscription_id, event_id],
    )?;
    Ok(())
}

fn excess(tx: &mut WriteTx<'_>, buffer: Buffer<'_>) -> StoreResult<i64> {
    let buffered = tx.number(
        "SELECT buffered FROM subscription WHERE tenant_id = $1 AND id = $2",
        params![buffer.tenant_id, buffer.subscription_id],
    )?;
    Ok(buffered.saturating_sub(buffer.size))
}

fn count(tx: &mut WriteTx<'_>, buffer: Buffer<'_>, more_buffered: i64, more_dropped: i64) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE subscription SET buffered = buffered + $3, dropped = dropped + $4 WHERE tenant_id = $1 AND id = $2",
        params![buffer.tenant_id, buffer.subscription_id, more_buffered, more_dropped],
    )?;
    Ok(())
}

fn number(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The events that wait behind `after` (an id, or the empty text), oldest first; none from before `lapsed_before`.
pub fn after(
    db: &mut impl Database,
    scope: &TenantScope,
    subscription_id: &str,
    after: &str,
    lapsed_before: &str,
    limit: i64,
) -> StoreResult<Vec<EventRecord>> {
    db.all(
        &format!(
            "SELECT {} FROM (
               SELECT event_id FROM subscription_buffer
               WHERE tenant_id = $1 AND subscription_id = $2 AND event_id > $3 AND event_id >= $4) waiting
             JOIN event ON event.tenant_id = $1 AND event.id = waiting.event_id ORDER BY waiting.event_id LIMIT $5",
            event::COLUMNS
        ),
        params![scope.tenant().as_str(), subscription_id, after, lapsed_before, limit],
        event::read,
    )
}

/// Whether an event waits.
pub fn holds(db: &mut impl Database, scope: &TenantScope, subscription_id: &str, event_id: &str) -> StoreResult<bool> {
    let found = db.number(
        "SELECT COUNT(*) FROM subscription_buffer WHERE tenant_id = $1 AND subscription_id = $2 AND event_id = $3",
        params![scope.tenant().as_str(), subscription_id, event_id],
    )?;
    Ok(found > 0)
}

/// How many events were pushed out and not told of for good.
pub fn dropped(db: &mut impl Database, scope: &TenantScope, subscription_id: &str) -> StoreResult<i64> {
    db.number(
        "SELECT dropped FROM subscription WHERE tenant_id = $1 AND id = $2",
        params![scope.tenant().as_str(), subscription_id],
    )
}

/// Notes that an answer on its way names `dropped` events as pushed out. It may be lost: it is told again until something is
/// acknowledged.
pub fn told(tx: &mut WriteTx<'_>, tenant_id: &str, subscription_id: &str, dropped: i64) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE subscription SET dropped_told = $3 WHERE tenant_id = $1 AND id = $2 AND dropped >= $3",
        params![tenant_id, subscription_id, dropped],
    )?;
    Ok(())
}

/// Takes events out for good; answers how many there were. Whoever acknowledges has read the answers before.
pub fn acknowledge(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    subscription_id: &str,
    event_ids: &[String],
) -> StoreResult<i64> {
    let tenant_id = scope.tenant().as_str();
    let mut gone: u64 = 0;
    for event_id in event_ids {
        gone = gone.saturating_add(tx.connection()?.execute(
            "DELETE FROM subscription_buffer WHERE tenant_id = $1 AND subscription_id = $2 AND event_id = $3",
            params![tenant_id, subscription_id, event_id],
        )?);
    }
    let gone = i64::try_from(gone).unwrap_or(i64::MAX);
    if gone > 0 {
        tx.connection()?.execute(
            "UPDATE subscription SET buffered = buffered - $3, dropped = dropped - dropped_told, dropped_told = 0
             WHERE tenant_id = $1 AND id = $2",
            params![tenant_id, subscription_id, gone],
        )?;
    }
    Ok(gone)
}

/// Subscriptions whose buffers hold something from before `lapsed_before`, by (tenant, id).
pub fn with_lapsed(db: &mut impl Database, lapsed_before: &str, limit: i64) -> StoreResult<Vec<(String, String)>> {
    db.all(
        "SELECT s.tenant_id, s.id FROM subscription s WHERE s.buffered > 0 AND EXISTS (
           SELECT 1 FROM subscription_buffer b
           WHERE b.tenant_id = s.tenant_id AND b.subscription_id = s.id AND b.event_id < $1)
         ORDER BY s.tenant_id, s.id LIMIT $2",
        params![lapsed_before, limit],
        |row| Ok((row.text(0)?, row.text(1)?)),
    )
}

/// Takes out what waits since before `lapsed_before`.
pub fn drop_lapsed(
    tx: &mut WriteTx<'_>,
    tenant_id: &str,
    subscription_id: &str,
    lapsed_before: &str,
) -> StoreResult<()> {
    let gone = tx.connection()?.execute(
        "DELETE FROM subscription_buffer WHERE tenant_id = $1 AND subscription_id = $2 AND event_id < $3",
        params![tenant_id, subscription_id, lapsed_before],
    )?;
    tx.connection()?.execute(
        "UPDATE subscription SET buffered = buffered - $3 WHERE tenant_id = $1 AND id = $2",
        params![tenant_id, subscription_id, i64::try_from(gone).unwrap_or(i64::MAX)],
    )?;
    Ok(())
}
