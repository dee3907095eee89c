//! Groups, their members and their nesting.

use std::collections::BTreeSet;

use scaivault_domain::time::Timestamp;

use crate::directory::{Filter, Listed, Page};
use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::{Change, WriteTx};

/// How deep groups may stand in groups (contract 02 section 7).
pub const MAX_NESTING: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    pub id: String,
    pub tenant_id: String,
    pub name: String,
    pub description: Option<String>,
    pub status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_synced_at: Option<Timestamp>,
}

pub(crate) const COLUMNS: &str = "id, tenant_id, name, description, status, created_at, updated_at, last_synced_at";

pub(crate) fn read(row: &dyn Row) -> StoreResult<GroupRecord> {
    Ok(GroupRecord {
        id: row.text(0)?,
        tenant_id: row.text(1)?,
        name: row.text(2)?,
        description: row.opt_text(3)?,
        status: row.text(4)?,
        created_at: row.time(5)?,
        updated_at: row.time(6)?,
        last_synced_at: row.opt_time(7)?,
    })
}

pub fn find(db: &mut impl Database, id: &str) -> StoreResult<Option<GroupRecord>> {
    db.first(&format!("SELECT {COLUMNS} FROM directory_group WHERE id = $1"), params![id], read)
}

/// Every active group that holds `member_id`, directly or through other active groups.
pub fn closure(db: &mut impl Database, member_id: &str) -> StoreResult<Vec<GroupRecord>> {
    let mut found: Vec<GroupRecord> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut frontier = vec![member_id.to_owned()];
    for _ in 0..=MAX_NESTING {
        let mut next = Vec::new();
        for member in &frontier {
            let groups = db.all(
                "SELECT g.id, g.tenant_id, g.name, g.description, g.status, g.created_at, g.updated_at, g.last_synced_at
                 FROM membership m JOIN directory_group g ON g.id = m.group_id
                 WHERE m.member_id = $1 AND g.status = 'ACTIVE'",
                params![member],
                read,
            )?;
            for group in groups {
                if seen.insert(group.id.clone()) {
                    next.push(group.id.clone());
                    found.push(group);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        frontier = next;
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

pub fn find_by_name(db: &mut impl Database, tenant_id: &str, name: &str) -> StoreResult<Option<GroupRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM directory_group WHERE tenant_id = $1 AND name = $2 AND status <> 'DELETED'"),
        params![tenant_id, name],
        read,
    )
}

/// Groups of a tenant by name.
pub fn list(
    db: &mut impl Database,
    tenant_id: &str,
    status: Option<&str>,
    page: Page,
) -> StoreResult<Listed<GroupRecord>> {
    let mut filter = Filter::by_status(status);
    filter.and("tenant_id = ", tenant_id);
    filter.list(db, COLUMNS, "directory_group", "name, id", page, read)
}

pub fn insert(tx: &mut WriteTx<'_>, record: &GroupRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!("INSERT INTO directory_group ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"),
        params![
            &record.id,
            &record.tenant_id,
            &record.name,
            &record.description,
            &record.status,
            record.created_at,
            record.updated_at,
            record.last_synced_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Writes back what may change of a group.
pub fn update(tx: &mut WriteTx<'_>, record: &GroupRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE directory_group SET name = $2, description = $3, status = $4, updated_at = $5 WHERE id = $1",
        params![&record.id, &record.name, &record.description, &record.status, record.updated_at],
    )?;
    tx.changed(Change::Access);
    Ok(())
}
