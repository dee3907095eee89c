//! What follows from an attempt, in one transaction: the row, the target's health, and, once it is over, the entry in the trail.

use std::collections::BTreeMap;
use std::sync::Arc;

use scaivault_domain::access::TenantScope;
use scaivault_domain::audit::AuditAction;
use scaivault_domain::id::RequestId;
use scaivault_domain::time::Timestamp;
use scaivault_domain::webhook::retry_after_seconds;
use scaivault_store::delivery_target;
use scaivault_store::webhook_delivery::{self, AttemptRecord, DeliveryRecord, Fate, NewDelivery};
use scaivault_store::{Lane, StoreResult, WriteTx};

use super::destination::{self, GivenUp, whole};
use super::post::Attempted;
use crate::error::{Code, Error, Result};
use crate::event::Origin;
use crate::job::{JobKind, OwnEntry};
use crate::trail::unrecorded;
use crate::vault::Vault;

/// The status with which a receiver says that it wants nothing any more.
const GONE: u16 = 410;

/// What is told after the commit.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The delivery is over, and whether it arrived.
    finished: Option<bool>,
    /// Its target was switched off by this.
    pub(super) given_up: bool,
}

impl From<&Attempted> for AttemptRecord {
    fn from(attempted: &Attempted) -> Self {
        Self {
            response_code: attempted.code.map(i64::from),
            duration_ms: attempted.duration_ms(),
            error: attempted.error.clone(),
        }
    }
}

impl Vault {
    /// Writes down how an attempt on a pending delivery went. Does nothing when the delivery is no longer as it was found.
    pub(super) async fn settle_delivery(
        self: &Arc<Self>,
        scope: &TenantScope,
        found: &Arc<DeliveryRecord>,
        attempted: Attempted,
    ) -> Result<Settled> {
        let pause = match retry_after_seconds(found.attempts.saturating_add(1)) {
            Some(seconds) if attempted.code != Some(GONE) => Some(self.scattered(seconds)?),
            _ => None,
        };
        let (vault, scope, found) = (Arc::clone(self), scope.clone(), Arc::clone(found));
        let settled = self.store.write(Lane::of(&scope), move |tx| {
            let now = vault.clock.now();
            let fate = match (attempted.succeeded(), pause) {
                (true, _) => Fate::Success,
                (false, Some(pause)) => Fate::Again(Timestamp::from_micros(now.as_micros().saturating_add(pause))),
                (false, None) => Fate::Failed,
            };
            let record = AttemptRecord::from(&attempted);
            if !webhook_delivery::attempted(tx, &scope, &found, &record, fate, now)? {
                return Ok(Settled::default());
            }
            let finished = match fate {
                Fate::Success => Some(true),
                Fate::Failed => Some(false),
                Fate::Again(_) => None,
            };
            vault.follow_up(tx, &scope, &found.delivery, found.attempts.saturating_add(1), &attempted, finished, now)
        });
        Ok(self.told(settled.await?))
    }

    /// Drops a pending delivery that nobody may hear of any more. It leaves no trace: it never was.
    pub(super) async fn withdraw_delivery(
        self: &Arc<Self>,
        scope: &TenantScope,
        found: &Arc<DeliveryRecord>,
    ) -> Result<()> {
        let (lane, scope, found) = (Lane::of(scope), scope.clone(), Arc::clone(found));
        let delivery = move |tx: &mut WriteTx<'_>| {
            webhook_delivery::withdraw(tx, &scope, &found.delivery.target_id, &found.delivery.id)
        };
        Ok(self.store.write(lane, delivery).await?)
    }

    /// Writes down a delivery that was made at once and is never tried again.
    pub(super) async fn settle_trial(
        self: &Arc<Self>,
        scope: &TenantScope,
        delivery: NewDelivery,
        attempted: Attempted,
    ) -> Result<Settled> {
        let (vault, scope) = (Arc::clone(self), scope.clone());
        let settled = self.store.write(Lane::of(&scope), move |tx| {
            let now = vault.clock.now();
            // It may have been deleted while the receiver thought about its answer.
            if delivery_target::find(tx, &scope, &delivery.target_id)?.is_none() {
                return Ok(Settled::default());
            }
            let tenant_id = scope.tenant().as_str();
            webhook_delivery::insert_finished(tx, tenant_id, &delivery, &AttemptRecord::from(&attempted), now)?;
            vault.follow_up(tx, &scope, &delivery, 1, &attempted, Some(attempted.succeeded()), now)
        });
        Ok(self.told(settled.await?))
    }

    #[allow(clippy::too_many_arguments, reason = "one attempt and all that is known of it")]
    fn follow_up(
        &self,
        tx: &mut WriteTx<'_>,
        scope: &TenantScope,
        delivery: &NewDelivery,
        attempts: i64,
        attempted: &Attempted,
        finished: Option<bool>,
        now: Timestamp,
    ) -> StoreResult<Settled> {
        let mut settled = Settled { finished, ..Settled::default() };
        let request_id = self.ulid(now).map(RequestId::from_ulid).map_err(unrecorded)?;
        let origin = Origin {
            tenant_id: scope.tenant().as_str(),
            partner_id: scope.partner().as_str(),
            identity_id: JobKind::Deliver.identity(),
            request_id: request_id.as_str(),
        };
        if let Some(arrived) = finished {
            let own = entry(delivery, attempts, attempted, arrived);
            self.own_draft(&origin, &whole(scope), &own, now).map_err(unrecorded)?.append(tx)?;
        }
        let Some(mut target) = delivery_target::find(tx, scope, &delivery.target_id)? else { return Ok(settled) };
        // A trial of one that is switched off does not count: nothing is expected of it.
        if !target.enabled {
            return Ok(settled);
        }
        target.health = target.health.after(attempted.succeeded(), now);
        let why = match attempted.code {
            Some(GONE) => Some(GivenUp::Gone),
            _ if target.health.is_hopeless(now) => Some(GivenUp::Failing),
            _ => None,
        };
        match why {
            None => delivery_target::set_health(tx, scope, &target.id, target.health)?,
            Some(why) => {
                let told = destination::give_up(tx, scope, target, why, now)?;
                self.append_events(tx, &origin, told.as_slice(), now)?;
                settled.given_up = true;
            }
        }
        Ok(settled)
    }

    fn told(&self, settled: Settled) -> Settled {
        if let Some(arrived) = settled.finished {
            self.metrics.webhook_delivered(arrived);
        }
        settled
    }
}

/// One entry for the final outcome of a delivery.
fn entry(delivery: &NewDelivery, attempts: i64, attempted: &Attempted, arrived: bool) -> OwnEntry {
    let extra = BTreeMap::from([
        ("attempts".to_owned(), attempts.into()),
        ("delivery_id".to_owned(), delivery.id.clone().into()),
        ("event_id".to_owned(), delivery.event_id.clone().into()),
        ("event_type".to_owned(), delivery.event_type.clone().into()),
    ]);
    let text = attempted.error.clone().unwrap_or_default();
    OwnEntry {
        action: AuditAction::WebhookDelivery,
        secret_path: delivery.path.clone(),
        resource_id: Some(delivery.target_id.clone()),
        extra,
        failed: (!arrived).then(|| Error::new(Code::ServiceUnavailable, text).with("reason", "backend")),
    }
}
