//! Groups, their members and their nesting.

use std::collections::BTreeSet;

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};

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
