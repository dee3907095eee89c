//! Pages: as many rows after a key as fit into some megabytes.

use super::plan::{Planned, quoted};
use super::resting::Resting;
use super::row::{self, Value};
use crate::error::{StoreError, StoreResult};
use crate::sql::Param;

/// What a page may hold. A row that is larger than all of it is a page of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

pub(super) const BOUNDS: Bounds = Bounds { rows: 2000, bytes: 4 * 1024 * 1024 };

/// The statements of one table, made once.
pub(super) struct Statements {
    first: String,
    next: String,
    from_destination: (String, String),
    last_key: String,
    pub(super) insert: String,
    pub(super) count: String,
}

/// On which side a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Destination,
}

impl Statements {
    pub(super) fn new(table: &Planned, source: &dyn Resting, destination: &dyn Resting) -> Self {
        let name = quoted(&table.name);
        let backwards: Vec<_> =
            table.columns.iter().take(table.key).map(|(column, _)| format!("{} DESC", quoted(column))).collect();
        Self {
            first: source.page(table, BOUNDS, false),
            next: source.page(table, BOUNDS, true),
            from_destination: (destination.page(table, BOUNDS, false), destination.page(table, BOUNDS, true)),
            last_key: format!("SELECT {} FROM {name} ORDER BY {} LIMIT 1", table.column_list(), backwards.join(", ")),
            insert: format!("INSERT INTO {name} ({})", table.column_list()),
            count: format!("SELECT COUNT(*) FROM {name}"),
        }
    }

    /// The next rows after `after`, of `table.columns.len()` values each; none at the end.
    pub(super) fn read(
        &self,
        from: &mut dyn Resting,
        side: Side,
        table: &Planned,
        after: Option<&[Value]>,
    ) -> StoreResult<Vec<Value>> {
        let (first, next) = match side {
            Side::Source => (&self.first, &self.next),
            Side::Destination => (&self.from_destination.0, &self.from_destination.1),
        };
        let sql = if after.is_some() { next } else { first };
        let params: Vec<Param<'_>> = after.unwrap_or_default().iter().map(Value::param).collect();
        rows(from, table, sql, &params)
    }

    /// The key that the destination's rows end with.
    pub(super) fn last_key(&self, destination: &mut dyn Resting, table: &Planned) -> StoreResult<Option<Vec<Value>>> {
        let mut row = rows(destination, table, &self.last_key, &[])?;
        row.truncate(table.key);
        Ok((!row.is_empty()).then_some(row))
    }
}

fn rows(from: &mut dyn Resting, table: &Planned, sql: &str, params: &[Param<'_>]) -> StoreResult<Vec<Value>> {
    let mut values = Vec::new();
    let mut bytes = 0_usize;
    from.connection()
        .query(sql, params, &mut |row| {
            let begin = values.len();
            row::read(table, row, &mut values)?;
            let weight = |value: &Value| match value {
                Value::Blob(bytes) => bytes.len(),
                Value::Text(text) => text.len(),
                Value::Int(_) | Value::Null => 0,
            };
            bytes = bytes.saturating_add(values.iter().skip(begin).map(weight).sum());
            Ok(bytes < BOUNDS.bytes)
        })
        .map_err(|error| match error {
            StoreError::Corrupt(text) => StoreError::Corrupt(format!("table {}: {text}", table.name)),
            other => other,
        })?;
    Ok(values)
}

/// `("a", "b") > ($1, $2)`
pub(crate) fn behind(table: &Planned) -> String {
    let names: Vec<_> = (1..=table.key).map(|number| format!("${number}")).collect();
    format!("({}) > ({})", table.key_list(), names.join(", "))
}
