//! Contract 04: rotation policies and what follows a write under one.

mod attach;
mod grace;
mod policy;

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use crate::identity::id_of;

pub(crate) const POLICIES: &str = "/v1/rotation/policies";
const DAY: i64 = 86_400;

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
