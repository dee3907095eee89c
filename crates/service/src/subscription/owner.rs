//! What the owner of a subscription may see when nobody asks.

use scaivault_domain::condition::Facts;
use scaivault_domain::time::Timestamp;
use scaivault_store::tenant::TenantRecord;
use scaivault_store::{Database, StoreError, StoreResult};

use crate::event::Sight;
use crate::session::{ACTIVE, bound_policies, check_border, load_identity, standing_in};
use crate::settings::Settings;

/// By the directory, roles and bindings as they are now. There is no request whose address or second factor could be known: rules
/// that ask for one give nothing. A suspended identity sees nothing, nor does one that may no longer act in the tenant.
pub(crate) fn sight_of(
    db: &mut impl Database,
    owner_id: &str,
    tenant: &TenantRecord,
    settings: &Settings,
    now: Timestamp,
) -> StoreResult<Sight> {
    match look(db, owner_id, tenant, settings, now) {
        // One damaged row must not keep events from everybody else.
        Err(StoreError::Corrupt(reason)) => {
            tracing::error!(owner_id, reason, "what an owner may see can't be read; it is given nothing");
            Ok(Sight::NOTHING)
        }
        looked => looked,
    }
}

fn look(
    db: &mut impl Database,
    owner_id: &str,
    tenant: &TenantRecord,
    settings: &Settings,
    now: Timestamp,
) -> StoreResult<Sight> {
    let Some((identity, status)) = load_identity(db, owner_id)? else { return Ok(Sight::NOTHING) };
    if status != ACTIVE || check_border(&identity, tenant).is_err() {
        return Ok(Sight::NOTHING);
    }
    let policies = match tenant.id == identity.tenant.as_str() {
        true => bound_policies(db, &tenant.id, &identity.internal_id)?,
        false => Vec::new(),
    };
    let standing = standing_in(&identity, &policies.into(), tenant)?;
    let facts = Facts {
        source_ip: None,
        mfa_verified_at: None,
        now,
        default_mfa_max_age_seconds: settings.mfa_max_age_seconds,
    };
    Ok(Sight::of(&standing, &facts))
}
