//! `/v1/secret-policies` (V-8)

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{RECIPES, sample};
use crate::identity::all_scopes;

#[tokio::test]
async fn a_recipe_comes_back_as_it_was_sent() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "DB", "policy_type": "password", "fields": [sample()]});
    let made = root.post(RECIPES, body).await.expect(201).json();
    let expected = json!({"id": "sp_db", "name": "DB", "policy_type": "password", "fields": [sample()],
        "is_active": true, "description": null, "created_at": "2026-05-01T10:00:00Z",
        "updated_at": "2026-05-01T10:00:00Z"});
    assert_eq!(made, expected);
    let target = format!("{RECIPES}/sp_db");
    assert_eq!(root.get(&target).await.expect(200).json(), expected);
    let taken = root.post(RECIPES, json!({"name": "DB", "fields": [sample()]})).await.expect_error(409, "name_exists");
    assert_eq!(taken.details()["id"], "sp_db");
    let other = app.tenant("other").await;
    root.get(&target).in_tenant(&other).await.expect_error(404, "secret_policy_not_found");
    let body = json!({"name": "DB", "fields": [sample()]});
    let there = root.post(RECIPES, body).in_tenant(&other).await.expect(201).json();
    assert_eq!((&there["id"], &there["policy_type"]), (&json!("sp_db"), &json!("custom")));
}

#[tokio::test]
async fn put_replaces_and_patch_changes() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "DB", "description": "text", "policy_type": "password", "fields": [sample()]});
    let made = root.post(RECIPES, body).await.expect(201).json();
    let target = format!("{RECIPES}/sp_db");
    app.clock.advance(5);
    assert_eq!(root.patch(&target, json!({})).await.expect(200).json(), made);
    let off = root.patch(&target, json!({"is_active": false, "description": null})).await.expect(200).json();
    assert_eq!(
        (&off["is_active"], &off["description"], &off["fields"]),
        (&json!(false), &Value::Null, &made["fields"])
    );
    let ids = |list: Value| list["secret_policies"].as_array().unwrap().len();
    assert_eq!(ids(root.get(RECIPES).await.expect(200).json()), 0);
    assert_eq!(ids(root.get(&format!("{RECIPES}?include_inactive=true")).await.expect(200).json()), 1);
    let fields = json!([{"name": "k", "generator": "uuid"}]);
    let put = root.put(&target, json!({"name": "Keys", "fields": fields})).await.expect(200).json();
    assert_eq!(
        (&put["id"], &put["name"], &put["policy_type"], &put["is_active"], &put["updated_at"]),
        (&json!("sp_db"), &json!("Keys"), &json!("custom"), &json!(true), &json!("2026-05-01T10:00:05Z"))
    );
    root.put(&target, json!({"name": "Keys"})).await.expect_fault("fields", "required");
    root.patch(&target, json!({"id": "sp_x"})).await.expect_fault("id", "not_allowed");
    for gone in [
        root.put(&format!("{RECIPES}/sp_none"), json!({"name": "x", "fields": fields})).await,
        root.patch(&format!("{RECIPES}/sp_none"), json!({})).await,
        root.delete(&format!("{RECIPES}/sp_none")).await,
    ] {
        gone.expect_error(404, "secret_policy_not_found");
    }
}

#[rstest]
#[case(json!({"fields": [sample()]}), "name", "required")]
#[case(json!({"name": "x"}), "fields", "required")]
#[case(json!({"name": "x", "fields": [sample()], "policy_type": "pin"}), "policy_type", "format")]
#[case(json!({"name": "x", "fields": [sample()], "description": "d".repeat(2001)}), "description", "range")]
#[case(json!({"name": "x", "fields": [sample()], "field": []}), "field", "unknown")]
#[case(json!({"name": "x", "fields": [sample()], "created_at": "x"}), "created_at", "not_allowed")]
#[tokio::test]
async fn bad_recipes_are_refused(#[case] body: Value, #[case] field: &str, #[case] code: &str) {
    let app = TestApp::new().await;
    app.root().post(RECIPES, body).await.expect_fault(field, code);
}

