//! The ceiling is applied when a token is used (contract 02 section 2).

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOME, all_scopes, holder, set_roles, token_of};

#[tokio::test]
async fn a_scope_taken_from_an_identity_stops_working_in_its_live_tokens() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &["secrets:read", "secrets:list"], &[("**", &["read", "list"])]).await;
    root.put("/v1/secrets/a", json!({"data": {}})).await.expect(201);
    mia.get("/v1/secrets/a").await.expect(200);
    let user = format!("/v1/identity/users/{}", mia.id);
    root.patch(&user, json!({"allowed_scopes": ["secrets:list"]})).await.expect(200);
    let refused = mia.get("/v1/secrets/a").await.expect_error(403, "insufficient_scope");
    assert_eq!(refused.details()["required"], json!(["secrets:read"]));
    mia.get("/v1/secrets").await.expect(200);
    assert_eq!(mia.get("/v1/auth/whoami").await.expect(200).json()["scopes"], json!(["secrets:list"]));
    mia.post("/v1/auth/tokens", json!({"name": "t", "scopes": ["secrets:read"]})).await.expect(422);
    // What comes back, the token has again: it was granted.
    root.patch(&user, json!({"allowed_scopes": ["secrets:read"]})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect(200);
    root.patch(&user, json!({"allowed_scopes": []})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect_error(403, "insufficient_scope");
    mia.get("/v1/auth/whoami").await.expect(200);
    // null: the default again.
    root.patch(&user, json!({"allowed_scopes": null})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect(200);
}

#[tokio::test]
async fn scopes_that_came_with_a_role_go_with_it() {
    let app = TestApp::new().await;
    let root = app.root();
    let target = format!("/v1/identity/tenants/{HOME}/users");
    let user = root.post(&target, json!({"email": "boss@test.example"})).await.expect(201).json();
    let id = user["id"].as_str().unwrap();
    set_roles(&root, id, &["tenant_admin"]).await;
    let boss = token_of(&app, HOME, id, &all_scopes()).await;
    boss.get("/v1/audit/logs").await.expect(200);
    set_roles(&root, id, &[]).await;
    boss.get("/v1/audit/logs").await.expect_error(403, "insufficient_scope");
    boss.get("/v1/identity/partners").await.expect(200);
    boss.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn a_service_account_has_a_ceiling_too() {
    let app = TestApp::new().await;
    let root = app.root();
    let target = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let body = json!({"name": "crm", "allowed_scopes": ["secrets:read", "audit:read"]});
    let account = root.post(&target, body).await.expect(201).json();
    let crm = token_of(&app, HOME, "sa:crm", &["audit:read"]).await;
    crm.get("/v1/audit/logs").await.expect(200);
    let target = format!("/v1/identity/service-accounts/{}", account["id"].as_str().unwrap());
    root.patch(&target, json!({"allowed_scopes": ["secrets:read"]})).await.expect(200);
    crm.get("/v1/audit/logs").await.expect_error(403, "insufficient_scope");
}

#[tokio::test]
async fn nobody_widens_its_own_scopes() {
    let app = TestApp::new().await;
    let root = app.root();
    let scopes = ["identity:admin", "secrets:read"];
    let admin = app.user("admin", &scopes, &[]).await;
    set_roles(&root, &admin.id, &["tenant_admin"]).await;
    let user = format!("/v1/identity/users/{}", admin.id);
    for wider in [json!(["identity:admin", "audit:read"]), json!(null)] {
        admin.patch(&user, json!({"allowed_scopes": wider})).await.expect_error(403, "forbidden");
    }
    admin.patch(&user, json!({"allowed_scopes": ["identity:admin"]})).await.expect(200);
    let other = holder(&app, HOME, &[]).await;
    let other = format!("/v1/identity/users/{}", other.id);
    admin.patch(&other, json!({"allowed_scopes": ["secrets:read"]})).await.expect(200);
}
