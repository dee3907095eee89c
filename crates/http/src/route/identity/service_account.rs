//! `/v1/identity/service-accounts`

use scaivault_api::identity as wire;
use scaivault_service::Result;
use scaivault_service::identity::{
    CreateServiceAccount, DeleteServiceAccount, GetServiceAccount, ListServiceAccounts, Listed, NewServiceAccount,
    ServiceAccount, UpdateServiceAccount,
};

use super::{LIVE_STATUS, allowed_scopes, description, only_id, page, second, status, url_name};
use crate::extract::{Faults, present};
use crate::input::Input;
use crate::reply::Reply;

pub(crate) fn list(input: &Input<'_>) -> Result<ListServiceAccounts> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op =
        ListServiceAccounts { tenant_id: input.param("tenant_id"), status: status(&mut query), page: page(&mut query) };
    query.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn listed(found: Listed<ServiceAccount>, _input: &Input<'_>) -> Result<Reply> {
    let service_accounts = found.items.iter().map(view).collect();
    Ok(Reply::json(&wire::ServiceAccountList { service_accounts, total: found.total }))
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetServiceAccount> {
    Ok(GetServiceAccount { id: only_id(input, "service_account_id")? })
}

pub(crate) fn shown(account: ServiceAccount, _input: &Input<'_>) -> Result<Reply> {
    Ok(changed(&account))
}

pub(crate) fn changed(account: &ServiceAccount) -> Reply {
    Reply::json(&view(account))
}

fn view(account: &ServiceAccount) -> wire::ServiceAccount {
    wire::ServiceAccount {
        id: account.id.clone(),
        tenant_id: account.tenant_id.clone(),
        name: account.name.clone(),
        identity_id: format!("sa:{}", account.name),
        client_id: account.id.clone(),
        description: account.description.clone(),
        allowed_scopes: account.allowed_scopes.to_strings(),
        roles: account.roles.to_strings(),
        status: account.status.clone(),
        created_at: second(account.created_at),
    }
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateServiceAccount> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let name = body.require("name", &url_name());
    let description = body.patch("description", &description()).set();
    let allowed_scopes = allowed_scopes(&mut body).set();
    let status = body.get("status", &LIVE_STATUS).unwrap_or_default();
    body.finish();
    faults.finish()?;
    Ok(CreateServiceAccount {
        tenant_id: input.param("tenant_id"),
        name: present(name)?,
        description,
        allowed_scopes,
        status,
    })
}

pub(crate) fn created(new: &NewServiceAccount) -> Reply {
    let client_secret = new.client_secret.expose().to_owned();
    Reply::json(&wire::ServiceAccountCreated { account: view(&new.account), client_secret }).no_store()
}

pub(crate) fn update(input: &Input<'_>) -> Result<UpdateServiceAccount> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let op = UpdateServiceAccount {
        id: input.param("service_account_id"),
        name: body.get("name", &url_name()),
        description: body.patch("description", &description()).into_change(),
        allowed_scopes: allowed_scopes(&mut body).into_change(),
        status: body.get("status", &LIVE_STATUS),
    };
    body.read_only(&["id", "tenant_id", "identity_id", "client_id", "client_secret", "roles", "created_at"]);
    body.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteServiceAccount> {
    Ok(DeleteServiceAccount { id: only_id(input, "service_account_id")? })
}
