//! `POST /v1/policies/test` (L-15)

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{SECRETS, conditional, rules};
use crate::identity::{HOME, count_in_database, group_in, holder, id_of, join};

async fn ask(app: &TestApp, body: Value) -> Value {
    app.root().post("/v1/policies/test", body).await.expect(200).json()
}

fn question(identity: &str, path: &str, permission: &str) -> Value {
    json!({"identity_id": identity, "path": path, "permission": permission})
}

#[tokio::test]
async fn l_15_a_dry_run_leaves_no_trace() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[("a", &["read"])]).await;
    let count = || count_in_database(&app, "SELECT COUNT(*) FROM audit_entry");
    let before = count();
    ask(&app, question(&mia.id, "a", "read")).await;
    ask(&app, question(&mia.id, "b", "read")).await;
    let root = app.root();
    root.post("/v1/policies/test", question("user:no@test.example", "a", "read")).await.expect(404);
    root.post("/v1/policies/test", json!({})).await.expect(422);
    mia.post("/v1/policies/test", question(&mia.id, "a", "read")).await.expect_error(403, "insufficient_scope");
    assert_eq!(count(), before);
}

#[tokio::test]
async fn the_first_match_is_told() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let first = app.policy_in(HOME, "z", &[("x", &["read"]), ("a/**", &["list", "read"])], &[("user", &mia.id)]).await;
    app.clock.advance(1);
    app.policy_in(HOME, "a", &[("a/**", &["read"])], &[("user", &mia.id)]).await;
    for form in [&mia.id, &mia.identity_id] {
        let told = ask(&app, question(form, "a/b", "read")).await;
        assert_eq!(told, json!({"allowed": true, "matched_policy": first, "matched_rule": 1}));
    }
}

#[rstest]
#[case("tenant_admin")]
#[case("partner_admin")]
#[case("super_admin")]
#[tokio::test]
async fn a_role_is_told_as_the_match(#[case] role: &str) {
    let app = TestApp::new().await;
    let actor = holder(&app, HOME, &[role]).await;
    let told = ask(&app, question(&actor.id, "a", "admin")).await;
    assert_eq!(told, json!({"allowed": true, "matched_policy": format!("role:{role}"), "matched_rule": null}));
}

#[tokio::test]
async fn every_bound_policy_says_why_it_did_not_help() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &SECRETS, &[]).await;
    let denied = ask(&app, question(&mia.id, "a", "read")).await;
    let nothing =
        json!({"allowed": false, "reason": "access_denied", "failed_condition": null, "evaluated_policies": []});
    assert_eq!(denied, nothing);
    let rule = |pattern: &str, permission: &str, conditions: Value| json!({"path_pattern": pattern, "permissions": [permission], "conditions": conditions});
    let never = json!({"time_window": {"days": ["mon"], "start": "08:00", "end": "09:00"}});
    let table = [
        ("path_mismatch", rule("b", "read", json!({}))),
        ("permission_missing", rule("a", "write", json!({}))),
        ("time_window", rule("a", "read", never)),
        ("ip_ranges", rule("a", "read", json!({"ip_ranges": ["10.0.0.0/8"]}))),
        ("require_mfa", rule("a", "read", json!({"require_mfa": true}))),
        ("inactive", rule("a", "read", json!({}))),
    ];
    let mut expected = Vec::new();
    for (reason, rule) in table {
        app.clock.advance(1);
        let id = conditional(&app, reason, &mia.id, rule).await;
        if reason == "inactive" {
            root.patch(&format!("/v1/policies/{id}"), json!({"is_active": false})).await.expect(200);
        }
        expected.push(json!({"id": id, "name": reason, "reason": reason}));
    }
    app.clock.advance(1);
    let policy = json!({"name": "binding_expired", "rules": rules("a", &["read"])});
    let id = id_of(&root.post("/v1/policies", policy).await.expect(201).json());
    let at = "2026-05-01T10:01:00Z";
    let bind = json!({"identity_type": "user", "identity_id": mia.id, "expires_at": at});
    root.post(&format!("/v1/policies/{id}/bindings"), bind).await.expect(201);
    expected.push(json!({"id": id, "name": "binding_expired", "reason": "binding_expired"}));
    let mut body = question(&mia.id, "a", "read");
    body["context"] = json!({"timestamp": at});
    let told = ask(&app, body).await;
    assert_eq!(told["evaluated_policies"], json!(expected));
    assert_eq!((&told["reason"], &told["failed_condition"]), (&json!("mfa_required"), &json!("require_mfa")));
}

