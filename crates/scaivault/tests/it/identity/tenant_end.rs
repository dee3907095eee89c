//! Deleting a tenant destroys its key.

use scaivault_testkit::{TestApp, off_thread};
use serde_json::json;

use super::{HOME, count_in_database, group_in, holder, id_of};

/// A tenant with a secret, a user and a group of its own; answers its id.
async fn furnished(app: &TestApp) -> String {
    let root = app.root();
    let tenant = app.tenant("doomed").await;
    app.user_in(&tenant, "mia", &["secrets:read"], &[("**", &["read"])]).await;
    group_in(app, &tenant, "sre").await;
    root.put("/v1/secrets/a/b", json!({"data": {"v": app.canary()}})).in_tenant(&tenant).await.expect(201);
    tenant
}

/// The wrapped keys of a tenant as they lie in the database.
fn keys_of(app: &TestApp, tenant: &str) -> Vec<Vec<u8>> {
    let found = app.raw().column(&format!("SELECT wrapped FROM wrapped_key WHERE owner_id = '{tenant}'"));
    found.iter().map(|wrapped| wrapped.blob().unwrap()).collect()
}

fn is_somewhere(app: &TestApp, key: &[u8]) -> bool {
    !app.places_that_hold(key).is_empty()
}

async fn end(app: &TestApp, tenant: &str) {
    app.root().delete(&format!("/v1/identity/tenants/{tenant}?confirm={tenant}")).await.expect(204);
}

#[tokio::test]
async fn a_18_no_key_of_a_deleted_tenant_is_left() {
    let app = TestApp::new().await;
    let root = app.root();
    let tenant = furnished(&app).await;
    let keys = keys_of(&app, &tenant);
    assert!(!keys.is_empty() && keys.iter().all(|key| is_somewhere(&app, key)));
    let others = keys_of(&app, HOME);
    end(&app, &tenant).await;
    root.get("/v1/secrets/a/b").in_tenant(&tenant).await.expect_error(404, "tenant_not_found");
    root.get(&format!("/v1/t/{tenant}/secrets")).await.expect_error(404, "tenant_not_found");
    assert_eq!(keys_of(&app, &tenant), Vec::<Vec<u8>>::new());
    assert_eq!(keys_of(&app, HOME), others);
    // Freed pages are wiped: moved out of the log, the file holds the bytes nowhere.
    app.raw().empty_log();
    assert!(!keys.iter().any(|key| is_somewhere(&app, key)));
}

#[tokio::test]
async fn a_18_the_write_ahead_log_forgets_the_key_at_once_too() {
    let app = TestApp::new().await;
    let tenant = furnished(&app).await;
    let keys = keys_of(&app, &tenant);
    end(&app, &tenant).await;
    let left = keys.iter().any(|key| is_somewhere(&app, key));
    assert!(!left, "a wrapped key can still be read from the files of the database");
}

#[tokio::test]
async fn a_18_after_a_restart_it_is_still_gone() {
    let app = TestApp::new().await;
    let tenant = furnished(&app).await;
    let keys = keys_of(&app, &tenant);
    end(&app, &tenant).await;
    let app = app.restart().await;
    app.root().get("/v1/secrets/a/b").in_tenant(&tenant).await.expect_error(404, "tenant_not_found");
    assert!(!keys.iter().any(|key| is_somewhere(&app, key)));
}

