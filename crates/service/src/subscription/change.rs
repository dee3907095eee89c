//! Making, changing and removing subscriptions.

use scaivault_domain::access::Permit;
use scaivault_domain::event::EventPatterns;
use scaivault_domain::glob::Glob;
use scaivault_domain::id::SubscriptionId;
use scaivault_store::subscription::{self, Delivery, SubscriptionRecord};
use scaivault_store::subscription_buffer::{self, Buffer};
use scaivault_store::{Database, WriteTx, event};

use super::{Subscription, lapsed_before, manageable, shown};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, FaultCode, Result};
use crate::event::Interest;
use crate::naming::{name_exists, unique};
use crate::operation::{Command, tenant_operation};

/// Of one identity in one tenant. Each costs something with every event of the tenant.
const MOST_OF_AN_OWNER: i64 = 200;

/// How a new subscription is delivered.
#[derive(Debug, Clone)]
pub enum DeliveryChoice {
    Polling { buffer_size: i64 },
}

/// `POST /v1/subscriptions`
#[derive(Debug, Clone)]
pub struct CreateSubscription {
    pub name: String,
    pub interest: Interest,
    pub delivery: DeliveryChoice,
    pub enabled: bool,
}

/// `PATCH /v1/subscriptions/{id}`; `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct UpdateSubscription {
    pub id: String,
    pub name: Option<String>,
    pub paths: Option<Vec<Glob>>,
    pub events: Option<EventPatterns>,
    pub secret_type: Option<Option<String>>,
    pub tags: Option<Vec<String>>,
    pub enabled: Option<bool>,
    /// Nothing else may be named: it stays what it is.
    pub delivery_type: Option<&'static str>,
    pub buffer_size: Option<i64>,
}

/// `DELETE /v1/subscriptions/{id}`, with what waits in its buffer.
#[derive(Debug, Clone)]
pub struct DeleteSubscription {
    pub id: String,
}

tenant_operation!(CreateSubscription, SubscriptionChange, Subscription);

impl Command for CreateSubscription {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Subscription> {
        let scope = permit.tenant();
        let owner_id = cx.caller.identity().internal_id.clone();
        check_name(tx, permit, &owner_id, &self.name, None)?;
        if subscription::count_of_owner(tx, scope, &owner_id)? >= MOST_OF_AN_OWNER {
            let message = format!("An identity may have {MOST_OF_AN_OWNER} subscriptions; remove one first");
            return Err(Error::new(Code::InvalidState, message).with("limit", MOST_OF_AN_OWNER));
        }
        let DeliveryChoice::Polling { buffer_size } = self.delivery;
        let record = SubscriptionRecord {
            id: SubscriptionId::from_ulid(cx.ulid()?).as_str().to_owned(),
            owner_id,
            name: self.name.clone(),
            paths: texts(&self.interest.paths),
            events: self.interest.events.texts().to_vec(),
            secret_type: self.interest.secret_type.clone(),
            tags: self.interest.tags.clone(),
            delivery: Delivery::Polling { buffer_size },
            enabled: self.enabled,
            start_id: newest_event(tx, permit)?,
            created_at: cx.now,
            updated_at: cx.now,
        };
        unique(subscription::insert(tx, scope, &record), "name", &self.name)?;
        cx.touched(&*record.id);
        cx.outcome(Outcome::Created);
        shown(tx, record)
    }
}

fn texts(globs: &[Glob]) -> Vec<String> {
    globs.iter().map(|glob| glob.as_str().to_owned()).collect()
}

/// What happened until now is not for it, though it may not have been handed on yet.
fn newest_event(db: &mut impl Database, permit: &Permit) -> Result<String> {
    Ok(event::last_id(db, permit.tenant().tenant().as_str())?.unwrap_or_default())
}

/// # Errors
/// 409 `name_exists` when another subscription of the owner has the name.
fn check_name(
    db: &mut impl Database,
    permit: &Permit,
    owner_id: &str,
    name: &str,
    own_id: Option<&str>,
) -> Result<()> {
    match subscription::id_of_name(db, permit.tenant(), owner_id, name)? {
        Some(id) if own_id != Some(id.as_str()) => Err(name_exists("name", name, &id)),
        Some(_) | None => Ok(()),
    }
}

tenant_operation!(UpdateSubscription, SubscriptionChange, Subscription);

impl Command for UpdateSubscription {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Subscription> {
        cx.touched(&self.id);
        let mut record = manageable(tx, permit, cx, &self.id)?;
        let was_enabled = record.enabled;
        let changed = self.apply(&mut record)?;
        check_name(tx, permit, &record.owner_id, &record.name, Some(&record.id))?;
        if record.enabled && !was_enabled {
            record.start_id = newest_event(tx, permit)?;
        }
        // An empty PATCH changes nothing, not even the time (contract 00 section 6).
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(subscription::update(tx, permit.tenant(), &record), "name", &record.name)?;
        }
        if let (Some(_), Delivery::Polling { buffer_size }) = (self.buffer_size, record.delivery) {
            let tenant_id = permit.tenant().tenant().as_str();
            let buffer = Buffer { tenant_id, subscription_id: &record.id, size: buffer_size };
            subscription_buffer::trim(tx, buffer, lapsed_before(cx.now).as_str())?;
        }
        cx.note("changed", changed);
        shown(tx, record)
    }
}

impl UpdateSubscription {
    /// Lays the fields over `record` and answers the names of those that were given.
    fn apply(&self, record: &mut SubscriptionRecord) -> Result<Vec<&'static str>> {
        let mut changed = Vec::new();
        self.apply_delivery(record, &mut changed)?;
        if let Some(name) = &self.name {
            record.name.clone_from(name);
            changed.push("name");
        }
        if let Some(paths) = &self.paths {
            record.paths = texts(paths);
            changed.push("paths");
        }
        if let Some(events) = &self.events {
            record.events = events.texts().to_vec();
            changed.push("events");
        }
        if let Some(secret_type) = &self.secret_type {
            record.secret_type.clone_from(secret_type);
            changed.push("filters.secret_type");
        }
        if let Some(tags) = &self.tags {
            record.tags.clone_from(tags);
            changed.push("filters.tags");
        }
        if let Some(enabled) = self.enabled {
            record.enabled = enabled;
            changed.push("enabled");
        }
        Ok(changed)
    }

    fn apply_delivery(&self, record: &mut SubscriptionRecord, changed: &mut Vec<&'static str>) -> Result<()> {
        let kind = match record.delivery {
            Delivery::Polling { .. } => "polling",
            Delivery::Webhook => "webhook",
        };
        if self.delivery_type.is_some_and(|wanted| wanted != kind) {
            let message = "can't be changed; make another subscription";
            return Err(Error::field("delivery.type", FaultCode::NotAllowed, message));
        }
        match (self.buffer_size, &mut record.delivery) {
            (None, _) => {}
            (Some(size), Delivery::Polling { buffer_size }) => {
                *buffer_size = size;
                changed.push("delivery.buffer_size");
            }
            (Some(_), Delivery::Webhook) => {
                let message = "is for polling only";
                return Err(Error::field("delivery.buffer_size", FaultCode::NotAllowed, message));
            }
        }
        Ok(())
    }
}

tenant_operation!(DeleteSubscription, SubscriptionChange, ());

impl Command for DeleteSubscription {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.id);
        let record = manageable(tx, permit, cx, &self.id)?;
        subscription::delete(tx, permit.tenant(), &record.id)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
