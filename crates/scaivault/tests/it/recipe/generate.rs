//! `POST /v1/secret-policies/{id}/generate` (V-6, V-7)

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{RECIPES, sample};

const GENERATE: &str = "/v1/secret-policies/sp_db/generate";

async fn recipe(app: &TestApp) {
    app.root().post(RECIPES, json!({"name": "DB", "fields": [sample()]})).await.expect(201);
}

#[tokio::test]
async fn v_6_other_fields_stay() {
    let app = TestApp::new().await;
    let root = app.root();
    recipe(&app).await;
    root.put("/v1/secrets/a/b", json!({"data": {"username": "u", "password": "old"}})).await.expect(201);
    let made = root.post(GENERATE, json!({"path": "a/b"})).await.expect(200);
    assert_eq!(made.header("etag"), Some("\"2\""));
    assert_eq!((&made.json()["version"], &made.json()["previous_version"]), (&json!(2), &json!(1)));
    let data = root.get("/v1/secrets/a/b").await.expect(200).json()["data"].clone();
    let password = data["password"].as_str().unwrap();
    assert_eq!((&data["username"], password.len(), data.as_object().unwrap().len()), (&json!("u"), 24, 2));
    assert!(!made.text().contains(password) && made.json().get("data").is_none());
}

#[tokio::test]
async fn v_6_a_new_path_gets_just_the_fields() {
    let app = TestApp::new().await;
    let root = app.root();
    recipe(&app).await;
    let body = json!({"path": "a/b", "secret_type": "json", "metadata": {"tags": ["t"]},
        "options": {"max_versions": 3, "secret_policy_id": "sp_db", "expected_version": 0}});
    let made = root.post(GENERATE, body.clone()).await.expect(201).json();
    assert_eq!((&made["version"], &made["created"], &made["secret_type"]), (&json!(1), &json!(true), &json!("json")));
    let secret = root.get("/v1/secrets/a/b").await.expect(200).json();
    assert_eq!(secret["data"].as_object().unwrap().len(), 1);
    assert_eq!((&secret["metadata"]["tags"], &secret["secret_policy_id"]), (&json!(["t"]), &json!("sp_db")));
    root.post(GENERATE, body).await.expect_error(409, "version_conflict");
    let logs = root.get("/v1/audit/logs?action=write&success=true").await.expect(200).json();
    assert_eq!(logs["logs"][0]["secret_path"], "a/b");
}

#[tokio::test]
async fn v_7_without_write_on_the_path_nothing_is_made() {
    let app = TestApp::new().await;
    let root = app.root();
    recipe(&app).await;
    root.put("/v1/secrets/there", json!({"data": {"password": "old"}})).await.expect(201);
    let scopes = ["policies:read", "secrets:write", "secrets:read"];
    let reader = app.user("reader", &scopes, &[("**", &["read", "list", "rotate", "delete"])]).await;
    for path in ["there", "nowhere"] {
        let denied = reader.post(GENERATE, json!({"path": path})).await.expect_error(403, "access_denied");
        assert_eq!(denied.details()["permission"], "write");
    }
    assert_eq!(root.get("/v1/secrets/there").await.expect(200).json()["data"]["password"], "old");
    root.get("/v1/secrets/nowhere").await.expect_error(404, "secret_not_found");
    let scopeless = app.user("scopeless", &["policies:read", "admin"], &[("**", &["admin"])]).await;
    scopeless.post(GENERATE, json!({"path": "there"})).await.expect_error(403, "insufficient_scope");
    // Write alone is enough: the value is not shown.
    let writer = app.user("writer", &["secrets:write"], &[("there", &["write"])]).await;
    writer.post(GENERATE, json!({"path": "there"})).await.expect(200);
}

#[tokio::test]
async fn errors_are_those_of_put_and_of_the_recipe() {
    let app = TestApp::new().await;
    let root = app.root();
    recipe(&app).await;
    root.post(GENERATE, json!({})).await.expect_fault("path", "required");
    root.post(GENERATE, json!({"path": "a", "data": {}})).await.expect_fault("data", "unknown");
    root.post(GENERATE, json!({"path": "a//b"})).await.expect_error(400, "invalid_path");
    root.post(GENERATE, json!({"path": "a", "secret_type": "x"})).await.expect_error(400, "invalid_secret_type");
    root.post(GENERATE, json!({"path": "a", "options": {"max_versions": 0}})).await.expect(422);
    let absent = format!("{RECIPES}/sp_none/generate");
    root.post(&absent, json!({"path": "a"})).await.expect_error(404, "secret_policy_not_found");
    root.put("/v1/secrets/gone", json!({"data": {}})).await.expect(201);
    root.delete("/v1/secrets/gone").await.expect(200);
    let refused = root.post(GENERATE, json!({"path": "gone"})).await.expect_error(409, "secret_exists");
    assert!(refused.details()["recoverable_until"].is_string());
    root.patch(&format!("{RECIPES}/sp_db"), json!({"is_active": false})).await.expect(200);
    root.post(GENERATE, json!({"path": "a"})).await.expect_error(409, "invalid_state");
    root.get("/v1/secrets/a").await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn under_an_active_rotation_policy_it_is_a_rotation() {
    let app = TestApp::new().await;
    let root = app.root();
    recipe(&app).await;
    let policy = crate::rotation::rotation_policy(&app, "quarterly", "90d").await;
    let body = json!({"data": {"password": "old"}, "options": {"rotation_policy_id": policy}});
    root.put("/v1/secrets/a", body).await.expect(201);
    let made = root.post(GENERATE, json!({"path": "a"})).await.expect(200).json();
    assert_eq!(made["grace_period_ends"], "2026-05-03T10:00:00Z");
    let old = root.get("/v1/secrets/a?version=1").await.expect(200).json();
    assert_ne!(old["readable_until"], Value::Null);
}
