//! What a caller sees of the directory; what it does not see answers as absent.

use scaivault_domain::role::{Role, RoleSet};
use scaivault_store::Database;
use scaivault_store::partner::{self, PartnerRecord};
use scaivault_store::tenant::{self, TenantRecord};

use super::rules::{self, Refusal};
use crate::caller::Caller;
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::session::DELETED;

pub(super) fn partner_not_found(id: &str) -> Error {
    Error::new(Code::PartnerNotFound, format!("Partner '{id}' not found")).with("id", id)
}

fn tenant_not_found(id: &str) -> Error {
    Error::new(Code::TenantNotFound, format!("Tenant '{id}' not found")).with("tenant_id", id)
}

pub(super) fn seen_partner(db: &mut impl Database, caller: &Caller, id: &str) -> Result<PartnerRecord> {
    let found = partner::find(db, id)?;
    found
        .filter(|record| record.status != DELETED && rules::sees_partner(caller.identity(), &record.id))
        .ok_or_else(|| partner_not_found(id))
}

pub(super) fn seen_tenant(db: &mut impl Database, cx: &mut Context<'_>, id: &str) -> Result<TenantRecord> {
    seen_home(db, cx, id)?.ok_or_else(|| tenant_not_found(id))
}

/// The tenant of something that was found by its own id: unseen, the thing is as good as absent.
pub(super) fn seen_home(db: &mut impl Database, cx: &mut Context<'_>, tenant_id: &str) -> Result<Option<TenantRecord>> {
    let seen = tenant::find(db, tenant_id)?.filter(|record| is_seen(cx.caller, record));
    if let Some(record) = &seen {
        cx.concerns(&record.id);
    }
    Ok(seen)
}

fn is_seen(caller: &Caller, record: &TenantRecord) -> bool {
    record.status != DELETED && rules::sees_tenant(caller.identity(), &record.partner_id, &record.id)
}

/// # Errors
/// `forbidden`, if the caller does not administer the tenant by `needed` or a wider role.
pub(super) fn demand(caller: &Caller, tenant: &TenantRecord, needed: Role) -> Result<Role> {
    let held = rules::authority(caller.identity(), &tenant.partner_id, &tenant.id);
    Ok(rules::demand(held, needed)?)
}

/// Also that an identity with `roles` does not stand above the caller.
pub(super) fn demand_over(caller: &Caller, tenant: &TenantRecord, roles: RoleSet) -> Result<()> {
    let held = demand(caller, tenant, Role::TenantAdmin)?;
    Ok(rules::demand_rank(held, roles)?)
}

/// # Errors
/// `forbidden` for everybody but a super_admin.
pub(super) fn demand_super_admin(caller: &Caller) -> Result<()> {
    if caller.has_role(Role::SuperAdmin) { Ok(()) } else { Err(Refusal::Needs(Role::SuperAdmin).into()) }
}
