//! Making and removing subscriptions.

use std::sync::Arc;

use scaivault_crypto::SecretString;
use scaivault_domain::access::Permit;
use scaivault_domain::glob::Glob;
use scaivault_domain::id::SubscriptionId;
use scaivault_domain::webhook::TargetUrl;
use scaivault_store::subscription::{self, Delivery, SubscriptionRecord};
use scaivault_store::{Database, WriteTx, delivery_target, event};

use super::{Subscription, manageable, shown};
use crate::caller::Caller;
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::event::Interest;
use crate::naming::{name_exists, unique};
use crate::operation::{Command, tenant_operation};
use crate::vault::Vault;
use crate::webhook::destination;

/// Of one identity in one tenant, and of all identities together: each costs something with every event of the tenant, in the
/// transaction that hands it on.
const MOST_OF_AN_OWNER: i64 = 50;
const MOST_OF_A_TENANT: i64 = 500;

/// How a new subscription is delivered.
pub enum DeliveryChoice {
    Polling { buffer_size: i64 },
    Webhook { url: TargetUrl, secret: SecretString },
}

/// `POST /v1/subscriptions`
pub struct CreateSubscription {
    pub name: String,
    pub interest: Interest,
    pub delivery: DeliveryChoice,
    pub enabled: bool,
    /// What speaks against the URL; found out before the transaction.
    pub verdict: Result<()>,
}

/// `DELETE /v1/subscriptions/{id}`, with all that waits for its owner.
#[derive(Debug, Clone)]
pub struct DeleteSubscription {
    pub id: String,
}

tenant_operation!(CreateSubscription, SubscriptionChange, Subscription);

impl Command for CreateSubscription {
    async fn prepare(&mut self, vault: &Arc<Vault>, _caller: &Caller) {
        if let DeliveryChoice::Webhook { url, .. } = &self.delivery {
            self.verdict = vault.judge_target(url, "delivery.url").await;
        }
    }

    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Subscription> {
        self.verdict.clone()?;
        let scope = permit.tenant();
        let owner_id = cx.caller.identity().internal_id.clone();
        check_name(tx, permit, &owner_id, &self.name, None)?;
        if subscription::count_of_owner(tx, scope, &owner_id)? >= MOST_OF_AN_OWNER {
            let message = format!("An identity may have {MOST_OF_AN_OWNER} subscriptions; remove one first");
            return Err(too_many(message, MOST_OF_AN_OWNER));
        }
        if subscription::count(tx, scope)? >= MOST_OF_A_TENANT {
            let message =
                format!("A tenant may have {MOST_OF_A_TENANT} subscriptions; somebody has to remove one first");
            return Err(too_many(message, MOST_OF_A_TENANT));
        }
        let record = SubscriptionRecord {
            id: SubscriptionId::from_ulid(cx.ulid()?).as_str().to_owned(),
            owner_id,
            name: self.name.clone(),
            paths: texts(&self.interest.paths),
            events: self.interest.events.texts().to_vec(),
            secret_type: self.interest.secret_type.clone(),
            tags: self.interest.tags.clone(),
            delivery: match self.delivery {
                DeliveryChoice::Polling { buffer_size } => Delivery::Polling { buffer_size },
                DeliveryChoice::Webhook { .. } => Delivery::Webhook,
            },
            enabled: self.enabled,
            start_id: newest_event(tx, permit)?,
            created_at: cx.now,
            updated_at: cx.now,
        };
        unique(subscription::insert(tx, scope, &record), "name", &self.name)?;
        if let DeliveryChoice::Webhook { url, secret } = &self.delivery {
            let target = destination::target(cx, scope, &record.id, url, secret, self.enabled)?;
            delivery_target::insert(tx, scope, &target)?;
        }
        cx.touched(&*record.id);
        cx.outcome(Outcome::Created);
        shown(tx, permit, record)
    }
}

fn too_many(message: String, limit: i64) -> Error {
    Error::new(Code::InvalidState, message).with("state", "limit_reached").with("limit", limit)
}

pub(super) fn texts(globs: &[Glob]) -> Vec<String> {
    globs.iter().map(|glob| glob.as_str().to_owned()).collect()
}

/// What happened until now is not for it, though it may not have been handed on yet.
pub(super) fn newest_event(db: &mut impl Database, permit: &Permit) -> Result<String> {
    Ok(event::last_id(db, permit.tenant().tenant().as_str())?.unwrap_or_default())
}

/// # Errors
/// 409 `name_exists` when another subscription of the owner has the name.
pub(super) fn check_name(
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

tenant_operation!(DeleteSubscription, SubscriptionChange, ());

impl Command for DeleteSubscription {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.id);
        let record = manageable(tx, permit, cx, &self.id)?;
        destination::forget(tx, &record.id)?;
        subscription::delete(tx, permit.tenant(), &record.id)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
