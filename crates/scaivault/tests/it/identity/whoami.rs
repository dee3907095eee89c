//! `GET /v1/auth/whoami`

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOME, group_in, holder, join, token_of};

#[tokio::test]
async fn whoami_tells_all_of_a_user() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read", "secrets:list"], &[]).await;
    let (sre, all) = (group_in(&app, HOME, "sre").await, group_in(&app, HOME, "all").await);
    join(&app, &sre, &mia.id).await;
    join(&app, &all, "group:sre").await;
    let reference = scaivault_crypto::OpaqueToken::parse(mia.token()).unwrap().token_ref();
    let expected = json!({
        "identity_id": mia.identity_id, "identity_type": "user", "display_name": "mia", "tenant_id": HOME,
        "partner_id": "ptn_default", "scopes": ["secrets:read", "secrets:list"], "groups": ["group:all", "group:sre"],
        "roles": [], "mfa_verified_at": null, "token_expires_at": "2026-07-30T10:00:00Z", "acting_tenant_id": HOME,
        "token_ref": reference,
    });
    assert_eq!(mia.get("/v1/auth/whoami").await.expect(200).json(), expected);
}

#[tokio::test]
async fn whoami_tells_where_an_administrator_acts() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let boss = holder(&app, HOME, &["tenant_admin", "partner_admin"]).await;
    let there = boss.get("/v1/auth/whoami").in_tenant(&near).await.expect(200).json();
    assert_eq!((&there["tenant_id"], &there["acting_tenant_id"]), (&json!(HOME), &json!(near)));
    assert_eq!(there["roles"], json!(["tenant_admin", "partner_admin"]));
    let prefixed = boss.get(&format!("/v1/t/{near}/auth/whoami")).await.expect(200).json();
    assert_eq!(prefixed["acting_tenant_id"], near.as_str());
}

#[tokio::test]
async fn whoami_of_a_service_account() {
    let app = TestApp::new().await;
    let target = format!("/v1/identity/tenants/{HOME}/service-accounts");
    app.root().post(&target, json!({"name": "crm", "description": "Customers"})).await.expect(201);
    let crm = token_of(&app, HOME, "sa:crm", &["secrets:read"]).await;
    let told = crm.get("/v1/auth/whoami").await.expect(200).json();
    assert_eq!(
        (&told["identity_id"], &told["identity_type"], &told["mfa_verified_at"]),
        (&json!("sa:crm"), &json!("service_account"), &Value::Null)
    );
}

#[tokio::test]
async fn whoami_needs_no_scope_and_leaves_no_entry() {
    let app = TestApp::new().await;
    let count = |app: &TestApp| super::count_in_database(app, "SELECT COUNT(*) FROM audit_entry");
    let mia = app.user("mia", &["pki:issue"], &[]).await;
    let before = count(&app);
    mia.get("/v1/auth/whoami").await.expect(200);
    mia.head("/v1/auth/whoami").await.expect(200);
    assert_eq!(count(&app), before);
    mia.get("/v1/auth/whoami?x=1").await.expect_fault("x", "unknown");
}
