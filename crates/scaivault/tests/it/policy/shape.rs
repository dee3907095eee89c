//! What a policy may look like (L-13).

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::rules;
use crate::identity::HOME;

fn with(conditions: Value) -> Value {
    json!([{"path_pattern": "a", "permissions": ["read"], "conditions": conditions}])
}

fn window(window: Value) -> Value {
    with(json!({"time_window": window}))
}

#[rstest]
#[case::leading_slash(rules("/app/**", &["read"]), 400, "invalid_glob")]
#[case::empty_pattern(rules("", &["read"]), 400, "invalid_glob")]
#[case::stars_in_a_segment(rules("app/a**", &["read"]), 400, "invalid_glob")]
#[case::brackets(rules("app/[ab]", &["read"]), 400, "invalid_glob")]
#[case::too_long_pattern(rules(&"a".repeat(513), &["read"]), 400, "invalid_glob")]
#[case::unknown_permission(rules("a", &["own"]), 400, "invalid_policy")]
#[case::no_permission(rules("a", &[]), 400, "invalid_policy")]
#[case::no_rules(json!([]), 400, "invalid_policy")]
#[case::cidr(with(json!({"ip_ranges": ["10.0.0.0/33"]})), 400, "invalid_policy")]
#[case::no_cidr(with(json!({"ip_ranges": []})), 400, "invalid_policy")]
#[case::age_without_mfa(with(json!({"mfa_max_age": "5m"})), 400, "invalid_policy")]
#[case::age_with_mfa_off(with(json!({"mfa_max_age": "5m", "require_mfa": false})), 400, "invalid_policy")]
#[case::bad_day(window(json!({"days": ["Monday"], "start": "08:00", "end": "18:00"})), 400, "invalid_policy")]
#[case::bad_time(window(json!({"start": "8", "end": "18:00"})), 400, "invalid_policy")]
#[case::midnight_24(window(json!({"start": "08:00", "end": "24:00"})), 400, "invalid_policy")]
#[case::bad_zone(window(json!({"start": "08:00", "end": "18:00", "timezone": "Mars"})), 400, "invalid_policy")]
#[tokio::test]
async fn l_13_what_means_nothing_has_a_code_of_its_own(#[case] rules: Value, #[case] status: u16, #[case] code: &str) {
    let app = TestApp::new().await;
    let root = app.root();
    root.post("/v1/policies", json!({"name": "p", "rules": rules})).await.expect_error(status, code);
    let id = app.policy_in(HOME, "good", &[("a", &["read"])], &[]).await;
    let target = format!("/v1/policies/{id}");
    root.put(&target, json!({"name": "p", "rules": rules})).await.expect_error(status, code);
    root.patch(&target, json!({"rules": rules})).await.expect_error(status, code);
}

#[tokio::test]
async fn l_13_a_bad_pattern_is_told_with_its_rule() {
    let app = TestApp::new().await;
    let root = app.root();
    let first = root.post("/v1/policies", json!({"name": "p", "rules": rules("/app/**", &["read"])})).await;
    let details = first.expect_error(400, "invalid_glob").details();
    assert_eq!((&details["rule"], &details["pattern"]), (&json!(0), &json!("/app/**")));
    assert!(details["reason"].is_string());
    let two = json!([rules("a", &["read"])[0], rules("a//b", &["read"])[0]]);
    let second = root.post("/v1/policies", json!({"name": "p", "rules": two})).await.expect_error(400, "invalid_glob");
    assert_eq!(second.details()["rule"], 1);
}

#[rstest]
#[case(json!({"name": "p", "rules": [{"path_pattern": "a", "permissions": ["read"], "condition": {}}]}), "rules[0].condition", "unknown")]
#[case(json!({"name": "p", "rules": with(json!({"ip_range": []}))}), "rules[0].conditions.ip_range", "unknown")]
#[case(json!({"name": "p", "rules": window(json!({"start": "08:00", "end": "18:00", "tz": "UTC"}))}), "rules[0].conditions.time_window.tz", "unknown")]
#[case(json!({"name": "p", "rules": [{"permissions": ["read"]}]}), "rules[0].path_pattern", "required")]
#[case(json!({"name": "p", "rules": [{"path_pattern": "a"}]}), "rules[0].permissions", "required")]
#[case(json!({"name": "p", "rules": {}}), "rules", "type")]
#[case(json!({"name": "p", "rules": with(json!({"require_mfa": "yes"}))}), "rules[0].conditions.require_mfa", "type")]
#[case(json!({"rules": rules("a", &["read"])}), "name", "required")]
#[case(json!({"name": "p"}), "rules", "required")]
#[case(json!({"name": " p", "rules": rules("a", &["read"])}), "name", "format")]
#[case(json!({"name": "p", "rules": rules("a", &["read"]), "description": "d".repeat(2001)}), "description", "range")]
#[case(json!({"name": "p", "rules": rules("a", &["read"]), "scope": "global"}), "scope", "format")]
#[case(json!({"name": "p", "rules": rules("a", &["read"]), "bindings": []}), "bindings", "not_allowed")]
#[tokio::test]
async fn l_13_shape_faults_name_their_field(#[case] body: Value, #[case] field: &str, #[case] code: &str) {
    let app = TestApp::new().await;
    app.root().post("/v1/policies", body).await.expect_fault(field, code);
}

#[tokio::test]
async fn limits_and_folding() {
    let app = TestApp::new().await;
    let root = app.root();
    let many = |count: usize| json!(vec![rules("a", &["read"])[0].clone(); count]);
    root.post("/v1/policies", json!({"name": "hundred", "rules": many(100)})).await.expect(201);
    root.post("/v1/policies", json!({"name": "more", "rules": many(101)})).await.expect_error(400, "invalid_policy");
    let body = json!({"name": "twice", "rules": rules("a", &["read", "list", "read"])});
    let folded = root.post("/v1/policies", body).await.expect(201).json();
    assert_eq!(folded["rules"][0]["permissions"].as_array().unwrap().len(), 2);
    let taken = root.post("/v1/policies", json!({"name": "twice", "rules": rules("a", &["read"])})).await;
    assert_eq!(taken.expect_error(409, "name_exists").details(), json!({"field": "name", "id": folded["id"]}));
    root.post("/v1/policies", json!({"name": "Twice", "rules": rules("a", &["read"])})).await.expect(201);
    let other = app.tenant("other").await;
    root.post("/v1/policies", json!({"name": "twice", "rules": rules("a", &["read"])}))
        .in_tenant(&other)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_policy_comes_back_as_it_was_sent() {
    let app = TestApp::new().await;
    let root = app.root();
    let conditions = json!({"ip_ranges": ["10.1.0.0/16", "2001:db8::/32"], "require_mfa": true, "mfa_max_age": "5m",
        "time_window": {"days": ["mon", "fri"], "start": "08:00", "end": "18:00", "timezone": "Europe/Berlin"}});
    let sent = json!([{"path_pattern": "environments/production/**", "permissions": ["read", "list"],
        "conditions": conditions}]);
    let body = json!({"name": "prod-readers", "description": "text", "rules": sent});
    let made = root.post("/v1/policies", body).await.expect(201).json();
    let expected = json!({"id": made["id"], "name": "prod-readers", "description": "text", "scope": "tenant",
        "is_active": true, "rules": sent, "bindings": [], "created_at": "2026-05-01T10:00:00Z",
        "updated_at": "2026-05-01T10:00:00Z"});
    assert_eq!(made, expected);
    assert_eq!(root.get(&format!("/v1/policies/{}", made["id"].as_str().unwrap())).await.expect(200).json(), expected);
}
