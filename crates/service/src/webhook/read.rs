//! Looking at webhooks and at what was delivered.

use scaivault_domain::access::Permit;
use scaivault_domain::webhook::DeliveryStatus;
use scaivault_store::ReadView;
use scaivault_store::webhook::{self, WebhookRecord};
use scaivault_store::webhook_delivery::{self, DeliveryRecord, Figures};

use super::existing;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Query, tenant_operation};
use crate::page::{Page, one_more, single_after};

/// What the statistics count.
const A_DAY_SECONDS: i64 = 86_400;

/// `GET /v1/webhooks`, by name.
#[derive(Debug, Clone)]
pub struct ListWebhooks {
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

/// `GET /v1/webhooks/{id}`
#[derive(Debug, Clone)]
pub struct GetWebhook {
    pub id: String,
}

/// A webhook, and how it goes.
#[derive(Debug, Clone)]
pub struct WebhookDetails {
    pub webhook: WebhookRecord,
    /// Of the last 24 hours.
    pub figures: Figures,
    pub last_delivery: Option<DeliveryRecord>,
}

/// `GET /v1/webhooks/{id}/deliveries`, newest first.
#[derive(Debug, Clone)]
pub struct ListDeliveries {
    pub webhook_id: String,
    pub status: Option<DeliveryStatus>,
    pub limit: usize,
    pub after: Option<Vec<String>>,
}

tenant_operation!(ListWebhooks, WebhookRead, Page<WebhookRecord>);

impl Query for ListWebhooks {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<WebhookRecord>> {
        let after = single_after(self.after.as_deref())?;
        let found = webhook::list(view, permit.tenant(), after, one_more(self.limit))?;
        let page = Page::cut(found, self.limit, |last| vec![last.name.clone()]);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

tenant_operation!(GetWebhook, WebhookRead, WebhookDetails);

impl Query for GetWebhook {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<WebhookDetails> {
        let scope = permit.tenant();
        let webhook = existing(view, scope, &self.id)?;
        cx.touched(&*webhook.target.id);
        let figures = webhook_delivery::figures(view, scope, &webhook.target.id, cx.now.plus_seconds(-A_DAY_SECONDS))?;
        let last_delivery = webhook_delivery::list(view, scope, &webhook.target.id, None, None, 1)?.into_iter().next();
        Ok(WebhookDetails { webhook, figures, last_delivery })
    }
}

tenant_operation!(ListDeliveries, WebhookRead, Page<DeliveryRecord>);

impl Query for ListDeliveries {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<DeliveryRecord>> {
        let scope = permit.tenant();
        let webhook = existing(view, scope, &self.webhook_id)?;
        cx.touched(&*webhook.target.id);
        let before = single_after(self.after.as_deref())?;
        let found = webhook_delivery::list(view, scope, &webhook.target.id, self.status, before, one_more(self.limit))?;
        let page = Page::cut(found, self.limit, |last| vec![last.delivery.id.clone()]);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}
