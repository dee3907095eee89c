//! Roles, and `/v1/identity/resolve`.

use scaivault_api::identity as wire;
use scaivault_domain::role::{Role, RoleSet};
use scaivault_service::Result;
use scaivault_service::identity::{
    GetRoles, HeldRoles, Holder, ListRoles, ResolveIdentity, Resolved, RoleOffer, SetRoles,
};

use super::only_id;
use crate::extract::{Faults, List, present};
use crate::input::Input;
use crate::reply::Reply;
use crate::route::field::Parsed;

pub(crate) fn catalogue(input: &Input<'_>) -> Result<ListRoles> {
    let faults = Faults::new();
    input.query(&faults).finish();
    faults.finish()?;
    Ok(ListRoles)
}

pub(crate) fn offered(offers: Vec<RoleOffer>, _input: &Input<'_>) -> Result<Reply> {
    let view = |offer: &RoleOffer| wire::Role {
        name: offer.role.as_str().to_owned(),
        description: offer.role.description().to_owned(),
        assignable: offer.assignable,
    };
    Ok(Reply::json(&wire::RoleCatalogue { roles: offers.iter().map(view).collect() }))
}

pub(crate) fn get_of_user(input: &Input<'_>) -> Result<GetRoles> {
    Ok(GetRoles { holder: Holder::User(only_id(input, "user_id")?) })
}

pub(crate) fn get_of_account(input: &Input<'_>) -> Result<GetRoles> {
    Ok(GetRoles { holder: Holder::ServiceAccount(only_id(input, "service_account_id")?) })
}

pub(crate) fn shown(held: HeldRoles, _input: &Input<'_>) -> Result<Reply> {
    Ok(changed(&held))
}

pub(crate) fn changed(held: &HeldRoles) -> Reply {
    let (user_id, service_account_id) = match &held.holder {
        Holder::ServiceAccount(id) => (None, Some(id.clone())),
        Holder::User(id) => (Some(id.clone()), None),
    };
    Reply::json(&wire::HeldRoles { user_id, service_account_id, roles: held.roles.to_strings() })
}

pub(crate) fn set_of_user(input: &Input<'_>) -> Result<SetRoles> {
    set(input, Holder::User(input.param("user_id")))
}

pub(crate) fn set_of_account(input: &Input<'_>) -> Result<SetRoles> {
    set(input, Holder::ServiceAccount(input.param("service_account_id")))
}

fn set(input: &Input<'_>, holder: Holder) -> Result<SetRoles> {
    const MAX_ROLES: usize = 16;
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let role = Parsed(|text: &str| Role::parse(text).ok_or("must be tenant_admin, partner_admin or super_admin"));
    let roles = body.require("roles", &List { item: role, count: 0..=MAX_ROLES });
    body.finish();
    faults.finish()?;
    Ok(SetRoles { holder, roles: RoleSet::from_iter(present(roles)?) })
}

pub(crate) fn resolve(input: &Input<'_>) -> Result<ResolveIdentity> {
    let identity_id = only_id(input, "identity_id")?;
    Ok(ResolveIdentity { identity_type: input.param("identity_type"), identity_id })
}

pub(crate) fn resolved(found: Resolved, _input: &Input<'_>) -> Result<Reply> {
    Ok(Reply::json(&wire::ResolvedIdentity {
        id: found.id,
        identity_type: found.identity_type.as_str().to_owned(),
        identity_id: found.identity_id,
        tenant_id: found.tenant_id,
        display_name: found.display_name,
        status: found.status,
        groups: found.groups,
        roles: found.roles.to_strings(),
    }))
}
