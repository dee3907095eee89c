//! Sending what is due to one target. A job for each target, so that a slow or dead one delays no other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use scaivault_domain::access::TenantScope;
use scaivault_domain::webhook::TargetUrl;
use scaivault_store::delivery_target::{self, DeliveryTarget};
use scaivault_store::job::JobRecord;
use scaivault_store::webhook_delivery::{self, DeliveryRecord};
use scaivault_store::{Lane, tenant};
use tokio::task::JoinSet;

use super::signature::Secrets;
use crate::error::{Error, Result};
use crate::job::{Doing, Next, scope_of};
use crate::metrics::Stopwatch;
use crate::session::DELETED;
use crate::vault::Vault;

/// Deliveries of one run.
const BATCH: i64 = 256;
/// Paths that are delivered side by side to one target.
const LANES: usize = 8;
/// After this nothing new is begun: the lease has to outlast what is under way.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// When there was no room, the server is sealed or ends.
const LATER_SECONDS: i64 = 2;
/// A clock that went back by more than this was wrong before.
const CLOCK_SLACK_SECONDS: i64 = 5;

/// One run for one target.
struct Run {
    vault: Arc<Vault>,
    scope: TenantScope,
    /// As it was when the run began.
    target: DeliveryTarget,
    url: TargetUrl,
    secrets: Secrets,
    stopwatch: Stopwatch,
    /// The target was changed, deleted or given up meanwhile, or something can't be written.
    over: AtomicBool,
    /// Something arrived.
    delivered: AtomicBool,
    /// Deliveries by path, each in the order of the events.
    lanes: Mutex<VecDeque<Vec<Arc<DeliveryRecord>>>>,
}

pub(crate) fn deliver(vault: Arc<Vault>, taken: JobRecord) -> Doing {
    Box::pin(async move {
        let target_id = taken.key.subject.clone();
        let later = |vault: &Vault| Ok(Next::At(vault.clock.now().plus_seconds(LATER_SECONDS)));
        if !vault.may_send() {
            return later(&vault);
        }
        let Some(place) = vault.pace.begin(&taken.tenant_id, &target_id) else { return later(&vault) };
        let run = match prepare(&vault, &taken).await {
            Ok(Some(run)) => Arc::new(run),
            Ok(None) => return Ok(Next::Never),
            Err(_) if vault.is_sealed() => return later(&vault),
            Err(error) => return Err(error),
        };
        let sent = send_all(&run).await;
        drop(place);
        vault.pace.end(&target_id, run.stopwatch.elapsed(), run.delivered.load(Ordering::Acquire));
        sent?;
        if !vault.may_send() {
            return later(&vault);
        }
        next(&vault, &run.scope, target_id).await
    })
}

impl Vault {
    /// Nothing leaves a server that is sealed or about to end.
    fn may_send(&self) -> bool {
        !self.is_sealed() && !self.draining.load(Ordering::Acquire)
    }
}

/// `None`: the target is gone or switched off, or nothing waits for it.
async fn prepare(vault: &Arc<Vault>, taken: &JobRecord) -> Result<Option<Run>> {
    let (vault, taken) = (Arc::clone(vault), taken.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let now = vault.clock.now();
        let found = vault.store.read(|view| {
            let Some(tenant) = tenant::find(view, &taken.tenant_id)?.filter(|tenant| tenant.status != DELETED) else {
                return Ok(None);
            };
            let scope = scope_of(&tenant, &tenant.id)?.owner().clone();
            let target = delivery_target::find(view, &scope, &taken.key.subject)?.filter(|target| target.enabled);
            let Some(target) = target else { return Ok(None) };
            let due = webhook_delivery::due(view, &scope, &target.id, now, BATCH)?;
            Ok::<_, scaivault_store::StoreError>(Some((scope, target, due)))
        })?;
        let Some((scope, target, due)) = found else { return Ok(None) };
        let keys = vault.keyring.for_tenant(&vault.store, &scope, now)?;
        let secrets = Secrets::open(&keys, &target)?;
        let url = TargetUrl::parse(&target.url).map_err(Error::internal)?;
        let (over, delivered) = (AtomicBool::new(false), AtomicBool::new(false));
        let (stopwatch, lanes) = (Stopwatch::start(), Mutex::new(by_path(due)));
        Ok(Some(Run { scope, target, url, secrets, stopwatch, over, delivered, lanes, vault }))
    });
    prepared.await.map_err(Error::internal)?
}

