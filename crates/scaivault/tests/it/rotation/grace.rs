//! Which writes rotate, and how long the old value stays (R-7, R-8, R-13, R-14; contract 04 sections 3 and 4).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, HOUR, POLICIES, attach, put, rotation_policy, state, versions};

fn entry(state: &str, until: Value) -> (String, Value) {
    (state.to_owned(), until)
}

#[tokio::test]
async fn r_7_a_put_under_an_active_policy_is_a_rotation() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a", "one").await;
    attach(&root, &id, "a").await;
    app.clock.advance(30 * DAY);
    let written = put(&root, "a", "two").await;
    assert_eq!(written["grace_period_ends"], "2026-06-02T10:00:00Z");
    let told = state(&app, "a").await;
    // Day 120.
    assert_eq!(told["next_rotation"], "2026-08-29T10:00:00Z");
    assert_eq!(told["last_rotated_at"], "2026-05-31T10:00:00Z");
    let expected = [entry("current", Value::Null), entry("grace", json!("2026-06-02T10:00:00Z"))];
    assert_eq!(versions(&app, "a").await, expected);
    let old = root.get("/v1/secrets/a?version=1").await.expect(200).json();
    assert_eq!((&old["data"]["password"], &old["readable_until"]), (&json!("one"), &json!("2026-06-02T10:00:00Z")));
    assert_eq!(root.get("/v1/secrets/a").await.expect(200).json()["data"]["password"], "two");
    app.clock.advance(48 * HOUR - 1);
    root.get("/v1/secrets/a?version=1").await.expect(200);
    app.clock.advance(1);
    root.get("/v1/secrets/a?version=1").await.expect_error(404, "version_not_found");
    assert_eq!(versions(&app, "a").await[1].0, "retired");
    assert_eq!(root.get("/v1/secrets/a?version=1&include_retired=true").await.expect(200).json()["version"], 1);
    let reader = app.user("reader", &["secrets:read"], &[("**", &["read"])]).await;
    let target = "/v1/secrets/a?version=1&include_retired=true";
    reader.get(target).await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn r_7_the_put_that_attaches_is_none() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a", "one").await;
    app.clock.advance(DAY);
    let body = json!({"data": {"password": "two"}, "options": {"rotation_policy_id": id}});
    let written = root.put("/v1/secrets/a", body.clone()).await.expect(200).json();
    assert!(written.get("grace_period_ends").is_none_or(Value::is_null), "{written}");
    assert_eq!(versions(&app, "a").await, [entry("current", Value::Null), entry("available", Value::Null)]);
    assert_eq!(state(&app, "a").await["last_rotated_at"], "2026-05-02T10:00:00Z");
    // Naming the same policy again attaches nothing.
    let again = root.put("/v1/secrets/a", body).await.expect(200).json();
    assert_eq!(again["grace_period_ends"], "2026-05-04T10:00:00Z");
    // Moving to another policy attaches.
    let other = rotation_policy(&app, "other", "30d").await;
    let body = json!({"data": {"password": "four"}, "options": {"rotation_policy_id": other}});
    let moved = root.put("/v1/secrets/a", body).await.expect(200).json();
    assert!(moved.get("grace_period_ends").is_none_or(Value::is_null), "{moved}");
}

#[tokio::test]
async fn r_8_a_put_under_a_disabled_policy_is_a_plain_write() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a", "one").await;
    attach(&root, &id, "a").await;
    root.post_empty(&format!("{POLICIES}/{id}/disable")).await.expect(200);
    app.clock.advance(DAY);
    let written = put(&root, "a", "two").await;
    assert!(written.get("grace_period_ends").is_none_or(Value::is_null), "{written}");
    assert_eq!(versions(&app, "a").await, [entry("current", Value::Null), entry("available", Value::Null)]);
    let told = state(&app, "a").await;
    assert_eq!((&told["status"], &told["last_rotated_at"]), (&json!("paused"), &json!("2026-05-01T10:00:00Z")));
    // Switched on, the schedule goes on from there.
    root.post_empty(&format!("{POLICIES}/{id}/enable")).await.expect(200);
    assert_eq!(state(&app, "a").await["next_rotation"], "2026-07-30T10:00:00Z");
    app.clock.advance(100 * DAY);
    root.get("/v1/auth/whoami").await.expect(200);
    root.get("/v1/secrets/a?version=1").await.expect(200);
}

#[tokio::test]
async fn r_8_without_a_policy_it_is_a_plain_write_too() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a", "one").await;
    put(&root, "a", "two").await;
    attach(&root, &id, "a").await;
    root.delete(&format!("{POLICIES}/{id}/secrets/a")).await.expect(204);
    put(&root, "a", "three").await;
    let available = || entry("available", Value::Null);
    assert_eq!(versions(&app, "a").await, [entry("current", Value::Null), available(), available()]);
}

