//! `/v1/identity/service-accounts/{id}/credentials`

use scaivault_api::identity as wire;
use scaivault_service::Result;
use scaivault_service::identity::{
    CreateCredential, Credential, DeleteCredential, ListCredentials, Listed, NewCredential,
};

use super::{only_id, opt_second, page, second};
use crate::extract::{Duration, Faults};
use crate::input::Input;
use crate::reply::Reply;

pub(crate) fn list(input: &Input<'_>) -> Result<ListCredentials> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op = ListCredentials { service_account_id: input.param("service_account_id"), page: page(&mut query) };
    query.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn listed(found: Listed<Credential>, _input: &Input<'_>) -> Result<Reply> {
    let credentials = found.items.iter().map(view).collect();
    Ok(Reply::json(&wire::CredentialList { credentials, total: found.total }))
}

fn view(credential: &Credential) -> wire::Credential {
    wire::Credential {
        id: credential.id.clone(),
        created_at: second(credential.created_at),
        expires_at: opt_second(credential.expires_at),
        last_used_at: opt_second(credential.last_used_at),
    }
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateCredential> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let expires_in = body.patch("expires_in", &Duration { positive: true }).set();
    body.finish();
    faults.finish()?;
    Ok(CreateCredential { service_account_id: input.param("service_account_id"), expires_in })
}

pub(crate) fn created(new: &NewCredential) -> Reply {
    let client_secret = new.client_secret.expose().to_owned();
    Reply::json(&wire::CredentialCreated { credential: view(&new.credential), client_secret }).no_store()
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteCredential> {
    let id = only_id(input, "credential_id")?;
    Ok(DeleteCredential { service_account_id: input.param("service_account_id"), id })
}
