//! `/v1/partner/secrets` (contract 01 section 12)

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{ALL_SCOPES, at, listed, metadata, paths, put, rotation_policy, url, value};

fn shared(path: &str) -> String {
    format!("/v1/partner/secrets/{path}")
}

async fn with_role<'a>(app: &'a TestApp, tenant: &str, role: &str) -> Actor<'a> {
    let user = app.user_in(tenant, role, ALL_SCOPES, &[]).await;
    let target = format!("/v1/identity/users/{}/roles", user.id);
    app.root().put(&target, json!({"roles": [role]})).await.expect(200);
    user
}

#[tokio::test]
async fn s_32_members_read_and_partner_admins_write() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put(&shared("ca/root"), json!({"data": {"v": app.canary()}})).await.expect(201);
    let (sibling, partner) = (app.tenant("sibling").await, app.partner("elsewhere").await);
    let foreign = app.tenant_of(&partner, "foreign").await;

    for tenant in ["tnt_default", sibling.as_str()] {
        let member = app.user_in(tenant, "member", &["secrets:read", "secrets:list"], &[]).await;
        let read = member.get(&shared("ca/root")).await.expect(200).json();
        assert_eq!(read["data"]["v"], app.canary());
        for target in ["metadata/ca/root", "ca/root/versions", "", "expiring"] {
            member.get(&shared(target)).await.expect(200);
        }
        let admin = with_role(&app, tenant, "tenant_admin").await;
        let refusals = [
            admin.put(&shared("ca/root"), json!({"data": {}})).await,
            admin.put(&shared("ca/new"), json!({"data": {}})).await,
            admin.patch(&shared("ca/root"), json!({"metadata": {"owner": "o"}})).await,
            admin.delete(&shared("ca/root")).await,
            admin.delete(&shared("ca/root?version=1")).await,
            admin.delete(&shared("ca/root?permanent=true")).await,
            admin.post_empty(&shared("ca/root/restore")).await,
            admin.post(&shared("ca/root/rotate"), json!({"new_value": {}})).await,
        ];
        for refused in refusals {
            refused.expect_error(403, "access_denied");
        }
    }
    let outsider = app.user_in(&foreign, "outsider", ALL_SCOPES, &[("**", &["admin"])]).await;
    outsider.get(&shared("ca/root")).await.expect_error(404, "secret_not_found");
    let unscoped = app.user("unscoped", &["secrets:write"], &[]).await;
    unscoped.get(&shared("ca/root")).await.expect_error(403, "insufficient_scope");
    let partner_admin = with_role(&app, &sibling, "partner_admin").await;
    partner_admin.put(&shared("ca/root"), json!({"data": {"v": "2"}})).await.expect(200);
}

#[tokio::test]
async fn the_shared_namespace_is_one_of_its_own() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put(&shared("a/b"), json!({"data": {"v": app.canary()}})).await.expect(201);
    root.get(&url("a/b")).await.expect_error(404, "secret_not_found");
    assert!(listed(&root, "").await.is_empty(), "never in tenant lists");
    assert_eq!(put(&root, "a/b", "own").await, 1);
    assert_eq!(value(&root, "a/b").await, "own");
    assert_eq!(root.get(&shared("a/b")).await.expect(200).json()["data"]["v"], app.canary());
    let page = root.get("/v1/partner/secrets?prefix=a/").await.expect(200).json();
    assert_eq!((paths(&page), &page["total_count"]), (vec!["a/b".to_owned()], &json!(1)));
    root.delete(&url("a/b?permanent=true")).await.expect(200);
    root.get(&shared("a/b")).await.expect(200);
}

#[tokio::test]
async fn every_route_works_on_shared_secrets() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    let body = json!({"data": {"v": app.canary()}, "metadata": {"tags": ["t"]},
        "options": {"expires_in": "5d", "max_versions": 2, "rotation_policy_id": "rot_quarterly"}});
    let created = root.put(&shared("a"), body).await.expect(201);
    assert_eq!((&created.json()["path"], created.header("etag")), (&json!("a"), Some("\"1\"")));
    let read = root.get(&shared("a")).await.expect(200);
    assert_eq!((read.header("cache-control"), read.header("etag")), (Some("no-store"), Some("\"1\"")));
    root.get(&shared("a")).header("if-none-match", "\"1\"").await.expect(304);
    let patched = root.patch(&shared("a"), json!({"metadata": {"owner": "o"}})).await.expect(200).json();
    assert_eq!(
        (&patched["metadata"]["owner"], &patched["rotation_policy"]["id"]),
        (&json!("o"), &json!("rot_quarterly"))
    );
    root.post(&shared("a/rotate"), json!({"new_value": {"v": "2"}, "grace_period": "1h"})).await.expect(200);
    let versions = root.get(&shared("a/versions")).await.expect(200).json();
    assert_eq!(
        (&versions["versions"][1]["state"], &versions["versions"][1]["readable_until"]),
        (&json!("grace"), &json!(at(&app, 3600)))
    );
    let soon = root.get("/v1/partner/secrets/expiring").await.expect(200).json();
    assert_eq!(soon["secrets"], json!([{"path": "a", "expires_at": at(&app, 5 * 86_400), "days_remaining": 5}]));
    root.delete(&shared("a?version=1")).await.expect(200);
    root.delete(&shared("a")).await.expect(200);
    root.get(&shared("a")).await.expect_error(404, "secret_not_found");
    root.put(&shared("a"), json!({"data": {}})).await.expect_error(409, "secret_exists");
    let restored = root.post_empty(&shared("a/restore")).await.expect(200).json();
    assert_eq!((&restored["current_version"], &restored["metadata"]["tags"]), (&json!(2), &json!(["t"])));
    root.delete(&shared("a?permanent=true")).await.expect(200);
    root.get("/v1/partner/secrets/metadata/a?include_deleted=true").await.expect_error(404, "secret_not_found");
    root.get(&shared("metadata")).await.expect_error(400, "invalid_path");
}

#[tokio::test]
async fn policies_of_shared_secrets_are_the_acting_tenants() {
    let app = TestApp::new().await;
    let root = app.root();
    let sibling = app.tenant("sibling").await;
    rotation_policy(&root, "quarterly", json!({})).await;
    let body = || json!({"data": {"v": app.canary()}, "options": {"rotation_policy_id": "rot_quarterly"}});
    let refused = root.put(&shared("a"), body()).in_tenant(&sibling).await;
    refused.expect_error(404, "rotation_policy_not_found");
    root.put(&shared("a"), body()).await.expect(201);
    let seen = root.get(&shared("a")).in_tenant(&sibling).await.expect(200).json();
    assert_eq!(seen["rotation_policy_id"], "rot_quarterly");
    put(&root, "a", "own").await;
    assert_eq!(metadata(&root, "a").await["rotation_policy"], Value::Null);
}
