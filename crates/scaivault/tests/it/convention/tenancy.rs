//! Contract 00 section 4: which tenant a request acts in.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::audit_entry;

async fn marked(app: &TestApp, tenant: &str) {
    app.root().put("/v1/secrets/x", json!({"data": {"tenant": tenant}})).in_tenant(tenant).await.expect(201);
}

#[tokio::test]
async fn c_9_the_address_goes_before_the_header() {
    let app = TestApp::new().await;
    let root = app.root();
    let (a, b) = (app.tenant("A").await, app.tenant("B").await);
    for tenant in ["tnt_default", &a, &b] {
        marked(&app, tenant).await;
    }
    let table = [
        (root.get("/v1/secrets/x"), "tnt_default"),
        (root.get("/v1/secrets/x").in_tenant(&a), a.as_str()),
        (root.get(&format!("/v1/t/{a}/secrets/x")), &a),
        (root.get(&format!("/v1/t/{a}/secrets/x")).in_tenant(&b), &a),
        (root.get(&format!("/v1/t/{a}/secrets/x")).in_tenant("tnt_none"), &a),
        (root.get("/v1/t/tnt_default/secrets/x").in_tenant(&b), "tnt_default"),
    ];
    for (call, tenant) in table {
        let answer = call.await.expect(200);
        assert_eq!(answer.json()["data"]["tenant"], tenant);
    }
    let answer = root.get(&format!("/v1/t/{a}/secrets/x")).in_tenant(&b).await;
    let id = answer.header("x-request-id").unwrap();
    let logs = root.get(&format!("/v1/t/{a}/audit/logs?request_id={id}")).await.expect(200).json();
    assert_eq!(logs["logs"][0]["target_tenant_id"], a.as_str(), "{logs}");
    assert_eq!(logs["logs"][0]["acting_tenant_id"], "tnt_default");
    let empty = root.get(&format!("/v1/t/{b}/audit/logs?request_id={id}")).await.expect(200).json();
    assert_eq!(empty["logs"], json!([]));
}

#[tokio::test]
async fn c_10_a_user_gets_the_same_403_for_every_other_tenant() {
    let app = TestApp::new().await;
    let other = app.tenant("Other").await;
    let user = app.user("user", &["secrets:read"], &[("**", &["read"])]).await;
    user.get("/v1/t/tnt_default/secrets/x").await.expect_error(404, "secret_not_found");
    user.get("/v1/secrets/x").in_tenant("tnt_default").await.expect_error(404, "secret_not_found");
    for tenant in [other.as_str(), "tnt_none", "x", "%2e%2e", "TNT_DEFAULT"] {
        let answers = [
            user.get("/v1/secrets/x").in_tenant(tenant).await,
            user.get(&format!("/v1/t/{tenant}/secrets/x")).await,
            user.get(&format!("/v1/t/{tenant}/secrets/a%2Fb")).await,
        ];
        for answer in answers {
            let answer = answer.expect_error(403, "tenant_access_denied");
            assert_eq!(answer.details()["tenant_id"], tenant);
        }
    }
    let answer = user.get("/v1/t/tnt_none/secrets/x").await;
    let entry = audit_entry(&app.root(), &answer).await;
    assert_eq!(
        (&entry["error_code"], &entry["target_tenant_id"]),
        (&json!("tenant_access_denied"), &json!("tnt_none"))
    );
}

#[tokio::test]
async fn unknown_tenants_are_404_for_who_may_ask() {
    let app = TestApp::new().await;
    let root = app.root();
    for tenant in ["tnt_none", "tnt_", "default", "ptn_default", "TNT_DEFAULT", "tnt_default2", "..", &"t".repeat(300)]
    {
        let answer = root.get(&format!("/v1/t/{tenant}/secrets/x")).await.expect_error(404, "tenant_not_found");
        // What is longer than any id need not be told whole.
        let told = answer.details()["tenant_id"].as_str().unwrap().to_owned();
        assert!(told == tenant || (tenant.len() > 68 && tenant.starts_with(&told)), "{told}");
        root.get("/v1/secrets/x").in_tenant(tenant).await.expect_error(404, "tenant_not_found");
    }
    root.get("/v1/t//secrets/x").await.expect_error(404, "tenant_not_found");
}

#[tokio::test]
async fn the_prefix_works_before_tenant_routes_and_nowhere_else() {
    let app = TestApp::new().await;
    let root = app.root();
    let scoped = [
        "secrets",
        "secrets/",
        "partner/secrets",
        "policies",
        "audit/logs",
        "rotation/policies",
        "secret-policies",
        "secrets/expiring",
    ];
    for route in scoped {
        root.get(&format!("/v1/t/tnt_default/{route}")).await.expect(200);
    }
    let others = [
        "health",
        "health/ready",
        "health/detailed",
        "version",
        "metrics",
        "sys/keys",
        "sys/seal-status",
        "auth/exchange",
        "auth/login",
        "identity/users",
        "identity/tenants",
        "oauth/token",
        "t/tnt_default/secrets",
    ];
    for route in others {
        root.get(&format!("/v1/t/tnt_default/{route}")).await.expect_error(404, "not_found");
        root.post_empty(&format!("/v1/t/tnt_default/{route}")).await.expect_error(404, "not_found");
    }
    for target in ["/v1/health", "/v1/version", "/v1/sys/seal-status", "/v1/health/detailed", "/v1/sys/keys"] {
        root.get(target).in_tenant("tnt_none").await.expect(200);
    }
}

#[tokio::test]
async fn the_header_has_no_effect_on_identity_routes() {
    let app = TestApp::new().await;
    app.root().get("/v1/identity/tenants").in_tenant("tnt_none").await.expect(200);
}
