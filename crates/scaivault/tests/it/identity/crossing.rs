//! Acting in another tenant (contract 00 section 4; U-5).

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOME, all_scopes, holder};

#[tokio::test]
async fn who_may_act_where() {
    let app = TestApp::new().await;
    let partner = app.partner("Far").await;
    let (near, far) = (app.tenant("near").await, app.tenant_of(&partner, "far").await);
    let places = [HOME, &near, &far, "tnt_nowhere", "nonsense!"];
    let (ok, denied, absent) = ((200, ""), (403, "tenant_access_denied"), (404, "tenant_not_found"));
    for (roles, expected) in [
        (&[][..], [ok, denied, denied, denied, denied]),
        (&["tenant_admin"], [ok, denied, denied, denied, denied]),
        (&["partner_admin"], [ok, ok, denied, absent, absent]),
        (&["super_admin"], [ok, ok, ok, absent, absent]),
    ] {
        let actor = holder(&app, HOME, roles).await;
        for (place, (status, code)) in places.iter().zip(expected) {
            let answers =
                [actor.get("/v1/secrets").in_tenant(place).await, actor.get(&format!("/v1/t/{place}/secrets")).await];
            for answer in answers {
                assert_eq!(answer.status.as_u16(), status, "{roles:?} in {place}: {}", answer.text());
                if status != 200 {
                    assert_eq!(answer.expect_error(status, code).details()["tenant_id"], *place);
                }
            }
        }
    }
}

#[tokio::test]
async fn only_roles_count_abroad() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let mia = app.user("mia", &["secrets:read"], &[("**", &["read"])]).await;
    mia.get("/v1/secrets/a").in_tenant(HOME).await.expect(404);
    mia.get("/v1/secrets/a").in_tenant(&near).await.expect_error(403, "tenant_access_denied");
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    boss.put("/v1/secrets/a", json!({"data": {"v": 1}})).in_tenant(&near).await.expect(201);
    boss.get("/v1/secrets/a").await.expect_error(404, "secret_not_found");
    // C-9: the prefix before the header.
    let target = format!("/v1/t/{near}/secrets/a");
    boss.get(&target).in_tenant(HOME).await.expect(200);
}

#[tokio::test]
async fn u_5_what_an_administrator_did_abroad_stands_in_the_targets_stream() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let answer = boss.put("/v1/secrets/a", json!({"data": {}})).in_tenant(&near).await.expect(201);
    let auditor = app.user_in(&near, "auditor", &["audit:read"], &[]).await;
    let entry = auditor.get("/v1/audit/logs?action=write").await.expect(200).json()["logs"][0].clone();
    assert_eq!(entry["request_id"], answer.header("x-request-id").unwrap());
    assert_eq!(
        (&entry["identity_id"], &entry["tenant_id"], &entry["target_tenant_id"], &entry["acting_partner_id"]),
        (&json!(boss.identity_id), &json!(near), &json!(near), &json!("ptn_default"))
    );
    assert_eq!(entry["acting_tenant_id"], HOME);
    assert_eq!(entry["extra_data"]["granted_by"], "role:partner_admin");
    let home = app.root().get("/v1/audit/logs?action=write").await.expect(200).json();
    assert_eq!(home["logs"], json!([]));
}

#[tokio::test]
async fn a_refusal_at_the_border_is_recorded_at_home() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    mia.get("/v1/secrets/a").in_tenant(&near).await.expect_error(403, "tenant_access_denied");
    let logs = app.root().get("/v1/audit/logs?action=read").await.expect(200).json();
    let entry = &logs["logs"][0];
    assert_eq!(
        (&entry["error_code"], &entry["identity_id"]),
        (&json!("tenant_access_denied"), &json!(mia.identity_id))
    );
    assert_eq!(entry["target_tenant_id"], near.as_str());
}

#[tokio::test]
async fn tokens_and_policies_for_another_tenant_are_made_there() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let next = app.user_in(&near, "next", &all_scopes(), &[]).await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let body = json!({"name": "t", "identity_id": next.identity_id, "scopes": ["secrets:read"]});
    boss.post("/v1/auth/tokens", body.clone()).await.expect_error(404, "identity_not_found");
    let made = boss.post("/v1/auth/tokens", body).in_tenant(&near).await.expect(201).json();
    assert_eq!(made["tenant_id"], near.as_str());
    let rules = json!([{"path_pattern": "**", "permissions": ["read"]}]);
    let policy = boss.post("/v1/policies", json!({"name": "p", "rules": rules})).in_tenant(&near).await.expect(201);
    let id = policy.json()["id"].as_str().unwrap().to_owned();
    boss.get(&format!("/v1/policies/{id}")).await.expect_error(404, "policy_not_found");
    let bind = json!({"identity_type": "user", "identity_id": next.id});
    boss.post(&format!("/v1/t/{near}/policies/{id}/bindings"), bind).await.expect(201);
    app.with_token(made["token"].as_str().unwrap()).get("/v1/secrets/a").await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn u_5_changes_of_a_directory_are_seen_by_its_auditors() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let auditor = app.user_in(&near, "auditor", &["audit:read"], &[]).await;
    let body = json!({"email": "new@test.example"});
    let made = boss.post(&format!("/v1/identity/tenants/{near}/users"), body).await.expect(201);
    let id = made.header("x-request-id").unwrap();
    let found = auditor.get(&format!("/v1/audit/logs?request_id={id}")).await.expect(200).json();
    let entry = &found["logs"][0];
    assert_eq!(
        (&entry["action"], &entry["target_tenant_id"], &entry["identity_id"], &entry["resource_id"]),
        (&json!("identity_change"), &json!(near), &json!(boss.identity_id), &made.json()["id"])
    );
    let home = app.root().get(&format!("/v1/audit/logs?request_id={id}")).await.expect(200).json();
    assert_eq!(home["logs"], json!([]));
}
