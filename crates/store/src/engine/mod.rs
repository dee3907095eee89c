//! What differs between database engines.

pub(crate) mod sqlite;

use crate::error::StoreResult;
use crate::store::WriteJob;
use crate::tx::ReadView;

/// An engine runs write jobs in durable transactions and opens snapshots.
pub(crate) trait Engine: Send + Sync {
    fn name(&self) -> &'static str;
    /// Queues a job; its `settle` is called after the commit or the failure.
    fn submit(&self, job: Box<dyn WriteJob>) -> StoreResult<()>;
    fn view(&self) -> ReadView<'_>;
    fn last_write_failed(&self) -> bool;
    fn pool(&self) -> (usize, usize);
    fn close(&self);
}
