//! From requests to operations on policies and bindings.

use std::sync::Arc;

use scaivault_domain::id::IdentityType;
use scaivault_domain::path::SecretPath;
use scaivault_domain::policy::{Permission, Rule};
use scaivault_domain::time::Timestamp;
use scaivault_service::policy::{
    BindPolicy, CreatePolicy, DeletePolicy, GetPolicy, ListBindings, ListPolicies, PolicyScope, TestPolicy,
    TestedFacts, UnbindPolicy, UpdatePolicy,
};
use scaivault_service::{FaultCode, Result};

use super::rules::rules;
use crate::extract::{Boolean, Faults, ObjectReader, OneOf, Patch, Text, Time, present};
use crate::input::{Input, invalid_path};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
const DESCRIPTION_CHARS: usize = 2000;
/// Longer than any e-mail address or name with what stands before it.
const IDENTITY_CHARS: usize = 512;

const SCOPES: &[(&str, PolicyScope)] = &[("tenant", PolicyScope::Tenant), ("partner", PolicyScope::Partner)];

const IDENTITY_TYPES: &[(&str, IdentityType)] = &[
    ("user", IdentityType::User),
    ("service_account", IdentityType::ServiceAccount),
    ("group", IdentityType::Group),
    ("system", IdentityType::System),
];

const PERMISSIONS: &[(&str, Permission)] = &[
    ("read", Permission::Read),
    ("write", Permission::Write),
    ("delete", Permission::Delete),
    ("list", Permission::List),
    ("rotate", Permission::Rotate),
    ("admin", Permission::Admin),
];

const READ_ONLY: [&str; 4] = ["id", "bindings", "created_at", "updated_at"];

pub(crate) fn list(input: &Input<'_>) -> Result<ListPolicies> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let scope = query.one_of("scope", SCOPES);
    let include_inactive = query.boolean("include_inactive").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(ListPolicies { scope, include_inactive, limit: page.limit, after: page.after })
}

fn description(body: &mut ObjectReader<'_>) -> Patch<String> {
    body.patch("description", &Text::max(DESCRIPTION_CHARS))
}

fn required_rules(body: &mut ObjectReader<'_>) -> Option<Arc<[Rule]>> {
    if !body.has("rules") {
        body.fault("rules", FaultCode::Required, "is required");
    }
    rules(body)
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreatePolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.require("name", &Text::name());
    let description = description(&mut body).set();
    let rules = required_rules(&mut body);
    let scope = body.get("scope", &OneOf(SCOPES)).unwrap_or_default();
    let is_active = body.get("is_active", &Boolean).unwrap_or(true);
    body.finish();
    faults.finish()?;
    Ok(CreatePolicy { name: present(name)?, description, rules: present(rules)?, scope, is_active })
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    faults.finish()?;
    Ok(GetPolicy { id: input.param("id") })
}

/// PUT: what is left out goes back to its default. The scope never changes.
pub(crate) fn replace(input: &Input<'_>) -> Result<UpdatePolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    body.read_only(&["scope"]);
    let name = body.require("name", &Text::name());
    let description = description(&mut body).set();
    let rules = required_rules(&mut body);
    let is_active = body.get("is_active", &Boolean).unwrap_or(true);
    body.finish();
    faults.finish()?;
    Ok(UpdatePolicy {
        id: input.param("id"),
        name: Some(present(name)?),
        description: Some(description),
        rules: Some(present(rules)?),
        is_active: Some(is_active),
    })
}

pub(crate) fn patch(input: &Input<'_>) -> Result<UpdatePolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    body.read_only(&["scope"]);
    let name = body.get("name", &Text::name());
    let description = description(&mut body).into_change();
    let rules = rules(&mut body);
    let is_active = body.patch("is_active", &Boolean).into_change().map(|given| given.unwrap_or(true));
    body.finish();
    faults.finish()?;
    Ok(UpdatePolicy { id: input.param("id"), name, description, rules, is_active })
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeletePolicy> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let force = query.boolean("force").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(DeletePolicy { id: input.param("id"), force })
}

pub(crate) fn bindings(input: &Input<'_>) -> Result<ListBindings> {
    let faults = Faults::new();
    let (query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    query.finish();
    faults.finish()?;
    Ok(ListBindings { policy_id: input.param("id"), limit: page.limit, after: page.after })
}

pub(crate) fn bind(input: &Input<'_>) -> Result<BindPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&["id", "policy_id", "created_at", "created_by"]);
    let identity_type = body.require("identity_type", &OneOf(IDENTITY_TYPES));
    let identity_id = body.require("identity_id", &Text::chars(1..=IDENTITY_CHARS));
    let expires_at = body.patch("expires_at", &Time).set();
    if expires_at.is_some_and(|end: Timestamp| end <= input.now) {
        body.fault("expires_at", FaultCode::Range, "must be in the future");
    }
    body.finish();
    faults.finish()?;
    Ok(BindPolicy {
        policy_id: input.param("id"),
        identity_type: present(identity_type)?,
        identity_id: present(identity_id)?,
        expires_at,
    })
}

pub(crate) fn unbind(input: &Input<'_>) -> Result<UnbindPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    faults.finish()?;
    Ok(UnbindPolicy { policy_id: input.param("id"), binding_id: input.param("binding_id") })
}

pub(crate) fn test(input: &Input<'_>) -> Result<TestPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let identity_id = body.require("identity_id", &Text::chars(1..=IDENTITY_CHARS));
    let path = body.require("path", &Text::max(usize::MAX));
    let permission = body.require("permission", &OneOf(PERMISSIONS));
    let context = tested_facts(body.nested("context"));
    body.finish();
    let path = path.and_then(|text| faults.take(SecretPath::parse(&text).map_err(|error| invalid_path(&error))));
    faults.finish()?;
    Ok(TestPolicy {
        identity_id: present(identity_id)?,
        path: present(path)?,
        permission: present(permission)?,
        context,
    })
}

fn tested_facts(mut reader: ObjectReader<'_>) -> TestedFacts {
    let source_ip = reader.get("source_ip", &Text::max(64)).and_then(|text| {
        let address = text.parse().ok();
        if address.is_none() {
            reader.fault("source_ip", FaultCode::Format, "must be an IP address");
        }
        address
    });
    let facts = TestedFacts {
        source_ip,
        mfa_verified: reader.get("mfa_verified", &Boolean),
        timestamp: reader.get("timestamp", &Time),
    };
    reader.finish();
    facts
}
