//! Tenants and their settings.

use scaivault_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::{Filter, Listed, Page};
use crate::error::StoreResult;
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    pub id: String,
    pub partner_id: String,
    pub name: String,
    pub slug: String,
    pub status: String,
    pub settings: TenantSettings,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_synced_at: Option<Timestamp>,
}

/// What a tenant decides for itself; `None` takes the server's default (contract 02 section 7).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// Durations stay as they were given; they are echoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_delete_retention: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_retention: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_versions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_secret_bytes: Option<i64>,
}

pub(crate) const COLUMNS: &str = "id, partner_id, name, slug, status, settings, created_at, updated_at, last_synced_at";

pub(crate) fn read(row: &dyn Row) -> StoreResult<TenantRecord> {
    Ok(TenantRecord {
        id: row.text(0)?,
        partner_id: row.text(1)?,
        name: row.text(2)?,
        slug: row.text(3)?,
        status: row.text(4)?,
        settings: row.json(5)?,
        created_at: row.time(6)?,
        updated_at: row.time(7)?,
        last_synced_at: row.opt_time(8)?,
    })
}

pub fn find(db: &mut impl Database, id: &str) -> StoreResult<Option<TenantRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM tenant WHERE id = $1"), params![id], read)
}

/// Ids of every tenant that is not deleted, for jobs that visit all.
pub fn living(db: &mut impl Database) -> StoreResult<Vec<TenantRecord>> {
    db.all(&format!("SELECT {COLUMNS} FROM tenant WHERE status <> 'DELETED' ORDER BY id"), &[], read)
}

/// Ids of a partner's tenants that are not deleted.
pub fn ids_of_partner(db: &mut impl Database, partner_id: &str) -> StoreResult<Vec<String>> {
    let ids = "SELECT id FROM tenant WHERE partner_id = $1 AND status <> 'DELETED' ORDER BY id";
    db.all(ids, params![partner_id], |row| row.text(0))
}

/// Which tenants a list may hold: every condition that is given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Within<'a> {
    pub partner: Option<&'a str>,
    pub tenant: Option<&'a str>,
    /// What the client asked for, beside what it may see.
    pub wanted_partner: Option<&'a str>,
}

/// Tenants by name.
pub fn list(
    db: &mut impl Database,
    within: Within<'_>,
    status: Option<&str>,
    page: Page,
) -> StoreResult<Listed<TenantRecord>> {
    let mut filter = Filter::by_status(status);
    for partner in [within.partner, within.wanted_partner].into_iter().flatten() {
        filter.and("partner_id = ", partner);
    }
    if let Some(tenant) = within.tenant {
        filter.and("id = ", tenant);
    }
    filter.list(db, COLUMNS, "tenant", "name, id", page, read)
}

/// How many tenants of a partner are not deleted.
pub fn count_living(db: &mut impl Database, partner_id: &str) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM tenant WHERE partner_id = $1 AND status <> 'DELETED'", params![partner_id])
}

pub fn insert(tx: &mut WriteTx<'_>, record: &TenantRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO tenant ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
        params![
            &record.id,
            &record.partner_id,
            &record.name,
            &record.slug,
            &record.status,
            &json_text(&record.settings)?,
            record.created_at,
            record.updated_at,
            record.last_synced_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Writes back what may change of a tenant; it never moves to another partner.
pub fn update(tx: &mut WriteTx<'_>, record: &TenantRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE tenant SET name = $2, slug = $3, status = $4, settings = $5, updated_at = $6 WHERE id = $1",
        params![
            &record.id,
            &record.name,
            &record.slug,
            &record.status,
            &json_text(&record.settings)?,
            record.updated_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}