#[rstest]
#[case(json!({}), "ip_not_allowed")]
#[case(json!({"source_ip": "10.1.2.3"}), "mfa_required")]
#[case(json!({"source_ip": "10.1.2.3", "mfa_verified": false}), "mfa_required")]
#[case(json!({"source_ip": "11.1.2.3", "mfa_verified": true}), "ip_not_allowed")]
#[case(json!({"mfa_verified": true}), "ip_not_allowed")]
#[case(json!({"source_ip": "10.1.2.3", "mfa_verified": true}), "")]
#[case(json!({"source_ip": "::ffff:10.1.2.3", "mfa_verified": true}), "")]
#[tokio::test]
async fn what_the_context_leaves_out_fails(#[case] context: Value, #[case] reason: &str) {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let conditions = json!({"ip_ranges": ["10.0.0.0/8"], "require_mfa": true});
    let rule = json!({"path_pattern": "a", "permissions": ["read"], "conditions": conditions});
    conditional(&app, "p", &mia.id, rule).await;
    let mut body = question(&mia.id, "a", "read");
    body["context"] = context;
    let told = ask(&app, body).await;
    assert_eq!(told["allowed"], reason.is_empty(), "{told}");
    assert!(reason.is_empty() || told["reason"] == reason, "{told}");
}

#[rstest]
#[case(json!({"path": "a", "permission": "read"}), 422, "validation_error")]
#[case(json!({"identity_id": "sa:x", "permission": "read"}), 422, "validation_error")]
#[case(json!({"identity_id": "sa:x", "path": "a"}), 422, "validation_error")]
#[case(question("sa:x", "a", "own"), 422, "validation_error")]
#[case(json!({"identity_id": "sa:x", "path": "a", "permission": "read", "context": {"ip": "::1"}}), 422, "validation_error")]
#[case(json!({"identity_id": "sa:x", "path": "a", "permission": "read", "context": {"source_ip": "here"}}), 422, "validation_error")]
#[case(json!({"identity_id": "sa:x", "path": "a", "permission": "read", "context": {"timestamp": "now"}}), 422, "validation_error")]
#[case(question("sa:x", "/a", "read"), 400, "invalid_path")]
#[case(question("sa:x", "a/versions", "read"), 400, "invalid_path")]
#[case(question("sa:x", "a", "read"), 404, "identity_not_found")]
#[case(question("nonsense", "a", "read"), 404, "identity_not_found")]
#[tokio::test]
async fn bad_questions_are_refused(#[case] body: Value, #[case] status: u16, #[case] code: &str) {
    let app = TestApp::new().await;
    app.root().post("/v1/policies/test", body).await.expect_error(status, code);
}

#[tokio::test]
async fn groups_engines_and_neighbours() {
    let app = TestApp::new().await;
    let other = app.tenant("other").await;
    let foreign = app.user_in(&other, "foreign", &SECRETS, &[]).await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let (inner, outer) = (group_in(&app, HOME, "inner").await, group_in(&app, HOME, "outer").await);
    join(&app, &inner, &mia.id).await;
    join(&app, &outer, &inner).await;
    app.policy_in(HOME, "p", &[("a", &["read"])], &[("group", &outer), ("system", "dynamic:pg")]).await;
    for identity in [mia.id.as_str(), "group:inner", "group:outer", "dynamic:pg"] {
        assert_eq!(ask(&app, question(identity, "a", "read")).await["allowed"], true, "{identity}");
    }
    let root = app.root();
    for identity in [&foreign.id, &foreign.identity_id] {
        let answer = root.post("/v1/policies/test", question(identity, "a", "read")).await;
        answer.expect_error(404, "identity_not_found");
    }
    root.post("/v1/policies/test", question(&foreign.id, "a", "read")).in_tenant(&other).await.expect(200);
}
