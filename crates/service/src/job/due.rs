//! What is due, and what it needs that must not be fetched inside a transaction.

use std::collections::HashMap;
use std::sync::Arc;

use scaivault_domain::access::SecretScope;
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobRecord};
use scaivault_store::tenant::{self, TenantRecord};
use scaivault_store::{ReadView, StoreResult};

use super::{Body, Inside, JobKind, Outside, scope_of};
use crate::error::Result;
use crate::session::DELETED;
use crate::vault::Vault;
use crate::warm::WarmKeys;

/// Jobs of one transaction: some ten milliseconds during which nobody else writes.
const BATCH: usize = 64;

/// A job that runs inside a transaction.
pub(super) struct Prepared {
    pub(super) found: JobRecord,
    pub(super) run: Inside,
    pub(super) kind: JobKind,
    pub(super) tenant: Arc<TenantRecord>,
    pub(super) scope: SecretScope,
    pub(super) keys: WarmKeys,
}

/// What is due, and how each is done.
#[derive(Default)]
pub(super) struct Due {
    pub(super) inside: Vec<Prepared>,
    pub(super) outside: Vec<(JobRecord, Outside)>,
    /// Of tenants that are gone, with whether they were deleted properly: then there is nothing left to do.
    pub(super) of_nobody: Vec<(JobRecord, bool)>,
}

/// Whose settings hold for a job.
enum Owner {
    /// The server's own housekeeping.
    Server,
    Tenant(Arc<TenantRecord>),
    Gone {
        deleted: bool,
    },
}

impl Vault {
    /// Blocks; never call it inside a transaction.
    pub(super) fn find_due(self: &Arc<Self>) -> Result<Due> {
        let now = self.clock.now();
        let found = self.store.read(|view| {
            let found = self.due_of_all(view, now)?;
            owners_of(view, found)
        })?;
        let mut due = Due::default();
        for (kind, found, owner) in found {
            match (kind.body(), owner) {
                (_, Owner::Gone { deleted }) => due.of_nobody.push((found, deleted)),
                (Body::Inside(_), Owner::Server) => due.of_nobody.push((found, false)),
                (Body::Inside(run), Owner::Tenant(tenant)) => match scope_of(&tenant, &found.namespace) {
                    Ok(scope) => {
                        let keys = self.load_keys_of(&scope, now);
                        due.inside.push(Prepared { found, run, kind, tenant, scope, keys });
                    }
                    Err(_) => due.of_nobody.push((found, false)),
                },
                (Body::Outside(run), _) => due.outside.push((found, run)),
            }
        }
        // Sealed meanwhile: some of the keys were refused, and a job that fails for that would count it as a failure of its own.
        if self.is_sealed() { Ok(Due::default()) } else { Ok(due) }
    }

    /// Of each kind its longest due, as many as there is room for: no kind waits for another's backlog.
    fn due_of_all(&self, view: &mut ReadView<'_>, now: Timestamp) -> StoreResult<Vec<(JobKind, JobRecord)>> {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        let names: Vec<&str> = JobKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let next = job::next_of_each(view, &names, now)?;
        let due = JobKind::ALL.iter().zip(next).filter(|(_, next)| next.is_some_and(|next| next <= now));
        for kind in due.map(|(kind, _)| *kind) {
            let is_inside = matches!(kind.body(), Body::Inside(_));
            let held = self.runner.held_of(kind);
            let room = if is_inside { BATCH } else { kind.places().saturating_sub(held) };
            if room == 0 {
                continue;
            }
            // Those that run here are among the due only after the clock jumped over their lease.
            let limit = i64::try_from(room.saturating_add(held)).unwrap_or(i64::MAX);
            let mut found = job::due(view, kind.as_str(), now, limit)?;
            found.retain(|found| !self.runner.is_held(&found.key));
            found.truncate(room);
            let ranked = found.into_iter().enumerate().map(|(rank, found)| (rank, kind, found));
            if is_inside { inside.extend(ranked) } else { outside.extend(ranked) }
        }
        inside.sort_by_key(|(rank, _, found)| (*rank, found.run_at));
        inside.truncate(BATCH);
        Ok(inside.into_iter().chain(outside).map(|(_, kind, found)| (kind, found)).collect())
    }
}

fn owners_of(
    view: &mut ReadView<'_>,
    found: Vec<(JobKind, JobRecord)>,
) -> StoreResult<Vec<(JobKind, JobRecord, Owner)>> {
    let mut tenants: HashMap<String, Option<Arc<TenantRecord>>> = HashMap::new();
    let mut owned = Vec::with_capacity(found.len());
    for (kind, found) in found {
        if found.tenant_id.is_empty() {
            owned.push((kind, found, Owner::Server));
            continue;
        }
        let tenant = match tenants.get(&found.tenant_id) {
            Some(known) => known.clone(),
            None => {
                let read = tenant::find(view, &found.tenant_id)?.map(Arc::new);
                tenants.insert(found.tenant_id.clone(), read.clone());
                read
            }
        };
        let owner = match tenant {
            Some(tenant) if tenant.status == DELETED => Owner::Gone { deleted: true },
            Some(tenant) => Owner::Tenant(tenant),
            None => Owner::Gone { deleted: false },
        };
        owned.push((kind, found, owner));
    }
    Ok(owned)
}
