//! The two kinds of transaction: [`ReadView`] looks at one snapshot, [`WriteTx`] changes.

use crate::audit::Pending;
use crate::error::StoreResult;
use crate::sql::{Connection, Database};

/// What a committed transaction changed, as far as caches care. Told to the [`crate::CommitListener`] after the commit and
/// before anybody is answered, so that whoever saw the answer also sees the change; other nodes hear of it within a second.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nobody can say what: this node did not hear of the others for a while.
    Everything,
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

/// What a transaction leaves beside its rows.
#[derive(Debug, Default)]
pub(crate) struct Harvest {
    pub(crate) changes: Vec<Change>,
    pub(crate) entries: Vec<Pending>,
}

impl Harvest {
    fn mark(&self) -> (usize, usize) {
        (self.changes.len(), self.entries.len())
    }

    fn back_to(&mut self, (changes, entries): (usize, usize)) {
        self.changes.truncate(changes);
        self.entries.truncate(entries);
    }
}

/// A write transaction: its changes, its audit entries and its invalidations take effect together or not at all.
pub struct WriteTx<'c> {
    connection: &'c mut dyn Connection,
    harvest: &'c mut Harvest,
    depth: u32,
}

impl<'c> WriteTx<'c> {
    pub(crate) fn new(connection: &'c mut dyn Connection, harvest: &'c mut Harvest) -> Self {
        Self { connection, harvest, depth: 0 }
    }

    /// Notes a change for the caches.
    pub fn changed(&mut self, change: Change) {
        if !self.harvest.changes.contains(&change) {
            self.harvest.changes.push(change);
        }
    }

    pub(crate) fn entry(&mut self, entry: Pending) {
        self.harvest.entries.push(entry);
    }

    /// Whether this transaction changed such a thing already, be it for somebody else: writes that wait may share one transaction, and
    /// what the earlier ones changed is told to the caches only after the commit.
    pub fn has_changed(&self, change: &Change) -> bool {
        self.harvest.changes.contains(change)
    }

    /// Runs `work` in a savepoint: on `Err` nothing of it remains, and the surrounding transaction goes on. This is how a
    /// refused operation leaves its audit entry without leaving anything else.
    ///
    /// The outer error is a storage failure: the whole transaction is lost.
    pub fn attempt<T, E>(&mut self, work: impl FnOnce(&mut WriteTx<'_>) -> Result<T, E>) -> StoreResult<Result<T, E>> {
        let name = format!("s{}", self.depth);
        self.connection.savepoint(&name)?;
        let before = self.harvest.mark();
        let outcome = work(&mut WriteTx {
            connection: &mut *self.connection,
            harvest: &mut *self.harvest,
            depth: self.depth.saturating_add(1),
        });
        if outcome.is_ok() {
            self.connection.release(&name)?;
        } else {
            self.connection.undo(&name)?;
            self.harvest.back_to(before);
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