/// What has no path is in one lane, too: a policy is made before it is changed.
fn by_path(due: Vec<DeliveryRecord>) -> VecDeque<Vec<Arc<DeliveryRecord>>> {
    let mut lanes: VecDeque<Vec<Arc<DeliveryRecord>>> = VecDeque::new();
    let mut places = std::collections::HashMap::new();
    for record in due {
        let place = *places.entry(record.delivery.path.clone()).or_insert(lanes.len());
        match lanes.get_mut(place) {
            Some(lane) => lane.push(Arc::new(record)),
            None => lanes.push_back(vec![Arc::new(record)]),
        }
    }
    lanes
}

async fn send_all(run: &Arc<Run>) -> Result<()> {
    let mut workers = JoinSet::new();
    for _ in 0..LANES.min(run.lanes.lock().len()) {
        let run = Arc::clone(run);
        workers.spawn(async move {
            loop {
                let lane = run.lanes.lock().pop_front();
                let Some(lane) = lane else { return Ok(()) };
                for delivery in lane {
                    if !run.goes_on() {
                        return Ok(());
                    }
                    run.send(&delivery).await?;
                }
            }
        });
    }
    let mut result = Ok(());
    while let Some(worked) = workers.join_next().await {
        let worked = worked.map_err(Error::internal).flatten();
        if worked.is_err() {
            run.over.store(true, Ordering::Release);
            result = worked;
        }
    }
    result
}

impl Run {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Acquire) && self.stopwatch.elapsed() < BEGIN_WITHIN && self.vault.may_send()
    }

    /// Whoever deletes a webhook, switches it off or gives it another URL or secret means what is queued, too: a run that goes on with
    /// what it began with would send to a receiver that was just shut out.
    async fn is_as_it_was(self: &Arc<Self>) -> Result<bool> {
        let run = Arc::clone(self);
        let look = move || run.vault.store.read(|view| delivery_target::find(view, &run.scope, &run.target.id));
        let found = tokio::task::spawn_blocking(look).await.map_err(Error::internal)??;
        Ok(found.is_some_and(|now| now.sends_like(&self.target)))
    }

    async fn send(self: &Arc<Self>, found: &Arc<DeliveryRecord>) -> Result<()> {
        let delivery = &found.delivery;
        if !self.is_as_it_was().await? {
            self.over.store(true, Ordering::Release);
            return Ok(());
        }
        if !self.vault.may_be_told(&self.scope, delivery).await? {
            return self.vault.withdraw_delivery(&self.scope, found).await;
        }
        let now = self.vault.clock.now();
        let headers = self.secrets.headers(&delivery.event_id, &delivery.event_type, &delivery.body, now);
        let attempted = self.vault.poster.post(&self.url, &headers, delivery.body.clone()).await;
        if attempted.succeeded() {
            self.delivered.store(true, Ordering::Release);
        }
        let settled = self.vault.settle_delivery(&self.scope, found, attempted).await?;
        if settled.given_up {
            self.over.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// When to look again.
async fn next(vault: &Arc<Vault>, scope: &TenantScope, target_id: String) -> Result<Next> {
    let (looking, at, id) = (Arc::clone(vault), scope.clone(), target_id.clone());
    let next = tokio::task::spawn_blocking(move || {
        looking.store.read(|view| {
            let enabled = delivery_target::find(view, &at, &id)?.is_some_and(|target| target.enabled);
            if enabled { webhook_delivery::next(view, &at, &id) } else { Ok(None) }
        })
    });
    let Some((due_at, planned_at)) = next.await.map_err(Error::internal)?? else { return Ok(Next::Never) };
    let now = vault.clock.now();
    if planned_at > now.plus_seconds(CLOCK_SLACK_SECONDS) {
        let (lane, scope) = (Lane::of(scope), scope.clone());
        vault.store.write(lane, move |tx| webhook_delivery::recall(tx, &scope, &target_id, now)).await?;
        return Ok(Next::At(now));
    }
    Ok(Next::At(due_at))
}
