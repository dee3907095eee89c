//! The outbox: events are written with the change they tell of, and handed on from here.

use scaivault_domain::id::{EventId, Ulid};
use scaivault_domain::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};

/// An event without its id, which the outbox gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Who hears of it.
    pub tenant_id: String,
    pub partner_id: String,
    pub at: Timestamp,
    pub event_type: String,
    pub identity_id: String,
    pub request_id: String,
    /// Of the secret: the tenant's id, or the partner's for shared ones. `None` with `path`.
    pub namespace: Option<String>,
    pub path: Option<String>,
    pub secret_type: Option<String>,
    pub tags: Vec<String>,
    pub rotation_policy_id: Option<String>,
    /// JSON object.
    pub data: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    pub id: String,
    pub event: NewEvent,
}

/// How far the events of a tenant were handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    pub tenant_id: String,
    pub last_id: String,
    pub dispatched_id: String,
}

pub(crate) const COLUMNS: &str = "id, tenant_id, partner_id, at, event_type, identity_id, request_id, namespace, path, secret_type, tags, \
     rotation_policy_id, data";

pub(crate) fn read(row: &dyn Row) -> StoreResult<EventRecord> {
    Ok(EventRecord {
        id: row.text(0)?,
        event: NewEvent {
            tenant_id: row.text(1)?,
            partner_id: row.text(2)?,
            at: row.time(3)?,
            event_type: row.text(4)?,
            identity_id: row.text(5)?,
            request_id: row.text(6)?,
            namespace: row.opt_text(7)?,
            path: row.opt_text(8)?,
            secret_type: row.opt_text(9)?,
            tags: row.json(10)?,
            rotation_policy_id: row.opt_text(11)?,
            data: row.text(12)?,
        },
    })
}

/// Writes an event behind all others of its tenant and answers its id: `fresh`, or the successor of the last one where the clock
/// stood still or was set back. The tenant's head is locked until the commit, so ids rise in the order of commits.
pub fn append(tx: &mut WriteTx<'_>, event: &NewEvent, fresh: Ulid) -> StoreResult<EventId> {
    let last = match lock_head(tx, &event.tenant_id)? {
        Some(last) => last,
        None => {
            tx.connection()?.execute(
                "INSERT INTO event_head (tenant_id, last_id, dispatched_id) VALUES ($1, '', '') ON CONFLICT (tenant_id) DO NOTHING",
                params![&event.tenant_id],
            )?;
            lock_head(tx, &event.tenant_id)?.unwrap_or_default()
        }
    };
    let id = match last.as_str() {
        "" => EventId::from_ulid(fresh),
        last => EventId::from_ulid(fresh.max(successor(last)?)),
    };
    tx.connection()?
        .execute("UPDATE event_head SET last_id = $2 WHERE tenant_id = $1", params![&event.tenant_id, id.as_str()])?;
    tx.connection()?.execute(
        &format!("INSERT INTO event ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"),
        params![
            id.as_str(),
            &event.tenant_id,
            &event.partner_id,
            event.at,
            &event.event_type,
            &event.identity_id,
            &event.request_id,
            &event.namespace,
            &event.path,
            &event.secret_type,
            &json_text(&event.tags)?,
            &event.rotation_policy_id,
            &event.data,
        ],
    )?;
    tx.changed(Change::Event { tenant_id: event.tenant_id.clone() });
    Ok(id)
}

/// The id of the tenant's last event. Until the commit nobody else gets to see it.
fn lock_head(tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<Option<String>> {
    let lock = "UPDATE event_head SET last_id = last_id WHERE tenant_id = $1 RETURNING last_id";
    tx.first(lock, params![tenant_id], |row| row.text(0))
}

fn successor(last: &str) -> StoreResult<Ulid> {
    let corrupt = || StoreError::corrupt("an event id can't be read");
    let ulid = last.strip_prefix(EventId::PREFIX).and_then(|text| Ulid::from_string(text).ok()).ok_or_else(corrupt)?;
    ulid.0.checked_add(1).map(Ulid).ok_or_else(corrupt)
}

/// The events of a tenant behind `after` (an id, or the empty text), oldest first.
pub fn after(db: &mut impl Database, tenant_id: &str, after: &str, limit: i64) -> StoreResult<Vec<EventRecord>> {
    db.all(
        &format!("SELECT {COLUMNS} FROM event WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3"),
        params![tenant_id, after, limit],
        read,
    )
}

pub fn find(db: &mut impl Database, tenant_id: &str, id: &str) -> StoreResult<Option<EventRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM event WHERE tenant_id = $1 AND id = $2"), params![tenant_id, id], read)
}

