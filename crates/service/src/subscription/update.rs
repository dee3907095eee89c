//! `PATCH /v1/subscriptions/{id}`

use std::sync::Arc;

use scaivault_crypto::SecretString;
use scaivault_domain::access::Permit;
use scaivault_domain::event::EventPatterns;
use scaivault_domain::glob::Glob;
use scaivault_domain::webhook::{DEFAULT_PREVIOUS_SECRET_SECONDS, TargetUrl};
use scaivault_store::subscription::{self, Delivery, SubscriptionRecord};
use scaivault_store::subscription_buffer::{self, Buffer};
use scaivault_store::{WriteTx, delivery_target};

use super::change::{check_name, newest_event, texts};
use super::{Subscription, lapsed_before, manageable, shown};
use crate::caller::Caller;
use crate::context::Context;
use crate::error::{Error, FaultCode, Result};
use crate::naming::unique;
use crate::operation::{Command, tenant_operation};
use crate::vault::Vault;
use crate::webhook::destination;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryKind {
    Polling,
    Webhook,
}

/// Changes of `delivery`: each field belongs to one kind.
#[derive(Default)]
pub struct DeliveryChange {
    /// Nothing but what it is already: the kind stays.
    pub kind: Option<DeliveryKind>,
    pub buffer_size: Option<i64>,
    pub url: Option<TargetUrl>,
    pub secret: Option<SecretString>,
    /// How long the secret before it signs too; a day unless given.
    pub previous_secret_ttl_seconds: Option<i64>,
}

/// Absent is unchanged; `Some(None)` clears.
pub struct UpdateSubscription {
    pub id: String,
    pub name: Option<String>,
    pub paths: Option<Vec<Glob>>,
    pub events: Option<EventPatterns>,
    pub secret_type: Option<Option<String>>,
    pub tags: Option<Vec<String>>,
    /// `true` also forgets how deliveries went so far.
    pub enabled: Option<bool>,
    pub delivery: DeliveryChange,
    /// What speaks against the URL; found out before the transaction.
    pub verdict: Result<()>,
}

tenant_operation!(UpdateSubscription, SubscriptionChange, Subscription);

impl Command for UpdateSubscription {
    async fn prepare(&mut self, vault: &Arc<Vault>, _caller: &Caller) {
        if let Some(url) = &self.delivery.url {
            self.verdict = vault.judge_target(url, "delivery.url").await;
        }
    }

    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Subscription> {
        cx.touched(&self.id);
        let mut record = manageable(tx, permit, cx, &self.id)?;
        self.delivery.check(record.delivery)?;
        self.verdict.clone()?;
        let was_enabled = record.enabled;
        let mut changed = self.apply(&mut record);
        check_name(tx, permit, &record.owner_id, &record.name, Some(&record.id))?;
        if record.enabled && !was_enabled {
            record.start_id = newest_event(tx, permit)?;
        }
        match &mut record.delivery {
            Delivery::Polling { buffer_size } => {
                if let Some(size) = self.delivery.buffer_size {
                    *buffer_size = size;
                    let tenant_id = permit.tenant().tenant().as_str();
                    let buffer = Buffer { tenant_id, subscription_id: &record.id, size };
                    subscription_buffer::trim(tx, buffer, lapsed_before(cx.now).as_str())?;
                    changed.push("delivery.buffer_size");
                }
            }
            Delivery::Webhook => self.apply_to_target(permit, tx, cx, &mut changed)?,
        }
        // An empty PATCH changes nothing, not even the time (contract 00 section 6).
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(subscription::update(tx, permit.tenant(), &record), "name", &record.name)?;
        }
        cx.note("changed", changed);
        shown(tx, permit, record)
    }
}

impl DeliveryChange {
    /// # Errors
    /// 422 for another kind, and for fields of another kind.
    fn check(&self, delivery: Delivery) -> Result<()> {
        let (kind, foreign) = match delivery {
            Delivery::Polling { .. } => (
                DeliveryKind::Polling,
                [("delivery.url", self.url.is_some()), ("delivery.secret", self.secret.is_some())],
            ),
            Delivery::Webhook => {
                (DeliveryKind::Webhook, [("delivery.buffer_size", self.buffer_size.is_some()), ("", false)])
            }
        };
        if self.kind.is_some_and(|wanted| wanted != kind) {
            let message = "can't be changed; make another subscription";
            return Err(Error::field("delivery.type", FaultCode::NotAllowed, message));
        }
        match foreign.iter().find(|(_, given)| *given) {
            Some((field, _)) => Err(Error::field(*field, FaultCode::NotAllowed, "belongs to another kind of delivery")),
            None => Ok(()),
        }
    }
}

impl UpdateSubscription {
    /// Lays the plain fields over `record` and answers the names of those that were given.
    fn apply(&self, record: &mut SubscriptionRecord) -> Vec<&'static str> {
        let mut changed = Vec::new();
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
        changed
    }

    fn apply_to_target(
        &self,
        permit: &Permit,
        tx: &mut WriteTx<'_>,
        cx: &Context<'_>,
        changed: &mut Vec<&'static str>,
    ) -> Result<()> {
        let scope = permit.tenant();
        let found = delivery_target::find(tx, scope, &self.id)?;
        let mut target = found.ok_or_else(|| Error::internal("a subscription without a target"))?;
        let before = changed.len();
        if let Some(url) = &self.delivery.url {
            url.as_str().clone_into(&mut target.url);
            changed.push("delivery.url");
        }
        if let Some(secret) = &self.delivery.secret {
            let keep = self.delivery.previous_secret_ttl_seconds.unwrap_or(DEFAULT_PREVIOUS_SECRET_SECONDS);
            destination::change_secret(tx, cx, scope, &mut target, secret, keep)?;
            changed.push("delivery.secret");
        }
        if let Some(enabled) = self.enabled {
            destination::switch(tx, scope, &mut target, enabled, cx.now)?;
        }
        if changed.len() > before || self.enabled.is_some() {
            delivery_target::update(tx, scope, &target)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_stays_and_has_its_own_fields() {
        let polling = Delivery::Polling { buffer_size: 10 };
        let of_kind = |kind| DeliveryChange { kind: Some(kind), ..DeliveryChange::default() };
        assert!(of_kind(DeliveryKind::Polling).check(polling).is_ok());
        assert!(of_kind(DeliveryKind::Webhook).check(polling).is_err());
        assert!(of_kind(DeliveryKind::Polling).check(Delivery::Webhook).is_err());
        let sized = DeliveryChange { buffer_size: Some(5), ..DeliveryChange::default() };
        assert!(sized.check(polling).is_ok());
        let error = sized.check(Delivery::Webhook).unwrap_err();
        assert_eq!(error.details()["fields"][0]["field"], "delivery.buffer_size");
        let url = Some(TargetUrl::parse("https://a.example/").unwrap());
        assert!(DeliveryChange { url, ..DeliveryChange::default() }.check(polling).is_err());
    }
}
