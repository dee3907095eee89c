//! Webhooks (contract 07 sections 3 and 4), with receivers that are servers on this machine.

mod address;
mod crud;
mod delivery;
mod fan_out;
mod health;
mod log;
pub(crate) mod receiver;
pub(crate) mod secret;

use receiver::{Answer, Got, Receiver};
use scaivault_testkit::{Actor, TestApp, TestAppBuilder};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn builder() -> TestAppBuilder {
    TestApp::builder().settings(|settings| {
        settings.webhook_addresses.allowed = vec!["127.0.0.0/8".parse().unwrap()];
    })
}

/// An application that may call this machine.
pub(crate) async fn app() -> TestApp {
    builder().start().await
}

/// A webhook for `events`, with more fields or other ones; answers its id.
async fn hook(actor: &Actor<'_>, url: &str, events: &[&str], more: Value) -> String {
    let mut body = json!({"name": url, "url": url, "secret": SECRET, "events": events});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = actor.post("/v1/webhooks", body).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

async fn put(app: &TestApp, path: &str) {
    let answer = app.root().put(&format!("/v1/secrets/{path}"), json!({"data": {"v": app.canary()}})).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

async fn deliveries(app: &TestApp, id: &str) -> Vec<Value> {
    let found = app.root().get(&format!("/v1/webhooks/{id}/deliveries")).await.expect(200).json();
    found["deliveries"].as_array().unwrap().clone()
}

async fn status(app: &TestApp, id: &str) -> String {
    let found = app.root().get(&format!("/v1/webhooks/{id}")).await.expect(200).json();
    found["status"].as_str().unwrap().to_owned()
}

/// Paths of what arrived, in the order in which it did.
pub(crate) fn paths(got: &[Got]) -> Vec<String> {
    got.iter().map(|got| got.json()["path"].as_str().unwrap_or_default().to_owned()).collect()
}

fn types(got: &[Got]) -> Vec<String> {
    got.iter().map(|got| got.json()["event_type"].as_str().unwrap().to_owned()).collect()
}
