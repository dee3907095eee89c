//! Looking at a PostgreSQL database without taking part in it.

use super::address::PostgresAddress;
use super::check_server;
use super::link::Link;
use super::node::{GONE_MICROS, LIVING};
use super::pool::BEGIN;
use super::rest::refuse_unfinished;
use crate::engine::inspect::{Inspected, Inspection, Looked};
use crate::error::{StoreError, StoreResult};
use crate::migrate;
use crate::sql::{Connection, Database as _, params};
use crate::store::Snapshots as _;
use crate::tx::{ReadView, SnapshotSource};

/// Connects and looks whether there is a database of ours.
///
/// # Errors
/// It can't be reached, is not fit for us, or holds a copy that is not complete.
pub fn inspect_postgres(address: &PostgresAddress) -> StoreResult<Inspected> {
    let mut link = Link::connect(address)?;
    check_server(&mut link)?;
    if link.simple("SELECT to_regclass('schema_migration')")?.is_none() {
        return Ok(Inspected::Absent);
    }
    refuse_unfinished(&mut link)?;
    let mut inspection = Inspection(Box::new(PostgresInspection { link }));
    let version = |view: &mut ReadView<'_>| view.number("SELECT COALESCE(MAX(version), 0) FROM schema_migration", &[]);
    let (found, known) = (inspection.read(version)?, migrate::known_version());
    if found != known {
        return Ok(Inspected::Present { in_use: false, found, known, database: None });
    }
    // One that died is still taken for a node at work for a minute.
    let node = inspection.read(|view| view.first(LIVING, params![GONE_MICROS], |row| row.text(0)))?;
    Ok(Inspected::Present { in_use: node.is_some(), found, known, database: Some(inspection) })
}

struct PostgresInspection {
    link: Link,
}

impl Looked for PostgresInspection {
    fn view(&mut self) -> ReadView<'_> {
        ReadView::new(OneSnapshot { link: &mut self.link, begun: false })
    }

    /// A node that starts writes to chains of its own name, and its writes are whole transactions: what is seen stays true.
    fn was_disturbed(&self) -> bool {
        false
    }
}

struct OneSnapshot<'l> {
    link: &'l mut Link,
    begun: bool,
}

impl SnapshotSource for OneSnapshot<'_> {
    fn snapshot(&mut self) -> StoreResult<&mut dyn Connection> {
        if !self.begun {
            self.link.simple(BEGIN)?;
            self.begun = true;
        }
        if self.link.is_broken() {
            return Err(StoreError::Unavailable("the connection to the database ended".to_owned()));
        }
        Ok(self.link)
    }
}

impl Drop for OneSnapshot<'_> {
    fn drop(&mut self) {
        if self.begun && !self.link.is_broken() {
            let _ = self.link.simple("ROLLBACK");
        }
    }
}
