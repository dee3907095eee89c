//! `POST /v1/webhooks/{id}/test`: one delivery at once, while the caller waits.

use std::sync::Arc;

use scaivault_domain::access::{Permit, TenantScope};
use scaivault_domain::event::EventBody;
use scaivault_domain::id::EventId;
use scaivault_domain::webhook::TargetUrl;
use scaivault_store::WriteTx;
use scaivault_store::event::{EventRecord, NewEvent};
use scaivault_store::webhook::{self, WebhookRecord};
use scaivault_store::webhook_delivery::NewDelivery;

use super::existing;
use super::post::Attempted;
use super::signature::Secrets;
use crate::caller::Caller;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::envelope;
use crate::operation::{Command, tenant_operation};
use crate::vault::Vault;

const MESSAGE: &str = "This is a test of the webhook";

pub struct TestWebhook {
    pub id: String,
    /// How it went: found out before the transaction. `None` for a webhook that is not there.
    outcome: Option<Result<Trial>>,
}

/// The delivery that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub delivery_id: String,
    pub succeeded: bool,
    /// `None` without an answer.
    pub response_code: Option<u16>,
    pub duration_ms: i64,
}

impl TestWebhook {
    pub fn new(id: String) -> Self {
        Self { id, outcome: None }
    }
}

tenant_operation!(TestWebhook, WebhookChange, Trial);

impl Command for TestWebhook {
    async fn prepare(&mut self, vault: &Arc<Vault>, caller: &Caller) {
        self.outcome = try_out(vault, caller, &self.id).await.transpose();
    }

    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Trial> {
        let webhook = existing(tx, permit.tenant(), &self.id)?;
        cx.touched(&*webhook.target.id);
        match &self.outcome {
            Some(outcome) => outcome.clone(),
            None => Err(super::webhook_not_found(&self.id)),
        }
    }
}

async fn try_out(vault: &Arc<Vault>, caller: &Caller, id: &str) -> Result<Option<Trial>> {
    let standing = &caller.standing;
    let scope = TenantScope::of_the_server(standing.tenant.clone(), standing.partner.clone());
    let Some((webhook, secrets)) = load(vault, &scope, id).await? else { return Ok(None) };
    let now = vault.clock.now();
    // Not from the outbox: it is for this webhook and no other.
    let record = EventRecord {
        id: EventId::from_ulid(vault.ulid(now)?).as_str().to_owned(),
        event: event(caller, &scope, now)?,
    };
    let delivery = NewDelivery {
        id: vault.delivery_id(now)?,
        target_id: webhook.target.id,
        event_id: record.id.clone(),
        event_type: record.event.event_type.clone(),
        path: None,
        body: envelope(&record)?,
        created_at: now,
    };
    let url = TargetUrl::parse(&webhook.target.url).map_err(Error::internal)?;
    let headers = secrets.headers(&delivery.event_id, &delivery.event_type, &delivery.body, now);
    let attempted: Attempted = vault.poster.post(&url, &headers, delivery.body.clone()).await;
    let trial = Trial {
        delivery_id: delivery.id.clone(),
        succeeded: attempted.succeeded(),
        response_code: attempted.code,
        duration_ms: attempted.duration_ms(),
    };
    vault.settle_trial(&scope, delivery, attempted).await?;
    Ok(Some(trial))
}

fn event(caller: &Caller, scope: &TenantScope, now: scaivault_domain::time::Timestamp) -> Result<NewEvent> {
    let body = EventBody::WebhookTest { message: MESSAGE.to_owned() };
    Ok(NewEvent {
        tenant_id: scope.tenant().as_str().to_owned(),
        partner_id: scope.partner().as_str().to_owned(),
        at: now,
        event_type: body.event_type().as_str().to_owned(),
        identity_id: caller.identity().identity_id.clone(),
        request_id: caller.meta.request_id.clone(),
        namespace: None,
        path: None,
        secret_type: None,
        tags: Vec::new(),
        rotation_policy_id: None,
        data: serde_json::to_string(&body).map_err(Error::internal)?,
    })
}

async fn load(vault: &Arc<Vault>, scope: &TenantScope, id: &str) -> Result<Option<(WebhookRecord, Secrets)>> {
    let (vault, scope, id) = (Arc::clone(vault), scope.clone(), id.to_owned());
    let loaded = tokio::task::spawn_blocking(move || {
        let Some(webhook) = vault.store.read(|view| webhook::find(view, &scope, &id))? else { return Ok(None) };
        let keys = vault.keyring.for_tenant(&vault.store, &scope, vault.clock.now())?;
        let secrets = Secrets::open(&keys, &webhook.target)?;
        Ok(Some((webhook, secrets)))
    });
    loaded.await.map_err(Error::internal)?
}
