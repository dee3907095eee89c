//! Who may give which role to whom (A-17; contract 02 sections 6 and 7).

use scaivault_testkit::{Actor, Answer, TestApp};
use serde_json::{Value, json};

use super::{HOME, holder, set_roles};

type Roles = &'static [&'static str];

async fn set(by: &Actor<'_>, user_id: &str, roles: &[&str]) -> Answer {
    by.put(&format!("/v1/identity/users/{user_id}/roles"), json!({"roles": roles})).await
}

async fn roles_of(app: &TestApp, user_id: &str) -> Value {
    app.root().get(&format!("/v1/identity/users/{user_id}/roles")).await.expect(200).json()["roles"].clone()
}

#[tokio::test]
async fn a_17_every_role_rule() {
    const NONE: Roles = &[];
    const T: Roles = &["tenant_admin"];
    const P: Roles = &["partner_admin"];
    const S: Roles = &["super_admin"];
    // Who asks, what the other holds, what it shall hold, what is answered.
    let table: [(Roles, Roles, Roles, u16); 18] = [
        (NONE, NONE, T, 403),
        (NONE, T, NONE, 403),
        (T, NONE, T, 403),
        (T, NONE, NONE, 403),
        (T, T, NONE, 403),
        (T, NONE, S, 403),
        (P, NONE, T, 200),
        (P, NONE, P, 200),
        (P, NONE, &["tenant_admin", "partner_admin"], 200),
        (P, P, NONE, 200),
        (P, NONE, S, 403),
        (P, NONE, &["tenant_admin", "super_admin"], 403),
        (P, S, NONE, 403),
        (P, S, T, 403),
        (S, NONE, S, 200),
        (S, S, NONE, 200),
        (S, P, &["tenant_admin", "partner_admin", "super_admin"], 200),
        (S, T, NONE, 200),
    ];
    let app = TestApp::new().await;
    for (asks, before, after, status) in table {
        let (by, other) = (holder(&app, HOME, asks).await, holder(&app, HOME, before).await);
        let answer = set(&by, &other.id, after).await;
        let what = format!("{asks:?} makes {before:?} {after:?}: {}", answer.text());
        assert_eq!(answer.status.as_u16(), status, "{what}");
        if status == 200 {
            assert_eq!(answer.json(), json!({"user_id": other.id, "roles": after}), "{what}");
        } else {
            answer.expect_error(403, "forbidden");
        }
        let expected = if status == 200 { after } else { before };
        assert_eq!(roles_of(&app, &other.id).await, json!(expected), "{what}");
    }
}

