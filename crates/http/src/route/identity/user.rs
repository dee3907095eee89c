//! `/v1/identity/users`

use scaivault_api::identity as wire;
use scaivault_crypto::SecretString;
use scaivault_domain::name::{Email, NameError};
use scaivault_service::Result;
use scaivault_service::identity::{
    CreateUser, DeleteUser, GetUser, ListUsers, Listed, MIN_PASSWORD_CHARS, UpdateUser, User, hash_password,
};
use zeroize::Zeroizing;

use super::{LIVE_STATUS, allowed_scopes, only_id, opt_second, page, status};
use crate::extract::shape::Controls;
use crate::extract::{Faults, Patch, SecretText, Text, present};
use crate::input::Input;
use crate::reply::Reply;
use crate::route::field::Parsed;

/// Longer ones only cost time to hash.
const MAX_PASSWORD_CHARS: usize = 1024;

pub(crate) fn list(input: &Input<'_>) -> Result<ListUsers> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op = ListUsers {
        tenant_id: input.param("tenant_id"),
        status: status(&mut query),
        text: query.string("q", &Text::chars(1..=128).controls(Controls::None)),
        page: page(&mut query),
    };
    query.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn listed(found: Listed<User>, _input: &Input<'_>) -> Result<Reply> {
    let users = found.items.iter().map(view).collect();
    Ok(Reply::json(&wire::UserList { users, total: found.total }))
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetUser> {
    Ok(GetUser { id: only_id(input, "user_id")? })
}

pub(crate) fn shown(user: User, _input: &Input<'_>) -> Result<Reply> {
    Ok(changed(&user))
}

pub(crate) fn changed(user: &User) -> Reply {
    Reply::json(&view(user))
}

fn view(user: &User) -> wire::User {
    wire::User {
        id: user.id.clone(),
        tenant_id: user.tenant_id.clone(),
        email: user.email.clone(),
        display_name: user.display_name.clone(),
        status: user.status.clone(),
        mfa_enabled: user.mfa_enabled,
        groups: user.groups.clone(),
        roles: user.roles.to_strings(),
        allowed_scopes: user.allowed_scopes.to_strings(),
        last_synced_at: opt_second(user.last_synced_at),
    }
}

fn email() -> Parsed<Email, NameError> {
    Parsed(Email::parse)
}

fn password() -> SecretText {
    SecretText(Text::chars(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).controls(Controls::Any))
}

/// Here and not in the operation: hashing takes longer than any transaction may.
fn hashed(mut password: Zeroizing<String>) -> Result<String> {
    hash_password(&SecretString::new(std::mem::take(&mut *password)))
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateUser> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let email = body.require("email", &email());
    let display_name = body.patch("display_name", &Text::name()).set();
    let password = body.patch("password", &password()).set();
    let allowed_scopes = allowed_scopes(&mut body).set();
    let status = body.get("status", &LIVE_STATUS).unwrap_or_default();
    body.finish();
    faults.finish()?;
    Ok(CreateUser {
        tenant_id: input.param("tenant_id"),
        email: present(email)?,
        display_name,
        password_hash: password.map(hashed).transpose()?,
        allowed_scopes,
        status,
    })
}

pub(crate) fn update(input: &Input<'_>) -> Result<UpdateUser> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let email = body.get("email", &email());
    let display_name = body.patch("display_name", &Text::name()).into_change();
    let password = body.patch("password", &password());
    let allowed_scopes = allowed_scopes(&mut body).into_change();
    let status = body.get("status", &LIVE_STATUS);
    body.read_only(&["id", "tenant_id", "mfa_enabled", "groups", "roles", "last_synced_at"]);
    body.finish();
    faults.finish()?;
    let password_hash = match password {
        Patch::Absent => None,
        Patch::Null => Some(None),
        Patch::Set(password) => Some(Some(hashed(password)?)),
    };
    Ok(UpdateUser { id: input.param("user_id"), email, display_name, password_hash, allowed_scopes, status })
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteUser> {
    Ok(DeleteUser { id: only_id(input, "user_id")? })
}
