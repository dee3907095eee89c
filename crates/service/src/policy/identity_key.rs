//! Which identity a client means.

use scaivault_domain::access::TenantScope;
use scaivault_domain::id::IdentityRef;
use scaivault_store::Database;
use scaivault_store::binding::{IdentityFound, identities_in_partner, identity_in_tenant};

use crate::error::{Code, Error, Result};

pub(super) fn identity_not_found(text: &str) -> Error {
    // Whatever the text is: what no identity can be called is not there.
    let shown: String = text.chars().take(320).collect();
    Error::new(Code::IdentityNotFound, format!("Identity '{shown}' not found")).with("identity_id", shown)
}

/// An identity of the tenant, by its public form or its directory id.
///
/// # Errors
/// 404 `identity_not_found`, also for those of other tenants.
pub(super) fn identity_key(
    db: &mut impl Database,
    scope: &TenantScope,
    reference: &IdentityRef,
) -> Result<IdentityFound> {
    identity_in_tenant(db, scope, reference)?.ok_or_else(|| identity_not_found(&reference.to_string()))
}

/// An identity of any tenant of the partner; the acting tenant's own comes first.
///
/// # Errors
/// 404 `identity_not_found`; 400 `invalid_policy` where several other tenants have one of that name: guessing which one is
/// meant would give rights to a stranger.
pub(super) fn identity_key_in_partner(
    db: &mut impl Database,
    scope: &TenantScope,
    reference: &IdentityRef,
) -> Result<IdentityFound> {
    if let Some(own) = identity_in_tenant(db, scope, reference)? {
        return Ok(own);
    }
    let mut found = identities_in_partner(db, scope, reference)?;
    if found.len() > 1 {
        let message =
            "Several tenants of the partner have an identity of that name; give its directory id, or act in its tenant";
        return Err(Error::new(Code::InvalidPolicy, message).with("reason", "identity_id is ambiguous"));
    }
    found.pop().ok_or_else(|| identity_not_found(&reference.to_string()))
}
