//! Personal access tokens, and what a token says about its bearer (contract 02 sections 1 to 3).

mod create;
mod introspect;
mod list;
mod revoke;
mod whoami;

pub use create::{CreateToken, NewToken};
pub use introspect::{Introspect, Introspection};
pub use list::{GetToken, ListTokens};
pub use revoke::RevokeToken;
pub use whoami::{Whoami, WhoamiAnswer};

use std::collections::HashMap;

use scaivault_domain::access::Permit;
use scaivault_domain::id::IdentityRef;
use scaivault_domain::scope::{Scope, ScopeSet};
use scaivault_domain::time::Timestamp;
use scaivault_store::Database;
use scaivault_store::token::{self, TokenRecord};

use crate::caller::Caller;
use crate::error::{Code, Error, Result};
use crate::identity::lookup;
use crate::session::bits32;

/// Names the calling token wherever a token id is taken.
pub const SELF: &str = "self";

/// A token as answers show it: everything but itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: String,
    pub name: String,
    /// `user:...` or `sa:...`.
    pub identity_id: String,
    pub tenant_id: String,
    /// As granted; what the identity may not hold any more has no effect.
    pub scopes: ScopeSet,
    pub ip_ranges: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub token_ref: String,
}

impl Token {
    fn new(record: TokenRecord, identity_id: String) -> Self {
        Self {
            identity_id,
            scopes: ScopeSet::from_bits(bits32(record.scopes)),
            id: record.id,
            name: record.name,
            tenant_id: record.tenant_id,
            ip_ranges: record.ip_ranges,
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            last_used_at: record.last_used_at,
            token_ref: record.token_ref,
        }
    }
}

fn views(db: &mut impl Database, records: Vec<TokenRecord>) -> Result<Vec<Token>> {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut tokens = Vec::with_capacity(records.len());
    for record in records {
        let name = match names.get(&record.identity_id) {
            Some(name) => name.clone(),
            None => {
                let found = lookup::by_internal_id(db, &record.identity_id)?;
                let found = found.ok_or_else(|| Error::internal("a token names an identity that is not there"))?;
                names.insert(record.identity_id.clone(), found.identity_id.clone());
                found.identity_id
            }
        };
        tokens.push(Token::new(record, name));
    }
    Ok(tokens)
}

fn token_not_found(id: &str) -> Error {
    Error::new(Code::TokenNotFound, format!("Token '{id}' not found")).with("id", id)
}

/// Whether `wanted` is the caller itself. In another tenant a name means somebody there.
fn is_caller(caller: &Caller, wanted: &IdentityRef) -> bool {
    let own = caller.identity();
    let text = wanted.to_string();
    text == own.internal_id || (text == own.identity_id && caller.tenant_id() == &own.tenant)
}

fn sees_tokens_of_others(caller: &Caller) -> bool {
    caller.scopes().contains(Scope::IdentityAdmin)
}

/// # Errors
/// `insufficient_scope` without identity:admin.
fn demand_identity_admin(caller: &Caller) -> Result<()> {
    if sees_tokens_of_others(caller) {
        return Ok(());
    }
    let scope = Scope::IdentityAdmin.as_str();
    let message = format!("Tokens of others need scope {scope}");
    Err(Error::new(Code::InsufficientScope, message).with("required", vec![scope]))
}

/// A token by its id (or `self`), if the caller may see it. A revoked one is gone, but for lists that ask for it.
fn seen_token(db: &mut impl Database, permit: &Permit, caller: &Caller, id: &str) -> Result<TokenRecord> {
    let wanted = if id == SELF { caller.session.token.id.as_str() } else { id };
    let is_seen = |record: &TokenRecord| {
        let is_own = record.identity_id == caller.identity().internal_id;
        let is_here = record.tenant_id == permit.tenant().tenant().as_str();
        is_own || (is_here && sees_tokens_of_others(caller))
    };
    token::find(db, wanted)?
        .filter(|record| record.revoked_at.is_none() && is_seen(record))
        .ok_or_else(|| token_not_found(id))
}
