//! What is told of what happens (contract 07 sections 1 and 2): causes and their events, as they lie in the outbox.

mod accessed;
mod binding;
mod canary;
mod catalogue;
mod durable;
mod expiry;
mod rotation;
mod shared;
mod violation;

use std::collections::BTreeSet;

use scaivault_store::event::{self, EventRecord};
use scaivault_testkit::TestApp;
use serde_json::Value;

const HOME: &str = "tnt_default";
const DAY: i64 = 86_400;

fn url(path: &str) -> String {
    format!("/v1/secrets/{path}")
}

/// A place in the order of a tenant's events.
fn mark_in(app: &TestApp, tenant: &str) -> String {
    app.look(|view| event::last_id(view, tenant)).unwrap().unwrap_or_default()
}

fn mark(app: &TestApp) -> String {
    mark_in(app, HOME)
}

/// Every event of a tenant behind a place, in order.
fn since_in(app: &TestApp, tenant: &str, mark: &str) -> Vec<EventRecord> {
    let found = app.look(|view| event::after(view, tenant, mark, 100_000)).unwrap();
    assert!(found.iter().all(|event| event.event.tenant_id == tenant), "{found:?}");
    assert!(found.is_sorted_by(|left, right| left.id < right.id), "{found:?}");
    found
}

fn since(app: &TestApp, mark: &str) -> Vec<EventRecord> {
    since_in(app, HOME, mark)
}

fn names(events: &[EventRecord]) -> Vec<&str> {
    events.iter().map(|event| event.event.event_type.as_str()).collect()
}

/// (event_type, path), for what happened at several places.
fn places(events: &[EventRecord]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| (event.event.event_type.as_str(), event.event.path.as_deref().unwrap_or_default()))
        .collect()
}

fn data(event: &EventRecord) -> Value {
    serde_json::from_str(&event.event.data).unwrap()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The one event of that name; there may be others beside it.
#[track_caller]
fn only<'a>(events: &'a [EventRecord], name: &str) -> &'a EventRecord {
    let found: Vec<_> = events.iter().filter(|event| event.event.event_type == name).collect();
    assert_eq!(found.len(), 1, "{name}: {:?}", names(events));
    found[0]
}
