//! Subscriptions: who asked for the events of some paths. Their buffers are in `subscription_buffer.rs`.

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;

use crate::delivery_target;
use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};

/// How events reach the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// They wait in a buffer of so many events to be asked for.
    Polling { buffer_size: i64 },
    /// They are sent.
    Webhook,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRecord {
    pub id: String,
    /// Internal id of the user or service account.
    pub owner_id: String,
    pub name: String,
    pub paths: Vec<String>,
    pub events: Vec<String>,
    pub secret_type: Option<String>,
    pub tags: Vec<String>,
    pub delivery: Delivery,
    pub enabled: bool,
    /// Only events behind this one are for it; see [`crate::event::last_id`]. Rises with what is pushed out of a full buffer.
    pub start_id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, owner_id, name, paths, events, secret_type, tags, delivery, buffer_size, enabled, start_id, created_at, \
     updated_at";

const POLLING: &str = "polling";
const WEBHOOK: &str = "webhook";

fn read(row: &dyn Row) -> StoreResult<SubscriptionRecord> {
    Ok(SubscriptionRecord {
        id: row.text(0)?,
        owner_id: row.text(1)?,
        name: row.text(2)?,
        paths: row.json(3)?,
        events: row.json(4)?,
        secret_type: row.opt_text(5)?,
        tags: row.json(6)?,
        delivery: match row.text(7)?.as_str() {
            POLLING => Delivery::Polling { buffer_size: row.int(8)? },
            WEBHOOK => Delivery::Webhook,
            _ => return Err(StoreError::corrupt("a subscription of an unknown kind")),
        },
        enabled: row.flag(9)?,
        start_id: row.text(10)?,
        created_at: row.time(11)?,
        updated_at: row.time(12)?,
    })
}

fn delivery_columns(delivery: Delivery) -> (&'static str, i64) {
    match delivery {
        Delivery::Polling { buffer_size } => (POLLING, buffer_size),
        Delivery::Webhook => (WEBHOOK, 0),
    }
}

pub fn find(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<Option<SubscriptionRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM subscription WHERE tenant_id = $1 AND id = $2"),
        params![scope.tenant().as_str(), id],
        read,
    )
}

/// The id of the owner's subscription that has a name already.
pub fn id_of_name(
    db: &mut impl Database,
    scope: &TenantScope,
    owner_id: &str,
    name: &str,
) -> StoreResult<Option<String>> {
    db.first(
        "SELECT id FROM subscription WHERE tenant_id = $1 AND owner_id = $2 AND name = $3",
        params![scope.tenant().as_str(), owner_id, name],
        |row| row.text(0),
    )
}

/// How many a tenant has.
pub fn count(db: &mut impl Database, scope: &TenantScope) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM subscription WHERE tenant_id = $1", params![scope.tenant().as_str()])
}

pub fn count_of_owner(db: &mut impl Database, scope: &TenantScope, owner_id: &str) -> StoreResult<i64> {
    db.number(
        "SELECT COUNT(*) FROM subscription WHERE tenant_id = $1 AND owner_id = $2",
        params![scope.tenant().as_str(), owner_id],
    )
}

/// By name, of one owner or of all, behind the (name, id) of the last one shown.
pub fn list(
    db: &mut impl Database,
    scope: &TenantScope,
    owner_id: Option<&str>,
    after: Option<(&str, &str)>,
    limit: i64,
) -> StoreResult<Vec<SubscriptionRecord>> {
    let (name, id) = after.unwrap_or(("", ""));
    let own = if owner_id.is_some() { "owner_id = $5 AND " } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM subscription WHERE {own} tenant_id = $1 AND (name > $2 OR (name = $2 AND id > $3))
         ORDER BY name, id LIMIT $4"
    );
    match owner_id {
        Some(owner_id) => db.all(&sql, params![scope.tenant().as_str(), name, id, limit, owner_id], read),
        None => db.all(&sql, params![scope.tenant().as_str(), name, id, limit], read),
    }
}

/// Those of a tenant that are switched on, for handing on its events.
pub fn listening(db: &mut impl Database, tenant_id: &str) -> StoreResult<Vec<SubscriptionRecord>> {
    db.all(
        &format!("SELECT {COLUMNS} FROM subscription WHERE tenant_id = $1 AND enabled = 1 ORDER BY id"),
        params![tenant_id],
        read,
    )
}

