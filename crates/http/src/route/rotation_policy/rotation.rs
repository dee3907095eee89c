//! What is due, what happened, and rotating now.

use http::{HeaderName, HeaderValue};
use scaivault_api::rotation_policy as wire;
use scaivault_domain::path::SecretPath;
use scaivault_domain::rotation::Fate;
use scaivault_domain::time::Timestamp;
use scaivault_service::Result;
use scaivault_service::page::Page;
use scaivault_service::rotation_policy::{
    DueSecret, HistoryItem, ListDueSecrets, ListRotationHistory, MOST_ROTATED, RotatePolicySecrets, RotationReport,
};

use super::policy::{DEFAULT_LIMIT, ID_CHARS, MAX_LIMIT};
use crate::extract::{Faults, List, Text};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

const REASON_CHARS: usize = 500;
const DEFAULT_HOURS: i64 = 24;
const MAX_HOURS: i64 = 8760;

const FATES: [(&str, Fate); 3] = [("success", Fate::Success), ("failed", Fate::Failed), ("pending", Fate::Pending)];

pub(crate) fn history(input: &Input<'_>) -> Result<ListRotationHistory> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let fate = query.one_of("status", &FATES);
    query.finish();
    faults.finish()?;
    Ok(ListRotationHistory { policy_id: input.param("id"), fate, limit: page.limit, after: page.after })
}

pub(crate) fn due(input: &Input<'_>) -> Result<ListDueSecrets> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let within_hours = query.integer("within_hours", 0..=MAX_HOURS).unwrap_or(DEFAULT_HOURS);
    let include_overdue = query.boolean("include_overdue").unwrap_or(true);
    let policy_id = query.string("policy_id", &Text::chars(1..=ID_CHARS));
    query.finish();
    faults.finish()?;
    Ok(ListDueSecrets { within_hours, include_overdue, policy_id, limit: page.limit, after: page.after })
}

pub(crate) fn rotate(input: &Input<'_>) -> Result<RotatePolicySecrets> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let texts = body.get("secret_paths", &List { item: Text::max(usize::MAX), count: 0..=MOST_ROTATED });
    let reason = body.get("reason", &Text::max(REASON_CHARS));
    body.finish();
    let path = |text: String| faults.take(SecretPath::parse(&text).map_err(|error| invalid_path(&error)));
    let paths = texts.map(|texts| texts.into_iter().filter_map(path).collect());
    faults.finish()?;
    Ok(RotatePolicySecrets { policy_id: input.param("id"), paths, reason })
}

fn item_view(item: &HistoryItem) -> wire::RotationHistoryItem {
    let error = item.error.as_ref();
    wire::RotationHistoryItem {
        id: item.id.clone(),
        policy_id: item.policy_id.clone(),
        secret_path: item.path.clone(),
        status: item.status.clone(),
        trigger: item.trigger.clone(),
        old_version: item.old_version,
        new_version: item.new_version,
        started_at: item.started_at.to_rfc3339_seconds(),
        completed_at: item.completed_at.map(Timestamp::to_rfc3339_seconds),
        error: error.map(|(code, message)| wire::RotationError { code: code.clone(), message: message.clone() }),
    }
}

pub(crate) fn report(report: &RotationReport) -> Reply {
    Reply::json(&wire::RotationReport(report.items.iter().map(item_view).collect()))
}

pub(crate) fn history_page(page: Page<HistoryItem>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::RotationHistoryList {
        data: page.items.iter().map(item_view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

fn due_view(due: &DueSecret) -> wire::DueSecret {
    wire::DueSecret {
        secret_path: due.secret_path.clone(),
        policy_id: due.policy_id.clone(),
        next_rotation: due.next_rotation.to_rfc3339_seconds(),
        last_rotated_at: due.last_rotated_at.map(Timestamp::to_rfc3339_seconds),
        hours_remaining: due.hours_remaining,
        is_overdue: due.is_overdue,
    }
}

pub(crate) fn due_page(page: Page<DueSecret>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::DueSecretList {
        data: page.items.iter().map(due_view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

/// The same under its old name.
pub(crate) fn deprecated_due_page(page: Page<DueSecret>, input: &Input<'_>) -> Result<Reply> {
    let mut reply = due_page(page, input)?;
    reply.set(HeaderName::from_static("deprecation"), HeaderValue::from_static("true"));
    Ok(reply)
}
