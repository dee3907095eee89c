//! `/v1/rotation/policies` and their secrets.

use scaivault_api::rotation_policy as wire;
use scaivault_domain::duration::{Span, SpanList};
use scaivault_domain::path::SecretPath;
use scaivault_domain::time::Timestamp;
use scaivault_service::page::Page;
use scaivault_service::rotation_policy::{
    Assignment, AttachSecret, CreateRotationPolicy, DeleteRotationPolicy, DetachSecret, GetRotationPolicy,
    ListAssignments, ListRotationPolicies, RotationPolicyListed, SetRotationPolicyActive, UpdateRotationPolicy,
    schedule_faults,
};
use scaivault_service::{FieldFault, Result};

use crate::extract::{Boolean, Duration, DurationList, Faults, List, ObjectReader, Patch, Text, present};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

pub(super) const DEFAULT_LIMIT: u32 = 50;
pub(super) const MAX_LIMIT: u32 = 200;
const DESCRIPTION_CHARS: usize = 2000;
pub(super) const ID_CHARS: usize = 128;
const MAX_WARNINGS: usize = 10;
const MAX_WEBHOOKS: usize = 20;

/// Switching on and off has routes of its own.
const READ_ONLY: [&str; 6] = ["id", "interval_seconds", "is_active", "secrets_count", "created_at", "updated_at"];

/// Zero is refused as too short, which is not a matter of form.
const DURATION: Duration = Duration { positive: false };

pub(crate) fn list(input: &Input<'_>) -> Result<ListRotationPolicies> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let active_only = query.boolean("active_only").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(ListRotationPolicies { active_only, limit: page.limit, after: page.after })
}

fn description(body: &mut ObjectReader<'_>) -> Patch<String> {
    body.patch("description", &Text::max(DESCRIPTION_CHARS))
}

fn warn_before(body: &mut ObjectReader<'_>) -> Patch<SpanList> {
    body.patch("warn_before", &DurationList { max: MAX_WARNINGS })
}

fn secret_policy_id(body: &mut ObjectReader<'_>) -> Patch<String> {
    body.patch("secret_policy_id", &Text::chars(1..=ID_CHARS))
}

