//! Looking at a database without taking part in it: nothing is made, migrated, recovered or locked.
//!
//! For `scaivault check`, which must leave no trace and must work beside a running server.

use crate::store::Snapshots;
use crate::tx::ReadView;

/// What there is.
pub enum Inspected {
    /// No database: the first start makes one.
    Absent,
    /// The server that had it open did not close it; the next one recovers it. Until then nobody can look without changing it.
    Unrecovered,
    Present {
        /// A server has it open.
        in_use: bool,
        /// Schema version of the database and of this program.
        found: i64,
        known: i64,
        /// To look further; `None` unless the two versions are equal.
        database: Option<Inspection>,
    },
}

/// A database that is looked at. Each [`Snapshots::read`] is a snapshot of its own, so that a long look does not keep a running
/// server from its housekeeping.
pub struct Inspection(pub(super) Box<dyn Looked>);

pub(super) trait Looked {
    fn view(&mut self) -> ReadView<'_>;
    fn was_disturbed(&self) -> bool;
}

impl Inspection {
    /// Whether a server was started in the middle of the look: what was seen since may be of two states at once.
    pub fn was_disturbed(&self) -> bool {
        self.0.was_disturbed()
    }
}

impl Snapshots for Inspection {
    fn read<T>(&mut self, look: impl FnOnce(&mut ReadView<'_>) -> T) -> T {
        look(&mut self.0.view())
    }
}
