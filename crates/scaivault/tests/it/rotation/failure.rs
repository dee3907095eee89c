//! A rotation that fails is visible and tried again (contract 04 section 3).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, HOUR, POLICIES, entries, events, history, policy_with, put, put_under, status, told, version, words};

const MINUTE: i64 = 60;

/// A policy whose recipe is switched off, so that generating fails, and a secret under it.
async fn broken(app: &TestApp) -> String {
    let fields = json!([{"name": "password", "generator": "hex", "config": {"length": 10}}]);
    app.root().post("/v1/secret-policies", json!({"name": "hex", "fields": fields})).await.expect(201);
    let body = json!({"interval": "10d", "auto_generate": true, "secret_policy_id": "sp_hex", "grace_period": "3h"});
    let id = policy_with(app, "auto", body).await;
    put_under(app, &id, "db").await;
    switch(app, false).await;
    id
}

async fn switch(app: &TestApp, is_active: bool) {
    app.root().patch("/v1/secret-policies/sp_hex", json!({"is_active": is_active})).await.expect(200);
}

#[tokio::test]
async fn it_is_told_kept_and_tried_again_after_1m_5m_30m_and_then_hourly() {
    let app = TestApp::new().await;
    let id = broken(&app).await;
    app.pass(10 * DAY + 3 * HOUR).await;
    let at: Vec<i64> =
        told(&app, "db").iter().filter(|(_, word)| word == "failed").map(|(at, _)| at - 10 * DAY).collect();
    assert_eq!(at, [0, MINUTE, 6 * MINUTE, 36 * MINUTE, 96 * MINUTE, 156 * MINUTE]);
    assert_eq!(told(&app, "db").last().unwrap(), &(10 * DAY + 3 * HOUR, "overdue".to_owned()));
    assert_eq!((status(&app, "db").await.as_str(), version(&app, "db").await), ("failed", 1));
    let (_, _, _, data) = events(&app).into_iter().find(|(_, name, ..)| name == "rotation.failed").unwrap();
    assert_eq!(data["error"]["code"], "invalid_state");
    assert_eq!(data["next_attempt_at"], "2026-05-11T10:01:00Z");
    let failed = history(&app, &id, "?status=failed").await;
    assert_eq!(failed.len(), 6);
    assert_eq!((&failed[0]["error"]["code"], &failed[0]["new_version"]), (&json!("invalid_state"), &Value::Null));
    assert_eq!((&failed[5]["old_version"], &failed[5]["trigger"]), (&json!(1), &json!("scheduled")));
    let entries = entries(&app, "rotate").await;
    assert_eq!((entries.len(), &entries[0]["success"], &entries[0]["status_code"]), (6, &json!(false), &json!(409)));
    let shown = app.root().get("/v1/metrics").await.expect(200).text();
    assert!(shown.contains("scaivault_secret_rotations_total{status=\"failed\"} 6"));

    switch(&app, true).await;
    app.pass(HOUR).await;
    assert_eq!((status(&app, "db").await.as_str(), version(&app, "db").await), ("ok", 2));
    let items = history(&app, &id, "").await;
    assert_eq!((items.len(), &items[0]["status"]), (7, &json!("success")));
    // 216 minutes after the due time; the next cycle counts from there.
    app.pass(10 * DAY).await;
    assert_eq!(version(&app, "db").await, 3);
}

#[tokio::test]
async fn a_value_from_outside_ends_it() {
    let app = TestApp::new().await;
    let id = broken(&app).await;
    app.pass(10 * DAY + MINUTE).await;
    put(&app.root(), "db", "given").await;
    assert_eq!(status(&app, "db").await, "ok");
    app.pass(9 * DAY).await;
    assert_eq!(words(&told(&app, "db")).iter().filter(|(_, word)| *word == "failed").count(), 2);
    assert_eq!(history(&app, &id, "").await[0]["trigger"], "write");
}

#[tokio::test]
async fn changing_the_policy_has_it_tried_at_once() {
    let app = TestApp::new().await;
    let id = broken(&app).await;
    app.pass(10 * DAY + 40 * MINUTE).await;
    app.root().patch(&format!("{POLICIES}/{id}"), json!({"secret_policy_id": null})).await.expect(200);
    app.settle().await;
    assert_eq!(version(&app, "db").await, 2, "the built-in recipe generates a password");
}

#[tokio::test]
async fn a_policy_that_no_longer_generates_asks() {
    let app = TestApp::new().await;
    let id = broken(&app).await;
    app.pass(10 * DAY + MINUTE).await;
    app.root().patch(&format!("{POLICIES}/{id}"), json!({"auto_generate": false})).await.expect(200);
    app.settle().await;
    assert_eq!(told(&app, "db").last().unwrap(), &(10 * DAY + MINUTE, "due 0s".to_owned()));
    assert_eq!(status(&app, "db").await, "due");
}

#[tokio::test]
async fn one_that_fails_holds_up_no_other() {
    let app = TestApp::new().await;
    let id = broken(&app).await;
    let other = policy_with(&app, "other", json!({"interval": "10d", "auto_generate": true})).await;
    for path in ["a", "z"] {
        put_under(&app, &other, path).await;
    }
    app.pass(10 * DAY).await;
    assert_eq!((version(&app, "a").await, version(&app, "z").await, version(&app, "db").await), (2, 2, 1));
    assert_eq!(history(&app, &id, "").await.len(), 1);
}
