//! The two kinds of transaction: [`ReadView`] looks at one snapshot, [`WriteTx`] changes.

use crate::audit::ChainHeads;
use crate::error::StoreResult;
use crate::sql::{Connection, Database};

/// What a committed transaction changed, as far as caches care. Told to the [`crate::CommitListener`] after the commit and
/// before anybody is answered, so that whoever saw the answer also sees the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Tokens, identities, groups, roles, policies, bindings, tenants: anything a decision rests on.
    Access,
    /// Wrapped keys were added, replaced or destroyed.
    Keys,
    /// Values were destroyed with their data keys; what the engine's own logs still hold of them goes soon.
    Erased,
    /// Keys that others rest on were destroyed: they leave the engine's own logs too before the writer is answered.
    Shredded,
    /// More secrets than are worth naming.
    AllSecrets,
    /// Something happened that listeners of the tenant may want to hear of.
    Event { tenant_id: String },
    /// Something waits for the owner of a subscription, or the subscription is gone.
    Buffered { subscription_id: String },
    /// Something was planned.
    Job,
    /// Who listens to a tenant's events, and to what.
    Listeners,
    /// One secret, by namespace and path.
    Secret { namespace: String, path: String },
}

/// A write transaction: its changes, its audit entries and its invalidations take effect together or not at all.
pub struct WriteTx<'c> {
    connection: &'c mut dyn Connection,
    heads: &'c mut ChainHeads,
    changes: &'c mut Vec<Change>,
    depth: u32,
}

impl<'c> WriteTx<'c> {
    pub(crate) fn new(
        connection: &'c mut dyn Connection,
        heads: &'c mut ChainHeads,
        changes: &'c mut Vec<Change>,
    ) -> Self {
        Self { connection, heads, changes, depth: 0 }
    }

    /// Notes a change for the caches.
    pub fn changed(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    pub(crate) fn heads(&mut self) -> &mut ChainHeads {
        self.heads
    }

    /// Runs `work` in a savepoint: on `Err` nothing of it remains, and the surrounding transaction goes on. This is how a
    /// refused operation leaves its audit entry without leaving anything else.
    ///
    /// The outer error is a storage failure: the whole transaction is lost.
    pub fn attempt<T, E>(&mut self, work: impl FnOnce(&mut WriteTx<'_>) -> Result<T, E>) -> StoreResult<Result<T, E>> {
        let name = format!("s{}", self.depth);
        self.connection.batch(&format!("SAVEPOINT {name}"))?;
        let heads_before = self.heads.appended();
        let changes_before = self.changes.len();
        let outcome = work(&mut WriteTx {
            connection: &mut *self.connection,
            heads: &mut *self.heads,
            changes: &mut *self.changes,
            depth: self.depth.saturating_add(1),
        });
        if outcome.is_ok() {
            self.connection.batch(&format!("RELEASE {name}"))?;
        } else {
            self.connection.batch(&format!("ROLLBACK TO {name}; RELEASE {name}"))?;
            // Entries of the failed work are gone; the heads are read again when the next entry needs them.
            if self.heads.appended() != heads_before {
                self.heads.forget();
            }
            self.changes.truncate(changes_before);
        }
        Ok(outcome)
    }
}

impl Database for WriteTx<'_> {
    fn connection(&mut self) -> StoreResult<&mut dyn Connection> {
        Ok(&mut *self.connection)
    }
}

/// A read-only snapshot. The connection is taken from the pool at the first query, so that an operation which is answered
/// from a cache costs the database nothing.
pub struct ReadView<'p> {
    source: Box<dyn SnapshotSource + 'p>,
}

/// Where a [`ReadView`] gets its snapshot; the engine's pool, or a transaction that is already open.
pub(crate) trait SnapshotSource {
    fn snapshot(&mut self) -> StoreResult<&mut dyn Connection>;
}

impl<'p> ReadView<'p> {
    pub(crate) fn new(source: impl SnapshotSource + 'p) -> Self {
        Self { source: Box::new(source) }
    }
}

impl Database for ReadView<'_> {
    fn connection(&mut self) -> StoreResult<&mut dyn Connection> {
        self.source.snapshot()
    }
}
