//! What there is to copy, and in which order: derived from the catalogues of both databases.

use std::collections::{BTreeMap, BTreeSet};

use super::marker;

/// What belongs to a database and not to the instance in it: its nodes, what they tell each other, how its schema came to be.
const OF_THE_DATABASE: [&str; 5] = ["change_feed", "node", "schema_migration", marker::COPY, marker::PARTS];

/// What a column may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Blob,
    Int,
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// As the engine calls it, where it is none that is known here.
    pub(crate) kind: Result<Kind, String>,
}

/// A table as a catalogue tells of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Columns of the primary key, in its order.
    pub(crate) key: Vec<String>,
    /// Tables whose rows have to be there first.
    pub(crate) parents: Vec<String>,
}

/// A table that can be copied: columns of the key first, the others by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, Kind)>,
    /// How many of the columns are the key.
    pub(crate) key: usize,
}

impl Planned {
    /// The columns, quoted.
    pub(crate) fn column_list(&self) -> String {
        list(self.columns.iter())
    }

    pub(crate) fn key_list(&self) -> String {
        list(self.columns.iter().take(self.key))
    }

    /// What the rows of a page weigh in bytes, beside their integers.
    pub(crate) fn weighty(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|(_, kind)| *kind != Kind::Int).map(|(name, _)| name.as_str())
    }
}

fn list<'a>(columns: impl Iterator<Item = &'a (String, Kind)>) -> String {
    columns.map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// A name in a statement. Ours hold no quotation marks; those of others are none of ours.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Which of `tables` are the instance's.
pub(crate) fn of_the_instance(tables: Vec<Table>) -> Vec<Table> {
    tables.into_iter().filter(|table| !OF_THE_DATABASE.contains(&table.name.as_str())).collect()
}

/// The tables that both sides have, each after those that it refers to.
///
/// # Errors
/// What stands in the way, in words: a table that only one side has, or that is not the same on both.
pub(crate) fn plan(source: Vec<Table>, destination: Vec<Table>) -> Result<Vec<Planned>, String> {
    let mut others: BTreeMap<String, Table> =
        of_the_instance(destination).into_iter().map(|table| (table.name.clone(), table)).collect();
    let mut tables = Vec::new();
    let mut parents = BTreeMap::new();
    for table in of_the_instance(source) {
        let name = &table.name;
        let other = others.remove(name).ok_or_else(|| format!("the destination has no table {name}"))?;
        let mut needed: BTreeSet<String> = table.parents.iter().chain(&other.parents).cloned().collect();
        needed.remove(name);
        parents.insert(name.clone(), needed);
        tables.push(planned(&table, &other)?);
    }
    match others.keys().next() {
        Some(name) => Err(format!("the source has no table {name}")),
        None => in_order(tables, &parents),
    }
}

fn planned(table: &Table, other: &Table) -> Result<Planned, String> {
    let name = &table.name;
    // One engine may need a column more in its key (partitions); the order is the same as far as the shorter one goes.
    let (key, shorter) =
        if table.key.len() >= other.key.len() { (&table.key, &other.key) } else { (&other.key, &table.key) };
    if shorter.is_empty() {
        return Err(format!("the table {name} has no primary key"));
    }
    if !key.starts_with(shorter) {
        return Err(format!("the table {name} has another primary key in the destination"));
    }
    let mut kinds = BTreeMap::new();
    for column in &table.columns {
        let kind = column.kind.clone().map_err(|kind| {
            format!("the column {} of the table {name} is of a kind that can't be copied: {kind}", column.name)
        })?;
        kinds.insert(column.name.clone(), kind);
    }
    for column in &other.columns {
        if kinds.get(&column.name) != column.kind.as_ref().ok() {
            return Err(format!("the column {} of the table {name} is not the same on both sides", column.name));
        }
    }
    if let Some(column) = kinds.keys().find(|name| other.columns.iter().all(|column| &column.name != *name)) {
        return Err(format!("the destination has no column {column} in the table {name}"));
    }
    let mut columns = Vec::with_capacity(kinds.len());
    for column in key {
        let kind = kinds.remove(column).ok_or_else(|| format!("the table {name} has a key without its columns"))?;
        columns.push((column.clone(), kind));
    }
    columns.extend(kinds);
    Ok(Planned { name: name.clone(), columns, key: key.len() })
}

/// Sorted by name where nothing else is said: the order must be the same when a copy is taken up again.
fn in_order(mut tables: Vec<Planned>, parents: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<Planned>, String> {
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let mut ordered: Vec<Planned> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let stands = |name: &String| ordered.iter().any(|table| &table.name == name);
        let ready = tables.iter().position(|table| parents.get(&table.name).into_iter().flatten().all(stands));
        let Some(ready) = ready else {
            let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
            return Err(format!("these tables refer to each other in a circle: {}", names.join(", ")));
        };
        ordered.push(tables.remove(ready));
    }
    Ok(ordered)
}
