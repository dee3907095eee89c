//! Partners, tenants, users: making, changing, removing (contract 02 section 7).

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOME, group_in, holder, join};

const USERS: &str = "/v1/identity/tenants/tnt_default/users";

#[tokio::test]
async fn partners() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "Acme Corp", "slug": "acme", "region": "eu-west-1"});
    let made = root.post("/v1/identity/partners", body).await.expect(201).json();
    let expected = json!({"id": "ptn_acme_corp", "name": "Acme Corp", "slug": "acme", "region": "eu-west-1",
        "status": "ACTIVE", "last_synced_at": null});
    assert_eq!(made, expected);
    let target = "/v1/identity/partners/ptn_acme_corp";
    assert_eq!(root.get(target).await.expect(200).json(), expected);
    let changed = root.patch(target, json!({"region": null, "name": "Acme"})).await.expect(200).json();
    assert_eq!((&changed["region"], &changed["name"], &changed["id"]), (&json!(null), &json!("Acme"), &made["id"]));
    assert_eq!(root.patch(target, json!({})).await.expect(200).json(), changed);
    root.patch(target, json!({"id": "ptn_x"})).await.expect_fault("id", "not_allowed");
    // A taken slug gets four characters more; a taken id is refused.
    let twin = root.post("/v1/identity/partners", json!({"name": "acme corp"})).await.expect(201).json();
    let twin = twin["id"].as_str().unwrap();
    assert!(twin.starts_with("ptn_acme_corp_") && twin.len() == "ptn_acme_corp_".len() + 4, "{twin}");
    let taken = json!({"name": "x", "id": "ptn_acme_corp"});
    root.post("/v1/identity/partners", taken).await.expect_error(409, "name_exists");
    let own = root.post("/v1/identity/partners", json!({"name": "x", "id": "ptn_own"})).await.expect(201).json();
    assert_eq!(own["id"], "ptn_own");
    app.tenant_of("ptn_acme_corp", "one").await;
    let used = root.delete(target).await.expect_error(409, "resource_in_use");
    assert_eq!(used.details()["count"], 1);
    root.delete("/v1/identity/tenants/tnt_one?confirm=tnt_one").await.expect(204);
    root.delete(target).await.expect(204);
    for gone in [root.get(target).await, root.delete(target).await, root.patch(target, json!({})).await] {
        gone.expect_error(404, "partner_not_found");
    }
}

#[rstest]
#[case::tenant_admin("tenant_admin")]
#[case::partner_admin("partner_admin")]
#[tokio::test]
async fn partners_are_for_super_admins_to_change(#[case] role: &str) {
    let app = TestApp::new().await;
    let actor = holder(&app, HOME, &[role]).await;
    actor.post("/v1/identity/partners", json!({"name": "x"})).await.expect_error(403, "forbidden");
    actor.patch("/v1/identity/partners/ptn_default", json!({"name": "x"})).await.expect_error(403, "forbidden");
    actor.delete("/v1/identity/partners/ptn_default").await.expect_error(403, "forbidden");
    actor.get("/v1/identity/partners/ptn_default").await.expect(200);
}

#[tokio::test]
async fn tenants() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"partner_id": "ptn_default", "name": "Prod", "settings": {"default_max_versions": 3}});
    let made = root.post("/v1/identity/tenants", body).await.expect(201).json();
    let shown = root.get("/v1/identity/tenants/tnt_prod").await.expect(200).json();
    assert_eq!(made, shown);
    assert_eq!((&made["id"], &made["slug"], &made["status"]), (&json!("tnt_prod"), &json!("prod"), &json!("ACTIVE")));
    assert_eq!(made["settings"]["default_max_versions"], 3);
    let target = "/v1/identity/tenants/tnt_prod";
    root.patch(target, json!({"partner_id": "ptn_x"})).await.expect_fault("partner_id", "not_allowed");
    root.patch(target, json!({"status": "DELETED"})).await.expect_fault("status", "format");
    root.patch(target, json!({"settings": {"x": 1}})).await.expect_fault("settings.x", "unknown");
    let body = json!({"partner_id": "ptn_none", "name": "x"});
    root.post("/v1/identity/tenants", body).await.expect_error(404, "partner_not_found");
    let body = json!({"partner_id": "ptn_default", "name": "x", "id": "tnt_prod"});
    root.post("/v1/identity/tenants", body).await.expect_error(409, "name_exists");
}

