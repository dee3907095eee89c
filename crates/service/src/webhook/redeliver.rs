//! `POST /v1/webhooks/{id}/deliveries/{delivery_id}/redeliver`: the same event once more, as a new delivery.

use scaivault_domain::access::Permit;
use scaivault_store::WriteTx;
use scaivault_store::webhook_delivery::{self, NewDelivery};

use super::{destination, existing};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::operation::{Command, tenant_operation};

#[derive(Debug, Clone)]
pub struct Redeliver {
    pub webhook_id: String,
    pub delivery_id: String,
}

/// The new delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redelivered {
    pub delivery_id: String,
}

tenant_operation!(Redeliver, WebhookChange, Redelivered);

impl Command for Redeliver {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Redelivered> {
        let scope = permit.tenant();
        let webhook = existing(tx, scope, &self.webhook_id)?;
        cx.touched(&*webhook.target.id);
        let found = webhook_delivery::find(tx, scope, &webhook.target.id, &self.delivery_id)?.ok_or_else(|| {
            let id = self.delivery_id.as_str();
            Error::new(Code::DeliveryNotFound, format!("Delivery '{id}' not found")).with("id", id)
        })?;
        if !webhook.target.enabled {
            let message = "The webhook is switched off; PATCH enabled to true, or POST to its test";
            return Err(Error::new(Code::InvalidState, message).with("state", "disabled"));
        }
        let id = cx.vault.delivery_id(cx.now)?;
        let delivery = NewDelivery { id: id.clone(), created_at: cx.now, ..found.delivery };
        webhook_delivery::insert(tx, scope.tenant().as_str(), &delivery)?;
        destination::hasten(tx, scope.tenant().as_str(), &webhook.target.id, cx.now)?;
        cx.outcome(Outcome::Accepted);
        Ok(Redelivered { delivery_id: id })
    }
}