#[tokio::test]
async fn a_18_everybody_in_it_ends() {
    let app = TestApp::new().await;
    let root = app.root();
    let tenant = app.tenant("doomed").await;
    let mia = app.user_in(&tenant, "mia", &["secrets:read"], &[("**", &["read"])]).await;
    let admin = holder(&app, &tenant, &["partner_admin"]).await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    mia.get("/v1/secrets/a").await.expect(404);
    end(&app, &tenant).await;
    for actor in [&mia, &admin] {
        actor.get("/v1/auth/whoami").await.expect_error(401, "token_revoked");
    }
    boss.get("/v1/secrets/a").in_tenant(&tenant).await.expect_error(404, "tenant_not_found");
    holder(&app, HOME, &[]).await.get("/v1/secrets").in_tenant(&tenant).await.expect_error(403, "tenant_access_denied");
    let target = format!("/v1/identity/tenants/{tenant}");
    root.get(&target).await.expect_error(404, "tenant_not_found");
    root.patch(&target, json!({"status": "ACTIVE"})).await.expect_error(404, "tenant_not_found");
    root.get(&format!("{target}/users")).await.expect_error(404, "tenant_not_found");
    root.get(&format!("/v1/identity/users/{}", mia.id)).await.expect_error(404, "identity_not_found");
    assert_eq!(root.post("/v1/auth/introspect", json!({"token": mia.token()})).await.json(), json!({"active": false}));
    // The list knows it, if asked.
    assert_eq!(root.get("/v1/identity/tenants").await.expect(200).json()["total"], 1);
    let gone = root.get("/v1/identity/tenants?status=DELETED").await.expect(200).json();
    assert_eq!((id_of(&gone["tenants"][0]), &gone["total"]), (tenant, &json!(1)));
}

#[tokio::test]
async fn a_18_its_id_is_never_given_out_again() {
    let app = TestApp::new().await;
    let root = app.root();
    let tenant = furnished(&app).await;
    end(&app, &tenant).await;
    let named = json!({"partner_id": "ptn_default", "name": "doomed", "id": tenant});
    root.post("/v1/identity/tenants", named).await.expect_error(409, "name_exists");
    let again = app.tenant("doomed").await;
    assert_ne!(again, tenant);
    root.get("/v1/secrets/a/b").in_tenant(&again).await.expect_error(404, "secret_not_found");
    let partner = app.partner("doomed").await;
    root.delete(&format!("/v1/identity/partners/{partner}")).await.expect(204);
    let named = json!({"name": "doomed", "id": partner});
    root.post("/v1/identity/partners", named).await.expect_error(409, "name_exists");
    assert_ne!(app.partner("doomed").await, partner);
}

#[tokio::test]
async fn a_18_the_audit_trail_is_kept() {
    let app = TestApp::new().await;
    let tenant = furnished(&app).await;
    let sql = format!("SELECT COUNT(*) FROM audit_entry WHERE stream = '{tenant}'");
    let before = count_in_database(&app, &sql);
    assert!(before > 0);
    end(&app, &tenant).await;
    assert!(count_in_database(&app, &sql) >= before);
    assert!(off_thread(|| app.vault.verify_audit(&tenant, None, None)).unwrap().is_valid());
}

#[tokio::test]
async fn the_end_has_to_be_confirmed_by_who_may() {
    let app = TestApp::new().await;
    let tenant = app.tenant("doomed").await;
    let partner = app.partner("Far").await;
    let far = app.tenant_of(&partner, "far").await;
    let target = |query: &str| format!("/v1/identity/tenants/{tenant}{query}");
    let confirmed = target(&format!("?confirm={tenant}"));
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    boss.delete(&target("")).await.expect_fault("confirm", "required");
    boss.delete(&target("?confirm=true")).await.expect_error(422, "validation_error");
    boss.delete(&target(&format!("?confirm={HOME}"))).await.expect_error(422, "validation_error");
    holder(&app, &tenant, &["tenant_admin"]).await.delete(&confirmed).await.expect_error(403, "forbidden");
    holder(&app, &tenant, &[]).await.delete(&confirmed).await.expect_error(403, "forbidden");
    let beyond = format!("/v1/identity/tenants/{far}?confirm={far}");
    boss.delete(&beyond).await.expect_error(404, "tenant_not_found");
    // With a super_admin in it, it is above a partner_admin.
    let above = holder(&app, &tenant, &["super_admin"]).await;
    boss.delete(&confirmed).await.expect_error(403, "forbidden");
    super::set_roles(&app.root(), &above.id, &[]).await;
    boss.delete(&confirmed).await.expect(204);
    boss.delete(&confirmed).await.expect_error(404, "tenant_not_found");
    // Its entry is kept, wherever it lies.
    let sql = format!(
        "SELECT COUNT(*) FROM audit_entry WHERE action = 'identity_change' AND status_code = 204 AND resource_id = '{tenant}'"
    );
    assert_eq!(count_in_database(&app, &sql), 1);
}
