//! What was told of the expiry of a secret, so that nothing is told twice.

use scaivault_domain::expiry::Settled;

use crate::error::StoreResult;
use crate::sql::{Database, params};
use crate::tx::WriteTx;

pub fn find(db: &mut impl Database, secret_id: &str) -> StoreResult<Option<Settled>> {
    db.first(
        "SELECT expires_at, notify_before, settled_until FROM secret_expiry_state WHERE secret_id = $1",
        params![secret_id],
        |row| Ok(Settled { expires_at: row.time(0)?, notify_before: row.text(1)?, until: row.time(2)? }),
    )
}

/// Writes what is known now, in place of what was known.
pub fn put(tx: &mut WriteTx<'_>, secret_id: &str, settled: &Settled) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO secret_expiry_state (secret_id, expires_at, notify_before, settled_until) VALUES ($1, $2, $3, $4)
         ON CONFLICT (secret_id) DO UPDATE SET expires_at = excluded.expires_at, notify_before = excluded.notify_before,
           settled_until = excluded.settled_until",
        params![secret_id, settled.expires_at, &settled.notify_before, settled.until],
    )?;
    Ok(())
}

/// The secret has no expiry any more, or is gone.
pub fn remove(tx: &mut WriteTx<'_>, secret_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM secret_expiry_state WHERE secret_id = $1", params![secret_id])?;
    Ok(())
}
