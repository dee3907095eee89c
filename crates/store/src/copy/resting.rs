//! What a copy needs of a database beyond its queries; each engine has one.

use super::page::Bounds;
use super::plan::{Planned, Table};
use crate::error::StoreResult;
use crate::sql::Connection;

/// On which side of a copy a database stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It must be there, and nothing of it is changed.
    Source,
    /// It may be made.
    Destination,
}

/// A database that no server has, and that none starts on while this value lives.
pub(crate) trait Resting: Send {
    fn connection(&mut self) -> &mut dyn Connection;

    /// Where it is, without its password.
    fn shown(&self) -> String;

    /// Every table there is, by the database's own catalogue.
    fn tables(&mut self) -> StoreResult<Vec<Table>>;

    fn has_table(&mut self, name: &str) -> StoreResult<bool>;

    /// Brings the schema up to this program's version.
    fn migrate(&mut self) -> StoreResult<()>;

    /// Begins a transaction in which nobody else, server or not, changes `tables`. It ends with the connection.
    fn hold_still(&mut self, tables: &[&str]) -> StoreResult<()>;

    /// Who used the database since this value was made: a node that was thought to be gone and is not.
    fn disturbed_by(&mut self) -> StoreResult<Option<String>>;

    /// How a transaction begins that writes.
    fn begin(&self) -> &'static str;

    /// The query for the next page of a table: of the rows after `$1, $2, ...` where `behind` says so, in the order of the key.
    fn page(&self, table: &Planned, bounds: Bounds, behind: bool) -> String;

    /// Statements that remove all rows of `tables`, which stand in the order in which they may be filled.
    fn clear(&self, tables: &[&str]) -> String;

    /// Whether texts may hold the character NUL.
    fn takes_nul(&self) -> bool;

    /// After the copy: what the engine does better once it has looked at its tables. No failure counts.
    fn settle(&mut self, tables: &[&str]);
}
