//! `/v1/subscriptions` (contract 07 section 5).

mod buffer;
mod change;
mod list;
pub(crate) mod live;
mod owner;
mod permission;
mod poll;
mod sending;
mod waiting;

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

pub(crate) const SUBSCRIPTIONS: &str = "/v1/subscriptions";

/// What somebody needs who writes secrets and hears of them.
pub(crate) const SCOPES: &[&str] =
    &["secrets:read", "secrets:write", "secrets:delete", "secrets:list", "subscriptions:read", "subscriptions:write"];

/// Somebody who may read and list what matches `pattern`, and subscribe.
pub(crate) async fn listener<'a>(app: &'a TestApp, name: &str, pattern: &str) -> Actor<'a> {
    app.user(name, SCOPES, &[(pattern, &["read", "list"])]).await
}

/// A polling subscription to everything; answers its id.
pub(crate) async fn subscribe(actor: &Actor<'_>, name: &str, paths: &[&str]) -> String {
    let made = actor.post(SUBSCRIPTIONS, wanted(name, paths)).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

pub(crate) fn wanted(name: &str, paths: &[&str]) -> Value {
    json!({"name": name, "paths": paths, "events": ["*"], "delivery": {"type": "polling"}})
}

/// A new version of a secret.
pub(crate) async fn write(app: &TestApp, path: &str) {
    let data = json!({"data": {"v": app.canary()}});
    let answer = app.root().put(&format!("/v1/secrets/{path}"), data).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

/// What a poll that does not wait answers.
pub(crate) async fn poll(actor: &Actor<'_>, id: &str) -> Value {
    actor.get(&format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0")).await.expect(200).json()
}

/// The paths of the events of an answer.
pub(crate) fn paths(polled: &Value) -> Vec<String> {
    polled["events"].as_array().unwrap().iter().map(|event| event["path"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn ids(polled: &Value) -> Vec<String> {
    polled["events"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) async fn acknowledge(actor: &Actor<'_>, id: &str, event_ids: &[String]) -> i64 {
    let answer = actor.post(&format!("{SUBSCRIPTIONS}/{id}/ack"), json!({"event_ids": event_ids})).await;
    answer.expect(200).json()["acknowledged"].as_i64().unwrap()
}

/// The entries of the trail with an action, newest first.
pub(crate) async fn trail(app: &TestApp, action: &str) -> Vec<Value> {
    let logs = app.root().get(&format!("/v1/audit/logs?limit=1000&action={action}")).await.expect(200).json();
    logs["logs"].as_array().unwrap().clone()
}
