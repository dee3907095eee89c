//! `/v1/policies/{id}/bindings` (L-9)

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{SECRETS, rules, secret};
use crate::identity::{HOME, group_in, holder, id_of};

async fn policy(app: &TestApp) -> String {
    id_of(
        &app.root()
            .post("/v1/policies", json!({"name": "p", "rules": rules("**", &["read"])}))
            .await
            .expect(201)
            .json(),
    )
}

#[tokio::test]
async fn l_9_a_binding_ends_with_its_second() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let bindings = format!("/v1/policies/{}/bindings", policy(&app).await);
    let bind = |at: &str| json!({"identity_type": "user", "identity_id": mia.id, "expires_at": at});
    for past in ["2026-05-01T09:59:59Z", "2026-05-01T10:00:00Z"] {
        app.root().post(&bindings, bind(past)).await.expect_fault("expires_at", "range");
    }
    app.root().post(&bindings, bind("2026-05-01T12:00:02")).await.expect_fault("expires_at", "format");
    let made = app.root().post(&bindings, bind("2026-05-01T12:00:02+02:00")).await.expect(201).json();
    assert_eq!(made["expires_at"], "2026-05-01T10:00:02Z");
    app.clock.advance(1);
    mia.get("/v1/secrets/a").await.expect(200);
    app.clock.advance(1);
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    assert_eq!(mia.get("/v1/secrets").await.expect(200).json()["total_count"], 0);
}

#[tokio::test]
async fn a_binding_has_the_shape_of_the_contract() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let group = group_in(&app, HOME, "dev").await;
    let accounts = format!("/v1/identity/tenants/{HOME}/service-accounts");
    app.root().post(&accounts, json!({"name": "crm"})).await.expect(201);
    let admin = holder(&app, HOME, &["tenant_admin"]).await;
    let policy = policy(&app).await;
    let target = format!("/v1/policies/{policy}/bindings");
    let table = [
        ("user", mia.id.as_str(), mia.identity_id.as_str()),
        ("group", group.as_str(), "group:dev"),
        ("service_account", "sa:crm", "sa:crm"),
        ("service_account", "dynamic:pg", "dynamic:pg"),
        ("system", "federation:old", "federation:old"),
    ];
    for (identity_type, given, shown) in table {
        let made = admin.post(&target, json!({"identity_type": identity_type, "identity_id": given})).await.expect(201);
        let made = made.json();
        assert!(id_of(&made).starts_with("bnd_"));
        let expected = json!({"id": made["id"], "policy_id": policy, "identity_type": identity_type,
            "identity_id": shown, "expires_at": null, "created_at": "2026-05-01T10:00:00Z",
            "created_by": admin.identity_id});
        assert_eq!(made, expected);
        // The same identity again, in either form.
        for form in [given, shown] {
            let again = admin.post(&target, json!({"identity_type": identity_type, "identity_id": form})).await;
            assert_eq!(again.expect_error(409, "name_exists").details()["id"], made["id"]);
        }
    }
    let list = admin.get(&target).await.expect(200).json();
    assert_eq!((list["bindings"].as_array().unwrap().len(), &list["has_more"]), (5, &json!(false)));
    let mut shown = admin.get(&format!("/v1/policies/{policy}")).await.expect(200).json()["bindings"].clone();
    let mut listed = list["bindings"].clone();
    for bindings in [&mut shown, &mut listed] {
        bindings.as_array_mut().unwrap().sort_by_key(|binding| binding["id"].to_string());
    }
    assert_eq!(shown, listed);
    let one = format!("{target}/{}", list["bindings"][0]["id"].as_str().unwrap());
    admin.delete(&one).await.expect(204);
    admin.delete(&one).await.expect_error(404, "binding_not_found");
}

#[rstest]
#[case(json!({"identity_type": "group", "identity_id": "user:admin@localhost"}), 400, "invalid_policy")]
#[case(json!({"identity_type": "user", "identity_id": "sa:crm"}), 400, "invalid_policy")]
#[case(json!({"identity_type": "user", "identity_id": "dynamic:pg"}), 400, "invalid_policy")]
#[case(json!({"identity_type": "user", "identity_id": "user:no@test.example"}), 404, "identity_not_found")]
#[case(json!({"identity_type": "user", "identity_id": "usr_nobody"}), 404, "identity_not_found")]
#[case(json!({"identity_type": "group", "identity_id": "group:none"}), 404, "identity_not_found")]
#[case(json!({"identity_type": "robot", "identity_id": "sa:crm"}), 422, "validation_error")]
#[case(json!({"identity_type": "user"}), 422, "validation_error")]
#[case(json!({"identity_type": "user", "identity_id": "usr_x", "expires": 1}), 422, "validation_error")]
#[tokio::test]
async fn bad_bindings_are_refused(#[case] body: Value, #[case] status: u16, #[case] code: &str) {
    let app = TestApp::new().await;
    let target = format!("/v1/policies/{}/bindings", policy(&app).await);
    app.root().post(&target, body).await.expect_error(status, code);
}

#[tokio::test]
async fn identities_of_other_tenants_are_absent() {
    let app = TestApp::new().await;
    let other = app.tenant("other").await;
    let foreign = app.user_in(&other, "foreign", &SECRETS, &[]).await;
    let target = format!("/v1/policies/{}/bindings", policy(&app).await);
    for form in [&foreign.id, &foreign.identity_id] {
        let answer = app.root().post(&target, json!({"identity_type": "user", "identity_id": form})).await;
        answer.expect_error(404, "identity_not_found");
    }
    app.root().get(&target).in_tenant(&other).await.expect_error(404, "policy_not_found");
}

#[tokio::test]
async fn a_walk_over_bindings_shows_each_once() {
    let app = TestApp::new().await;
    let target = format!("/v1/policies/{}/bindings", policy(&app).await);
    for n in 0..5 {
        let body = json!({"identity_type": "system", "identity_id": format!("dynamic:e{n}")});
        app.root().post(&target, body).await.expect(201);
    }
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = app.root().get(&format!("{target}{query}")).await.expect(200).json();
        seen.extend(page["bindings"].as_array().unwrap().iter().map(id_of));
        match page["cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}
