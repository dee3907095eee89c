//! `POST /v1/secrets/{path}/rotate`

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{ALL_SCOPES, DAY, HOUR, at, metadata, put, put_with, rotation_policy, state, states, url, value};

#[tokio::test]
async fn s_19_the_old_version_stays_readable_for_the_grace_period() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let body = json!({"reason": "Suspected compromise", "new_value": {"v": "2"}, "grace_period": "1h"});
    let rotated = root.post(&url("a/rotate"), body).await.expect(200);
    let expected = json!({"path": "a", "version": 2, "previous_version": 1, "rotated_at": at(&app, 0),
        "grace_period_ends": at(&app, HOUR), "generated": false, "expires_at": null});
    assert_eq!(rotated.json(), expected);
    assert_eq!(rotated.header("etag"), Some("\"2\""));
    assert_eq!(value(&root, "a").await, "2");
    let old = root.get(&url("a?version=1")).await.expect(200).json();
    assert_eq!((&old["data"]["v"], &old["readable_until"]), (&json!(app.canary()), &json!(at(&app, HOUR))));
    app.clock.advance(HOUR - 1);
    assert_eq!(value(&root, "a?version=1").await, app.canary());
    app.clock.advance(1);
    root.get(&url("a?version=1")).await.expect_error(404, "version_not_found");
    assert_eq!(value(&root, "a?version=1&include_retired=true").await, app.canary());
    assert_eq!(states(&root, "a").await, [state(2, "current"), state(1, "retired")]);
}

#[tokio::test]
async fn s_20_without_grace_every_older_version_retires_at_once() {
    let app = TestApp::new().await;
    let root = app.root();
    super::put_versions(&root, "a", 3).await;
    let body = json!({"new_value": {"v": "4"}, "grace_period": "0s"});
    let rotated = root.post(&url("a/rotate"), body).await.expect(200).json();
    assert_eq!(rotated["grace_period_ends"], rotated["rotated_at"]);
    for old in 1..=3 {
        root.get(&url(&format!("a?version={old}"))).await.expect_error(404, "version_not_found");
    }
    assert_eq!(value(&root, "a").await, "4");
}

#[tokio::test]
async fn s_21_without_value_or_recipe_nothing_rotates() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "manual", json!({})).await;
    rotation_policy(&root, "resting", json!({"auto_generate": true})).await;
    root.post_empty("/v1/rotation/policies/rot_resting/disable").await.expect(200);
    put(&root, "a", app.canary()).await;
    put_with(&root, "resting", json!({"data": {"v": "1"}, "options": {"rotation_policy_id": "rot_resting"}})).await;
    put_with(&root, "attached", json!({"data": {"v": "1"}, "options": {"rotation_policy_id": "rot_manual"}})).await;
    put_with(&root, "blurred", json!({"data": {"a": "1", "b": "2"}})).await;
    for path in ["a", "attached", "resting"] {
        for body in [json!({}), json!({"generate": false}), json!({"reason": "r"})] {
            root.post(&url(&format!("{path}/rotate")), body).await.expect_fault("new_value", "required");
        }
        root.post_empty(&url(&format!("{path}/rotate"))).await.expect_fault("new_value", "required");
        assert_eq!(metadata(&root, path).await["current_version"], 1);
    }
    let refused = root.post(&url("blurred/rotate"), json!({"generate": true})).await;
    refused.expect_error(422, "validation_error");
}

#[tokio::test]
async fn s_22_an_auto_generate_policy_makes_the_value() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "auto", json!({"auto_generate": true, "grace_period": "3h"})).await;
    let data = json!({"username": "u", "password": app.canary(), "port": 5432});
    put_with(&root, "a", json!({"data": data, "options": {"rotation_policy_id": "rot_auto"}})).await;
    let rotated = root.post_empty(&url("a/rotate")).await.expect(200).json();
    assert_eq!((&rotated["generated"], &rotated["grace_period_ends"]), (&json!(true), &json!(at(&app, 3 * HOUR))));
    let read = root.get(&url("a")).await.expect(200).json();
    assert_eq!((&read["data"]["username"], &read["data"]["port"]), (&json!("u"), &json!(5432)));
    let made = read["data"]["password"].as_str().unwrap();
    assert!(made != app.canary() && made.len() == 32, "{made}");
    assert!(made.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)), "{made}");
    let given = root.post(&url("a/rotate"), json!({"new_value": {"password": "mine"}})).await.expect(200).json();
    assert_eq!(given["generated"], false);
    assert_eq!(root.get(&url("a")).await.expect(200).json()["data"], json!({"password": "mine"}), "replaced whole");
}