#[tokio::test]
async fn r_13_an_earlier_end_stays_when_a_longer_grace_begins() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", "one").await;
    let rotate = |grace: &str| {
        let body = json!({"new_value": {"password": "next"}, "grace_period": grace});
        root.post("/v1/secrets/a/rotate", body)
    };
    assert_eq!(rotate("1h").await.expect(200).json()["grace_period_ends"], "2026-05-01T11:00:00Z");
    app.clock.advance(HOUR / 2);
    assert_eq!(rotate("5h").await.expect(200).json()["grace_period_ends"], "2026-05-01T15:30:00Z");
    let expected = [
        entry("current", Value::Null),
        entry("grace", json!("2026-05-01T15:30:00Z")),
        entry("grace", json!("2026-05-01T11:00:00Z")),
    ];
    assert_eq!(versions(&app, "a").await, expected);
    app.clock.advance(HOUR / 2);
    root.get("/v1/secrets/a?version=1").await.expect_error(404, "version_not_found");
    root.get("/v1/secrets/a?version=2").await.expect(200);
    // A shorter one ends what would have lasted longer.
    rotate("10m").await.expect(200);
    app.clock.advance(600);
    for version in [2, 3] {
        root.get(&format!("/v1/secrets/a?version={version}")).await.expect_error(404, "version_not_found");
    }
    root.get("/v1/secrets/a?version=4").await.expect(200);
}

#[tokio::test]
async fn r_14_the_requests_grace_comes_before_the_policys() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "six", "interval": "90d", "grace_period": "6h"});
    root.post(POLICIES, body).await.expect(201);
    let rotate = |path: &str, grace: Option<&str>| {
        let mut body = json!({"new_value": {"password": "two"}});
        if let Some(grace) = grace {
            body["grace_period"] = json!(grace);
        }
        root.post(&format!("/v1/secrets/{path}/rotate"), body)
    };
    for (path, attached, grace, ends) in [
        ("given", true, Some("1h"), "2026-05-01T11:00:00Z"),
        ("policys", true, None, "2026-05-01T16:00:00Z"),
        ("none", false, None, "2026-05-03T10:00:00Z"),
        ("at-once", true, Some("0s"), "2026-05-01T10:00:00Z"),
    ] {
        put(&root, path, "one").await;
        if attached {
            attach(&root, "rot_six", path).await;
        }
        let rotated = rotate(path, grace).await.expect(200).json();
        assert_eq!((&rotated["grace_period_ends"], &rotated["generated"]), (&json!(ends), &json!(false)), "{path}");
    }
    root.get("/v1/secrets/at-once?version=1").await.expect_error(404, "version_not_found");
    rotate("given", Some("366d")).await.expect_fault("grace_period", "range");
    rotate("given", Some("1 hour")).await.expect_error(400, "invalid_duration");
    // A PUT takes the policy's.
    let written = put(&root, "policys", "three").await;
    assert_eq!(written["grace_period_ends"], "2026-05-01T16:00:00Z");
}

#[tokio::test]
async fn a_policy_that_generates_needs_no_value() {
    let app = TestApp::new().await;
    let root = app.root();
    let fields = json!([{"name": "password", "generator": "hex", "config": {"length": 10}}]);
    root.post("/v1/secret-policies", json!({"name": "hex", "fields": fields})).await.expect(201);
    let body = json!({"name": "auto", "interval": "1d", "auto_generate": true, "secret_policy_id": "sp_hex"});
    assert_eq!(root.post(POLICIES, body).await.expect(201).json()["secret_policy_id"], "sp_hex");
    root.put("/v1/secrets/a", json!({"data": {"username": "u", "password": "old"}})).await.expect(201);
    root.post("/v1/secrets/a/rotate", json!({})).await.expect_fault("new_value", "required");
    attach(&root, "rot_auto", "a").await;
    let rotated = root.post_empty("/v1/secrets/a/rotate").await.expect(200);
    assert_eq!(rotated.json()["generated"], true);
    let data = root.get("/v1/secrets/a").await.expect(200).json()["data"].clone();
    assert_eq!((&data["username"], data["password"].as_str().unwrap().len()), (&json!("u"), 10));
    assert!(!rotated.text().contains(data["password"].as_str().unwrap()));
    // Not while it is off.
    root.post_empty(&format!("{POLICIES}/rot_auto/disable")).await.expect(200);
    root.post("/v1/secrets/a/rotate", json!({})).await.expect_fault("new_value", "required");
}