#[tokio::test]
async fn who_may_make_and_change_tenants() {
    let app = TestApp::new().await;
    let partner = app.partner("Far").await;
    let near = app.tenant("near").await;
    let make = |partner: &str| json!({"partner_id": partner, "name": "new"});
    let (near, home) = (format!("/v1/identity/tenants/{near}"), format!("/v1/identity/tenants/{HOME}"));
    let rename = || json!({"name": "renamed"});
    // Role; create at home, in another partner; rename own, rename another; set the status of own.
    let table = [
        ("plain", [403, 404, 403, 404, 403]),
        ("tenant_admin", [403, 404, 200, 404, 403]),
        ("partner_admin", [201, 404, 200, 200, 200]),
        ("super_admin", [201, 201, 200, 200, 200]),
    ];
    for (role, expected) in table {
        let actor = holder(&app, HOME, if role == "plain" { &[] } else { std::slice::from_ref(&role) }).await;
        let answers = [
            actor.post("/v1/identity/tenants", make("ptn_default")).await,
            actor.post("/v1/identity/tenants", make(&partner)).await,
            actor.patch(&home, rename()).await,
            actor.patch(&near, rename()).await,
            actor.patch(&home, json!({"status": "ACTIVE"})).await,
        ];
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, expected, "{role}");
    }
}

#[tokio::test]
async fn users() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"email": "Mia@Firm.Example", "display_name": "Mia", "password": "correct horse battery"});
    let made = root.post(USERS, body).await.expect(201);
    assert!(!made.text().contains("horse") && !made.text().contains("argon"));
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (&made["email"], &made["status"], &made["mfa_enabled"], &made["groups"], &made["roles"]),
        (&json!("mia@firm.example"), &json!("ACTIVE"), &json!(false), &json!([]), &json!([]))
    );
    let taken = root.post(USERS, json!({"email": "MIA@firm.example"})).await.expect_error(409, "name_exists");
    assert_eq!(taken.details()["id"], id);
    // Another tenant has room for the same one.
    let other = app.tenant("other").await;
    let there = format!("/v1/identity/tenants/{other}/users");
    root.post(&there, json!({"email": "mia@firm.example"})).await.expect(201);
    let target = format!("/v1/identity/users/{id}");
    let group = group_in(&app, HOME, "sre").await;
    join(&app, &group, id).await;
    assert_eq!(root.get(&target).await.expect(200).json()["groups"], json!([group]));
    let changed = root.patch(&target, json!({"email": "MIA2@firm.example", "display_name": null})).await.expect(200);
    let changed = changed.json();
    assert_eq!((&changed["email"], &changed["display_name"]), (&json!("mia2@firm.example"), &Value::Null));
    for field in ["id", "tenant_id", "roles", "groups", "mfa_enabled", "last_synced_at"] {
        root.patch(&target, json!({field: 1})).await.expect_fault(field, "not_allowed");
    }
    root.delete(&target).await.expect(204);
    for gone in [root.get(&target).await, root.delete(&target).await, root.patch(&target, json!({})).await] {
        gone.expect_error(404, "identity_not_found");
    }
}

#[rstest]
#[case(json!({"display_name": "x"}), "email", "required")]
#[case(json!({"email": "nobody"}), "email", "format")]
#[case(json!({"email": "a@b.example", "password": "elevenchars"}), "password", "range")]
#[case(json!({"email": "a@b.example", "status": "DELETED"}), "status", "format")]
#[case(json!({"email": "a@b.example", "allowed_scopes": ["all"]}), "allowed_scopes[0]", "format")]
#[case(json!({"email": "a@b.example", "roles": ["super_admin"]}), "roles", "unknown")]
#[tokio::test]
async fn bad_users_are_refused(#[case] body: Value, #[case] field: &str, #[case] code: &str) {
    let app = TestApp::new().await;
    app.root().post(USERS, body).await.expect_fault(field, code);
}

