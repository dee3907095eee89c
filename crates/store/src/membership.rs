//! Who stands in which group, directly.

use std::collections::BTreeSet;

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::group::MAX_NESTING;
use crate::sql::{Database, Param, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberKind {
    Group,
    ServiceAccount,
    User,
}

/// A direct member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRecord {
    pub kind: MemberKind,
    pub id: String,
    /// The e-mail of a user, the name of anything else.
    pub name: String,
    pub added_at: Timestamp,
}

/// Where members of each kind stand, and what they are called there.
const KINDS: [(MemberKind, &str, &str); 3] = [
    (MemberKind::Group, "directory_group", "name"),
    (MemberKind::ServiceAccount, "service_account", "name"),
    (MemberKind::User, "directory_user", "email"),
];

/// The direct members of a group, in no order.
pub fn of_group(db: &mut impl Database, group_id: &str) -> StoreResult<Vec<MemberRecord>> {
    let mut members = Vec::new();
    for (kind, table, name) in KINDS {
        members.extend(db.all(
            &format!(
                "SELECT x.id, x.{name}, m.added_at FROM membership m JOIN {table} x ON x.id = m.member_id
                 WHERE m.group_id = $1 AND x.status <> 'DELETED'"
            ),
            params![group_id],
            |row| Ok(MemberRecord { kind, id: row.text(0)?, name: row.text(1)?, added_at: row.time(2)? }),
        )?);
    }
    Ok(members)
}

/// How many direct members a group has.
pub fn count(db: &mut impl Database, group_id: &str) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM membership WHERE group_id = $1", params![group_id])
}

/// The groups that some identities stand in directly: (member, group), by group id.
pub fn of_members(db: &mut impl Database, member_ids: &[&str]) -> StoreResult<Vec<(String, String)>> {
    if member_ids.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (1..=member_ids.len()).map(|number| format!("${number}")).collect();
    let params: Vec<Param<'_>> = member_ids.iter().map(|id| Param::Text(id)).collect();
    db.all(
        &format!(
            "SELECT member_id, group_id FROM membership WHERE member_id IN ({}) ORDER BY group_id",
            places.join(", ")
        ),
        &params,
        |row| Ok((row.text(0)?, row.text(1)?)),
    )
}

pub fn is_member(db: &mut impl Database, group_id: &str, member_id: &str) -> StoreResult<bool> {
    let count = db.number(
        "SELECT COUNT(*) FROM membership WHERE group_id = $1 AND member_id = $2",
        params![group_id, member_id],
    )?;
    Ok(count > 0)
}

pub fn insert(
    tx: &mut WriteTx<'_>,
    tenant_id: &str,
    group_id: &str,
    member_id: &str,
    at: Timestamp,
) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO membership (group_id, member_id, tenant_id, added_at) VALUES ($1, $2, $3, $4)",
        params![group_id, member_id, tenant_id, at],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Whether there was one to delete.
pub fn delete(tx: &mut WriteTx<'_>, group_id: &str, member_id: &str) -> StoreResult<bool> {
    let gone = tx
        .connection()?
        .execute("DELETE FROM membership WHERE group_id = $1 AND member_id = $2", params![group_id, member_id])?;
    tx.changed(Change::Access);
    Ok(gone > 0)
}

/// The groups in one direction from a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lineage {
    pub groups: BTreeSet<String>,
    /// Steps on the longest way, cut off beyond what is allowed.
    pub depth: usize,
}

/// The groups that hold `group_id`, directly or through others.
pub fn ancestors(db: &mut impl Database, group_id: &str) -> StoreResult<Lineage> {
    lineage(db, group_id, "SELECT group_id FROM membership WHERE member_id = $1")
}

/// The groups within `group_id`, directly or through others.
pub fn descendants(db: &mut impl Database, group_id: &str) -> StoreResult<Lineage> {
    lineage(
        db,
        group_id,
        "SELECT g.id FROM membership m JOIN directory_group g ON g.id = m.member_id WHERE m.group_id = $1",
    )
}

fn lineage(db: &mut impl Database, start: &str, step: &str) -> StoreResult<Lineage> {
    let mut found = Lineage::default();
    let mut level = BTreeSet::from([start.to_owned()]);
    // A group met again on a longer way is followed again: the longest way is what counts, and there are no circles.
    while found.depth <= MAX_NESTING {
        let mut next = BTreeSet::new();
        for group in &level {
            next.extend(db.all(step, params![group], |row| row.text(0))?);
        }
        if next.is_empty() {
            break;
        }
        found.depth += 1;
        found.groups.extend(next.iter().cloned());
        level = next;
    }
    Ok(found)
}
