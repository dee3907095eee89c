//! Counts for the metrics; nothing here is a secret, and nothing here names a path.

use std::collections::BTreeMap;

use crate::error::StoreResult;
use crate::sql::Database;

/// How many secrets each namespace (a tenant, or a partner with shared secrets) has; what lies in the trash does not count.
///
/// Two scans over indexes instead of one over the table: that of all paths covers its query, that of the trash is small.
pub fn secrets_by_namespace(db: &mut impl Database) -> StoreResult<BTreeMap<String, i64>> {
    let count = "SELECT namespace, COUNT(*) FROM secret";
    let mut counts: BTreeMap<String, i64> = db
        .all(&format!("{count} GROUP BY namespace"), &[], |row| Ok((row.text(0)?, row.int(1)?)))?
        .into_iter()
        .collect();
    let trash = format!("{count} WHERE deleted_at IS NOT NULL GROUP BY namespace");
    for (namespace, deleted) in db.all(&trash, &[], |row| Ok((row.text(0)?, row.int(1)?)))? {
        if let Some(all) = counts.get_mut(&namespace) {
            *all = all.saturating_sub(deleted);
        }
    }
    Ok(counts)
}
