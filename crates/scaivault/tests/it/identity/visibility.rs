//! Own tenant and partner; a partner_admin its partner; a super_admin all; everything else is absent (contract 02 section 7).

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOME, group_in, holder};

#[tokio::test]
async fn what_lies_beyond_is_absent_by_every_route() {
    let app = TestApp::new().await;
    let root = app.root();
    let partner = app.partner("Far").await;
    let tenants = [HOME.to_owned(), app.tenant("near").await, app.tenant_of(&partner, "far").await];
    let partners = ["ptn_default", "ptn_default", partner.as_str()];
    let mut targets = Vec::new();
    for (tenant, partner) in tenants.iter().zip(partners) {
        let user = app.user_in(tenant, "someone", &["secrets:read"], &[]).await;
        let group = group_in(&app, tenant, "crew").await;
        let accounts = format!("/v1/identity/tenants/{tenant}/service-accounts");
        let account = root.post(&accounts, json!({"name": "crm"})).await.expect(201).json();
        let account = account["id"].as_str().unwrap();
        let things = [
            (format!("/v1/identity/partners/{partner}"), "partner_not_found"),
            (format!("/v1/identity/tenants/{tenant}"), "tenant_not_found"),
            (format!("/v1/identity/tenants/{tenant}/users"), "tenant_not_found"),
            (format!("/v1/identity/tenants/{tenant}/groups"), "tenant_not_found"),
            (accounts, "tenant_not_found"),
            (format!("/v1/identity/users/{}", user.id), "identity_not_found"),
            (format!("/v1/identity/users/{}/roles", user.id), "identity_not_found"),
            (format!("/v1/identity/resolve/user/{}", user.id), "identity_not_found"),
            (format!("/v1/identity/groups/{group}"), "identity_not_found"),
            (format!("/v1/identity/groups/{group}/members"), "identity_not_found"),
            (format!("/v1/identity/service-accounts/{account}"), "identity_not_found"),
        ];
        targets.push(things);
    }
    for (roles, sight) in [
        (&[][..], [true, false, false]),
        (&["tenant_admin"], [true, false, false]),
        (&["partner_admin"], [true, true, false]),
        (&["super_admin"], [true, true, true]),
    ] {
        let actor = holder(&app, HOME, roles).await;
        for (place, seen) in targets.iter().zip(sight) {
            for (target, code) in place {
                // The partner of the next tenant is the caller's own.
                if seen || target == "/v1/identity/partners/ptn_default" {
                    actor.get(target).await.expect(200);
                } else {
                    actor.get(target).await.expect_error(404, code);
                }
            }
        }
    }
}

#[tokio::test]
async fn absent_and_unseen_answer_alike() {
    let app = TestApp::new().await;
    let partner = app.partner("Far").await;
    let far = app.tenant_of(&partner, "far").await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let mut answers = Vec::new();
    for id in [far.as_str(), "tnt_xyz"] {
        let mut answer = boss.get(&format!("/v1/identity/tenants/{id}")).await.expect(404).json();
        answer["error"]["request_id"] = json!(null);
        answers.push(answer.to_string().replace(id, "ID"));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn lists_hold_only_what_is_seen() {
    let app = TestApp::new().await;
    let partner = app.partner("Far").await;
    app.tenant("near").await;
    app.tenant_of(&partner, "far").await;
    for (roles, partners, tenants) in
        [(&[][..], 1, 1), (&["tenant_admin"], 1, 1), (&["partner_admin"], 1, 2), (&["super_admin"], 2, 3)]
    {
        let actor = holder(&app, HOME, roles).await;
        let total = |answer: serde_json::Value, key: &str| {
            assert_eq!(answer["total"], answer[key].as_array().unwrap().len());
            answer["total"].as_i64().unwrap()
        };
        assert_eq!(total(actor.get("/v1/identity/partners").await.expect(200).json(), "partners"), partners);
        assert_eq!(total(actor.get("/v1/identity/tenants").await.expect(200).json(), "tenants"), tenants, "{roles:?}");
        let far = actor.get(&format!("/v1/identity/tenants?partner_id={partner}")).await.expect(200).json();
        assert_eq!(far["total"], i64::from(roles.contains(&"super_admin")));
    }
}

#[tokio::test]
async fn a_tenant_header_has_no_effect_here_and_a_prefix_leads_nowhere() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let plain = holder(&app, HOME, &[]).await;
    plain.get("/v1/identity/tenants").in_tenant(&near).await.expect(200);
    plain.get(&format!("/v1/t/{HOME}/identity/tenants")).await.expect_error(404, "not_found");
}
