//! What differs between database engines.

pub(crate) mod inspect;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;
use std::thread::JoinHandle;

use scaivault_domain::time::{Clock, Timestamp};

use crate::audit::AuditParts;
use crate::error::{StoreError, StoreResult};
use crate::lane::Lane;
use crate::store::WriteJob;
use crate::tx::ReadView;

/// An engine runs write jobs in durable transactions and opens snapshots.
pub(crate) trait Engine: Send + Sync {
    fn name(&self) -> &'static str;
    /// Queues a job; its `settle` is called after the commit or the failure.
    fn submit(&self, lane: Lane, job: Box<dyn WriteJob>) -> StoreResult<()>;
    fn view(&self) -> ReadView<'_>;
    fn last_write_failed(&self) -> bool;
    /// Really writes, after a write failed; `None` where any durable write proves that writes work. Blocks.
    fn probe(&self) -> Option<StoreResult<()>> {
        None
    }
    fn pool(&self) -> (usize, usize);
    fn close(&self);

    /// Whether what was read a while ago may still be used: only while this node is sure to hear of what others change.
    fn memory_holds(&self) -> bool {
        true
    }

    /// Told when everything that is committed by now was heard of; `None` where there is nobody else.
    fn catch_up(&self) -> Option<tokio::sync::oneshot::Receiver<()>> {
        None
    }

    /// The clock that all nodes go by; `None` where there is one node, which goes by its own.
    fn clock(&self) -> Option<Arc<dyn Clock>> {
        None
    }

    /// Under which name this node is known to the others.
    fn node_id(&self) -> Option<&str> {
        None
    }

    /// The parts by time that the audit trail lies in; `None` where it lies in one piece.
    fn audit_parts(&self) -> StoreResult<Option<AuditParts>> {
        Ok(None)
    }

    /// Makes the parts that are needed soon; answers how many. Blocks, for seconds where others are in the way.
    fn prepare_audit_parts(&self, _now: Timestamp, _retention_seconds: i64) -> StoreResult<usize> {
        Ok(0)
    }

    /// Removes what was cut and not deleted; answers how many parts and rows. Blocks, as above.
    fn drop_audit_parts(&self, _before: Timestamp) -> StoreResult<usize> {
        Ok(0)
    }
}

/// A thread of an engine.
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> StoreResult<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| StoreError::Unavailable(format!("thread {name}: {error}")))
}