#[tokio::test]
async fn v_8_a_recipe_in_use_goes_only_by_force() {
    let app = TestApp::new().await;
    let root = app.root();
    root.post(RECIPES, json!({"name": "DB", "fields": [sample()]})).await.expect(201);
    let target = format!("{RECIPES}/sp_db");
    let with = json!({"data": {"password": "x"}, "options": {"secret_policy_id": "sp_db"}});
    root.put("/v1/secrets/a", with.clone()).await.expect(201);
    assert_eq!(root.delete(&target).await.expect_error(409, "policy_in_use").details()["count"], 1);
    let rotation = json!({"name": "r", "interval": "1d", "secret_policy_id": "sp_db"});
    root.post("/v1/rotation/policies", rotation).await.expect(201);
    assert_eq!(root.delete(&target).await.expect_error(409, "policy_in_use").details()["count"], 2);
    // One in the trash can come back.
    root.put("/v1/secrets/trashed", with).await.expect(201);
    root.delete("/v1/secrets/trashed").await.expect(200);
    root.delete(&target).await.expect_error(409, "policy_in_use");
    root.delete(&format!("{target}?force=true")).await.expect(204);
    root.get(&target).await.expect_error(404, "secret_policy_not_found");
    root.post_empty("/v1/secrets/trashed/restore").await.expect(200);
    for path in ["a", "trashed"] {
        assert_eq!(root.get(&format!("/v1/secrets/{path}")).await.expect(200).json()["secret_policy_id"], Value::Null);
        let metadata = root.get(&format!("/v1/secrets/metadata/{path}")).await.expect(200).json();
        assert_eq!(metadata["secret_policy_id"], Value::Null);
    }
    let policy = root.get("/v1/rotation/policies/rot_r").await.expect(200).json();
    assert_eq!(policy["secret_policy_id"], Value::Null);
}

#[tokio::test]
async fn v_8_an_unused_one_goes_at_once() {
    let app = TestApp::new().await;
    let root = app.root();
    root.post(RECIPES, json!({"name": "DB", "fields": [sample()]})).await.expect(201);
    let with = json!({"data": {}, "options": {"secret_policy_id": "sp_db"}});
    root.put("/v1/secrets/a", with).await.expect(201);
    root.patch("/v1/secrets/a", json!({"options": {"secret_policy_id": null}})).await.expect(200);
    root.delete(&format!("{RECIPES}/sp_db")).await.expect(204);
    let refused = root.put("/v1/secrets/b", json!({"data": {}, "options": {"secret_policy_id": "sp_db"}})).await;
    refused.expect_error(404, "secret_policy_not_found");
}

#[tokio::test]
async fn reading_takes_either_scope_and_changing_admin() {
    let app = TestApp::new().await;
    app.root().post(RECIPES, json!({"name": "DB", "fields": [sample()]})).await.expect(201);
    let target = format!("{RECIPES}/sp_db");
    for (scopes, status) in
        [(&["policies:read"][..], 200), (&["admin"], 200), (&["policies:write", "secrets:write"], 403)]
    {
        let actor = app.user("reader", scopes, &[]).await;
        actor.get(RECIPES).await.expect(status);
        actor.get(&target).await.expect(status);
    }
    let others: Vec<&str> = all_scopes().into_iter().filter(|scope| *scope != "admin").collect();
    let actor = app.user("changer", &others, &[]).await;
    let body = json!({"name": "x", "fields": [sample()]});
    for refused in [
        actor.post(RECIPES, body.clone()).await,
        actor.put(&target, body).await,
        actor.patch(&target, json!({})).await,
        actor.delete(&target).await,
    ] {
        refused.expect_error(403, "insufficient_scope");
    }
}
