//! Looking at secret policies.

use scaivault_domain::access::Permit;
use scaivault_store::ReadView;
use scaivault_store::secret_policy::{self, SecretPolicyRecord};

use super::existing;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Query, tenant_operation};
use crate::page::{Page, one_more, single_after};

/// `GET /v1/secret-policies`, by name.
#[derive(Debug, Clone)]
pub struct ListSecretPolicies {
    pub include_inactive: bool,
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

/// `GET /v1/secret-policies/{id}`
#[derive(Debug, Clone)]
pub struct GetSecretPolicy {
    pub id: String,
}

tenant_operation!(ListSecretPolicies, SecretPolicyRead, Page<SecretPolicyRecord>);

impl Query for ListSecretPolicies {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<SecretPolicyRecord>> {
        let after = single_after(self.after.as_deref())?;
        let found = secret_policy::list(view, permit.tenant(), self.include_inactive, after, one_more(self.limit))?;
        let page = Page::cut(found, self.limit, |last| vec![last.name.clone()]);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

tenant_operation!(GetSecretPolicy, SecretPolicyRead, SecretPolicyRecord);

impl Query for GetSecretPolicy {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<SecretPolicyRecord> {
        let record = existing(view, permit, &self.id)?;
        cx.touched(&*record.id);
        Ok(record)
    }
}
