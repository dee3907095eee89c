//! Carrying a whole instance from one database to another, between engines or within one.
//!
//! Both databases are at rest meanwhile: no server has them, and none can start on them. Tables are copied in pages by primary key, a
//! transaction a page, so that a copy that was cut off at any moment goes on where the destination's rows end. Until everything was
//! read again on both sides and found equal, the destination bears a mark that no server starts on (`marker.rs`).
//!
//! What there is to copy is asked of the databases (`plan.rs`): a migration that adds a table needs no change here.

mod begin;
pub(crate) mod marker;
mod page;
mod plan;
mod resting;
mod row;
mod transfer;
mod verify;

use thiserror::Error;

pub(crate) use self::marker::unfinished;
use self::page::Statements;
pub(crate) use self::page::{Bounds, behind};
pub(crate) use self::plan::{Column, Kind, Planned, Table, quoted};
pub(crate) use self::resting::{Resting, Role};
pub use self::verify::{TableSum, Verification};
use crate::engine::postgres::PostgresAddress;
use crate::engine::sqlite::SqliteLocation;
use crate::error::StoreError;

/// Where a database is.
#[derive(Debug, Clone)]
pub enum Place {
    Sqlite(SqliteLocation),
    Postgres(Box<PostgresAddress>),
}

/// Why a copy ends early. Texts name tables, keys and places, never values or passwords.
#[derive(Debug, Error)]
pub enum CopyError {
    /// It was not begun or gone on with, and nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// Both sides were read and are not equal; the destination stays marked as unfinished.
    #[error("the copy is not like its source: {0}")]
    Differs(String),
    /// A text that the destination's engine can't hold.
    #[error(
        "table {table}, key ({key}): a text with a NUL character, which PostgreSQL can't store; change it in the source and run the copy again"
    )]
    Nul { table: String, key: String },
    /// A database failed; `side` is `source` or `destination`.
    #[error("{side}: {error}")]
    Store { side: &'static str, error: StoreError },
}

pub type CopyResult<T> = Result<T, CopyError>;

impl CopyError {
    fn refused<T>(text: impl Into<String>) -> CopyResult<T> {
        Err(Self::Refused(text.into()))
    }

    fn source(error: StoreError) -> Self {
        Self::Store { side: "source", error }
    }

    fn destination(error: StoreError) -> Self {
        Self::Store { side: "destination", error }
    }
}

/// What a copy is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Copying,
    /// Both sides are read, so that every row counts twice.
    Verifying,
}

/// How far a copy is: rows.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub step: Step,
    /// The table that the rows were of.
    pub table: &'a str,
    /// Of all tables together.
    pub done: u64,
    /// Of all tables together.
    pub total: u64,
}

/// Hears of every page of rows; it decides how much of that it tells.
pub type Told<'t> = dyn FnMut(Progress<'_>) + 't;

/// A table on its way.
struct Course {
    table: Planned,
    statements: Statements,
    /// Rows of the source.
    total: u64,
    /// Rows that stand in the destination.
    copied: u64,
    finished: bool,
}

/// A copy that was begun, or taken up again. Dropped, it leaves the destination for the next one to go on with.
pub struct Copying {
    source: Box<dyn Resting>,
    destination: Box<dyn Resting>,
    courses: Vec<Course>,
    resumed: bool,
}

impl Copying {
    /// The two places, without passwords.
    pub fn shown(&self) -> (String, String) {
        (self.source.shown(), self.destination.shown())
    }

    /// Whether an earlier run began this copy.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Rows that stand in the destination, and rows of the source.
    pub fn standing(&self) -> (u64, u64) {
        let sum = |count: fn(&Course) -> u64| self.courses.iter().map(count).sum();
        (sum(|course| course.copied), sum(|course| course.total))
    }
}

#[cfg(test)]
mod tests;
