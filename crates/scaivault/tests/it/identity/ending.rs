//! Who comes back under an old name inherits nothing.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOME, group_in, id_of, join, set_roles, token_of};

const SCOPES: [&str; 2] = ["secrets:read", "secrets:list"];

#[tokio::test]
async fn a_16_a_new_user_with_an_old_email_has_no_old_rights() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/direct", json!({"data": {}})).await.expect(201);
    root.put("/v1/secrets/grouped", json!({"data": {}})).await.expect(201);
    let mia = app.user("mia", &SCOPES, &[("direct", &["read"])]).await;
    let group = group_in(&app, HOME, "sre").await;
    join(&app, &group, &mia.id).await;
    let grouped = app.policy_in(HOME, "grouped", &[("grouped", &["read"])], &[("group", "group:sre")]).await;
    for path in ["direct", "grouped"] {
        mia.get(&format!("/v1/secrets/{path}")).await.expect(200);
    }
    set_roles(&root, &mia.id, &["tenant_admin"]).await;
    root.delete(&format!("/v1/identity/users/{}", mia.id)).await.expect(204);
    mia.get("/v1/secrets/direct").await.expect_error(401, "token_revoked");
    let email = mia.identity_id.strip_prefix("user:").unwrap();
    let users = format!("/v1/identity/tenants/{HOME}/users");
    let again = root.post(&users, json!({"email": email})).await.expect(201).json();
    assert_ne!(id_of(&again), mia.id);
    assert_eq!((&again["groups"], &again["roles"]), (&json!([]), &json!([])));
    let new = token_of(&app, HOME, &mia.identity_id, &SCOPES).await;
    let told = new.get("/v1/auth/whoami").await.expect(200).json();
    assert_eq!((&told["groups"], &told["roles"]), (&json!([]), &json!([])));
    for path in ["direct", "grouped"] {
        new.get(&format!("/v1/secrets/{path}")).await.expect_error(403, "access_denied");
    }
    mia.get("/v1/auth/whoami").await.expect_error(401, "token_revoked");
    // Nothing is left behind where it stood.
    let members = root.get(&format!("/v1/identity/groups/{group}/members")).await.expect(200).json();
    assert_eq!(members["total"], 0);
    assert_eq!(root.get(&format!("/v1/identity/groups/{group}")).await.expect(200).json()["member_count"], 0);
    let policies = root.get("/v1/policies").await.expect(200).json();
    for policy in policies["policies"].as_array().unwrap() {
        assert_eq!(policy["binding_count"], i64::from(policy["id"] == grouped.as_str()), "{policy}");
    }
}

#[tokio::test]
async fn a_16_nor_has_a_service_account_or_a_group() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &SCOPES, &[]).await;
    let accounts = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let old = id_of(&root.post(&accounts, json!({"name": "crm"})).await.expect(201).json());
    let group = group_in(&app, HOME, "sre").await;
    join(&app, &group, &mia.id).await;
    app.policy_in(HOME, "p", &[("**", &["read"])], &[("service_account", "sa:crm"), ("group", "group:sre")]).await;
    let crm = token_of(&app, HOME, "sa:crm", &SCOPES).await;
    crm.get("/v1/secrets/a").await.expect(404);
    mia.get("/v1/secrets/a").await.expect(404);
    root.delete(&format!("/v1/identity/service-accounts/{old}")).await.expect(204);
    root.delete(&format!("/v1/identity/groups/{group}")).await.expect(204);
    crm.get("/v1/secrets/a").await.expect_error(401, "token_revoked");
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    assert_ne!(id_of(&root.post(&accounts, json!({"name": "crm"})).await.expect(201).json()), old);
    let again = group_in(&app, HOME, "sre").await;
    join(&app, &again, &mia.id).await;
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    let crm = token_of(&app, HOME, "sa:crm", &SCOPES).await;
    crm.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}