fn webhook_ids() -> List<Text> {
    List { item: Text::chars(1..=ID_CHARS), count: 0..=MAX_WEBHOOKS }
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateRotationPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.require("name", &Text::name());
    let description = description(&mut body).set();
    let interval = body.require("interval", &DURATION);
    let grace_period = body.get("grace_period", &DURATION);
    let warn_before = warn_before(&mut body).set();
    let auto_generate = body.get("auto_generate", &Boolean).unwrap_or(false);
    let secret_policy_id = secret_policy_id(&mut body).set();
    let webhook_ids = body.get("webhook_ids", &webhook_ids()).unwrap_or_default();
    body.finish();
    note_all(&faults, schedule_faults(interval.as_ref(), grace_period.as_ref(), warn_before.as_ref()));
    faults.finish()?;
    Ok(CreateRotationPolicy {
        name: present(name)?,
        description,
        interval: present(interval)?,
        grace_period,
        warn_before: warn_before.unwrap_or_default(),
        auto_generate,
        secret_policy_id,
        webhook_ids,
    })
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetRotationPolicy> {
    nothing_else(input)?;
    Ok(GetRotationPolicy { id: input.param("id") })
}

/// A request that says all it has to say by its address.
fn nothing_else(input: &Input<'_>) -> Result<()> {
    let faults = Faults::new();
    input.query(&faults).finish();
    input.body(&faults).finish();
    faults.finish()
}

pub(crate) fn patch(input: &Input<'_>) -> Result<UpdateRotationPolicy> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.get("name", &Text::name());
    let description = description(&mut body).into_change();
    let interval = body.get("interval", &DURATION);
    let grace_period = body.patch("grace_period", &DURATION).into_change();
    let warn_before = cleared(warn_before(&mut body));
    let auto_generate = cleared(body.patch("auto_generate", &Boolean));
    let secret_policy_id = secret_policy_id(&mut body).into_change();
    let webhook_ids = cleared(body.patch("webhook_ids", &webhook_ids()));
    body.finish();
    let given_grace: Option<&Span> = grace_period.as_ref().and_then(Option::as_ref);
    note_all(&faults, schedule_faults(interval.as_ref(), given_grace, warn_before.as_ref()));
    faults.finish()?;
    Ok(UpdateRotationPolicy {
        id: input.param("id"),
        name,
        description,
        interval,
        grace_period,
        warn_before,
        auto_generate,
        secret_policy_id,
        webhook_ids,
    })
}

fn note_all(faults: &Faults, found: Vec<FieldFault>) {
    for fault in found {
        faults.field(fault.field, fault.code, fault.message);
    }
}

/// `null` is the default, which is the empty value.
fn cleared<T: Default>(patch: Patch<T>) -> Option<T> {
    patch.into_change().map(Option::unwrap_or_default)
}

pub(crate) fn enable(input: &Input<'_>) -> Result<SetRotationPolicyActive> {
    nothing_else(input)?;
    Ok(SetRotationPolicyActive { id: input.param("id"), is_active: true })
}

pub(crate) fn disable(input: &Input<'_>) -> Result<SetRotationPolicyActive> {
    nothing_else(input)?;
    Ok(SetRotationPolicyActive { id: input.param("id"), is_active: false })
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteRotationPolicy> {
    nothing_else(input)?;
    Ok(DeleteRotationPolicy { id: input.param("id") })
}

pub(crate) fn assignments(input: &Input<'_>) -> Result<ListAssignments> {
    let faults = Faults::new();
    let (query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    query.finish();
    faults.finish()?;
    Ok(ListAssignments { policy_id: input.param("id"), limit: page.limit, after: page.after })
}

pub(crate) fn attach(input: &Input<'_>) -> Result<AttachSecret> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let path = body.require("secret_path", &Text::max(usize::MAX));
    body.finish();
    let path = path.and_then(|text| faults.take(SecretPath::parse(&text).map_err(|error| invalid_path(&error))));
    faults.finish()?;
    Ok(AttachSecret { policy_id: input.param("id"), path: present(path)? })
}

pub(crate) fn detach(input: &Input<'_>) -> Result<DetachSecret> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let raw = with_plain_slashes(input.captures.raw("path").unwrap_or_default());
    let path = faults.take(SecretPath::from_url(&raw).map_err(|error| invalid_path(&error)));
    faults.finish()?;
    Ok(DetachSecret { policy_id: input.param("id"), path: present(path)? })
}

/// Here, and only here, an encoded slash is as good as a plain one (contract 04 section 2): clients that build the address from
/// one segment encode it.
fn with_plain_slashes(raw: &str) -> String {
    raw.replace("%2F", "/").replace("%2f", "/")
}

fn view(policy: &RotationPolicyListed) -> wire::RotationPolicy {
    let record = &policy.record;
    wire::RotationPolicy {
        id: record.id.clone(),
        name: record.name.clone(),
        description: record.description.clone(),
        interval: record.interval.clone(),
        // What is stored was read as a duration before.
        interval_seconds: Span::parse(&record.interval).map_or(0, |interval| interval.seconds()),
        grace_period: record.grace_period.clone(),
        warn_before: Some(record.warn_before.clone()).filter(|list| !list.is_empty()),
        auto_generate: record.auto_generate,
        secret_policy_id: record.secret_policy_id.clone(),
        webhook_ids: record.webhook_ids.clone(),
        is_active: record.is_active,
        secrets_count: policy.secrets_count,
        created_at: record.created_at.to_rfc3339_seconds(),
        updated_at: record.updated_at.to_rfc3339_seconds(),
    }
}

pub(crate) fn policy(policy: &RotationPolicyListed) -> Reply {
    Reply::json(&view(policy))
}

pub(crate) fn policy_of(found: RotationPolicyListed, _input: &Input<'_>) -> Result<Reply> {
    Ok(policy(&found))
}

pub(crate) fn page(page: Page<RotationPolicyListed>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::RotationPolicyList {
        data: page.items.iter().map(view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

fn assignment_view(assignment: &Assignment) -> wire::SecretAssignment {
    wire::SecretAssignment {
        policy_id: assignment.policy_id.clone(),
        secret_path: assignment.secret_path.clone(),
        assigned_at: assignment.assigned_at.to_rfc3339_seconds(),
        assigned_by: assignment.assigned_by.clone(),
        last_rotated_at: assignment.last_rotated_at.map(Timestamp::to_rfc3339_seconds),
        next_rotation: assignment.next_rotation.map(Timestamp::to_rfc3339_seconds),
    }
}

pub(crate) fn assignment(assignment: &Assignment) -> Reply {
    Reply::json(&assignment_view(assignment))
}

pub(crate) fn assignment_page(page: Page<Assignment>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::SecretAssignmentList {
        data: page.items.iter().map(assignment_view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn an_encoded_slash_is_a_slash() {
        for raw in ["a/b", "a%2Fb", "a%2fb"] {
            assert_eq!(SecretPath::from_url(&with_plain_slashes(raw)).unwrap().as_str(), "a/b");
        }
        assert!(SecretPath::from_url(&with_plain_slashes("a%252Fb")).is_err());
    }
}
