//! A database of PostgreSQL that no node serves: for copies.

use std::time::Duration;

use super::address::PostgresAddress;
use super::link::{Link, lock_key};
use super::{check_server, prepare};
use crate::copy::{Bounds, Column, Kind, Planned, Resting, Role, Table, behind, quoted, unfinished};
use crate::error::{StoreError, StoreResult};
use crate::migrate::{self, Migration};
use crate::sql::{Connection, Row, params};

/// Counting a long trail takes minutes. A server that is gone is noticed by TCP long before.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);
/// How long another start, or the remains of a copy that was killed, may hold what is needed here.
const LOCK_SECONDS: u64 = 15;

/// The database's clock, in microseconds.
const NOW: &str = clock!();

pub(crate) struct PostgresAtRest {
    /// One connection for everything: it holds the lock under which nodes start, so that all ends with it.
    link: Link,
    address: PostgresAddress,
    /// When the lock was taken, by the database's clock.
    since: i64,
}

impl PostgresAtRest {
    pub(crate) fn open(address: &PostgresAddress, role: Role) -> StoreResult<Self> {
        let mut link = Link::connect(address)?;
        link.set_patience(PATIENCE);
        link.simple(&format!(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET idle_session_timeout = 0;
             SET lock_timeout = '{LOCK_SECONDS}s'"
        ))?;
        let starting = lock_key(&address.schema, "start");
        let locked = link.simple(&format!("SELECT pg_advisory_lock({starting})"));
        if let Err(error) = locked {
            return Err(if link.is_broken() {
                error
            } else {
                StoreError::InUse(format!("{address}: a node is starting there, or another copy is going on"))
            });
        }
        match role {
            Role::Destination => prepare(&mut link, &address.schema)?,
            Role::Source => check_server(&mut link)?,
        }
        let since = link.simple(&format!("SELECT {NOW}"))?.and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut resting = Self { link, address: address.clone(), since };
        match resting.node_seen_after(since.saturating_sub(super::node::GONE_MICROS), " AND ended_at IS NULL")? {
            Some(node) => Err(StoreError::InUse(format!(
                "{address}: the node {node} serves it; stop all nodes first. One that was killed counts as gone after a minute"
            ))),
            None => Ok(resting),
        }
    }

    fn node_seen_after(&mut self, at: i64, condition: &str) -> StoreResult<Option<String>> {
        let mut found = None;
        if self.has_table("node")? {
            let sql = format!("SELECT id FROM node WHERE seen_at > $1{condition} ORDER BY id LIMIT 1");
            self.link.query(&sql, params![at], &mut |row| {
                found = Some(row.text(0)?);
                Ok(false)
            })?;
        }
        Ok(found)
    }

    fn list<T>(&mut self, sql: &str, table: &str, read: impl Fn(&dyn Row) -> StoreResult<T>) -> StoreResult<Vec<T>> {
        let mut found = Vec::new();
        self.link.query(sql, params![table], &mut |row| {
            found.push(read(row)?);
            Ok(true)
        })?;
        Ok(found)
    }
}

/// # Errors
/// The database is the destination of a copy that is not complete.
pub(super) fn refuse_unfinished(link: &mut Link) -> StoreResult<()> {
    if has_table(link, crate::copy::marker::COPY)? { Err(unfinished(link)) } else { Ok(()) }
}

fn has_table(link: &mut Link, name: &str) -> StoreResult<bool> {
    let mut found = false;
    let sql = "SELECT 1 FROM pg_class
         WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = $1::text";
    link.query(sql, params![name], &mut |_| {
        found = true;
        Ok(false)
    })?;
    Ok(found)
}

fn kind(declared: String) -> Result<Kind, String> {
    match declared.as_str() {
        "bigint" | "integer" => Ok(Kind::Int),
        "text" => Ok(Kind::Text),
        "bytea" => Ok(Kind::Blob),
        _ => Err(declared),
    }
}

/// Tables of ours; the parts of a table are no tables of their own.
const TABLES: &str = "SELECT relname::text FROM pg_class
     WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::text) AND relkind IN ('r', 'p') AND NOT relispartition
     ORDER BY 1";

/// Name, type, and the place in the primary key or NULL.
const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
       array_position(i.indkey::smallint[], a.attnum)::bigint
     FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
     WHERE a.attrelid = (SELECT oid FROM pg_class WHERE relname = $1::text
         AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()))
       AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum";

