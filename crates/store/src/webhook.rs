//! Webhooks: what they ask for. Where they go is a [`crate::delivery_target`].

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;

use crate::delivery_target::{self, DeliveryTarget};
use crate::error::StoreResult;
use crate::sql::{Database, Row, json_text, params};
use crate::tx::WriteTx;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRecord {
    pub name: String,
    /// Patterns as they were given.
    pub events: Vec<String>,
    pub filters: Filters,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Has the id.
    pub target: DeliveryTarget,
}

/// What an event must have, beside its name; as it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    pub path_prefix: Option<String>,
    pub secret_type: Option<String>,
    /// All of them.
    pub tags: Option<Vec<String>>,
}

const COLUMNS: &str = "w.name, w.events, w.path_prefix, w.secret_type, w.tags, w.created_at, w.updated_at";
const FROM: &str = "FROM webhook w JOIN delivery_target t ON t.tenant_id = w.tenant_id AND t.id = w.id";

fn read(row: &dyn Row) -> StoreResult<WebhookRecord> {
    let own = delivery_target::WIDTH;
    let tags = match row.opt_text(own + 4)? {
        Some(_) => Some(row.json(own + 4)?),
        None => None,
    };
    Ok(WebhookRecord {
        target: delivery_target::read(row, 0)?,
        name: row.text(own)?,
        events: row.json(own + 1)?,
        filters: Filters { path_prefix: row.opt_text(own + 2)?, secret_type: row.opt_text(own + 3)?, tags },
        created_at: row.time(own + 5)?,
        updated_at: row.time(own + 6)?,
    })
}

fn select(rest: &str) -> String {
    format!("SELECT {}, {COLUMNS} {FROM} {rest}", delivery_target::COLUMNS)
}

pub fn find(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<Option<WebhookRecord>> {
    db.first(&select("WHERE w.tenant_id = $1 AND w.id = $2"), params![scope.tenant().as_str(), id], read)
}

/// How many a tenant has.
pub fn count(db: &mut impl Database, scope: &TenantScope) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM webhook WHERE tenant_id = $1", params![scope.tenant().as_str()])
}

/// The id of the webhook that has a name already.
pub fn id_of_name(db: &mut impl Database, scope: &TenantScope, name: &str) -> StoreResult<Option<String>> {
    db.first(
        "SELECT id FROM webhook WHERE tenant_id = $1 AND name = $2",
        params![scope.tenant().as_str(), name],
        |row| row.text(0),
    )
}

/// The webhooks behind the one named `after`, by name.
pub fn list(
    db: &mut impl Database,
    scope: &TenantScope,
    after: Option<&str>,
    limit: i64,
) -> StoreResult<Vec<WebhookRecord>> {
    db.all(
        &select("WHERE w.tenant_id = $1 AND w.name > $2 ORDER BY w.name LIMIT $3"),
        params![scope.tenant().as_str(), after.unwrap_or(""), limit],
        read,
    )
}

/// Every webhook of a tenant that is switched on, the oldest first.
pub fn listening(db: &mut impl Database, tenant_id: &str) -> StoreResult<Vec<WebhookRecord>> {
    db.all(&select("WHERE w.tenant_id = $1 AND t.enabled = 1 ORDER BY w.id"), params![tenant_id], read)
}

pub fn insert(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &WebhookRecord) -> StoreResult<()> {
    let tags = record.filters.tags.as_ref().map(json_text).transpose()?;
    tx.connection()?.execute(
        "INSERT INTO webhook (tenant_id, id, name, events, path_prefix, secret_type, tags, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            scope.tenant().as_str(),
            &record.target.id,
            &record.name,
            &json_text(&record.events)?,
            &record.filters.path_prefix,
            &record.filters.secret_type,
            &tags,
            record.created_at,
            record.updated_at,
        ],
    )?;
    delivery_target::insert(tx, scope, &record.target)
}

/// Writes back what can change.
pub fn update(tx: &mut WriteTx<'_>, scope: &TenantScope, record: &WebhookRecord) -> StoreResult<()> {
    let tags = record.filters.tags.as_ref().map(json_text).transpose()?;
    tx.connection()?.execute(
        "UPDATE webhook SET name = $3, events = $4, path_prefix = $5, secret_type = $6, tags = $7, updated_at = $8
         WHERE tenant_id = $1 AND id = $2",
        params![
            scope.tenant().as_str(),
            &record.target.id,
            &record.name,
            &json_text(&record.events)?,
            &record.filters.path_prefix,
            &record.filters.secret_type,
            &tags,
            record.updated_at,
        ],
    )?;
    delivery_target::update(tx, scope, &record.target)
}

/// Removes a webhook with its deliveries, and its id from the rotation policies that name it.
pub fn delete(tx: &mut WriteTx<'_>, scope: &TenantScope, id: &str) -> StoreResult<()> {
    let tenant_id = scope.tenant().as_str();
    let naming = tx.all(
        "SELECT id, webhook_ids FROM rotation_policy WHERE tenant_id = $1 AND webhook_ids <> '[]'",
        params![tenant_id],
        |row| Ok((row.text(0)?, row.json::<Vec<String>>(1)?)),
    )?;
    for (policy_id, mut webhook_ids) in naming {
        if webhook_ids.iter().any(|named| named == id) {
            webhook_ids.retain(|named| named != id);
            tx.connection()?.execute(
                "UPDATE rotation_policy SET webhook_ids = $3 WHERE tenant_id = $1 AND id = $2",
                params![tenant_id, &policy_id, &json_text(&webhook_ids)?],
            )?;
        }
    }
    tx.connection()?.execute("DELETE FROM webhook WHERE tenant_id = $1 AND id = $2", params![tenant_id, id])?;
    delivery_target::delete(tx, scope, id)
}
