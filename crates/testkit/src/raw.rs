//! A look into the database, or a hand in it, behind the server's back.
//!
//! Statements are plain SQL that both engines take. Bytes are written `x'00ff'` or `zeroblob(32)`; what else the engines say differently has a method.

mod postgres;

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::types::ValueRef;

use self::postgres::Postgres;
use crate::database::Engine;

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Blob(Vec<u8>),
    Int(i64),
    Null,
    Text(String),
}

impl Cell {
    /// As it is written in a statement.
    pub fn literal(&self) -> String {
        match self {
            Self::Blob(bytes) => blob(bytes),
            Self::Int(number) => number.to_string(),
            Self::Null => "NULL".to_owned(),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
        }
    }

    #[track_caller]
    pub fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            other => panic!("{other:?} is no number"),
        }
    }

    /// `None` for NULL.
    #[track_caller]
    pub fn blob(&self) -> Option<Vec<u8>> {
        match self {
            Self::Blob(bytes) => Some(bytes.clone()),
            Self::Null => None,
            other => panic!("{other:?} is no blob"),
        }
    }

    /// `None` for NULL.
    #[track_caller]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Null => None,
            other => panic!("{other:?} is no text"),
        }
    }
}

/// Bytes as statements hold them.
pub fn blob(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{digits}'")
}

pub struct Raw(Inner);

enum Inner {
    Postgres(Postgres),
    Sqlite(Mutex<rusqlite::Connection>),
}

/// What writes may be refused with, in the engine's own words: how much of a transaction a failure takes along differs.
const SQLITE_REFUSALS: [&str; 3] = ["ABORT", "FAIL", "ROLLBACK"];
/// A rule of the database, a full disk.
const POSTGRES_REFUSALS: [&str; 2] = ["P0001", "53100"];

impl Raw {
    pub(crate) fn of_sqlite(file: &Path) -> Self {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        Self(Inner::Sqlite(Mutex::new(connection)))
    }

    pub(crate) fn of_postgres(url: &str, schema: &str) -> Self {
        Self(Inner::Postgres(Postgres::connect(url, schema)))
    }

    pub fn engine(&self) -> Engine {
        match self.0 {
            Inner::Postgres(_) => Engine::Postgres,
            Inner::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Runs statements.
    #[track_caller]
    pub fn batch(&self, sql: &str) {
        self.try_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(crate) fn try_batch(&self, sql: &str) -> Result<(), String> {
        match &self.0 {
            Inner::Postgres(postgres) => postgres.batch(sql),
            Inner::Sqlite(connection) => connection.lock().execute_batch(sql).map_err(|error| error.to_string()),
        }
    }

    /// Runs one statement; answers how many rows it touched.
    #[track_caller]
    pub fn execute(&self, sql: &str) -> u64 {
        let touched = match &self.0 {
            Inner::Postgres(postgres) => postgres.execute(sql),
            Inner::Sqlite(connection) => {
                let touched = connection.lock().execute(sql, []);
                touched.map(|touched| touched as u64).map_err(|error| error.to_string())
            }
        };
        touched.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Vec<Cell>> {
        let rows = match &self.0 {
            Inner::Postgres(postgres) => postgres.rows(sql),
            Inner::Sqlite(connection) => sqlite_rows(&connection.lock(), sql).map_err(|error| error.to_string()),
        };
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The first column of all rows.
    #[track_caller]
    pub fn column(&self, sql: &str) -> Vec<Cell> {
        self.rows(sql).into_iter().map(|mut row| row.remove(0)).collect()
    }

    /// The first column of the only row.
    #[track_caller]
    pub fn one(&self, sql: &str) -> Cell {
        let mut found = self.column(sql);
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        found.remove(0)
    }

    /// The number that a query answers with.
    #[track_caller]
    pub fn count(&self, sql: &str) -> i64 {
        self.one(sql).int()
    }

    /// The names of a table's columns, in their order.
    #[track_caller]
    pub fn columns(&self, table: &str) -> Vec<String> {
        let found = self.column(&match self.0 {
            Inner::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
            Inner::Postgres(_) => format!(
                "SELECT column_name::text FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
            ),
        });
        found.iter().map(|name| name.text().unwrap()).collect()
    }

    /// The ways in which [`Raw::refuse`] can make a write fail, the plain one first.
    pub fn refusals(&self) -> &'static [&'static str] {
        match self.0 {
            Inner::Postgres(_) => &POSTGRES_REFUSALS,
            Inner::Sqlite(_) => &SQLITE_REFUSALS,
        }
    }

    /// From now on inserts into `table` fail, until [`Raw::allow`].
    #[track_caller]
    pub fn refuse_inserts(&self, table: &str) {
        self.refuse(table, "INSERT", "", self.refusals()[0]);
    }

    /// From now on writes to `table` fail, until [`Raw::allow`]. `on` is INSERT, UPDATE or DELETE, `condition` an expression over
    /// NEW and OLD (empty: all of them), `how` one of [`Raw::refusals`].
    #[track_caller]
    pub fn refuse(&self, table: &str, on: &str, condition: &str, how: &str) {
        let when = if condition.is_empty() { String::new() } else { format!("WHEN ({condition})") };
        self.batch(&match self.0 {
            Inner::Sqlite(_) => format!(
                "CREATE TRIGGER refused_{table} BEFORE {on} ON {table} {when} BEGIN SELECT RAISE({how}, 'no room'); END"
            ),
            Inner::Postgres(_) => format!(
                "CREATE FUNCTION refused_{table}() RETURNS trigger LANGUAGE plpgsql
                   AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{how}'; END $$;
                 CREATE TRIGGER refused_{table} BEFORE {on} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION refused_{table}()"
            ),
        });
    }

    /// Ends what [`Raw::refuse`] began.
    #[track_caller]
    pub fn allow(&self, table: &str) {
        self.batch(&match self.0 {
            Inner::Sqlite(_) => format!("DROP TRIGGER refused_{table}"),
            Inner::Postgres(_) => format!("DROP FUNCTION refused_{table}() CASCADE"),
        });
    }

    /// Moves what the write-ahead log of SQLite holds to the file; nothing elsewhere.
    #[track_caller]
    pub fn empty_log(&self) {
        if let Inner::Sqlite(connection) = &self.0 {
            connection.lock().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
    }

    /// The tables in which something can be read, as text or as bytes. On PostgreSQL only: SQLite has files, which hold more.
    pub(crate) fn tables_that_hold(&self, needle: &[u8]) -> Vec<String> {
        match &self.0 {
            Inner::Postgres(postgres) => postgres.tables_that_hold(needle),
            Inner::Sqlite(_) => Vec::new(),
        }
    }
}

fn sqlite_rows(connection: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Vec<Vec<Cell>>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let cell = |column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Int(number),
                ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
                ValueRef::Real(number) => panic!("{sql}: {number} is of a type that no table of ours has"),
            })
        };
        found.push((0..columns).map(cell).collect::<rusqlite::Result<_>>()?);
    }
    Ok(found)
}
