//! Subscriptions: the events of some paths for one identity, as long as it may see these paths (contract 07 section 5).

mod ack;
mod change;
mod fan_out;
mod owner;
mod poll;
mod read;
mod sending;
mod update;

pub use ack::{AcknowledgeEvents, Acknowledged};
pub use change::{CreateSubscription, DeleteSubscription, DeliveryChoice};
pub use poll::{PollSubscription, Polled};
pub use read::{GetSubscription, ListSubscriptions};
pub use scaivault_store::subscription::{Delivery, SubscriptionRecord};
pub use update::{DeliveryChange, DeliveryKind, UpdateSubscription};

pub(crate) use fan_out::{Share, Subscriber, fan_out, shares};
pub(crate) use sending::given_up;

use scaivault_domain::access::Permit;
use scaivault_domain::event::EventPatterns;
use scaivault_domain::glob::Glob;
use scaivault_domain::id::EventId;
use scaivault_domain::scope::Scope;
use scaivault_domain::time::Timestamp;
use scaivault_store::delivery_target::{self, DeliveryTarget};
use scaivault_store::{Database, StoreError, StoreResult, subscription};

use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::event::Interest;
use crate::identity::lookup;
use crate::maintenance::EVENTS_KEPT_SECONDS;

/// A subscription as answers show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub record: SubscriptionRecord,
    /// Of the owner, as it is called now.
    pub identity_id: String,
    /// Where it is sent; `None` for polling.
    pub target: Option<DeliveryTarget>,
}

/// `status` in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    /// The newest attempt to deliver failed.
    Failing,
    Paused,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failing => "failing",
            Self::Paused => "paused",
        }
    }
}

impl Subscription {
    pub fn status(&self) -> Status {
        match &self.target {
            _ if !self.record.enabled => Status::Paused,
            Some(target) if target.health.last_failed() => Status::Failing,
            Some(_) | None => Status::Active,
        }
    }
}

fn subscription_not_found(id: &str) -> Error {
    Error::new(Code::SubscriptionNotFound, format!("Subscription '{id}' not found")).with("id", id)
}

/// A subscription that the caller may see and change: its own, with scope admin anybody's of the tenant.
fn manageable(db: &mut impl Database, permit: &Permit, cx: &Context<'_>, id: &str) -> Result<SubscriptionRecord> {
    let found = subscription::find(db, permit.tenant(), id)?;
    let visible = |record: &SubscriptionRecord| is_own(record, cx) || cx.caller.scopes().contains(Scope::Admin);
    found.filter(visible).ok_or_else(|| subscription_not_found(id))
}

/// A subscription whose events the caller may take: its own.
fn own(db: &mut impl Database, permit: &Permit, cx: &Context<'_>, id: &str) -> Result<SubscriptionRecord> {
    let found = subscription::find(db, permit.tenant(), id)?;
    found.filter(|record| is_own(record, cx)).ok_or_else(|| subscription_not_found(id))
}

fn is_own(record: &SubscriptionRecord, cx: &Context<'_>) -> bool {
    record.owner_id == cx.caller.identity().internal_id
}

fn must_be_polled(record: &SubscriptionRecord) -> Result<()> {
    match record.delivery {
        Delivery::Polling { .. } => Ok(()),
        Delivery::Webhook => {
            Err(Error::new(Code::InvalidState, "This subscription is delivered by webhook; there is nothing to poll")
                .with("state", "delivered_by_webhook"))
        }
    }
}

fn shown(db: &mut impl Database, permit: &Permit, record: SubscriptionRecord) -> Result<Subscription> {
    let owner = lookup::by_internal_id(db, &record.owner_id)?;
    let owner = owner.ok_or_else(|| Error::internal("a subscription without owner"))?;
    let target = match record.delivery {
        Delivery::Polling { .. } => None,
        Delivery::Webhook => delivery_target::find(db, permit.tenant(), &record.id)?,
    };
    Ok(Subscription { record, identity_id: owner.identity_id, target })
}

/// What is stored was checked when it came.
fn interest_of(record: &SubscriptionRecord) -> StoreResult<Interest> {
    let globs = record.paths.iter().map(|path| Glob::parse(path));
    Ok(Interest {
        paths: globs.collect::<Result<_, _>>().map_err(StoreError::corrupt)?,
        events: EventPatterns::parse(record.events.clone())
            .map_err(|_| StoreError::corrupt("a subscription to an unknown event"))?,
        secret_type: record.secret_type.clone(),
        tags: record.tags.clone(),
    })
}

/// The first id that an event of the last seven days can have: older ones have lapsed.
pub(crate) fn lapsed_before(now: Timestamp) -> EventId {
    EventId::from_ulid(scaivault_domain::id::ulid(now.plus_seconds(-EVENTS_KEPT_SECONDS), [0; 10]))
}
