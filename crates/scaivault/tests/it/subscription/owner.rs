//! What becomes of a subscription with its owner.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{SCOPES, SUBSCRIPTIONS, listener, paths, poll, subscribe, write};

#[tokio::test]
async fn it_goes_with_its_owner_and_a_new_one_of_that_name_inherits_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    write(&app, "a").await;
    app.settle().await;
    root.delete(&format!("/v1/identity/users/{}", mia.id)).await.expect(204);
    root.get(&format!("{SUBSCRIPTIONS}/{id}")).await.expect_error(404, "subscription_not_found");
    let email = mia.identity_id.strip_prefix("user:").unwrap();
    let again = json!({"email": email, "allowed_scopes": SCOPES});
    let again = root.post("/v1/identity/tenants/tnt_default/users", again).await.expect(201).json();
    let token = json!({"name": "t", "scopes": SCOPES, "identity_id": again["id"]});
    let token = root.post("/v1/auth/tokens", token).await.expect(201).json();
    let again = app.with_token(token["token"].as_str().unwrap());
    assert_eq!(again.get(SUBSCRIPTIONS).await.expect(200).json()["subscriptions"], json!([]));
    again.get(&format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0")).await.expect_error(404, "subscription_not_found");
    assert_eq!(app.raw().count("SELECT COUNT(*) FROM subscription_buffer"), 0);
}

#[tokio::test]
async fn a_service_account_takes_its_subscriptions_along() {
    let app = TestApp::new().await;
    let root = app.root();
    let account = json!({"name": "crm", "allowed_scopes": SCOPES});
    let account = root.post("/v1/identity/tenants/tnt_default/service-accounts", account).await.expect(201).json();
    let id = account["id"].as_str().unwrap();
    let token = json!({"name": "t", "scopes": SCOPES, "identity_id": id});
    let token = root.post("/v1/auth/tokens", token).await.expect(201).json();
    let crm = app.with_token(token["token"].as_str().unwrap());
    let subscription = subscribe(&crm, "all", &["**"]).await;
    let target = format!("{SUBSCRIPTIONS}/{subscription}");
    assert_eq!(root.get(&target).await.expect(200).json()["identity_id"], "sa:crm");
    root.delete(&format!("/v1/identity/service-accounts/{id}")).await.expect(204);
    root.get(&target).await.expect_error(404, "subscription_not_found");
}

#[tokio::test]
async fn a_suspended_owner_is_given_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let user = format!("/v1/identity/users/{}", mia.id);
    root.patch(&user, json!({"status": "SUSPENDED"})).await.expect(200);
    write(&app, "while-suspended").await;
    app.settle().await;
    root.patch(&user, json!({"status": "ACTIVE"})).await.expect(200);
    write(&app, "after").await;
    app.settle().await;
    // Suspending ended the token for good.
    mia.get(&format!("{SUBSCRIPTIONS}/{id}")).await.expect_error(401, "token_revoked");
    let token = json!({"name": "new", "scopes": SCOPES, "identity_id": mia.id});
    let token = root.post("/v1/auth/tokens", token).await.expect(201).json();
    let mia = app.with_token(token["token"].as_str().unwrap());
    assert_eq!(paths(&poll(&mia, &id).await), ["after"]);
}

#[tokio::test]
async fn a_tenant_that_ends_takes_its_own_and_its_peoples_along() {
    let app = TestApp::new().await;
    let root = app.root();
    let ending = app.tenant("ending").await;
    let admin = app.user_in(&ending, "admin", SCOPES, &[]).await;
    root.put(&format!("/v1/identity/users/{}/roles", admin.id), json!({"roles": ["partner_admin"]})).await.expect(200);
    subscribe(&admin, "there", &["**"]).await;
    let abroad = super::wanted("abroad", &["**"]);
    admin.post(SUBSCRIPTIONS, abroad).in_tenant("tnt_default").await.expect(201);
    root.delete(&format!("/v1/identity/tenants/{ending}?confirm={ending}")).await.expect(204);
    assert_eq!(app.raw().count("SELECT COUNT(*) FROM subscription"), 0);
}
