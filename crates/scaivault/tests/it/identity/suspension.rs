//! Suspended users and tenants (A-15; contract 00 section 4).

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOME, holder, token_of};

#[tokio::test]
async fn a_15_a_suspended_users_tokens_end_at_once_and_for_good() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &["secrets:read"], &[("**", &["read"])]).await;
    root.put("/v1/secrets/a", json!({"data": {}})).await.expect(201);
    mia.get("/v1/secrets/a").await.expect(200);
    let user = format!("/v1/identity/users/{}", mia.id);
    root.patch(&user, json!({"status": "SUSPENDED"})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect_error(401, "token_revoked");
    let body = json!({"name": "t", "identity_id": mia.id, "scopes": ["secrets:read"]});
    root.post("/v1/auth/tokens", body).await.expect_error(409, "invalid_state");
    root.patch(&user, json!({"status": "ACTIVE"})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect_error(401, "token_revoked");
    // Its bindings are still there.
    token_of(&app, HOME, &mia.id, &["secrets:read"]).await.get("/v1/secrets/a").await.expect(200);
}

#[tokio::test]
async fn a_15_so_do_those_of_a_service_account() {
    let app = TestApp::new().await;
    let root = app.root();
    let target = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let account = root.post(&target, json!({"name": "crm"})).await.expect(201).json();
    let crm = token_of(&app, HOME, "sa:crm", &["secrets:read"]).await;
    crm.get("/v1/auth/whoami").await.expect(200);
    let target = format!("/v1/identity/service-accounts/{}", account["id"].as_str().unwrap());
    root.patch(&target, json!({"status": "SUSPENDED"})).await.expect(200);
    crm.get("/v1/auth/whoami").await.expect_error(401, "token_revoked");
}

#[tokio::test]
async fn a_suspended_tenant_is_closed_to_all_but_super_admins() {
    let app = TestApp::new().await;
    let root = app.root();
    let near = app.tenant("near").await;
    let mia = app.user_in(&near, "mia", &["secrets:read"], &[("**", &["read"])]).await;
    let admin = holder(&app, &near, &["tenant_admin"]).await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    root.put("/v1/secrets/a", json!({"data": {}})).in_tenant(&near).await.expect(201);
    mia.get("/v1/secrets/a").await.expect(200);
    let tenant = format!("/v1/identity/tenants/{near}");
    assert_eq!(boss.patch(&tenant, json!({"status": "SUSPENDED"})).await.expect(200).json()["status"], "SUSPENDED");
    let refusals = [
        mia.get("/v1/secrets/a").await,
        mia.get("/v1/auth/whoami").await,
        admin.get("/v1/secrets/a").await,
        admin.patch(&tenant, json!({"status": "ACTIVE"})).await,
        boss.get("/v1/secrets/a").in_tenant(&near).await,
    ];
    for refused in refusals {
        let details = refused.expect_error(403, "tenant_access_denied").details();
        assert_eq!((&details["reason"], &details["tenant_id"]), (&json!("tenant_suspended"), &json!(near)));
    }
    root.get("/v1/secrets/a").in_tenant(&near).await.expect(200);
    boss.get("/v1/auth/whoami").await.expect(200);
    // Nothing of it has ended: it goes on where it was.
    boss.patch(&tenant, json!({"status": "ACTIVE"})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect(200);
}

#[tokio::test]
async fn a_suspended_tenant_does_not_see_what_its_partner_shares() {
    let app = TestApp::new().await;
    let root = app.root();
    let near = app.tenant("near").await;
    let mia = app.user_in(&near, "mia", &["secrets:read"], &[]).await;
    root.put("/v1/partner/secrets/shared", json!({"data": {}})).await.expect(201);
    mia.get("/v1/partner/secrets/shared").await.expect(200);
    let tenant = format!("/v1/identity/tenants/{near}");
    root.patch(&tenant, json!({"status": "SUSPENDED"})).await.expect(200);
    mia.get("/v1/partner/secrets/shared").await.expect_error(403, "tenant_access_denied");
}

#[tokio::test]
async fn a_super_admin_of_a_suspended_tenant_still_acts() {
    let app = TestApp::new().await;
    let root = app.root();
    let near = app.tenant("near").await;
    let boss = holder(&app, &near, &["super_admin"]).await;
    root.patch(&format!("/v1/identity/tenants/{near}"), json!({"status": "SUSPENDED"})).await.expect(200);
    boss.get("/v1/auth/whoami").await.expect(200);
    boss.get("/v1/secrets").in_tenant(HOME).await.expect(200);
}
