//! Looking at policies.

use std::sync::Arc;

use scaivault_domain::access::Permit;
use scaivault_domain::policy::{Rule, rules_from_json};
use scaivault_store::binding::{self, BindingShown};
use scaivault_store::policy::{self, PolicyFilter, PolicyListed, PolicyRecord};
use scaivault_store::{Database, ReadView};

use super::{PolicyScope, bound, visible};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Query, tenant_operation};
use crate::page::{Page, one_more};

/// `GET /v1/policies`: the tenant's and its partner's, by name.
#[derive(Debug, Clone)]
pub struct ListPolicies {
    pub scope: Option<PolicyScope>,
    pub include_inactive: bool,
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

/// `GET /v1/policies/{id}`
#[derive(Debug, Clone)]
pub struct GetPolicy {
    pub id: String,
}

/// A policy with everything in it.
#[derive(Debug, Clone)]
pub struct PolicyDetail {
    pub record: PolicyRecord,
    pub rules: Arc<[Rule]>,
    pub bindings: Vec<BindingShown>,
}

impl PolicyDetail {
    pub(super) fn of(db: &mut impl Database, permit: &Permit, record: PolicyRecord) -> Result<Self> {
        Ok(Self {
            rules: rules_from_json(&record.rules.to_string()).map_err(Error::internal)?,
            bindings: binding::list(db, &record.id, bound(permit), None, i64::MAX)?,
            record,
        })
    }
}

tenant_operation!(ListPolicies, PolicyList, Page<PolicyListed>);

impl Query for ListPolicies {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<PolicyListed>> {
        let after = match self.after.as_deref() {
            None => None,
            Some([name, id]) => Some((name.as_str(), id.as_str())),
            Some(_) => return Err(Error::internal("a genuine cursor with an unknown position")),
        };
        let filter = PolicyFilter {
            scope: self.scope.map(PolicyScope::as_str),
            include_inactive: self.include_inactive,
            after,
            limit: one_more(self.limit),
        };
        let found = policy::list(view, permit.tenant(), bound(permit), &filter)?;
        let position = |last: &PolicyListed| vec![last.record.name.clone(), last.record.id.clone()];
        let page = Page::cut(found, self.limit, position);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

tenant_operation!(GetPolicy, PolicyGet, PolicyDetail);

impl Query for GetPolicy {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<PolicyDetail> {
        let record = visible(view, permit, &self.id)?;
        cx.touched(&*record.id);
        PolicyDetail::of(view, permit, record)
    }
}
