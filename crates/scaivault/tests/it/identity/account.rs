//! Service accounts and their credentials.

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOME, holder, id_of};

const ACCOUNTS: &str = "/v1/identity/tenants/tnt_default/service-accounts";

#[tokio::test]
async fn a_service_account_is_made_with_a_secret_shown_once() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "crm", "description": "Customers", "allowed_scopes": ["secrets:read"]});
    let made = root.post(ACCOUNTS, body).await.expect(201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let mut made = made.json();
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("sks_") && secret.len() == 53, "{made}");
    let id = id_of(&made);
    let expected = json!({"id": id, "tenant_id": HOME, "name": "crm", "identity_id": "sa:crm", "client_id": id,
        "description": "Customers", "allowed_scopes": ["secrets:read"], "roles": [], "status": "ACTIVE",
        "created_at": "2026-05-01T10:00:00Z"});
    made.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(made, expected);
    let target = format!("/v1/identity/service-accounts/{id}");
    assert_eq!(root.get(&target).await.expect(200).json(), expected);
    let list = root.get(ACCOUNTS).await.expect(200);
    assert!(!list.text().contains(&secret) && !list.text().contains("client_secret"));
    assert_eq!(list.json()["service_accounts"], json!([expected]));
    let taken = root.post(ACCOUNTS, json!({"name": "crm"})).await.expect_error(409, "name_exists");
    assert_eq!(taken.details()["id"], id.as_str());
    let changed = root.patch(&target, json!({"description": null, "name": "crm2"})).await.expect(200).json();
    assert_eq!((&changed["description"], &changed["identity_id"]), (&Value::Null, &json!("sa:crm2")));
    for field in ["id", "tenant_id", "client_id", "client_secret", "roles", "identity_id", "created_at"] {
        root.patch(&target, json!({field: "x"})).await.expect_fault(field, "not_allowed");
    }
    root.delete(&target).await.expect(204);
    root.get(&target).await.expect_error(404, "identity_not_found");
}

#[rstest]
#[case("Crm")]
#[case("-crm")]
#[case("c rm")]
#[case("")]
#[case(&"c".repeat(65))]
#[tokio::test]
async fn names_stand_in_urls(#[case] name: &str) {
    let app = TestApp::new().await;
    app.root().post(ACCOUNTS, json!({"name": name})).await.expect(422);
    let groups = format!("/v1/identity/tenants/{HOME}/groups");
    app.root().post(&groups, json!({"name": name})).await.expect(422);
}

#[tokio::test]
async fn two_credentials_live_at_most() {
    let app = TestApp::new().await;
    let root = app.root();
    let account = id_of(&root.post(ACCOUNTS, json!({"name": "crm"})).await.expect(201).json());
    let target = format!("/v1/identity/service-accounts/{account}/credentials");
    let first = root.get(&target).await.expect(200).json();
    assert_eq!(first["total"], 1);
    let first = id_of(&first["credentials"][0]);
    let second = root.post(&target, json!({"expires_in": "1d"})).await.expect(201);
    assert_eq!(second.header("cache-control"), Some("no-store"));
    let mut second = second.json();
    assert!(second["client_secret"].as_str().unwrap().starts_with("sks_"));
    assert!(id_of(&second).starts_with("cred_"));
    second.as_object_mut().unwrap().remove("client_secret");
    let expected = json!({"id": second["id"], "created_at": "2026-05-01T10:00:00Z",
        "expires_at": "2026-05-02T10:00:00Z", "last_used_at": null});
    assert_eq!(second, expected);
    root.post_empty(&target).await.expect_error(409, "invalid_state");
    root.delete(&format!("{target}/{first}")).await.expect(204);
    root.delete(&format!("{target}/{first}")).await.expect(404);
    root.post_empty(&target).await.expect(201);
    root.post_empty(&target).await.expect_error(409, "invalid_state");
    // One whose time is over lives no more.
    app.clock.advance(86_400);
    root.post(&target, json!({})).await.expect(201);
    root.post(&target, json!({})).await.expect_error(409, "invalid_state");
    root.post(&target, json!({"expires_in": "soon"})).await.expect_error(400, "invalid_duration");
    let other = id_of(&root.post(ACCOUNTS, json!({"name": "other"})).await.expect(201).json());
    root.delete(&format!("/v1/identity/service-accounts/{other}/credentials/{}", id_of(&second))).await.expect(404);
}

#[tokio::test]
async fn credentials_are_an_administrators() {
    let app = TestApp::new().await;
    let root = app.root();
    let account = id_of(&root.post(ACCOUNTS, json!({"name": "crm"})).await.expect(201).json());
    let base = format!("/v1/identity/service-accounts/{account}");
    let target = format!("{base}/credentials");
    let credential = id_of(&root.get(&target).await.expect(200).json()["credentials"][0]);
    let plain = holder(&app, HOME, &[]).await;
    plain.post_empty(&target).await.expect_error(403, "forbidden");
    plain.delete(&format!("{target}/{credential}")).await.expect_error(403, "forbidden");
    plain.patch(&base, json!({"description": "x"})).await.expect_error(403, "forbidden");
    plain.delete(&base).await.expect_error(403, "forbidden");
    let admin = holder(&app, HOME, &["tenant_admin"]).await;
    admin.post_empty(&target).await.expect(201);
    // Of an account above it none: who has its secret is it.
    root.put(&format!("{base}/roles"), json!({"roles": ["partner_admin"]})).await.expect(200);
    admin.delete(&format!("{target}/{credential}")).await.expect_error(403, "forbidden");
    admin.patch(&base, json!({"description": "x"})).await.expect_error(403, "forbidden");
    admin.delete(&base).await.expect_error(403, "forbidden");
    root.delete(&base).await.expect(204);
    root.post_empty(&target).await.expect_error(404, "identity_not_found");
}
