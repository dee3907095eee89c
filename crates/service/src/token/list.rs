//! Looking at tokens: one's own, and those of others with identity:admin.

use scaivault_domain::access::Permit;
use scaivault_domain::id::IdentityRef;
use scaivault_store::ReadView;
use scaivault_store::token::{self, TokenFilter};

use super::{Token, demand_identity_admin, is_caller, seen_token, sees_tokens_of_others, token_not_found, views};
use crate::context::Context;
use crate::error::Result;
use crate::identity::{identity_not_found, lookup};
use crate::operation::{Query, tenant_operation};
use crate::page::{Page, one_more, single_after};

/// `GET /v1/auth/tokens`
pub struct ListTokens {
    pub identity: Option<IdentityRef>,
    /// Also the revoked and the expired.
    pub include_inactive: bool,
    pub limit: usize,
    /// Position of the last item of the page before, as [`Page::next`] gave it.
    pub after: Option<Vec<String>>,
}

tenant_operation!(ListTokens, TokenList, Page<Token>);

impl Query for ListTokens {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<Token>> {
        let own = cx.caller.identity();
        let here = permit.tenant().tenant().as_str();
        let (tenant_id, identity_id) = match &self.identity {
            None if sees_tokens_of_others(cx.caller) => (here, None),
            None => (own.tenant.as_str(), Some(own.internal_id.clone())),
            Some(wanted) if is_caller(cx.caller, wanted) => (own.tenant.as_str(), Some(own.internal_id.clone())),
            Some(wanted) => {
                demand_identity_admin(cx.caller)?;
                let found = lookup::in_tenant(view, here, wanted)?;
                (here, Some(found.ok_or_else(|| identity_not_found(&wanted.to_string()))?.internal_id))
            }
        };
        let filter = TokenFilter {
            tenant_id,
            identity_id: identity_id.as_deref(),
            live_at: (!self.include_inactive).then_some(cx.now),
            after: single_after(self.after.as_deref())?,
        };
        let found =
            Page::cut(token::list(view, filter, one_more(self.limit))?, self.limit, |last| vec![last.id.clone()]);
        cx.note("returned", found.items.len());
        Ok(Page { items: views(view, found.items)?, next: found.next })
    }
}

/// `GET /v1/auth/tokens/{id}`
pub struct GetToken {
    pub id: String,
}

tenant_operation!(GetToken, TokenGet, Token);

impl Query for GetToken {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Token> {
        let record = seen_token(view, permit, cx.caller, &self.id)?;
        cx.touched(&record.id);
        views(view, vec![record])?.pop().ok_or_else(|| token_not_found(&self.id))
    }
}
