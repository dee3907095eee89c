//! Contract 04: rotation policies and what follows a write under one.

mod attach;
mod change;
mod clock;
mod due;
mod failure;
mod grace;
mod history;
mod policy;
mod policy_rotate;
mod schedule;
mod shared;
mod simulation;

use scaivault_store::event;
use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use crate::identity::id_of;

pub(crate) const POLICIES: &str = "/v1/rotation/policies";
const DAY: i64 = 86_400;
const HOUR: i64 = 3600;
/// When the clock of a test begins.
const START: i64 = 1_777_629_600;

/// A rotation policy of `tnt_default`; answers its id.
pub(crate) async fn rotation_policy(app: &TestApp, name: &str, interval: &str) -> String {
    id_of(&app.root().post(POLICIES, json!({"name": name, "interval": interval})).await.expect(201).json())
}

async fn put(by: &Actor<'_>, path: &str, password: &str) -> Value {
    let answer = by.put(&format!("/v1/secrets/{path}"), json!({"data": {"password": password}})).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    answer.json()
}

async fn attach(by: &Actor<'_>, policy: &str, path: &str) -> Value {
    let answer = by.post(&format!("{POLICIES}/{policy}/secrets"), json!({"secret_path": path})).await;
    answer.expect(201).json()
}

/// What the metadata says of a secret's rotation.
async fn state(app: &TestApp, path: &str) -> Value {
    let metadata = app.root().get(&format!("/v1/secrets/metadata/{path}")).await.expect(200).json();
    metadata["rotation_policy"].clone()
}

/// (state, readable_until) of each version, the newest first.
async fn versions(app: &TestApp, path: &str) -> Vec<(String, Value)> {
    let list = app.root().get(&format!("/v1/secrets/{path}/versions")).await.expect(200).json();
    let entries = list["versions"].as_array().unwrap().iter();
    entries.map(|entry| (entry["state"].as_str().unwrap().to_owned(), entry["readable_until"].clone())).collect()
}

/// What `tnt_default` was told of rotations: (seconds since the start, `rotation.due 7d` and the like), oldest first.
fn told(app: &TestApp, path: &str) -> Vec<(i64, String)> {
    let of_path = events(app).into_iter().filter(|(_, _, about, _)| about == path);
    let words = of_path.filter(|(_, name, ..)| name.starts_with("rotation.") || name == "secret.rotated");
    words.map(|(at, name, _, data)| (at, worded(&name, &data))).collect()
}

fn worded(name: &str, data: &Value) -> String {
    match (name, data["threshold"].as_str(), data["trigger"].as_str()) {
        ("rotation.due", Some(threshold), _) => format!("due {threshold}"),
        ("rotation.completed", _, Some(trigger)) => format!("completed {trigger}"),
        _ => name.trim_start_matches("rotation.").to_owned(),
    }
}

/// (seconds since the start, type, path, data) of all events of `tnt_default`.
fn events(app: &TestApp) -> Vec<(i64, String, String, Value)> {
    let found = app.look(|view| event::after(view, "tnt_default", "", 1_000_000)).unwrap();
    let parts = |record: event::EventRecord| {
        let event = record.event;
        let data = serde_json::from_str(&event.data).unwrap();
        (event.at.as_seconds() - START, event.event_type, event.path.unwrap_or_default(), data)
    };
    found.into_iter().map(parts).collect()
}

fn words(told: &[(i64, String)]) -> Vec<(i64, &str)> {
    told.iter().map(|(at, word)| (*at, word.as_str())).collect()
}

/// A policy of `tnt_default` with these fields; answers its id.
async fn policy_with(app: &TestApp, name: &str, mut fields: Value) -> String {
    fields["name"] = json!(name);
    id_of(&app.root().post(POLICIES, fields).await.expect(201).json())
}

/// A secret under a policy from its first version on.
async fn put_under(app: &TestApp, policy: &str, path: &str) {
    let body = json!({"data": {"password": app.canary(), "user": "u"}, "options": {"rotation_policy_id": policy}});
    app.root().put(&format!("/v1/secrets/{path}"), body).await.expect(201);
}

async fn status(app: &TestApp, path: &str) -> String {
    state(app, path).await["status"].as_str().unwrap().to_owned()
}

/// The history of a policy, newest first; `query` begins with `?` or is empty.
async fn history(app: &TestApp, policy: &str, query: &str) -> Vec<Value> {
    let answer = app.root().get(&format!("{POLICIES}/{policy}/history{query}")).await.expect(200).json();
    answer["data"].as_array().unwrap().clone()
}

async fn version(app: &TestApp, path: &str) -> i64 {
    app.root().get(&format!("/v1/secrets/metadata/{path}")).await.expect(200).json()["current_version"]
        .as_i64()
        .unwrap()
}

/// Entries of the trail, newest first, as (action, path, identity, success).
async fn entries(app: &TestApp, action: &str) -> Vec<Value> {
    let logs = app.root().get(&format!("/v1/audit/logs?action={action}&limit=1000")).await.expect(200).json();
    logs["logs"].as_array().unwrap().clone()
}
