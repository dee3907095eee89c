//! Looking at rotation policies.

use scaivault_domain::access::Permit;
use scaivault_store::ReadView;
use scaivault_store::rotation_policy::{self, RotationPolicyListed};

use super::{counted, existing};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Query, tenant_operation};
use crate::page::{Page, one_more, single_after};

/// `GET /v1/rotation/policies`, by name.
#[derive(Debug, Clone)]
pub struct ListRotationPolicies {
    pub active_only: bool,
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

/// `GET /v1/rotation/policies/{id}`
#[derive(Debug, Clone)]
pub struct GetRotationPolicy {
    pub id: String,
}

tenant_operation!(ListRotationPolicies, RotationPolicyRead, Page<RotationPolicyListed>);

impl Query for ListRotationPolicies {
    fn run(
        &self,
        permit: &Permit,
        view: &mut ReadView<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Page<RotationPolicyListed>> {
        let after = single_after(self.after.as_deref())?;
        let found = rotation_policy::list(view, permit.tenant(), self.active_only, after, one_more(self.limit))?;
        let page = Page::cut(found, self.limit, |last| vec![last.record.name.clone()]);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

tenant_operation!(GetRotationPolicy, RotationPolicyRead, RotationPolicyListed);

impl Query for GetRotationPolicy {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<RotationPolicyListed> {
        let record = existing(view, permit, &self.id)?;
        cx.touched(&*record.id);
        counted(view, permit, record)
    }
}