/// The newest event's id; `None` before the first.
pub fn last_id(db: &mut impl Database, tenant_id: &str) -> StoreResult<Option<String>> {
    db.first("SELECT last_id FROM event_head WHERE tenant_id = $1", params![tenant_id], |row| row.text(0))
}

/// The oldest event that is still there.
pub fn oldest_id(db: &mut impl Database, tenant_id: &str) -> StoreResult<Option<String>> {
    let oldest = "SELECT id FROM event WHERE tenant_id = $1 ORDER BY id LIMIT 1";
    db.first(oldest, params![tenant_id], |row| row.text(0))
}

/// Tenants behind `after` (an id, or the empty text) with events that were not handed on yet, by id.
pub fn backlogs(db: &mut impl Database, after: &str, limit: i64) -> StoreResult<Vec<Backlog>> {
    db.all(BACKLOGS, params![after, limit], |row| {
        Ok(Backlog { tenant_id: row.text(0)?, last_id: row.text(1)?, dispatched_id: row.text(2)? })
    })
}

const BACKLOGS: &str = "SELECT tenant_id, last_id, dispatched_id FROM event_head
     WHERE last_id > dispatched_id AND tenant_id > $1 ORDER BY tenant_id LIMIT $2";

/// Notes that everything up to `id` was handed on; `false` when another server did so first, and nothing may be handed on twice.
pub fn dispatched(tx: &mut WriteTx<'_>, backlog: &Backlog, id: &str) -> StoreResult<bool> {
    let touched = tx.connection()?.execute(
        "UPDATE event_head SET dispatched_id = $3 WHERE tenant_id = $1 AND dispatched_id = $2",
        params![&backlog.tenant_id, &backlog.dispatched_id, id],
    )?;
    Ok(touched > 0)
}

/// Drops a batch of what was handed on and is older than `before`; answers how many.
pub fn drop_old(tx: &mut WriteTx<'_>, before: Timestamp, now: Timestamp, limit: i64) -> StoreResult<u64> {
    // Ids begin with their time, so the key itself tells what is old, and no second index has to be kept by every write.
    let first_of = |at| EventId::from_ulid(scaivault_domain::id::ulid(at, [0; 10]));
    let dropped = tx.connection()?.execute(DROP_OLD, params![first_of(before).as_str(), limit])?;
    if dropped > 0 {
        return Ok(dropped);
    }
    // Where the clock was ahead once, ids run ahead of their time until it is there again: then every event is looked at.
    let ahead = first_of(now.plus_seconds(AHEAD_SECONDS));
    tx.connection()?.execute(DROP_OLD_OF_AHEAD, params![ahead.as_str(), before, limit])
}

/// Ids run ahead by no more than this unless the clock was moved.
const AHEAD_SECONDS: i64 = 3600;

// CROSS JOIN: by tenant, whatever an engine thinks of the sizes; their order decides between a look at keys and one at all events.
const DROP_OLD: &str = "DELETE FROM event WHERE (tenant_id, id) IN (
       SELECT e.tenant_id, e.id FROM event_head h CROSS JOIN event e
       WHERE e.tenant_id = h.tenant_id AND e.id < $1 AND e.id <= h.dispatched_id LIMIT $2)";

const DROP_OLD_OF_AHEAD: &str = "DELETE FROM event WHERE (tenant_id, id) IN (
       SELECT e.tenant_id, e.id FROM event_head h CROSS JOIN event e
       WHERE e.tenant_id = h.tenant_id AND h.last_id > $1 AND e.at < $2 AND e.id <= h.dispatched_id LIMIT $3)";

/// Removes a tenant's events with the tenant.
pub fn delete_all(tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM event WHERE tenant_id = $1", params![tenant_id])?;
    tx.connection()?.execute("DELETE FROM event_head WHERE tenant_id = $1", params![tenant_id])?;
    Ok(())
}

#[cfg(test)]
mod tests;