#[tokio::test]
async fn a_17_nobody_raises_itself() {
    let app = TestApp::new().await;
    for (before, after, status) in [
        (&[][..], &["tenant_admin"][..], 403),
        (&["tenant_admin"], &["partner_admin"], 403),
        (&["tenant_admin"], &[], 403),
        (&["partner_admin"], &["super_admin"], 403),
        (&["partner_admin"], &["partner_admin", "super_admin"], 403),
        (&["partner_admin"], &["tenant_admin"], 200),
        (&["super_admin"], &[], 200),
    ] {
        let actor = holder(&app, HOME, before).await;
        let answer = set(&actor, &actor.id, after).await;
        assert_eq!(answer.status.as_u16(), status, "{before:?} {after:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_17_the_last_super_admin_stays() {
    let app = TestApp::new().await;
    let root = app.root();
    let own = root.get("/v1/identity/resolve/user/user:admin@localhost").await.expect(200).json();
    let own = own["id"].as_str().unwrap();
    let user = format!("/v1/identity/users/{own}");
    set(&root, own, &[]).await.expect_error(409, "last_admin");
    set(&root, own, &["partner_admin"]).await.expect_error(409, "last_admin");
    root.patch(&user, json!({"status": "SUSPENDED"})).await.expect_error(409, "last_admin");
    root.delete(&user).await.expect_error(409, "last_admin");
    root.delete(&format!("/v1/identity/tenants/{HOME}?confirm={HOME}")).await.expect_error(409, "last_admin");
    assert_eq!(roles_of(&app, own).await, json!(["super_admin"]));
    // A suspended one is no other.
    let second = holder(&app, HOME, &["super_admin"]).await;
    root.patch(&format!("/v1/identity/users/{}", second.id), json!({"status": "SUSPENDED"})).await.expect(200);
    set(&root, own, &[]).await.expect_error(409, "last_admin");
    holder(&app, HOME, &["super_admin"]).await;
    set(&root, own, &[]).await.expect(200);
}

#[tokio::test]
async fn a_partner_admin_gives_roles_only_within_its_partner() {
    let app = TestApp::new().await;
    let partner = app.partner("Far").await;
    let (near, far) = (app.tenant("near").await, app.tenant_of(&partner, "far").await);
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let (next, away) = (holder(&app, &near, &[]).await, holder(&app, &far, &[]).await);
    set(&boss, &next.id, &["partner_admin"]).await.expect(200);
    set(&boss, &away.id, &["tenant_admin"]).await.expect_error(404, "identity_not_found");
    set(&boss, "usr_nobody", &[]).await.expect_error(404, "identity_not_found");
    // A tenant_admin does not even see its neighbour.
    let admin = holder(&app, HOME, &["tenant_admin"]).await;
    set(&admin, &next.id, &[]).await.expect_error(404, "identity_not_found");
}

#[tokio::test]
async fn the_scope_is_needed_beside_the_role() {
    let app = TestApp::new().await;
    let root = app.root();
    let boss = app.user("boss", &["identity:read"], &[]).await;
    set_roles(&root, &boss.id, &["super_admin"]).await;
    set(&boss, &boss.id, &["super_admin"]).await.expect_error(403, "insufficient_scope");
    let blind = app.user("blind", &["identity:admin"], &[]).await;
    let target = format!("/v1/identity/users/{}/roles", boss.id);
    blind.get(&target).await.expect_error(403, "insufficient_scope");
    for (body, field, code) in [
        (json!({}), "roles", "required"),
        (json!({"roles": ["king"]}), "roles[0]", "format"),
        (json!({"roles": "super_admin"}), "roles", "type"),
        (json!({"roles": [], "role": 1}), "role", "unknown"),
    ] {
        root.put(&target, body).await.expect_fault(field, code);
    }
}

#[tokio::test]
async fn roles_hold_and_end_with_the_next_request() {
    let app = TestApp::new().await;
    let (root, actor) = (app.root(), holder(&app, HOME, &[]).await);
    root.put("/v1/secrets/a", json!({"data": {}})).await.expect(201);
    actor.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    set_roles(&root, &actor.id, &["tenant_admin"]).await;
    actor.get("/v1/secrets/a").await.expect(200);
    let entry = root.get("/v1/audit/logs?action=read&limit=1").await.expect(200).json();
    assert_eq!(entry["logs"][0]["extra_data"]["granted_by"], "role:tenant_admin");
    set_roles(&root, &actor.id, &[]).await;
    actor.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn service_accounts_hold_roles_as_well() {
    let app = TestApp::new().await;
    let (root, boss) = (app.root(), holder(&app, HOME, &["partner_admin"]).await);
    let target = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let account = root.post(&target, json!({"name": "crm"})).await.expect(201).json();
    let id = account["id"].as_str().unwrap();
    let target = format!("/v1/identity/service-accounts/{id}/roles");
    let given = boss.put(&target, json!({"roles": ["tenant_admin"]})).await.expect(200).json();
    assert_eq!(given["roles"], json!(["tenant_admin"]));
    assert_eq!(boss.get(&target).await.expect(200).json()["roles"], json!(["tenant_admin"]));
    boss.put(&target, json!({"roles": ["super_admin"]})).await.expect_error(403, "forbidden");
    holder(&app, HOME, &["tenant_admin"]).await.put(&target, json!({"roles": []})).await.expect_error(403, "forbidden");
    let crm = super::token_of(&app, HOME, "sa:crm", &["secrets:read"]).await;
    crm.get("/v1/secrets/nowhere").await.expect(404);
}

#[tokio::test]
async fn the_catalogue_says_what_the_caller_may_give() {
    let app = TestApp::new().await;
    for (roles, assignable) in [
        (&[][..], &[][..]),
        (&["tenant_admin"], &[]),
        (&["partner_admin"], &["tenant_admin", "partner_admin"]),
        (&["super_admin"], &["tenant_admin", "partner_admin", "super_admin"]),
    ] {
        let told = holder(&app, HOME, roles).await.get("/v1/identity/roles").await.expect(200).json();
        let found: Vec<_> =
            told["roles"].as_array().unwrap().iter().filter(|role| role["assignable"] == true).collect();
        let found: Vec<_> = found.iter().map(|role| role["name"].as_str().unwrap()).collect();
        assert_eq!(found, assignable, "{roles:?}");
        assert_eq!(told["roles"].as_array().unwrap().len(), 3);
    }
    // Any token.
    app.user("scopeless", &["pki:issue"], &[]).await.get("/v1/identity/roles").await.expect(200);
}
