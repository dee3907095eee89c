//! Wrapped keys. Nothing here can unwrap them.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, params};
use crate::tx::{Change, WriteTx};

/// What a key is for; each level is wrapped by the one above (contract 12 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyLevel {
    Instance,
    /// Wraps the data keys of a partner's shared secrets.
    Namespace,
    Partner,
    Tenant,
}

impl KeyLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Namespace => "namespace",
            Self::Partner => "partner",
            Self::Tenant => "tenant",
        }
    }
}

#[derive(Debug, Clone)]
pub struct WrappedKey {
    pub key_id: String,
    pub level: KeyLevel,
    pub owner_id: String,
    pub wrapped: Vec<u8>,
    pub created_at: Timestamp,
}

pub fn insert(tx: &mut WriteTx<'_>, key: &WrappedKey) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO wrapped_key (key_id, level, owner_id, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)",
        params![&key.key_id, key.level.as_str(), &key.owner_id, &key.wrapped, key.created_at],
    )?;
    tx.changed(Change::Keys);
    Ok(())
}

/// Keys of one owner, newest first: the first one wraps, older ones still open what they wrapped.
pub fn of_owner(db: &mut impl Database, level: KeyLevel, owner_id: &str) -> StoreResult<Vec<WrappedKey>> {
    db.all(
        "SELECT key_id, wrapped, created_at FROM wrapped_key WHERE level = $1 AND owner_id = $2 ORDER BY created_at DESC, key_id DESC",
        params![level.as_str(), owner_id],
        |row| {
            Ok(WrappedKey {
                key_id: row.text(0)?,
                level,
                owner_id: owner_id.to_owned(),
                wrapped: row.blob(1)?,
                created_at: row.time(2)?,
            })
        },
    )
}

/// What may be told of a wrapped key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing {
    pub level: String,
    pub owner_id: String,
    pub key_id: String,
    pub created_at: Timestamp,
}

/// Every key without its bytes, by level and owner, the newest of an owner first.
pub fn listing(db: &mut impl Database) -> StoreResult<Vec<KeyListing>> {
    db.all(
        "SELECT level, owner_id, key_id, created_at FROM wrapped_key ORDER BY level, owner_id, created_at DESC, key_id DESC",
        &[],
        |row| {
            Ok(KeyListing { level: row.text(0)?, owner_id: row.text(1)?, key_id: row.text(2)?, created_at: row.time(3)? })
        },
    )
}

/// Whether a key is still there.
pub fn exists(db: &mut impl Database, key_id: &str) -> StoreResult<bool> {
    Ok(db.number("SELECT COUNT(*) FROM wrapped_key WHERE key_id = $1", params![key_id])? > 0)
}

/// Destroys every key of an owner: what they wrapped can never be opened again with this database. An older backup holds them
/// still, wrapped, as long as the root key of its time exists.
pub fn shred(tx: &mut WriteTx<'_>, level: KeyLevel, owner_id: &str) -> StoreResult<u64> {
    let gone = tx
        .connection()?
        .execute("DELETE FROM wrapped_key WHERE level = $1 AND owner_id = $2", params![level.as_str(), owner_id])?;
    tx.changed(Change::Keys);
    tx.changed(Change::Shredded);
    Ok(gone)
}