#[tokio::test]
async fn s_23_an_empty_new_value_is_a_value() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    root.post(&url("a/rotate"), json!({"new_value": {}})).await.expect(200);
    assert_eq!(root.get(&url("a")).await.expect(200).json()["data"], json!({}));
}

#[tokio::test]
async fn s_24_grace_counts_on_top_of_the_cap() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"max_versions": 1}})).await;
    root.post(&url("a/rotate"), json!({"new_value": {"v": "2"}, "grace_period": "1h"})).await.expect(200);
    assert_eq!(states(&root, "a").await, [state(2, "current"), state(1, "grace")]);
    put(&root, "a", "3").await;
    assert_eq!(states(&root, "a").await, [state(3, "current"), state(1, "grace")]);
    app.clock.advance(HOUR);
    assert_eq!(states(&root, "a").await, [state(3, "current"), state(1, "retired")]);
    put(&root, "a", "4").await;
    assert_eq!(states(&root, "a").await, [state(4, "current")]);
}

#[tokio::test]
async fn grace_is_the_requests_else_the_policys_else_two_days() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "short", json!({"grace_period": "2h"})).await;
    put(&root, "free", "1").await;
    put_with(&root, "bound", json!({"data": {}, "options": {"rotation_policy_id": "rot_short"}})).await;
    for (path, grace, seconds) in
        [("free", None, 48 * HOUR), ("bound", None, 2 * HOUR), ("bound", Some("365d"), 365 * DAY)]
    {
        let mut body = json!({"new_value": {"v": app.canary()}});
        if let Some(grace) = grace {
            body["grace_period"] = json!(grace);
        }
        let rotated = root.post(&url(&format!("{path}/rotate")), body).await.expect(200).json();
        assert_eq!(rotated["grace_period_ends"], at(&app, seconds), "{path} {grace:?}");
    }
}

#[tokio::test]
async fn an_earlier_end_of_grace_stays() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let rotate = |grace: &str| root.post(&url("a/rotate"), json!({"new_value": {"v": "x"}, "grace_period": grace}));
    rotate("1h").await.expect(200);
    rotate("3h").await.expect(200);
    let until = |answer: Value| answer["readable_until"].clone();
    assert_eq!(until(root.get(&url("a?version=1")).await.expect(200).json()), at(&app, HOUR));
    assert_eq!(until(root.get(&url("a?version=2")).await.expect(200).json()), at(&app, 3 * HOUR));
    rotate("30m").await.expect(200);
    assert_eq!(until(root.get(&url("a?version=1")).await.expect(200).json()), at(&app, HOUR / 2));
    app.clock.advance(HOUR / 2);
    rotate("1h").await.expect(200);
    assert_eq!(
        states(&root, "a").await[1..],
        [state(4, "grace"), state(3, "retired"), state(2, "retired"), state(1, "retired")]
    );
}

#[tokio::test]
async fn generate_makes_a_value_without_a_policy() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let rotated = root.post(&url("a/rotate"), json!({"generate": true})).await.expect(200).json();
    assert_eq!(rotated["generated"], true);
    assert_eq!(value(&root, "a").await.len(), 32);
    let fields = json!([{"name": "v", "generator": "hex", "config": {"length": 8}},
        {"name": "id", "generator": "static", "config": {"value": "i"}}]);
    root.post("/v1/secret-policies", json!({"name": "hex", "fields": fields})).await.expect(201);
    root.patch(&url("a"), json!({"options": {"secret_policy_id": "sp_hex"}})).await.expect(200);
    root.post(&url("a/rotate"), json!({"generate": true})).await.expect(200);
    let read = root.get(&url("a")).await.expect(200).json();
    assert_eq!((read["data"]["v"].as_str().unwrap().len(), &read["data"]["id"]), (8, &json!("i")));
}

