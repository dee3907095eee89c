//! What webhooks and subscriptions delivered by webhook share: a [`DeliveryTarget`] with the id of its owner.
//!
//! The owner keeps what it asks for in a row of its own, makes and changes its target with the functions here, puts events into a
//! [`super::Queue`] from a listener (`event/dispatch.rs`), and has a row in [`OWNERS`]. Everything else (attempts, retries, signatures,
//! the log of deliveries) is done for it.

use scaivault_crypto::SecretString;
use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::id::{SubscriptionId, WebhookId};
use scaivault_domain::time::Timestamp;
use scaivault_domain::webhook::{Health, TargetUrl};
use scaivault_store::delivery_target::{self, DeliveryTarget, PreviousSecret};
use scaivault_store::job::{self as jobs, Plan};
use scaivault_store::{StoreResult, WriteTx};

use crate::context::Work;
use crate::error::Result;
use crate::event::Happening;
use crate::job::{Job, JobKind, Next, cancel, plan};
use crate::keyring::KeySet;

/// What the secrets are sealed with, beside the id of their owner.
const PURPOSE: &str = "webhook_secret";

/// Why a target was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// The receiver said that it is no more.
    Gone,
    /// Nothing arrived for three days.
    Failing,
}

impl GivenUp {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// Has an owner, by its id, take note that its target was switched off. Answers what others hear of it.
type Notice = fn(&mut WriteTx<'_>, &TenantScope, &str, GivenUp, Timestamp) -> StoreResult<Option<Happening>>;

/// By the beginning of the id.
const OWNERS: &[(&str, Notice)] =
    &[(WebhookId::PREFIX, super::given_up), (SubscriptionId::PREFIX, crate::subscription::given_up)];

/// A target for `id`, switched on or off; still to be written.
pub(crate) fn target(
    work: &Work<'_>,
    scope: &TenantScope,
    id: &str,
    url: &TargetUrl,
    secret: &SecretString,
    enabled: bool,
) -> Result<DeliveryTarget> {
    Ok(DeliveryTarget {
        id: id.to_owned(),
        url: url.as_str().to_owned(),
        secret: sealed(work, scope, id, secret)?,
        previous: None,
        enabled,
        health: Health::default(),
    })
}

fn sealed(work: &Work<'_>, scope: &TenantScope, id: &str, secret: &SecretString) -> Result<Vec<u8>> {
    work.tenant_keys(scope)?.seal_item(PURPOSE, id, secret.expose().as_bytes(), &*work.vault.entropy)
}

pub(super) fn opened(keys: &KeySet, id: &str, sealed: &[u8]) -> Result<scaivault_crypto::SecretBytes> {
    keys.open_item(PURPOSE, id, sealed)
}

/// Another secret; the one before it signs too for `keep_seconds`. Whatever was previous before is destroyed. The secret that signs
/// already, sent again by a client that did not hear the answer, ends no overlap unless `keep_seconds` is zero. The target is still to be
/// written.
pub(crate) fn change_secret(
    tx: &mut WriteTx<'_>,
    work: &Work<'_>,
    scope: &TenantScope,
    target: &mut DeliveryTarget,
    secret: &SecretString,
    keep_seconds: i64,
) -> Result<()> {
    let current = opened(&*work.tenant_keys(scope)?, &target.id, &target.secret)?;
    if current.expose() == secret.expose().as_bytes() {
        if keep_seconds > 0 {
            return Ok(());
        }
        target.previous = None;
    } else {
        let before = std::mem::replace(&mut target.secret, sealed(work, scope, &target.id, secret)?);
        target.previous =
            (keep_seconds > 0).then(|| PreviousSecret { secret: before, ends_at: work.now.plus_seconds(keep_seconds) });
    }
    tx.changed(scaivault_store::Change::Erased);
    match &target.previous {
        Some(previous) => {
            plan(tx, JobKind::EndPreviousSecret, &target.id, &whole(scope), previous.ends_at, work.now)?;
        }
        None => cancel(tx, JobKind::EndPreviousSecret, &target.id)?,
    }
    Ok(())
}

/// On: what it did before is forgotten, and what rested goes on. Off: its deliveries rest, and nothing new is made for it. The target
/// is still to be written.
pub(crate) fn switch(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    target: &mut DeliveryTarget,
    enabled: bool,
    now: Timestamp,
) -> StoreResult<()> {
    target.enabled = enabled;
    if enabled {
        target.health = Health::default();
        hasten(tx, scope.tenant().as_str(), &target.id, now)?;
    }
    Ok(())
}

/// Has the deliveries of a target looked at.
pub(super) fn hasten(tx: &mut WriteTx<'_>, tenant_id: &str, target_id: &str, now: Timestamp) -> StoreResult<()> {
    let kind = JobKind::Deliver.as_str();
    jobs::hasten(tx, &Plan { kind, subject: target_id, tenant_id, namespace: tenant_id, run_at: now }, now)
}

/// Ends what is planned for a target that is being deleted; the store drops its deliveries with it.
pub(crate) fn forget(tx: &mut WriteTx<'_>, target_id: &str) -> StoreResult<()> {
    cancel(tx, JobKind::Deliver, target_id)?;
    cancel(tx, JobKind::EndPreviousSecret, target_id)
}

/// Switches a target off that is past hope.
pub(super) fn give_up(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    mut target: DeliveryTarget,
    why: GivenUp,
    now: Timestamp,
) -> StoreResult<Option<Happening>> {
    target.enabled = false;
    delivery_target::update(tx, scope, &target)?;
    match OWNERS.iter().find(|(prefix, _)| target.id.starts_with(prefix)) {
        Some((_, notice)) => notice(tx, scope, &target.id, why, now),
        None => Ok(None),
    }
}

/// Destroys a previous secret when its time is over.
pub(crate) fn end_previous_secret(job: &Job, tx: &mut WriteTx<'_>, work: &mut Work<'_>) -> Result<Next> {
    let ends_at = delivery_target::end_previous(tx, job.scope.owner(), job.subject(), work.now)?;
    Ok(ends_at.map_or(Next::Never, Next::At))
}

/// Webhooks belong to a tenant, not to the secrets that its partner shares.
pub(super) fn whole(scope: &TenantScope) -> SecretScope {
    SecretScope::of_the_server(Space::Tenant, scope.clone())
}
