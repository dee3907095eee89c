//! Looking at subscriptions.

use scaivault_domain::access::Permit;
use scaivault_domain::scope::Scope;
use scaivault_store::{ReadView, subscription};

use super::{Subscription, manageable, shown};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Query, tenant_operation};
use crate::page::{Page, one_more};

/// `GET /v1/subscriptions`, by name: the caller's own, with scope admin all of the tenant.
#[derive(Debug, Clone)]
pub struct ListSubscriptions {
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

/// `GET /v1/subscriptions/{id}`
#[derive(Debug, Clone)]
pub struct GetSubscription {
    pub id: String,
}

tenant_operation!(ListSubscriptions, SubscriptionRead, Page<Subscription>);

impl Query for ListSubscriptions {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<Subscription>> {
        let after = match self.after.as_deref() {
            None => None,
            Some([name, id]) => Some((name.as_str(), id.as_str())),
            Some(_) => return Err(Error::internal("a genuine cursor with an unknown position")),
        };
        let own = cx.caller.identity().internal_id.as_str();
        let owner = (!cx.caller.scopes().contains(Scope::Admin)).then_some(own);
        let found = subscription::list(view, permit.tenant(), owner, after, one_more(self.limit))?;
        let found = found.into_iter().map(|record| shown(view, permit, record)).collect::<Result<Vec<_>>>()?;
        let page = Page::cut(found, self.limit, |last| vec![last.record.name.clone(), last.record.id.clone()]);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

tenant_operation!(GetSubscription, SubscriptionRead, Subscription);

impl Query for GetSubscription {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Subscription> {
        cx.touched(&self.id);
        let record = manageable(view, permit, cx, &self.id)?;
        shown(view, permit, record)
    }
}
