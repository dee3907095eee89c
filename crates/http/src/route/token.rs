//! `/v1/auth`: who am I, what is that token, and personal access tokens.

use scaivault_api::token as wire;
use scaivault_crypto::SecretString;
use scaivault_domain::condition::parse_cidr;
use scaivault_domain::id::IdentityRef;
use scaivault_domain::time::Timestamp;
use scaivault_service::page::Page;
use scaivault_service::token::{
    CreateToken, GetToken, Introspect, Introspection, ListTokens, NewToken, RevokeToken, Token, Whoami, WhoamiAnswer,
};
use scaivault_service::{FaultCode, Result};

use crate::extract::{Duration, Faults, List, SecretText, Text, present};
use crate::input::Input;
use crate::reply::Reply;
use crate::route::field::{Name, Parsed, scopes};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
const MAX_IP_RANGES: usize = 20;

fn no_query(input: &Input<'_>) -> Result<()> {
    let faults = Faults::new();
    input.query(&faults).finish();
    faults.finish()
}

pub(crate) fn whoami(input: &Input<'_>) -> Result<Whoami> {
    no_query(input)?;
    Ok(Whoami)
}

pub(crate) fn who(answer: WhoamiAnswer, _input: &Input<'_>) -> Result<Reply> {
    Ok(Reply::json(&wire::Whoami {
        identity_id: answer.identity_id,
        identity_type: answer.identity_type.as_str().to_owned(),
        display_name: answer.display_name,
        tenant_id: answer.tenant_id,
        partner_id: answer.partner_id,
        scopes: answer.scopes.to_strings(),
        groups: answer.groups,
        roles: answer.roles.to_strings(),
        mfa_verified_at: answer.mfa_verified_at.map(Timestamp::to_rfc3339_seconds),
        token_expires_at: answer.token_expires_at.to_rfc3339_seconds(),
        acting_tenant_id: answer.acting_tenant_id,
        token_ref: answer.token_ref,
    }))
}

pub(crate) fn introspect(input: &Input<'_>) -> Result<Introspect> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    // Of any length: what is no token is answered, not refused (contract 02 section 9, A-9).
    let token = body.require("token", &SecretText(Text::max(usize::MAX)));
    body.finish();
    faults.finish()?;
    let mut token = present(token)?;
    Ok(Introspect { token: SecretString::new(std::mem::take(&mut *token)) })
}

pub(crate) fn introspected(found: Option<Introspection>, _input: &Input<'_>) -> Result<Reply> {
    let Some(found) = found else { return Ok(Reply::json(&wire::Introspection::default())) };
    Ok(Reply::json(&wire::Introspection {
        active: true,
        identity_id: Some(found.identity_id),
        identity_type: Some(found.identity_type.as_str().to_owned()),
        tenant_id: Some(found.tenant_id),
        scopes: Some(found.scopes.to_strings()),
        expires_at: Some(found.expires_at.to_rfc3339_seconds()),
        issued_at: Some(found.issued_at.to_rfc3339_seconds()),
    }))
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateToken> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let name = body.require("name", &Name);
    let scopes = body.require("scopes", &scopes(1));
    let identity = body.patch("identity_id", &Parsed(IdentityRef::parse)).set();
    let expires_in = body.patch("expires_in", &Duration { positive: true }).set();
    let cidr = Parsed(|text: &str| parse_cidr(text).ok_or("must be a CIDR range such as 10.0.0.0/8"));
    let ip_ranges = body.patch("ip_ranges", &List { item: cidr, count: 0..=MAX_IP_RANGES }).set();
    body.finish();
    faults.finish()?;
    Ok(CreateToken {
        name: present(name)?,
        scopes: present(scopes)?,
        identity,
        expires_in,
        ip_ranges: ip_ranges.unwrap_or_default(),
    })
}

pub(crate) fn created(new: &NewToken) -> Reply {
    Reply::json(&wire::TokenCreated { record: view(&new.token), token: new.text.expose().to_owned() }).no_store()
}

fn view(token: &Token) -> wire::Token {
    wire::Token {
        id: token.id.clone(),
        name: token.name.clone(),
        identity_id: token.identity_id.clone(),
        tenant_id: token.tenant_id.clone(),
        scopes: token.scopes.to_strings(),
        ip_ranges: token.ip_ranges.clone(),
        created_at: token.created_at.to_rfc3339_seconds(),
        expires_at: token.expires_at.to_rfc3339_seconds(),
        last_used_at: token.last_used_at.map(Timestamp::to_rfc3339_seconds),
        revoked_at: token.revoked_at.map(Timestamp::to_rfc3339_seconds),
        token_ref: token.token_ref.clone(),
    }
}

pub(crate) fn list(input: &Input<'_>) -> Result<ListTokens> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let identity = query.raw("identity_id").and_then(|text| match IdentityRef::parse(text) {
        Ok(identity) => Some(identity),
        Err(error) => {
            query.fault("identity_id", FaultCode::Format, &error.to_string());
            None
        }
    });
    let include_inactive = query.boolean("include_inactive").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(ListTokens { identity, include_inactive, limit: page.limit, after: page.after })
}

pub(crate) fn listed(page: Page<Token>, input: &Input<'_>) -> Result<Reply> {
    let cursor = input.next_cursor(page.next)?;
    let tokens = page.items.iter().map(view).collect();
    Ok(Reply::json(&wire::TokenList { tokens, has_more: cursor.is_some(), cursor }))
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetToken> {
    no_query(input)?;
    Ok(GetToken { id: input.param("token_id") })
}

pub(crate) fn shown(token: Token, _input: &Input<'_>) -> Result<Reply> {
    Ok(Reply::json(&view(&token)))
}

pub(crate) fn revoke(input: &Input<'_>) -> Result<RevokeToken> {
    no_query(input)?;
    Ok(RevokeToken { id: input.param("token_id") })
}