#[tokio::test]
async fn a_rotation_resets_the_schedule() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"rotation_policy_id": "rot_quarterly"}}))
        .await;
    app.clock.advance(30 * DAY);
    root.post(&url("a/rotate"), json!({"new_value": {}})).await.expect(200);
    let rotation = metadata(&root, "a").await["rotation_policy"].clone();
    let expected = json!({"id": "rot_quarterly", "next_rotation": at(&app, 90 * DAY),
        "last_rotated_at": at(&app, 0), "status": "ok"});
    assert_eq!(rotation, expected);
}

#[tokio::test]
async fn bad_bodies_are_refused() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    for (bad, field, code) in [
        (json!({"new_value": []}), "new_value", "type"),
        (json!({"new_value": "x"}), "new_value", "type"),
        (json!({"new_value": {}, "generate": true}), "generate", "conflict"),
        (json!({"new_value": {}, "reason": "r".repeat(501)}), "reason", "range"),
        (json!({"new_value": {}, "grace_period": 5}), "grace_period", "type"),
        (json!({"new_value": {}, "grace_period": "366d"}), "grace_period", "range"),
        (json!({"new_value": {}, "metadata": {}}), "metadata", "unknown"),
    ] {
        root.post(&url("a/rotate"), bad).await.expect_fault(field, code);
    }
    let refused = root.post(&url("a/rotate"), json!({"new_value": {}, "grace_period": "1 day"})).await;
    assert_eq!(
        refused.expect_error(400, "invalid_duration").details(),
        json!({"field": "grace_period", "value": "1 day"})
    );
    root.post(&url("b/rotate"), json!({"new_value": {}})).await.expect_error(404, "secret_not_found");
    assert_eq!(metadata(&root, "a").await["version_count"], 1);
    root.post(&url("a/rotate"), json!({"new_value": {}, "reason": "r".repeat(500), "generate": false}))
        .await
        .expect(200);
    let refused = root.get(&url("a/rotate")).await.expect_error(400, "invalid_path");
    assert_eq!(refused.details()["reason"], "reserved");
}

#[tokio::test]
async fn rotate_needs_its_own_permission() {
    let app = TestApp::new().await;
    put(&app.root(), "a", app.canary()).await;
    let body = || json!({"new_value": {"v": "2"}});
    let writer = app.user("writer", ALL_SCOPES, &[("**", &["read", "write", "delete", "list"])]).await;
    writer.post(&url("a/rotate"), body()).await.expect_error(403, "access_denied");
    let rotator = app.user("rotator", ALL_SCOPES, &[("**", &["rotate"])]).await;
    rotator.post(&url("a/rotate"), body()).await.expect(200);
    rotator.put(&url("a"), json!({"data": {}})).await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn the_secrets_own_recipe_goes_before_the_policys_and_the_built_in_one() {
    let app = TestApp::new().await;
    let root = app.root();
    for name in ["own", "common"] {
        let fields = json!([{"name": "v", "generator": "static", "config": {"value": name}}]);
        root.post("/v1/secret-policies", json!({"name": name, "fields": fields})).await.expect(201);
    }
    rotation_policy(&root, "auto", json!({"auto_generate": true, "secret_policy_id": "sp_common"})).await;
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"rotation_policy_id": "rot_auto"}})).await;
    for (own, made) in [(json!(null), "common"), (json!("sp_own"), "own")] {
        root.patch(&url("a"), json!({"options": {"secret_policy_id": own}})).await.expect(200);
        root.post_empty(&url("a/rotate")).await.expect(200);
        assert_eq!(value(&root, "a").await, made);
    }
    root.patch("/v1/secret-policies/sp_own", json!({"is_active": false})).await.expect(200);
    root.post_empty(&url("a/rotate")).await.expect_error(409, "invalid_state");
    assert_eq!(metadata(&root, "a").await["current_version"], 3);
}