/// Whether one of a tenant that is switched on asks for `event_type` by its name or its first word; `*` alone asks for nothing in
/// particular.
pub fn names_event(db: &mut impl Database, tenant_id: &str, event_type: &str) -> StoreResult<bool> {
    let family = format!("{}.*", event_type.split('.').next().unwrap_or_default());
    let asked: Vec<Vec<String>> = db.all(
        "SELECT DISTINCT events FROM subscription WHERE tenant_id = $1 AND enabled = 1",
        params![tenant_id],
        |row| row.json(0),
    )?;
    Ok(asked.iter().flatten().any(|pattern| *pattern == event_type || *pattern == family))
}

pub fn insert(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &SubscriptionRecord) -> StoreResult<()> {
    let (delivery, buffer_size) = delivery_columns(record.delivery);
    tx.connection()?.execute(
        &format!(
            "INSERT INTO subscription (tenant_id, {COLUMNS}, buffered, dropped, dropped_told)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, 0)"
        ),
        params![
            scope.tenant().as_str(),
            &record.id,
            &record.owner_id,
            &record.name,
            &json_text(&record.paths)?,
            &json_text(&record.events)?,
            &record.secret_type,
            &json_text(&record.tags)?,
            delivery,
            buffer_size,
            record.enabled,
            &record.start_id,
            record.created_at,
            record.updated_at,
        ],
    )?;
    tx.changed(Change::Listeners);
    Ok(())
}

/// Writes back what can change.
pub fn update(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &SubscriptionRecord) -> StoreResult<()> {
    let (_, buffer_size) = delivery_columns(record.delivery);
    tx.connection()?.execute(
        "UPDATE subscription SET name = $3, paths = $4, events = $5, secret_type = $6, tags = $7, buffer_size = $8, enabled = $9,
           start_id = CASE WHEN start_id > $10 THEN start_id ELSE $10 END, updated_at = $11
         WHERE tenant_id = $1 AND id = $2",
        params![
            scope.tenant().as_str(),
            &record.id,
            &record.name,
            &json_text(&record.paths)?,
            &json_text(&record.events)?,
            &record.secret_type,
            &json_text(&record.tags)?,
            buffer_size,
            record.enabled,
            &record.start_id,
            record.updated_at,
        ],
    )?;
    tx.changed(Change::Listeners);
    Ok(())
}

/// Removes one with all that waits for its owner; who waits for it hears of it.
pub fn delete(tx: &mut WriteTx<'_>, scope: &TenantScope, id: &str) -> StoreResult<()> {
    remove(tx, scope.tenant().as_str(), id)
}

fn remove(tx: &mut WriteTx<'_>, tenant_id: &str, id: &str) -> StoreResult<()> {
    for sql in [
        "DELETE FROM subscription_buffer WHERE tenant_id = $1 AND subscription_id = $2",
        "DELETE FROM subscription WHERE tenant_id = $1 AND id = $2",
    ] {
        tx.connection()?.execute(sql, params![tenant_id, id])?;
    }
    delivery_target::remove(tx, tenant_id, id)?;
    tx.changed(Change::Buffered { subscription_id: id.to_owned() });
    tx.changed(Change::Listeners);
    Ok(())
}

/// Removes those of an identity, in whatever tenant they are.
pub fn delete_of_owner(tx: &mut WriteTx<'_>, owner_id: &str) -> StoreResult<()> {
    let own = tx.all("SELECT tenant_id, id FROM subscription WHERE owner_id = $1", params![owner_id], place)?;
    own.iter().try_for_each(|(tenant_id, id)| remove(tx, tenant_id, id))
}

/// Removes those in a tenant that ends, and those that its identities have in other tenants.
pub fn delete_all(tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<()> {
    let ending = tx.all(
        "SELECT tenant_id, id FROM subscription WHERE tenant_id = $1
           OR owner_id IN (SELECT id FROM directory_user WHERE tenant_id = $1)
           OR owner_id IN (SELECT id FROM service_account WHERE tenant_id = $1)",
        params![tenant_id],
        place,
    )?;
    ending.iter().try_for_each(|(tenant_id, id)| remove(tx, tenant_id, id))
}

fn place(row: &dyn Row) -> StoreResult<(String, String)> {
    Ok((row.text(0)?, row.text(1)?))
}
