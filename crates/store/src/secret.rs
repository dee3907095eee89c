//! Secrets without their values: address, description, options, life.

use std::collections::BTreeMap;

use scaivault_domain::access::SecretScope;
use scaivault_domain::path::SecretPath;
use scaivault_domain::secret::{Metadata, SecretType};
use scaivault_domain::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};
use crate::{access_count, rotation_state, secret_expiry, secret_version};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// Internal; part of what a value is sealed with.
    pub id: String,
    pub path: String,
    pub secret_type: SecretType,
    pub metadata: Metadata,
    pub current_version: i64,
    /// The highest number ever given out: numbers are never used twice in the life of a secret.
    pub last_version: i64,
    pub max_versions: i64,
    /// A remembered duration, as it was given.
    pub expires_in: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub notify_before: String,
    /// The tenant whose rotation and secret policies may be attached.
    pub policy_tenant_id: String,
    pub rotation: Option<RotationAttachment>,
    /// Moves with every rotation, also when no policy is attached.
    pub last_rotated_at: Option<Timestamp>,
    pub secret_policy_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub trash: Option<Trash>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationAttachment {
    pub policy_id: String,
    pub assigned_at: Timestamp,
    pub assigned_by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trash {
    pub deleted_at: Timestamp,
    pub recoverable_until: Timestamp,
}

impl SecretRecord {
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What stands at a path at a given moment.
#[derive(Debug, Clone)]
pub enum Presence {
    /// Nothing, or something past its retention (which answers as absent even before the purge job ran).
    Absent,
    Deleted(SecretRecord, Trash),
    Live(SecretRecord),
}

pub(crate) const COLUMNS: &str = "id, path, secret_type, description, tags, owner, custom, current_version, last_version, \
     max_versions, expires_in, expires_at, notify_before, policy_tenant_id, rotation_policy_id, rotation_assigned_at, \
     rotation_assigned_by, last_rotated_at, secret_policy_id, created_at, updated_at, deleted_at, recoverable_until";

pub(crate) fn read(row: &dyn Row) -> StoreResult<SecretRecord> {
    let secret_type = row.text(2)?;
    let rotation = match (row.opt_text(14)?, row.opt_time(15)?, row.opt_text(16)?) {
        (Some(policy_id), Some(assigned_at), Some(assigned_by)) => {
            Some(RotationAttachment { policy_id, assigned_at, assigned_by })
        }
        _ => None,
    };
    let trash = match (row.opt_time(21)?, row.opt_time(22)?) {
        (Some(deleted_at), Some(recoverable_until)) => Some(Trash { deleted_at, recoverable_until }),
        _ => None,
    };
    Ok(SecretRecord {
        id: row.text(0)?,
        path: row.text(1)?,
        secret_type: SecretType::parse(&secret_type).ok_or_else(|| StoreError::corrupt("unknown secret_type"))?,
        metadata: Metadata {
            description: row.opt_text(3)?,
            tags: row.json(4)?,
            owner: row.opt_text(5)?,
            custom: row.json::<BTreeMap<String, String>>(6)?,
        },
        current_version: row.int(7)?,
        last_version: row.int(8)?,
        max_versions: row.int(9)?,
        expires_in: row.opt_text(10)?,
        expires_at: row.opt_time(11)?,
        notify_before: row.text(12)?,
        policy_tenant_id: row.text(13)?,
        rotation,
        last_rotated_at: row.opt_time(17)?,
        secret_policy_id: row.opt_text(18)?,
        created_at: row.time(19)?,
        updated_at: row.time(20)?,
        trash,
    })
}

pub fn look(db: &mut impl Database, scope: &SecretScope, path: &SecretPath, now: Timestamp) -> StoreResult<Presence> {
    let found = db.first(
        &format!("SELECT {COLUMNS} FROM secret WHERE namespace = $1 AND path = $2"),
        params![scope.namespace(), path.as_str()],
        read,
    )?;
    Ok(match found {
        None => Presence::Absent,
        Some(record) => match record.trash {
            None => Presence::Live(record),
            Some(trash) if trash.recoverable_until > now => Presence::Deleted(record, trash),
            Some(_) => Presence::Absent,
        },
    })
}

/// A secret wherever it stands now, also a deleted one.
pub fn by_id(db: &mut impl Database, scope: &SecretScope, id: &str) -> StoreResult<Option<SecretRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM secret WHERE namespace = $1 AND id = $2"),
        params![scope.namespace(), id],
        read,
    )
}

/// Writes a new secret, in place of whatever is past its retention at this path.
pub fn insert(tx: &mut WriteTx<'_>, scope: &SecretScope, record: &SecretRecord) -> StoreResult<()> {
    clear(tx, scope, &record.path)?;
    tx.connection()?.execute(
        &format!("INSERT INTO secret (namespace, {COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"),
        params![
            scope.namespace(),
            &record.id,
            &record.path,
            record.secret_type.as_str(),
            &record.metadata.description,
            &json_text(&record.metadata.tags)?,
            &record.metadata.owner,
            &json_text(&record.metadata.custom)?,
            record.current_version,
            record.last_version,
            record.max_versions,
            &record.expires_in,
            record.expires_at,
            &record.notify_before,
            &record.policy_tenant_id,
            record.rotation.as_ref().map(|rotation| rotation.policy_id.as_str()),
            record.rotation.as_ref().map(|rotation| rotation.assigned_at),
            record.rotation.as_ref().map(|rotation| rotation.assigned_by.as_str()),
            record.last_rotated_at,
            &record.secret_policy_id,
            record.created_at,
            record.updated_at,
            record.trash.map(|trash| trash.deleted_at),
            record.trash.map(|trash| trash.recoverable_until),
        ],
    )?;
    write_tags(tx, scope, record)
}

