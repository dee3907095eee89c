//! What a tenant decides for itself, and what follows.

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOME, holder};

async fn set(app: &TestApp, settings: Value) -> Value {
    let target = format!("/v1/identity/tenants/{HOME}");
    app.root().patch(&target, json!({"settings": settings})).await.expect(200).json()["settings"].clone()
}

#[tokio::test]
async fn soft_delete_retention_is_fixed_at_deletion() {
    let app = TestApp::new().await;
    let root = app.root();
    for path in ["a", "b"] {
        root.put(&format!("/v1/secrets/{path}"), json!({"data": {}})).await.expect(201);
    }
    let gone = root.delete("/v1/secrets/a").await.expect(200).json();
    assert_eq!(gone["recoverable_until"], "2026-05-31T10:00:00Z");
    set(&app, json!({"soft_delete_retention": "1d"})).await;
    let gone = root.delete("/v1/secrets/b").await.expect(200).json();
    assert_eq!(gone["recoverable_until"], "2026-05-02T10:00:00Z");
    app.clock.advance(86_401);
    root.post_empty("/v1/secrets/b/restore").await.expect_error(404, "secret_not_found");
    root.post_empty("/v1/secrets/a/restore").await.expect(200);
}

#[tokio::test]
async fn default_max_versions_counts_for_new_secrets() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/old", json!({"data": {}})).await.expect(201);
    set(&app, json!({"default_max_versions": 2})).await;
    for n in 0..3 {
        root.put("/v1/secrets/new", json!({"data": {"n": n}})).await;
        root.put("/v1/secrets/old", json!({"data": {"n": n}})).await;
    }
    root.get("/v1/secrets/new?version=1").await.expect_error(404, "version_not_found");
    root.get("/v1/secrets/new?version=2").await.expect(200);
    root.get("/v1/secrets/old?version=1").await.expect(200);
    let metadata = root.get("/v1/secrets/metadata/new").await.expect(200).json();
    assert_eq!(metadata["options"]["max_versions"], 2);
}

#[tokio::test]
async fn max_secret_bytes_holds_for_every_way_to_write() {
    let app = TestApp::new().await;
    let root = app.root();
    set(&app, json!({"max_secret_bytes": 20})).await;
    // {"v":"..."} has 8 bytes around the text.
    let data = |length: usize| json!({"v": "x".repeat(length)});
    root.put("/v1/secrets/a", json!({"data": data(12)})).await.expect(201);
    let refused = root.put("/v1/secrets/a", json!({"data": data(13)})).await.expect_error(413, "payload_too_large");
    assert_eq!(refused.details()["limit_bytes"], 20);
    root.post("/v1/secrets/a/rotate", json!({"new_value": data(13)})).await.expect_error(413, "payload_too_large");
    let fields = json!([{"name": "v", "generator": "hex", "config": {"length": 13}}]);
    root.post("/v1/secret-policies", json!({"name": "long", "fields": fields})).await.expect(201);
    let generate = json!({"path": "a"});
    root.post("/v1/secret-policies/sp_long/generate", generate).await.expect_error(413, "payload_too_large");
    assert_eq!(root.get("/v1/secrets/a").await.expect(200).json()["version"], 1);
    // Of another tenant it says nothing.
    let other = app.tenant("other").await;
    root.put("/v1/secrets/a", json!({"data": data(13)})).in_tenant(&other).await.expect(201);
    set(&app, json!({"max_secret_bytes": null})).await;
    root.put("/v1/secrets/a", json!({"data": data(13)})).await.expect(200);
}

#[tokio::test]
async fn settings_change_one_by_one_and_go_back_together() {
    let app = TestApp::new().await;
    set(&app, json!({"soft_delete_retention": "7d", "audit_retention": "30d"})).await;
    let now = set(&app, json!({"default_max_versions": 5, "audit_retention": null})).await;
    assert_eq!(now, json!({"soft_delete_retention": "7d", "default_max_versions": 5}));
    assert_eq!(set(&app, json!(null)).await, json!({}));
}

#[rstest]
#[case(json!({"default_max_versions": 0}), "settings.default_max_versions", "range")]
#[case(json!({"default_max_versions": 101}), "settings.default_max_versions", "range")]
#[case(json!({"default_max_versions": "5"}), "settings.default_max_versions", "type")]
#[case(json!({"max_secret_bytes": 0}), "settings.max_secret_bytes", "range")]
#[case(json!({"max_secret_bytes": 1_048_577}), "settings.max_secret_bytes", "range")]
#[case(json!({"soft_delete_retention": "0s"}), "settings.soft_delete_retention", "range")]
#[case(json!({"retention": "1d"}), "settings.retention", "unknown")]
#[tokio::test]
async fn bad_settings_are_refused(#[case] settings: Value, #[case] field: &str, #[case] code: &str) {
    let app = TestApp::new().await;
    let root = app.root();
    let target = format!("/v1/identity/tenants/{HOME}");
    root.patch(&target, json!({"settings": settings})).await.expect_fault(field, code);
    let body = json!({"partner_id": "ptn_default", "name": "new", "settings": settings});
    root.post("/v1/identity/tenants", body).await.expect_fault(field, code);
    let bad = json!({"settings": {"soft_delete_retention": "90"}});
    root.patch(&target, bad).await.expect_error(400, "invalid_duration");
}

#[tokio::test]
async fn a_tenant_admin_sets_them_and_a_user_does_not() {
    let app = TestApp::new().await;
    let target = format!("/v1/identity/tenants/{HOME}");
    let body = json!({"settings": {"default_max_versions": 3}});
    holder(&app, HOME, &[]).await.patch(&target, body.clone()).await.expect_error(403, "forbidden");
    holder(&app, HOME, &["tenant_admin"]).await.patch(&target, body).await.expect(200);
}
