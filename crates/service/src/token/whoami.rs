//! Who the caller is, as this server sees it.

use std::sync::Arc;

use scaivault_domain::access::Permit;
use scaivault_domain::id::IdentityType;
use scaivault_domain::role::RoleSet;
use scaivault_domain::scope::ScopeSet;
use scaivault_domain::time::Timestamp;
use scaivault_store::ReadView;

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Query, tenant_operation};
use crate::vault::Vault;

/// `GET /v1/auth/whoami`
pub struct Whoami;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoamiAnswer {
    pub identity_id: String,
    pub identity_type: IdentityType,
    pub display_name: Option<String>,
    /// Home.
    pub tenant_id: String,
    pub partner_id: String,
    /// Of the token, as far as the identity may hold them now.
    pub scopes: ScopeSet,
    pub groups: Vec<String>,
    pub roles: RoleSet,
    pub mfa_verified_at: Option<Timestamp>,
    pub token_expires_at: Timestamp,
    pub acting_tenant_id: String,
    pub token_ref: String,
}

tenant_operation!(Whoami, Whoami, WhoamiAnswer);

impl Query for Whoami {
    /// All of it is what authentication found out already.
    fn cached_answer(&self, _: &Permit, _: &Arc<Vault>, cx: &mut Context<'_>) -> Option<Result<WhoamiAnswer>> {
        Some(Ok(answer(cx)))
    }

    fn run(&self, _: &Permit, _: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<WhoamiAnswer> {
        Ok(answer(cx))
    }
}

fn answer(cx: &Context<'_>) -> WhoamiAnswer {
    let session = &cx.caller.session;
    let identity = &session.identity;
    let display_name = match identity.identity_type {
        // What a service account has instead of a display name is a description, which is none.
        IdentityType::ServiceAccount => identity.identity_id.strip_prefix("sa:").map(str::to_owned),
        _ => identity.display_name.clone(),
    };
    WhoamiAnswer {
        identity_id: identity.identity_id.clone(),
        identity_type: identity.identity_type,
        display_name,
        tenant_id: identity.tenant.as_str().to_owned(),
        partner_id: identity.partner.as_str().to_owned(),
        scopes: session.scopes,
        groups: identity.groups.clone(),
        roles: identity.roles,
        mfa_verified_at: session.token.mfa_verified_at,
        token_expires_at: session.token.expires_at,
        acting_tenant_id: cx.caller.tenant_id().as_str().to_owned(),
        token_ref: session.token.token_ref.clone(),
    }
}
