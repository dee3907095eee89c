//! Partners: the owners of tenants.

use scaivault_domain::time::Timestamp;

use crate::directory::{Filter, Listed, Page};
use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerRecord {
    pub id: String,
    pub name: String,
    pub slug: String,
    pub region: Option<String>,
    pub status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_synced_at: Option<Timestamp>,
}

pub(crate) const COLUMNS: &str = "id, name, slug, region, status, created_at, updated_at, last_synced_at";

pub(crate) fn read(row: &dyn Row) -> StoreResult<PartnerRecord> {
    Ok(PartnerRecord {
        id: row.text(0)?,
        name: row.text(1)?,
        slug: row.text(2)?,
        region: row.opt_text(3)?,
        status: row.text(4)?,
        created_at: row.time(5)?,
        updated_at: row.time(6)?,
        last_synced_at: row.opt_time(7)?,
    })
}

pub fn find(db: &mut impl Database, id: &str) -> StoreResult<Option<PartnerRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM partner WHERE id = $1"), params![id], read)
}

/// Partners by name; `only` narrows to the one that a caller may see.
pub fn list(
    db: &mut impl Database,
    only: Option<&str>,
    status: Option<&str>,
    page: Page,
) -> StoreResult<Listed<PartnerRecord>> {
    let mut filter = Filter::by_status(status);
    if let Some(id) = only {
        filter.and("id = ", id);
    }
    filter.list(db, COLUMNS, "partner", "name, id", page, read)
}

pub fn insert(tx: &mut WriteTx<'_>, record: &PartnerRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO partner ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"),
        params![
            &record.id,
            &record.name,
            &record.slug,
            &record.region,
            &record.status,
            record.created_at,
            record.updated_at,
            record.last_synced_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Writes back what may change of a partner.
pub fn update(tx: &mut WriteTx<'_>, record: &PartnerRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE partner SET name = $2, slug = $3, region = $4, status = $5, updated_at = $6 WHERE id = $1",
        params![&record.id, &record.name, &record.slug, &record.region, &record.status, record.updated_at],
    )?;
    tx.changed(Change::Access);
    Ok(())
}
