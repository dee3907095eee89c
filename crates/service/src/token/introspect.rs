//! What another token is worth (contract 02 section 3; ).

use scaivault_crypto::{OpaqueToken, SecretString, TokenKind};
use scaivault_domain::access::Permit;
use scaivault_domain::id::IdentityType;
use scaivault_domain::role::Role;
use scaivault_domain::scope::ScopeSet;
use scaivault_domain::time::Timestamp;
use scaivault_store::{ReadView, token};

use crate::caller::Session;
use crate::context::Context;
use crate::error::Result;
use crate::identity::rules;
use crate::operation::{Query, tenant_operation};
use crate::session::session_of;

/// `POST /v1/auth/introspect`
pub struct Introspect {
    pub token: SecretString,
}

/// What is told of a token that can be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    pub identity_id: String,
    pub identity_type: IdentityType,
    pub tenant_id: String,
    pub scopes: ScopeSet,
    pub expires_at: Timestamp,
    pub issued_at: Timestamp,
}

tenant_operation!(Introspect, TokenIntrospect, Option<Introspection>);

impl Query for Introspect {
    /// `None` for everything that is not usable, or not the caller's to know of: there is one answer for all of it.
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Option<Introspection>> {
        let parsed = OpaqueToken::parse(self.token.expose()).ok();
        let Some(parsed) = parsed.filter(|token| token.kind() == TokenKind::Personal) else { return Ok(None) };
        let hash = parsed.hash();
        let Some(record) = token::find_by_hash(view, hash.as_bytes())? else { return Ok(None) };
        let session = session_of(view, hash, record)?;
        let identity = &session.identity;
        if !rules::sees_tenant(cx.caller.identity(), identity.partner.as_str(), identity.tenant.as_str()) {
            return Ok(None);
        }
        cx.touched(&session.token.id);
        if !is_usable(&session, cx.now) {
            return Ok(None);
        }
        Ok(Some(Introspection {
            identity_id: identity.identity_id.clone(),
            identity_type: identity.identity_type,
            tenant_id: identity.tenant.as_str().to_owned(),
            scopes: session.scopes,
            expires_at: session.token.expires_at,
            issued_at: session.token.created_at,
        }))
    }
}

fn is_usable(session: &Session, now: Timestamp) -> bool {
    let locked_out = session.home_tenant_suspended && !session.identity.roles.contains(Role::SuperAdmin);
    session.token.revoked_at.is_none() && session.token.expires_at > now && !session.identity_ended && !locked_out
}
