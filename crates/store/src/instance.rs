//! The one row that says that this database belongs to an initialised instance.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, params};
use crate::tx::{ReadView, WriteTx};

#[derive(Debug, Clone)]
pub struct InstanceRecord {
    pub created_at: Timestamp,
    /// The root-key provider that wrapped the keys, as it calls itself.
    pub provider: String,
    /// Salt of a passphrase provider.
    pub kdf_salt: Option<Vec<u8>>,
}

pub fn find(db: &mut impl Database) -> StoreResult<Option<InstanceRecord>> {
    db.first("SELECT created_at, provider, kdf_salt FROM instance WHERE id = 1", &[], |row| {
        Ok(InstanceRecord { created_at: row.time(0)?, provider: row.text(1)?, kdf_salt: row.opt_blob(2)? })
    })
}

pub fn exists(view: &mut ReadView<'_>) -> StoreResult<bool> {
    Ok(find(view)?.is_some())
}

pub fn insert(tx: &mut WriteTx<'_>, record: &InstanceRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO instance (id, created_at, provider, kdf_salt, touched) VALUES (1, $1, $2, $3, 0)",
        params![record.created_at, &record.provider, &record.kdf_salt],
    )?;
    Ok(())
}

/// A durable write that changes nothing anybody reads: the readiness probe's proof that the disk takes writes again.
pub fn touch(tx: &mut WriteTx<'_>) -> StoreResult<()> {
    tx.connection()?.execute("UPDATE instance SET touched = 1 - touched WHERE id = 1", &[])?;
    Ok(())
}
