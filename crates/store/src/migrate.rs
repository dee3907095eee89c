//! Forward-only migrations, run at start while nobody else has the database.

use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection, Param};

/// Add new ones at the end; a released one never changes.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "foundation", include_str!("migrations/0001_foundation.sql")),
    (2, "events_and_jobs", include_str!("migrations/0002_events_and_jobs.sql")),
    (3, "rotation", include_str!("migrations/0003_rotation.sql")),
    (4, "webhooks", include_str!("migrations/0004_webhooks.sql")),
    (5, "subscriptions", include_str!("migrations/0005_subscriptions.sql")),
    (6, "lives", include_str!("migrations/0006_lives.sql")),
];

/// The schema version that this program writes.
pub(crate) fn known_version() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

/// Brings the schema up to this program's version, one migration a transaction, so that a crash in between resumes.
pub(crate) fn run(connection: &mut dyn Connection) -> StoreResult<()> {
    connection.batch("CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL)")?;
    let mut found = 0;
    connection.query("SELECT COALESCE(MAX(version), 0) FROM schema_migration", &[], &mut |row| {
        found = row.int(0)?;
        Ok(false)
    })?;
    let known = known_version();
    if found > known {
        return Err(StoreError::SchemaTooNew { found, known });
    }
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, ..)| *version > found) {
        tracing::info!(version, name, "migrating the database");
        connection.batch("BEGIN IMMEDIATE")?;
        let applied = connection.batch(sql).and_then(|()| {
            connection.execute(
                "INSERT INTO schema_migration (version, name) VALUES ($1, $2)",
                &[Param::Int(*version), Param::Text(name)],
            )
        });
        match applied {
            Ok(_) => connection.batch("COMMIT")?,
            Err(error) => {
                connection.batch("ROLLBACK")?;
                return Err(error);
            }
        }
    }
    Ok(())
}
