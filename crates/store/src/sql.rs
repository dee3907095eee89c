//! The narrow waist between queries and engines: parameters in, rows out, nothing an engine owns.

use crate::error::{StoreError, StoreResult};

/// A bound value. Queries number them `$1`, `$2`, ... as PostgreSQL does; the SQLite engine binds the same names.
#[derive(Debug, Clone, Copy)]
pub enum Param<'a> {
    Blob(&'a [u8]),
    Int(i64),
    Null,
    Text(&'a str),
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Flags are stored as 0 and 1: SQLite has no boolean of its own.
impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Blob(value)
    }
}

impl<'a> From<&'a Option<String>> for Param<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().map_or(Self::Null, Self::Text)
    }
}

impl<'a> From<&'a Option<Vec<u8>>> for Param<'a> {
    fn from(value: &'a Option<Vec<u8>>) -> Self {
        value.as_deref().map_or(Self::Null, Self::Blob)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<scaivault_domain::time::Timestamp> for Param<'_> {
    fn from(value: scaivault_domain::time::Timestamp) -> Self {
        Self::Int(value.as_micros())
    }
}

/// `params![a, b]` is the argument list of a query.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Param::from($value)),*] };
}
pub(crate) use params;

/// One row of an answer, read by column position.
pub trait Row {
    fn opt_int(&self, column: usize) -> StoreResult<Option<i64>>;
    fn opt_text(&self, column: usize) -> StoreResult<Option<String>>;
    fn opt_blob(&self, column: usize) -> StoreResult<Option<Vec<u8>>>;
}

impl dyn Row + '_ {
    pub fn int(&self, column: usize) -> StoreResult<i64> {
        self.opt_int(column)?.ok_or_else(|| null_in(column))
    }

    pub fn text(&self, column: usize) -> StoreResult<String> {
        self.opt_text(column)?.ok_or_else(|| null_in(column))
    }

    pub fn blob(&self, column: usize) -> StoreResult<Vec<u8>> {
        self.opt_blob(column)?.ok_or_else(|| null_in(column))
    }

    pub fn flag(&self, column: usize) -> StoreResult<bool> {
        Ok(self.int(column)? != 0)
    }

    pub fn time(&self, column: usize) -> StoreResult<scaivault_domain::time::Timestamp> {
        self.int(column).map(scaivault_domain::time::Timestamp::from_micros)
    }

    pub fn opt_time(&self, column: usize) -> StoreResult<Option<scaivault_domain::time::Timestamp>> {
        Ok(self.opt_int(column)?.map(scaivault_domain::time::Timestamp::from_micros))
    }

    pub fn json<T: serde::de::DeserializeOwned>(&self, column: usize) -> StoreResult<T> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|_| StoreError::corrupt(format!("column {column} is not the JSON it was written as")))
    }
}

fn null_in(column: usize) -> StoreError {
    StoreError::corrupt(format!("unexpected NULL in column {column}"))
}

/// A connection of either engine, inside a transaction that its owner began.
pub trait Connection {
    /// Runs a statement; answers how many rows it touched.
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<u64>;

    /// Runs a query and hands over row by row until `each` answers `false` or the rows end.
    fn query(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>,
    ) -> StoreResult<()>;

    /// Runs several statements without parameters (migrations, savepoints).
    fn batch(&mut self, sql: &str) -> StoreResult<()>;

    /// Begins something that can be undone by itself.
    fn savepoint(&mut self, name: &str) -> StoreResult<()> {
        self.batch(&format!("SAVEPOINT {name}"))
    }

    /// What was done since the savepoint stands with the rest.
    fn release(&mut self, name: &str) -> StoreResult<()> {
        self.batch(&format!("RELEASE {name}"))
    }

    /// What was done since the savepoint is undone.
    fn undo(&mut self, name: &str) -> StoreResult<()> {
        self.batch(&format!("ROLLBACK TO {name}; RELEASE {name}"))
    }

    /// Inserts rows of `width` columns each: `insert` is the statement up to `VALUES`.
    fn insert_rows(&mut self, insert: &str, width: usize, values: &[Param<'_>]) -> StoreResult<()> {
        let row = format!("{insert} VALUES {}", placeholders(1, width));
        values.chunks(width).try_for_each(|values| self.execute(&row, values).map(|_| ()))
    }
}

/// What both kinds of transaction offer: a view of the data that does not change underneath.
pub trait Database {
    fn connection(&mut self) -> StoreResult<&mut dyn Connection>;

    fn all<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(&dyn Row) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>>
    where
        Self: Sized,
    {
        let mut rows = Vec::new();
        self.connection()?.query(sql, params, &mut |row| {
            rows.push(read(row)?);
            Ok(true)
        })?;
        Ok(rows)
    }

    fn first<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(&dyn Row) -> StoreResult<T>,
    ) -> StoreResult<Option<T>>
    where
        Self: Sized,
    {
        let mut found = None;
        self.connection()?.query(sql, params, &mut |row| {
            found = Some(read(row)?);
            Ok(false)
        })?;
        Ok(found)
    }

    fn number(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<i64>
    where
        Self: Sized,
    {
        Ok(self.first(sql, params, |row| row.opt_int(0))?.flatten().unwrap_or(0))
    }
}

/// The smallest text greater than every text that begins with `prefix`, for half-open range scans over paths.
/// Paths are ASCII, so raising the last byte stays valid; an empty prefix has no end (`None`).
pub(crate) fn prefix_end(prefix: &str) -> Option<String> {
    let mut bytes = prefix.as_bytes().to_vec();
    let last = bytes.last_mut()?;
    *last = last.saturating_add(1);
    String::from_utf8(bytes).ok()
}

/// `($1, $2), ($3, $4)` for two rows of two columns.
pub(crate) fn placeholders(rows: usize, width: usize) -> String {
    let row = |row: usize| {
        let names: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", names.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// The JSON text of a value of ours, for a TEXT column.
pub(crate) fn json_text<T: serde::Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::corrupt(format!("a value can't be written as JSON: {error}")))
}
