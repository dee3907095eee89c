//! Making, changing and removing webhooks.

use std::sync::Arc;

use scaivault_crypto::SecretString;
use scaivault_domain::access::Permit;
use scaivault_domain::event::EventPatterns;
use scaivault_domain::id::WebhookId;
use scaivault_domain::webhook::{DEFAULT_PREVIOUS_SECRET_SECONDS, TargetUrl};
use scaivault_store::WriteTx;
use scaivault_store::webhook::{self, Filters, WebhookRecord};

use super::{destination, existing};
use crate::caller::Caller;
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::naming::{name_exists, unique};
use crate::operation::{Command, tenant_operation};
use crate::vault::Vault;

/// Of one tenant. Each costs something with every event of the tenant, in the transaction that hands it on.
const MOST_WEBHOOKS: i64 = 100;

/// `POST /v1/webhooks`
pub struct CreateWebhook {
    pub name: String,
    pub url: TargetUrl,
    pub secret: SecretString,
    pub events: EventPatterns,
    pub filters: Filters,
    pub enabled: bool,
    /// What speaks against the URL; found out before the transaction.
    pub verdict: Result<()>,
}

/// `PATCH /v1/webhooks/{id}`
pub struct UpdateWebhook {
    pub id: String,
    pub name: Option<String>,
    pub url: Option<TargetUrl>,
    pub secret: Option<SecretString>,
    /// How long the secret before it signs too; a day unless given.
    pub previous_secret_ttl_seconds: Option<i64>,
    pub events: Option<EventPatterns>,
    pub filters: FilterChange,
    /// `true` also resets how it went so far.
    pub enabled: Option<bool>,
    /// See [`CreateWebhook::verdict`].
    pub verdict: Result<()>,
}

/// Changes of filters, field by field; `Some(None)` takes one away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterChange {
    pub path_prefix: Option<Option<String>>,
    pub secret_type: Option<Option<String>>,
    pub tags: Option<Option<Vec<String>>>,
}

impl FilterChange {
    /// Takes all of them away.
    pub fn none() -> Self {
        Self { path_prefix: Some(None), secret_type: Some(None), tags: Some(None) }
    }

    /// Lays them over `filters`; whether there are any.
    pub fn apply(&self, filters: &mut Filters) -> bool {
        if let Some(path_prefix) = &self.path_prefix {
            filters.path_prefix.clone_from(path_prefix);
        }
        if let Some(secret_type) = &self.secret_type {
            filters.secret_type.clone_from(secret_type);
        }
        if let Some(tags) = &self.tags {
            filters.tags.clone_from(tags);
        }
        *self != Self::default()
    }
}

/// `DELETE /v1/webhooks/{id}`: its deliveries go too, and its id from the rotation policies that name it.
#[derive(Debug, Clone)]
pub struct DeleteWebhook {
    pub id: String,
}

tenant_operation!(CreateWebhook, WebhookChange, WebhookRecord);

impl Command for CreateWebhook {
    async fn prepare(&mut self, vault: &Arc<Vault>, _caller: &Caller) {
        self.verdict = vault.judge_target(&self.url, "url").await;
    }

    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<WebhookRecord> {
        self.verdict.clone()?;
        let scope = permit.tenant();
        check_name(tx, permit, &self.name, None)?;
        if webhook::count(tx, scope)? >= MOST_WEBHOOKS {
            let message = format!("A tenant may have {MOST_WEBHOOKS} webhooks; remove one first");
            let error = Error::new(Code::InvalidState, message).with("state", "limit_reached");
            return Err(error.with("limit", MOST_WEBHOOKS));
        }
        let id = WebhookId::from_ulid(cx.ulid()?);
        let record = WebhookRecord {
            name: self.name.clone(),
            events: self.events.texts().to_vec(),
            filters: self.filters.clone(),
            created_at: cx.now,
            updated_at: cx.now,
            target: destination::target(cx, scope, id.as_str(), &self.url, &self.secret, self.enabled)?,
        };
        unique(webhook::insert(tx, scope, &record), "name", &self.name)?;
        cx.touched(id.as_str());
        cx.outcome(Outcome::Created);
        Ok(record)
    }
}

/// # Errors
/// 409 `name_exists` when a webhook other than `own_id` has the name.
fn check_name(tx: &mut WriteTx<'_>, permit: &Permit, name: &str, own_id: Option<&str>) -> Result<()> {
    match webhook::id_of_name(tx, permit.tenant(), name)? {
        Some(id) if own_id != Some(id.as_str()) => Err(name_exists("name", name, &id)),
        Some(_) | None => Ok(()),
    }
}

tenant_operation!(UpdateWebhook, WebhookChange, WebhookRecord);

impl Command for UpdateWebhook {
    async fn prepare(&mut self, vault: &Arc<Vault>, _caller: &Caller) {
        if let Some(url) = &self.url {
            self.verdict = vault.judge_target(url, "url").await;
        }
    }

    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<WebhookRecord> {
        self.verdict.clone()?;
        let scope = permit.tenant();
        let mut record = existing(tx, scope, &self.id)?;
        cx.touched(&*record.target.id);
        let mut changed = self.apply(&mut record);
        check_name(tx, permit, &record.name, Some(&record.target.id))?;
        if let Some(secret) = &self.secret {
            let keep = self.previous_secret_ttl_seconds.unwrap_or(DEFAULT_PREVIOUS_SECRET_SECONDS);
            destination::change_secret(tx, cx, scope, &mut record.target, secret, keep)?;
            changed.push("secret");
        }
        if let Some(enabled) = self.enabled {
            destination::switch(tx, scope, &mut record.target, enabled, cx.now)?;
            changed.push("enabled");
        }
        // An empty PATCH changes nothing, not even the time (contract 00 section 6).
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(webhook::update(tx, scope, &record), "name", &record.name)?;
        }
        cx.note("changed", changed);
        Ok(record)
    }
}

impl UpdateWebhook {
    /// Lays the plain fields over `record` and answers the names of those that were given.
    fn apply(&self, record: &mut WebhookRecord) -> Vec<&'static str> {
        let mut changed = Vec::new();
        if let Some(name) = &self.name {
            record.name.clone_from(name);
            changed.push("name");
        }
        if let Some(url) = &self.url {
            url.as_str().clone_into(&mut record.target.url);
            changed.push("url");
        }
        if let Some(events) = &self.events {
            record.events = events.texts().to_vec();
            changed.push("events");
        }
        if self.filters.apply(&mut record.filters) {
            changed.push("filters");
        }
        changed
    }
}

tenant_operation!(DeleteWebhook, WebhookChange, ());

impl Command for DeleteWebhook {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        let record = existing(tx, permit.tenant(), &self.id)?;
        cx.touched(&*record.target.id);
        destination::forget(tx, &record.target.id)?;
        webhook::delete(tx, permit.tenant(), &record.target.id)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