/// Takes away what is past its retention at this path.
fn clear(tx: &mut WriteTx<'_>, scope: &SecretScope, path: &str) -> StoreResult<()> {
    let leftover = tx.first(
        "SELECT id FROM secret WHERE namespace = $1 AND path = $2",
        params![scope.namespace(), path],
        |row| row.text(0),
    )?;
    match leftover {
        Some(id) => erase(tx, scope, &id, path),
        None => Ok(()),
    }
}

/// Gives a secret another path, in place of whatever is past its retention there. Its data keys are wrapped for the old path:
/// they have to be wrapped anew in the same transaction.
pub fn relocate(
    tx: &mut WriteTx<'_>,
    scope: &SecretScope,
    record: &SecretRecord,
    to: &SecretPath,
    now: Timestamp,
) -> StoreResult<()> {
    clear(tx, scope, to.as_str())?;
    tx.connection()?
        .execute("UPDATE secret SET path = $2, updated_at = $3 WHERE id = $1", params![&record.id, to.as_str(), now])?;
    for tag in &record.metadata.tags {
        tx.connection()?.execute(
            "UPDATE secret_tag SET path = $4 WHERE namespace = $1 AND tag = $2 AND path = $3",
            params![scope.namespace(), tag, &record.path, to.as_str()],
        )?;
    }
    for path in [record.path.as_str(), to.as_str()] {
        tx.changed(Change::Secret { namespace: scope.namespace().to_owned(), path: path.to_owned() });
    }
    Ok(())
}

/// Writes back everything but the path and the id.
pub fn update(tx: &mut WriteTx<'_>, scope: &SecretScope, record: &SecretRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE secret SET secret_type = $2, description = $3, tags = $4, owner = $5, custom = $6, current_version = $7,
           last_version = $8, max_versions = $9, expires_in = $10, expires_at = $11, notify_before = $12, policy_tenant_id = $13,
           rotation_policy_id = $14, rotation_assigned_at = $15, rotation_assigned_by = $16, last_rotated_at = $17,
           secret_policy_id = $18, updated_at = $19, deleted_at = $20, recoverable_until = $21
         WHERE id = $1",
        params![
            &record.id,
            record.secret_type.as_str(),
            &record.metadata.description,
            &json_text(&record.metadata.tags)?,
            &record.metadata.owner,
            &json_text(&record.metadata.custom)?,
            record.current_version,
            record.last_version,
            record.max_versions,
            &record.expires_in,
            record.expires_at,
            &record.notify_before,
            &record.policy_tenant_id,
            record.rotation.as_ref().map(|rotation| rotation.policy_id.as_str()),
            record.rotation.as_ref().map(|rotation| rotation.assigned_at),
            record.rotation.as_ref().map(|rotation| rotation.assigned_by.as_str()),
            record.last_rotated_at,
            &record.secret_policy_id,
            record.updated_at,
            record.trash.map(|trash| trash.deleted_at),
            record.trash.map(|trash| trash.recoverable_until),
        ],
    )?;
    tx.connection()?.execute(
        "DELETE FROM secret_tag WHERE secret_id = $1 AND namespace = $2 AND path = $3",
        params![&record.id, scope.namespace(), &record.path],
    )?;
    write_tags(tx, scope, record)
}

fn write_tags(tx: &mut WriteTx<'_>, scope: &SecretScope, record: &SecretRecord) -> StoreResult<()> {
    for tag in &record.metadata.tags {
        tx.connection()?.execute(
            "INSERT INTO secret_tag (namespace, tag, path, secret_id) VALUES ($1, $2, $3, $4)",
            params![scope.namespace(), tag, &record.path, &record.id],
        )?;
    }
    tx.changed(Change::Secret { namespace: scope.namespace().to_owned(), path: record.path.clone() });
    Ok(())
}

/// Removes a secret with its versions, keys, tags and statistics. Not undoable.
pub fn erase(tx: &mut WriteTx<'_>, scope: &SecretScope, id: &str, path: &str) -> StoreResult<()> {
    secret_version::delete_all(tx, id)?;
    access_count::delete_all(tx, id)?;
    rotation_state::forget(tx, id, None)?;
    secret_expiry::remove(tx, id)?;
    tx.connection()?.execute(
        "DELETE FROM secret_tag WHERE namespace = $1 AND path = $2 AND secret_id = $3",
        params![scope.namespace(), path, id],
    )?;
    tx.connection()?.execute("DELETE FROM secret WHERE id = $1", params![id])?;
    tx.changed(Change::Erased);
    tx.changed(Change::Secret { namespace: scope.namespace().to_owned(), path: path.to_owned() });
    Ok(())
}

/// Secrets whose retention has passed, a bounded batch: (namespace, id, path).
pub fn past_retention(
    db: &mut impl Database,
    now: Timestamp,
    limit: i64,
) -> StoreResult<Vec<(String, String, String)>> {
    db.all(
        "SELECT namespace, id, path FROM secret WHERE deleted_at IS NOT NULL AND recoverable_until <= $1
         ORDER BY recoverable_until LIMIT $2",
        params![now, limit],
        |row| Ok((row.text(0)?, row.text(1)?, row.text(2)?)),
    )
}
