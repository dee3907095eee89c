//! Forward-only migrations, run at start.

use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection, Param};

/// One step of the schema. Both engines take the same steps; where they can't take them in the same words there are two texts.
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

macro_rules! shared {
    ($version:literal, $name:literal, $file:literal) => {
        Migration { version: $version, name: $name, sqlite: include_str!($file), postgres: include_str!($file) }
    };
}

/// Add new ones at the end; a released one never changes. Servers of the release before go on working while a newer one migrates:
/// a step only adds, or changes what the release before does not use.
pub(crate) const MIGRATIONS: &[Migration] = &[
    shared!(1, "foundation", "migrations/0001_foundation.sql"),
    shared!(2, "events_and_jobs", "migrations/0002_events_and_jobs.sql"),
    shared!(3, "rotation", "migrations/0003_rotation.sql"),
    shared!(4, "webhooks", "migrations/0004_webhooks.sql"),
    shared!(5, "subscriptions", "migrations/0005_subscriptions.sql"),
    shared!(6, "lives", "migrations/0006_lives.sql"),
    Migration {
        version: 7,
        name: "chains_and_nodes",
        sqlite: include_str!("migrations/0007_chains.sqlite.sql"),
        postgres: include_str!("migrations/0007_chains_and_nodes.postgres.sql"),
    },
];

/// The schema version that this program writes.
pub(crate) fn known_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Brings the schema up to this program's version, one migration a transaction, so that a crash in between resumes. The caller sees
/// to it that nobody else migrates. `begin` is how the engine begins a transaction, `text` what it runs of a migration.
pub(crate) fn run(connection: &mut dyn Connection, begin: &str, text: fn(&Migration) -> String) -> StoreResult<()> {
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
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > found) {
        let Migration { version, name, .. } = migration;
        tracing::info!(version, name, "migrating the database");
        connection.batch(begin)?;
        let applied = connection.batch(&text(migration)).and_then(|()| {
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
