//! `POST /v1/secrets/batch` and `/v1/secrets/batch/metadata` (contract 08).

mod audit;
mod metadata;
mod rate;
mod read;

use scaivault_testkit::{Actor, Answer, Call, TestApp};
use serde_json::{Value, json};

const READ: &str = "/v1/secrets/batch";
const METADATA: &str = "/v1/secrets/batch/metadata";

fn read<'a>(actor: &Actor<'a>, paths: &[&str]) -> Call<'a> {
    actor.post(READ, json!({"paths": paths}))
}

fn read_with<'a>(actor: &Actor<'a>, paths: &[&str], options: Value) -> Call<'a> {
    actor.post(READ, json!({"paths": paths, "options": options}))
}

fn metadata<'a>(actor: &Actor<'a>, paths: &[&str], expand_wildcards: bool) -> Call<'a> {
    actor.post(METADATA, json!({"paths": paths, "options": {"expand_wildcards": expand_wildcards}}))
}

/// Writes the canary to each path.
async fn fill(app: &TestApp, paths: &[&str]) {
    for path in paths {
        let data = json!({"data": {"v": app.canary(), "path": path}});
        app.root().put(&format!("/v1/secrets/{path}"), data).await.expect(201);
    }
}

/// The entries of the request that `answer` is the answer of, in the order in which they were written.
async fn entries(app: &TestApp, answer: &Answer) -> Vec<Value> {
    let id = answer.header("x-request-id").unwrap();
    let logs = app.root().get(&format!("/v1/audit/logs?request_id={id}&limit=1000")).await.expect(200).json();
    logs["logs"].as_array().unwrap().iter().rev().cloned().collect()
}

/// The keys of one of the maps of an answer.
fn keys(map: &Value) -> Vec<&str> {
    map.as_object().unwrap().keys().map(String::as_str).collect()
}