const PARENTS: &str = "SELECT DISTINCT p.relname::text FROM pg_constraint r JOIN pg_class p ON p.oid = r.confrelid
     WHERE r.contype = 'f' AND r.conrelid = (SELECT oid FROM pg_class WHERE relname = $1::text
         AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()))";

impl Resting for PostgresAtRest {
    fn connection(&mut self) -> &mut dyn Connection {
        &mut self.link
    }

    fn shown(&self) -> String {
        format!("postgresql://{}", self.address)
    }

    fn tables(&mut self) -> StoreResult<Vec<Table>> {
        let schema = self.address.schema.clone();
        let mut tables = Vec::new();
        for name in self.list(TABLES, &schema, |row| row.text(0))? {
            let columns = self.list(COLUMNS, &name, |row| {
                Ok((Column { name: row.text(0)?, kind: kind(row.text(1)?) }, row.opt_int(2)?))
            })?;
            let mut key: Vec<(i64, String)> =
                columns.iter().filter_map(|(column, place)| Some(((*place)?, column.name.clone()))).collect();
            key.sort();
            tables.push(Table {
                columns: columns.into_iter().map(|(column, _)| column).collect(),
                key: key.into_iter().map(|(_, name)| name).collect(),
                parents: self.list(PARENTS, &name, |row| row.text(0))?,
                name,
            });
        }
        Ok(tables)
    }

    fn has_table(&mut self, name: &str) -> StoreResult<bool> {
        has_table(&mut self.link, name)
    }

    fn migrate(&mut self) -> StoreResult<()> {
        migrate::run(&mut self.link, "BEGIN", Migration::for_postgres)
    }

    /// READ COMMITTED and not a snapshot: nothing changes under these locks, and a long look keeps nobody from clearing up.
    fn hold_still(&mut self, tables: &[&str]) -> StoreResult<()> {
        let names: Vec<_> = tables.iter().map(|table| quoted(table)).collect();
        self.link.batch(&format!("BEGIN; LOCK TABLE {} IN SHARE MODE", names.join(", ")))
    }

    fn disturbed_by(&mut self) -> StoreResult<Option<String>> {
        self.node_seen_after(self.since, "")
    }

    fn begin(&self) -> &'static str {
        "BEGIN"
    }

    /// The server sends a page whole: so it is the one that counts the bytes. The first row always comes.
    fn page(&self, table: &Planned, bounds: Bounds, after: bool) -> String {
        let condition = if after { format!(" WHERE {}", behind(table)) } else { String::new() };
        let (columns, name, key) = (table.column_list(), quoted(&table.name), table.key_list());
        let Bounds { rows, bytes } = bounds;
        let weights: Vec<_> =
            table.weighty().map(|column| format!("COALESCE(octet_length({}), 0)::bigint", quoted(column))).collect();
        let page = format!("SELECT {columns} FROM {name}{condition} ORDER BY {key} LIMIT {rows}");
        if weights.is_empty() {
            return page;
        }
        let weight = weights.join(" + ");
        format!(
            "SELECT {columns} FROM (
               SELECT p.*, SUM(weight) OVER (ORDER BY {key} ROWS UNBOUNDED PRECEDING) - weight AS before FROM (
                 SELECT {columns}, {weight} AS weight FROM {name}{condition} ORDER BY {key} LIMIT {rows}) p) w
             WHERE before < {bytes} ORDER BY {key}"
        )
    }

    fn clear(&self, tables: &[&str]) -> String {
        let names: Vec<_> = tables.iter().map(|table| quoted(table)).collect();
        format!("TRUNCATE {}", names.join(", "))
    }

    fn takes_nul(&self) -> bool {
        false
    }

    fn settle(&mut self, tables: &[&str]) {
        let names: Vec<_> = tables.iter().map(|table| quoted(table)).collect();
        let _ = self.link.simple(&format!("ANALYZE {}", names.join(", ")));
    }
}

/// As a node does that was only asleep.
#[cfg(test)]
pub(crate) fn beat_in_a_test(address: &PostgresAddress) {
    Link::connect(address).unwrap().simple(&format!("UPDATE node SET seen_at = {NOW} + 1")).unwrap();
}
