//! `/v1/secrets` and `/v1/partner/secrets` (contract 01): a file for each route, and some for what runs across them.

mod delete;
mod expiring;
mod expiry;
mod limits;
mod list;
mod list_filter;
mod list_many;
mod metadata;
mod partner;
mod patch;
mod precondition;
mod race;
mod read;
mod relocate;
mod relocate_rules;
mod restore;
mod rotate;
mod statistics;
mod versions;
mod write;

use scaivault_testkit::{Actor, Answer, TestApp};
use serde_json::{Value, json};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
const ALL_SCOPES: &[&str] =
    &["secrets:read", "secrets:write", "secrets:delete", "secrets:list", "secrets:rotate", "admin"];

fn url(path: &str) -> String {
    format!("/v1/secrets/{path}")
}

/// The time `seconds` from now as the API writes it.
fn at(app: &TestApp, seconds: i64) -> String {
    app.now().plus_seconds(seconds).to_rfc3339_seconds()
}

/// Writes `{"v": value}` and answers the version.
async fn put(actor: &Actor<'_>, path: &str, value: &str) -> i64 {
    put_with(actor, path, json!({"data": {"v": value}})).await.json()["version"].as_i64().unwrap()
}

async fn put_with(actor: &Actor<'_>, path: &str, body: Value) -> Answer {
    let answer = actor.put(&url(path), body).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
    answer
}

/// Writes `{"v": "1"}` to `{"v": "<count>"}`.
async fn put_versions(actor: &Actor<'_>, path: &str, count: i64) {
    for number in 1..=count {
        assert_eq!(put(actor, path, &number.to_string()).await, number);
    }
}

/// The value that [`put`] wrote.
async fn value(actor: &Actor<'_>, target: &str) -> String {
    actor.get(&url(target)).await.expect(200).json()["data"]["v"].as_str().unwrap().to_owned()
}

async fn metadata(actor: &Actor<'_>, path: &str) -> Value {
    actor.get(&format!("/v1/secrets/metadata/{path}")).await.expect(200).json()
}

/// (version, state) of what is stored, newest first.
async fn states(actor: &Actor<'_>, path: &str) -> Vec<(i64, String)> {
    let answer = actor.get(&url(&format!("{path}/versions"))).await.expect(200).json();
    let entries = answer["versions"].as_array().unwrap();
    entries.iter().map(|entry| (entry["version"].as_i64().unwrap(), text(&entry["state"]))).collect()
}

fn state(version: i64, name: &str) -> (i64, String) {
    (version, name.to_owned())
}

/// The list for a query (`prefix=a/&limit=1`).
async fn list(actor: &Actor<'_>, query: &str) -> Value {
    actor.get(&format!("/v1/secrets?{query}")).await.expect(200).json()
}

/// The paths of the list for a query.
async fn listed(actor: &Actor<'_>, query: &str) -> Vec<String> {
    let page = list(actor, query).await;
    let paths = paths(&page);
    assert_eq!(page["total_count"], paths.len(), "{query}: {page}");
    paths
}

fn paths(page: &Value) -> Vec<String> {
    page["secrets"].as_array().unwrap().iter().map(|item| text(&item["path"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A rotation policy `rot_<name>`.
async fn rotation_policy(actor: &Actor<'_>, name: &str, extra: Value) -> String {
    let mut body = json!({"name": name, "interval": "90d"});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    text(&actor.post("/v1/rotation/policies", body).await.expect(201).json()["id"])
}