#[tokio::test]
async fn the_directory_is_a_tenant_admins_to_change() {
    let app = TestApp::new().await;
    let plain = holder(&app, HOME, &[]).await;
    let groups = format!("/v1/identity/tenants/{HOME}/groups");
    let accounts = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let user = format!("/v1/identity/users/{}", plain.id);
    plain.post(USERS, json!({"email": "a@b.example"})).await.expect_error(403, "forbidden");
    plain.post(&groups, json!({"name": "g"})).await.expect_error(403, "forbidden");
    plain.post(&accounts, json!({"name": "s"})).await.expect_error(403, "forbidden");
    plain.patch(&user, json!({"display_name": "me"})).await.expect_error(403, "forbidden");
    plain.delete(&user).await.expect_error(403, "forbidden");
    let admin = holder(&app, HOME, &["tenant_admin"]).await;
    admin.post(USERS, json!({"email": "a@b.example"})).await.expect(201);
    admin.post(&groups, json!({"name": "g"})).await.expect(201);
    admin.post(&accounts, json!({"name": "s"})).await.expect(201);
    // But nobody above: who sets the password of another is the other.
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let boss = format!("/v1/identity/users/{}", boss.id);
    admin.patch(&boss, json!({"password": "correct horse battery"})).await.expect_error(403, "forbidden");
    admin.patch(&boss, json!({"status": "SUSPENDED"})).await.expect_error(403, "forbidden");
    admin.delete(&boss).await.expect_error(403, "forbidden");
}

#[tokio::test]
async fn resolve_takes_either_form() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let group = group_in(&app, HOME, "sre").await;
    join(&app, &group, &mia.id).await;
    let expected = json!({"id": mia.id, "type": "user", "identity_id": mia.identity_id, "tenant_id": HOME,
        "display_name": "mia", "status": "ACTIVE", "groups": ["group:sre"], "roles": []});
    for form in [&mia.id, &mia.identity_id] {
        assert_eq!(root.get(&format!("/v1/identity/resolve/user/{form}")).await.expect(200).json(), expected);
    }
    let found = root.get("/v1/identity/resolve/group/group:sre").await.expect(200).json();
    assert_eq!((&found["id"], &found["type"]), (&json!(group), &json!("group")));
    for absent in [
        "user/user:no@test.example".to_owned(),
        format!("group/{}", mia.id),
        format!("service_account/{}", mia.identity_id),
        format!("robot/{}", mia.id),
        "user/nonsense".to_owned(),
    ] {
        root.get(&format!("/v1/identity/resolve/{absent}")).await.expect_error(404, "identity_not_found");
    }
}

#[tokio::test]
async fn a_new_email_is_the_same_user() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &["secrets:read"], &[("a", &["read"])]).await;
    mia.get("/v1/secrets/a").await.expect(404);
    let target = format!("/v1/identity/users/{}", mia.id);
    root.patch(&target, json!({"email": "new@test.example"})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect(404);
    assert_eq!(mia.get("/v1/auth/whoami").await.expect(200).json()["identity_id"], "user:new@test.example");
    let old = format!("/v1/identity/resolve/user/{}", mia.identity_id);
    root.get(&old).await.expect_error(404, "identity_not_found");
    // The old name is free, and whoever takes it is somebody else.
    let email = mia.identity_id.strip_prefix("user:").unwrap();
    let other = root.post(USERS, json!({"email": email})).await.expect(201).json();
    assert_ne!(other["id"], mia.id.as_str());
    let stranger = super::token_of(&app, HOME, &mia.identity_id, &["secrets:read"]).await;
    stranger.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn a_partner_admin_runs_the_directories_of_its_tenants() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let users = format!("/v1/identity/tenants/{near}/users");
    let user = boss.post(&users, json!({"email": "next@test.example"})).await.expect(201).json();
    let groups = format!("/v1/identity/tenants/{near}/groups");
    let group = boss.post(&groups, json!({"name": "crew"})).await.expect(201).json();
    let members = format!("/v1/identity/groups/{}/members", group["id"].as_str().unwrap());
    let added = boss.post(&members, json!({"identity_id": "user:next@test.example"})).await.expect(201).json();
    assert_eq!((&added["user_id"], &added["membership_type"]), (&user["id"], &json!("DIRECT")));
    let accounts = format!("/v1/identity/tenants/{near}/service-accounts");
    boss.post(&accounts, json!({"name": "crm"})).await.expect(201);
    let target = format!("/v1/identity/users/{}", user["id"].as_str().unwrap());
    boss.patch(&target, json!({"status": "SUSPENDED"})).await.expect(200);
    boss.delete(&target).await.expect(204);
    assert_eq!(boss.get(&members).await.expect(200).json()["total"], 0);
}
