//! Policies of a partner (L-16, L-17).

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{SECRETS, rules};
use crate::identity::{HOME, holder, id_of};

fn body(name: &str) -> serde_json::Value {
    json!({"name": name, "scope": "partner", "rules": rules("**", &["admin"])})
}

#[tokio::test]
async fn l_17_partner_policies_are_a_partner_admins_to_make() {
    let app = TestApp::new().await;
    holder(&app, HOME, &["tenant_admin"]).await.post("/v1/policies", body("p")).await.expect_error(403, "forbidden");
    holder(&app, HOME, &[]).await.post("/v1/policies", body("p")).await.expect_error(403, "forbidden");
    let made = holder(&app, HOME, &["partner_admin"]).await.post("/v1/policies", body("p")).await.expect(201).json();
    assert_eq!(made["scope"], "partner");
    app.root().post("/v1/policies", body("p")).await.expect_error(409, "name_exists");
    app.root().post("/v1/policies", body("q")).await.expect(201);
    // Names are the partner's own.
    app.root().post("/v1/policies", json!({"name": "p", "rules": rules("a", &["read"])})).await.expect(201);
    let far = app.tenant_of(&app.partner("Far").await, "far").await;
    app.root().post("/v1/policies", body("p")).in_tenant(&far).await.expect(201);
}

#[tokio::test]
async fn l_17_tenants_see_them_and_do_not_touch_them() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let far = app.tenant_of(&app.partner("Far").await, "far").await;
    let (boss, admin) = (holder(&app, HOME, &["partner_admin"]).await, holder(&app, &near, &["tenant_admin"]).await);
    let next = app.user_in(&near, "next", &SECRETS, &[]).await;
    let id = id_of(&boss.post("/v1/policies", body("p")).await.expect(201).json());
    let target = format!("/v1/policies/{id}");
    let bind = json!({"identity_type": "user", "identity_id": next.id});
    let binding = id_of(&boss.post(&format!("{target}/bindings"), bind.clone()).await.expect(201).json());
    admin.get(&target).await.expect(200);
    assert_eq!(admin.get("/v1/policies?scope=partner").await.expect(200).json()["policies"][0]["id"], id.as_str());
    assert_eq!(admin.get("/v1/policies?scope=tenant").await.expect(200).json()["policies"], json!([]));
    for refused in [
        admin.put(&target, json!({"name": "q", "rules": rules("a", &["read"])})).await,
        admin.patch(&target, json!({"is_active": false})).await,
        admin.delete(&format!("{target}?force=true")).await,
        admin.post(&format!("{target}/bindings"), bind).await,
        admin.delete(&format!("{target}/bindings/{binding}")).await,
    ] {
        refused.expect_error(403, "forbidden");
    }
    app.root().get(&target).in_tenant(&far).await.expect_error(404, "policy_not_found");
    next.get("/v1/secrets/a").await.expect_error(404, "secret_not_found");
    boss.patch(&target, json!({"is_active": false})).await.expect(200);
    next.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn l_16_it_opens_nothing_but_at_home() {
    let app = TestApp::new().await;
    let root = app.root();
    let near = app.tenant("near").await;
    let far = app.tenant_of(&app.partner("Far").await, "far").await;
    for tenant in [HOME, &near] {
        root.put("/v1/secrets/a", json!({"data": {"of": tenant}})).in_tenant(tenant).await.expect(201);
    }
    let mia = app.user("mia", &SECRETS, &[]).await;
    let next = app.user_in(&near, "next", &SECRETS, &[]).await;
    let away = app.user_in(&far, "away", &SECRETS, &[]).await;
    let id = id_of(&root.post("/v1/policies", body("p")).await.expect(201).json());
    let bindings = format!("/v1/policies/{id}/bindings");
    let bind = |id: &str| json!({"identity_type": "user", "identity_id": id});
    root.post(&bindings, bind(&mia.id)).await.expect(201);
    root.post(&bindings, bind(&away.id)).await.expect_error(404, "identity_not_found");
    assert_eq!(mia.get("/v1/secrets/a").await.expect(200).json()["data"]["of"], HOME);
    mia.get("/v1/secrets/a").in_tenant(&near).await.expect_error(403, "tenant_access_denied");
    next.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    // Bound to somebody of the other tenant, it holds there: with that tenant's paths.
    root.post(&bindings, bind(&next.id)).await.expect(201);
    assert_eq!(next.get("/v1/secrets/a").await.expect(200).json()["data"]["of"], near.as_str());
}

#[tokio::test]
async fn l_16_it_never_concerns_what_the_partner_shares() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let id = id_of(&app.root().post("/v1/policies", body("p")).await.expect(201).json());
    let bind = json!({"identity_type": "user", "identity_id": mia.id});
    app.root().post(&format!("/v1/policies/{id}/bindings"), bind).await.expect(201);
    mia.put("/v1/secrets/a", json!({"data": {}})).await.expect(201);
    mia.put("/v1/partner/secrets/a", json!({"data": {}})).await.expect_error(403, "access_denied");
    mia.delete("/v1/partner/secrets/a").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn each_tenant_counts_the_bindings_of_its_own_identities() {
    let app = TestApp::new().await;
    let root = app.root();
    let near = app.tenant("near").await;
    let (mia, next) = (app.user("mia", &SECRETS, &[]).await, app.user_in(&near, "next", &SECRETS, &[]).await);
    let id = id_of(&root.post("/v1/policies", body("p")).await.expect(201).json());
    for user in [&mia.id, &next.id] {
        let bind = json!({"identity_type": "user", "identity_id": user});
        root.post(&format!("/v1/policies/{id}/bindings"), bind).await.expect(201);
    }
    let admin = holder(&app, &near, &["tenant_admin"]).await;
    let shown = admin.get(&format!("/v1/policies/{id}")).await.expect(200);
    assert!(shown.text().contains(&next.identity_id) && !shown.text().contains(&mia.identity_id));
    let refused = root.delete(&format!("/v1/policies/{id}")).await.expect_error(409, "policy_in_use");
    assert_eq!(refused.details()["count"], 2);
}
