//! Webhooks: events posted to other people's machines (contract 07 sections 3 and 4).

mod change;
mod deliver;
pub(crate) mod destination;
mod judge;
mod listener;
mod outcome;
mod pace;
mod post;
mod queue;
mod read;
mod redeliver;
mod signature;
mod trial;

use std::sync::Arc;

use scaivault_domain::access::TenantScope;
use scaivault_domain::event::EventBody;
use scaivault_domain::time::Timestamp;
use scaivault_store::webhook::{self, WebhookRecord};
use scaivault_store::{Database, Lane, StoreResult, WriteTx, webhook_delivery};

use crate::error::{Code, Error, Result};
use crate::event::Happening;
use crate::vault::Vault;

pub use change::{CreateWebhook, DeleteWebhook, FilterChange, UpdateWebhook};
pub use read::{GetWebhook, ListDeliveries, ListWebhooks, WebhookDetails};
pub use redeliver::{Redeliver, Redelivered};
pub use scaivault_store::webhook::{Filters, WebhookRecord as Webhook};
pub use scaivault_store::webhook_delivery::DeliveryRecord;
pub use trial::{TestWebhook, Trial};

pub(crate) use deliver::deliver;
pub(crate) use destination::{GivenUp, end_previous_secret};
pub(crate) use listener::{Ear, listen};
pub(crate) use pace::Pace;
pub(crate) use post::Poster;
pub(crate) use queue::{DeliveryIds, Queue};

/// How long the log of deliveries goes back.
const DELIVERIES_KEPT_SECONDS: i64 = 30 * 86_400;
/// Deliveries dropped in one transaction.
const BATCH: i64 = 1000;

pub(crate) fn webhook_not_found(id: &str) -> Error {
    Error::new(Code::WebhookNotFound, format!("Webhook '{id}' not found")).with("id", id)
}

fn existing(db: &mut impl Database, scope: &TenantScope, id: &str) -> Result<WebhookRecord> {
    webhook::find(db, scope, id)?.ok_or_else(|| webhook_not_found(id))
}

/// The server switched a webhook off: the others are told.
fn given_up(
    tx: &mut WriteTx<'_>,
    scope: &TenantScope,
    id: &str,
    why: GivenUp,
    now: Timestamp,
) -> StoreResult<Option<Happening>> {
    let Some(mut record) = webhook::find(tx, scope, id)? else { return Ok(None) };
    record.updated_at = now;
    webhook::update(tx, scope, &record)?;
    Ok(Some(Happening::new(EventBody::WebhookDisabled {
        webhook_id: record.target.id,
        webhook_name: record.name,
        reason: why.as_str(),
    })))
}

impl Vault {
    /// Drops deliveries that are too old to be shown. Answers how many.
    ///
    /// # Errors
    /// Without the database.
    pub async fn delivery_step(self: &Arc<Self>) -> Result<usize> {
        let before = self.clock.now().plus_seconds(-DELIVERIES_KEPT_SECONDS);
        let dropped = self.store.write(Lane::Upkeep, move |tx| webhook_delivery::drop_old(tx, before, BATCH)).await?;
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }
}
