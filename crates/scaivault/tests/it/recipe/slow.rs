//! Recipes that take long: generating and rotating with them (V-4 to V-8; contract 01 section 11).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::RECIPES;

const GENERATE: &str = "/v1/secret-policies/sp_slow/generate";

/// A password and its hash, twice as slow for each round.
fn hashed(rounds: u32) -> Value {
    json!([{"name": "password", "generator": "bcrypt_hash", "config": {"length": 20, "rounds": rounds}}])
}

async fn recipe(app: &TestApp, fields: Value) {
    app.root().post(RECIPES, json!({"name": "slow", "fields": fields})).await.expect(201);
}

async fn data(app: &TestApp, path: &str) -> Value {
    app.root().get(&format!("/v1/secrets/{path}")).await.expect(200).json()["data"].clone()
}

/// The audit entries of an action.
async fn entries(app: &TestApp, action: &str) -> usize {
    let logs = app.root().get(&format!("/v1/audit/logs?action={action}")).await.expect(200).json();
    logs["logs"].as_array().unwrap().len()
}

#[tokio::test]
async fn v_6_both_outputs_are_laid_over_the_data() {
    let app = TestApp::new().await;
    let root = app.root();
    recipe(&app, hashed(4)).await;
    let first = json!({"data": {"username": "u", "password": "old", "password_hash": "old"}});
    root.put("/v1/secrets/a", first).await.expect(201);
    let before = entries(&app, "write").await;
    let made = root.post(GENERATE, json!({"path": "a"})).await.expect(200);
    let data = data(&app, "a").await;
    assert_eq!(
        (&data["username"], data.as_object().unwrap().len(), &made.json()["version"]),
        (&json!("u"), 3, &json!(2))
    );
    assert!(
        data["password"].as_str().unwrap().len() == 20 && data["password_hash"].as_str().unwrap().starts_with("$2b$")
    );
    assert!(!made.text().contains(data["password"].as_str().unwrap()));
    // That it ran twice leaves no trace.
    assert_eq!(entries(&app, "write").await, before + 1);
}

#[tokio::test]
async fn a_rotation_generates_with_the_attached_recipe() {
    let app = TestApp::new().await;
    let root = app.root();
    let fields = json!([{"name": "private_key", "generator": "rsa_keypair"}, {"name": "id", "generator": "uuid"}]);
    recipe(&app, fields).await;
    let body = json!({"data": {"private_key": "old"}, "options": {"secret_policy_id": "sp_slow"}});
    root.put("/v1/secrets/a", body).await.expect(201);
    let rotated = root.post("/v1/secrets/a/rotate", json!({"generate": true})).await.expect(200).json();
    assert_eq!(rotated["version"], 2, "{rotated}");
    let data = data(&app, "a").await;
    assert!(data["private_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(data["public_key"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!((data["id"].as_str().unwrap().len(), entries(&app, "rotate").await), (36, 1));
}

#[tokio::test]
async fn v_7_refusals_come_before_the_work() {
    let app = TestApp::new().await;
    let root = app.root();
    // 2^16 steps a field: had anything been made, this test would take minutes.
    let mut fields = Vec::new();
    for n in 0..20 {
        let mut field = hashed(16)[0].clone();
        field["name"] = json!(format!("f{n}"));
        fields.push(field);
    }
    recipe(&app, json!(fields)).await;
    root.put("/v1/secrets/a", json!({"data": {}, "options": {"secret_policy_id": "sp_slow"}})).await.expect(201);
    root.put("/v1/secrets/gone", json!({"data": {}})).await.expect(201);
    root.delete("/v1/secrets/gone").await.expect(200);
    let reader = app.user("reader", &["secrets:write", "secrets:read"], &[("**", &["read"])]).await;
    reader.post(GENERATE, json!({"path": "a"})).await.expect_error(403, "access_denied");
    root.post(GENERATE, json!({"path": "gone"})).await.expect_error(409, "secret_exists");
    let rotate = root.post("/v1/secrets/a/rotate", json!({"generate": true})).header("if-match", "\"7\"");
    rotate.await.expect_error(409, "version_conflict");
    root.patch(&format!("{RECIPES}/sp_slow"), json!({"is_active": false})).await.expect(200);
    root.post(GENERATE, json!({"path": "a"})).await.expect_error(409, "invalid_state");
}

#[tokio::test]
async fn a_repeated_request_makes_nothing_new() {
    let app = TestApp::new().await;
    let root = app.root();
    recipe(&app, hashed(4)).await;
    let call = || root.post(GENERATE, json!({"path": "a"})).header("idempotency-key", "k");
    let first = call().await.expect(201);
    let made = data(&app, "a").await;
    let again = call().await.expect(201);
    assert_eq!((again.header("idempotent-replayed"), again.json()), (Some("true"), first.json()));
    assert_eq!(data(&app, "a").await, made);
}
