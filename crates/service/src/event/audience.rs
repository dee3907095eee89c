//! Who listens in a tenant, and which of its events are for whom.
//!
//! All of this is worked out before the transaction that hands the events on: while that runs, nobody else writes. Patterns are
//! compiled when they are first needed and kept in memory as long as nobody's webhooks or subscriptions change.

use std::sync::Arc;

use scaivault_domain::time::Timestamp;
use scaivault_store::event::{self, Backlog, EventRecord};
use scaivault_store::{Change, Database, StoreResult, WriteTx};

use crate::subscription::{Share, Subscriber, shares};
use crate::vault::Vault;
use crate::webhook::Ear;

/// Tenants whose listeners are kept in memory.
pub(crate) const REMEMBERED_AUDIENCES: usize = 128;
/// Patterns of an audience that is worth keeping; some 300 bytes each.
const MOST_PATTERNS: usize = 10_000;
/// Rows that one tenant's events may become in one transaction: events times those who listen.
const MOST_ROWS: usize = 2000;

/// Everybody in a tenant who listens, compiled.
pub(crate) struct Audience {
    pub(crate) webhooks: Vec<Ear>,
    pub(crate) subscriptions: Vec<Arc<Subscriber>>,
}

/// Events of one tenant on their way to those who listen, oldest first.
pub(crate) struct HandOn {
    pub(crate) tenant_id: String,
    pub(crate) events: Vec<Arc<EventRecord>>,
    pub(crate) audience: Arc<Audience>,
    /// What each subscription asked for and its owner may see.
    pub(crate) shares: Vec<Share>,
}

/// The state of what a [`HandOn`] rests on: webhooks and subscriptions, and the rights of their owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Basis {
    listeners: u64,
    access: u64,
}

impl Audience {
    fn load(db: &mut impl Database, tenant_id: &str) -> StoreResult<Self> {
        Ok(Self { webhooks: Ear::all_in(db, tenant_id)?, subscriptions: Subscriber::all_in(db, tenant_id)? })
    }

    fn patterns(&self) -> usize {
        self.subscriptions.iter().map(|subscriber| subscriber.patterns()).sum()
    }

    /// How many events are handed to it at once.
    fn share(&self, limit: usize) -> usize {
        let listening = self.webhooks.len().saturating_add(self.subscriptions.len());
        limit.min(MOST_ROWS / listening.max(1)).max(1)
    }
}

impl Vault {
    /// To be asked for before anything that belongs to it is read. `None` where other transactions run beside this node's: then
    /// nothing is known without looking, and what is handed on is worked out in the tenant's own lane, which keeps nobody else waiting.
    pub(super) fn basis(&self) -> Option<Basis> {
        // Sessions are dropped by whatever changes what an identity may do.
        let basis = || Basis { listeners: self.audiences.generation(), access: self.sessions.generation() };
        self.store.node_id().is_none().then(basis)
    }

    /// Whether what was worked out on `basis` is what `tx` would find. Nobody but the one writer commits, and it tells of each commit before
    /// it begins another transaction, so a count that stands where it stood means that no transaction before this one changed anything;
    /// what this one changed itself, it knows. So this needs no query.
    pub(super) fn still_holds(&self, tx: &WriteTx<'_>, basis: Basis) -> bool {
        self.basis() == Some(basis) && !tx.has_changed(&Change::Listeners) && !tx.has_changed(&Change::Access)
    }

    /// What is to be handed on of a backlog, at most `limit` events. Blocks; never call it inside a transaction or with a read
    /// connection in hand.
    pub(super) fn prepare_hand_on(&self, backlog: &Backlog, limit: usize, now: Timestamp) -> StoreResult<HandOn> {
        let tenant_id = &backlog.tenant_id;
        let audience = match self.audiences.get(tenant_id) {
            Some(known) => known,
            None => {
                let generation = self.audiences.generation();
                let loaded = Arc::new(self.store.read(|view| Audience::load(view, tenant_id))?);
                if loaded.patterns() <= MOST_PATTERNS {
                    self.audiences.keep(generation, tenant_id.clone(), Arc::clone(&loaded));
                }
                loaded
            }
        };
        self.store.read(|view| self.hand_on_to(view, audience, backlog, limit, now))
    }

    /// The same inside a transaction, where what was prepared does not hold any more. Keeps nothing: it may be rolled back.
    pub(super) fn hand_on_anew(
        &self,
        tx: &mut WriteTx<'_>,
        backlog: &Backlog,
        limit: usize,
        now: Timestamp,
    ) -> StoreResult<HandOn> {
        let audience = Arc::new(Audience::load(tx, &backlog.tenant_id)?);
        self.hand_on_to(tx, audience, backlog, limit, now)
    }

    fn hand_on_to(
        &self,
        db: &mut impl Database,
        audience: Arc<Audience>,
        backlog: &Backlog,
        limit: usize,
        now: Timestamp,
    ) -> StoreResult<HandOn> {
        let limit = i64::try_from(audience.share(limit)).unwrap_or(i64::MAX);
        let events = event::after(db, &backlog.tenant_id, &backlog.dispatched_id, limit)?;
        let events: Vec<Arc<EventRecord>> = events.into_iter().map(Arc::new).collect();
        let shares = shares(db, &audience.subscriptions, &events, &backlog.tenant_id, &self.settings, now)?;
        Ok(HandOn { tenant_id: backlog.tenant_id.clone(), events, audience, shares })
    }
}
