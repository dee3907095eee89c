//! `/v1/rotation/policies`

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{POLICIES, attach, put, rotation_policy, state};
use crate::identity::{HOME, all_scopes};

#[tokio::test]
async fn r_1_a_policy_has_the_shape_of_the_contract() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "quarterly", "interval": "90d", "warn_before": ["1d", "7d"]});
    let made = root.post(POLICIES, body).await.expect(201).json();
    let expected = json!({"id": "rot_quarterly", "name": "quarterly", "description": null, "interval": "90d",
        "interval_seconds": 7_776_000, "grace_period": "48h", "warn_before": "7d,1d", "auto_generate": false,
        "secret_policy_id": null, "webhook_ids": [], "is_active": true, "secrets_count": 0,
        "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z"});
    assert_eq!(made, expected);
    assert_eq!(root.get(&format!("{POLICIES}/rot_quarterly")).await.expect(200).json(), expected);
}

#[rstest]
#[case::bare_number(json!({"interval": "90"}), 400, "invalid_duration")]
#[case::words(json!({"interval": "3 months"}), 400, "invalid_duration")]
#[case::no_text(json!({"interval": 90}), 422, "validation_error")]
#[case::too_short(json!({"interval": "10s"}), 422, "validation_error")]
#[case::just_too_short(json!({"interval": "59s"}), 422, "validation_error")]
#[case::grace_equal(json!({"interval": "1d", "grace_period": "24h"}), 422, "validation_error")]
#[case::grace_longer(json!({"interval": "1d", "grace_period": "2d"}), 422, "validation_error")]
#[case::grace_words(json!({"interval": "1d", "grace_period": "soon"}), 400, "invalid_duration")]
#[case::warning_equal(json!({"interval": "1d", "warn_before": "1d"}), 422, "validation_error")]
#[case::warning_words(json!({"interval": "1d", "warn_before": "1h,x"}), 400, "invalid_duration")]
#[case::warnings(json!({"interval": "1d", "warn_before": (1..12).map(|n| format!("{n}h")).collect::<Vec<_>>()}), 422, "validation_error")]
#[case::no_interval(json!({}), 422, "validation_error")]
#[case::recipe(json!({"interval": "1d", "secret_policy_id": "sp_none"}), 404, "secret_policy_not_found")]
#[case::webhook(json!({"interval": "1d", "webhook_ids": ["wh_none"]}), 404, "webhook_not_found")]
#[case::switch(json!({"interval": "1d", "is_active": false}), 422, "validation_error")]
#[case::read_only(json!({"interval": "1d", "interval_seconds": 1}), 422, "validation_error")]
#[case::description(json!({"interval": "1d", "description": "d".repeat(2001)}), 422, "validation_error")]
#[tokio::test]
async fn r_1_bad_policies_are_refused(#[case] mut body: Value, #[case] status: u16, #[case] code: &str) {
    let app = TestApp::new().await;
    body["name"] = json!("p");
    app.root().post(POLICIES, body).await.expect_error(status, code);
}

#[rstest]
#[case("90d", None, "48h")]
#[case("4d", None, "48h")]
#[case("1d", None, "12h")]
#[case("60s", None, "30s")]
#[case("90d", Some("0s"), "0s")]
#[case("90d", Some("1h30m"), "1h30m")]
#[tokio::test]
async fn r_1_grace_is_48h_or_half_the_interval(
    #[case] interval: &str,
    #[case] given: Option<&str>,
    #[case] grace: &str,
) {
    let app = TestApp::new().await;
    let mut body = json!({"name": "p", "interval": interval});
    if let Some(given) = given {
        body["grace_period"] = json!(given);
    }
    let made = app.root().post(POLICIES, body).await.expect(201).json();
    let seconds = |text: &Value| scaivault_domain::duration::Span::parse(text.as_str().unwrap()).unwrap().seconds();
    assert_eq!(seconds(&made["grace_period"]), seconds(&json!(grace)), "{made}");
    assert!(given.is_none_or(|given| made["grace_period"] == given));
}

#[tokio::test]
async fn r_1_warnings_come_back_longest_first_however_they_are_given() {
    let app = TestApp::new().await;
    let root = app.root();
    for (name, given, shown) in [
        ("list", json!(["1d", "7d"]), json!("7d,1d")),
        ("text", json!("1d,7d,36h"), json!("7d,36h,1d")),
        ("none", json!(null), Value::Null),
        ("empty", json!([]), Value::Null),
    ] {
        let made =
            root.post(POLICIES, json!({"name": name, "interval": "90d", "warn_before": given})).await.expect(201);
        assert_eq!(made.json()["warn_before"], shown, "{name}");
    }
}

#[tokio::test]
async fn r_2_ids_are_slugs_of_the_name_in_each_tenant_its_own() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    let body = |name: &str| json!({"name": name, "interval": "90d"});
    for tenant in [HOME, &other] {
        let made = root.post(POLICIES, body("quarterly")).in_tenant(tenant).await.expect(201).json();
        assert_eq!(made["id"], "rot_quarterly");
    }
    let taken = root.post(POLICIES, body("quarterly")).await.expect_error(409, "name_exists");
    assert_eq!(taken.details(), json!({"field": "name", "id": "rot_quarterly"}));
    // Another name with the same slug gets four characters more.
    let twin = root.post(POLICIES, body("Quarterly")).await.expect(201).json();
    let twin = twin["id"].as_str().unwrap();
    assert!(twin.starts_with("rot_quarterly_") && twin.len() == "rot_quarterly_".len() + 4, "{twin}");
    let odd = root.post(POLICIES, body("Every 90 -- Days!")).await.expect(201).json();
    assert!(odd["id"].as_str().unwrap().starts_with("rot_every_90_days"), "{odd}");
    // What another tenant has is absent here.
    let target = format!("{POLICIES}/{twin}");
    root.get(&target).await.expect(200);
    root.get(&target).in_tenant(&other).await.expect_error(404, "rotation_policy_not_found");
    let options = json!({"data": {}, "options": {"rotation_policy_id": twin}});
    let refused = root.put("/v1/secrets/a", options).in_tenant(&other).await;
    refused.expect_error(404, "rotation_policy_not_found");
    root.get("/v1/secrets/a").in_tenant(&other).await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    let target = format!("{POLICIES}/{id}");
    let made = root.get(&target).await.expect(200).json();
    app.clock.advance(10);
    assert_eq!(root.patch(&target, json!({})).await.expect(200).json(), made);
    let changed =
        root.patch(&target, json!({"name": "q", "description": "text", "warn_before": "7d"})).await.expect(200);
    let changed = changed.json();
    assert_eq!((&changed["id"], &changed["name"], &changed["warn_before"]), (&json!(id), &json!("q"), &json!("7d")));
    assert_eq!(changed["updated_at"], "2026-05-01T10:00:10Z");
    let cleared = root.patch(&target, json!({"description": null, "warn_before": null})).await.expect(200).json();
    assert_eq!((&cleared["description"], &cleared["warn_before"]), (&Value::Null, &Value::Null));
    root.patch(&target, json!({"grace_period": "90d"})).await.expect_fault("grace_period", "range");
    root.patch(&target, json!({"interval": "5s"})).await.expect_fault("interval", "range");
    root.patch(&target, json!({"interval": null})).await.expect(422);
    for field in ["id", "is_active", "interval_seconds", "secrets_count", "created_at", "updated_at"] {
        root.patch(&target, json!({field: 1})).await.expect_fault(field, "not_allowed");
    }
    rotation_policy(&app, "taken", "1d").await;
    root.patch(&target, json!({"name": "taken"})).await.expect_error(409, "name_exists");
    root.patch(&format!("{POLICIES}/rot_none"), json!({})).await.expect_error(404, "rotation_policy_not_found");
}

#[tokio::test]
async fn a_new_interval_counts_from_the_last_rotation() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a", "one").await;
    attach(&root, &id, "a").await;
    app.clock.advance(5 * super::DAY);
    root.patch(&format!("{POLICIES}/{id}"), json!({"interval": "30d"})).await.expect(200);
    assert_eq!(state(&app, "a").await["next_rotation"], "2026-05-31T10:00:00Z");
}

#[tokio::test]
async fn switching_is_idempotent_and_keeps_the_secrets() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a", "one").await;
    attach(&root, &id, "a").await;
    for (verb, is_active, status) in
        [("disable", false, "paused"), ("disable", false, "paused"), ("enable", true, "ok"), ("enable", true, "ok")]
    {
        let policy = root.post_empty(&format!("{POLICIES}/{id}/{verb}")).await.expect(200).json();
        assert_eq!((&policy["is_active"], &policy["secrets_count"]), (&json!(is_active), &json!(1)));
        assert_eq!(state(&app, "a").await["status"], status);
        let active = root.get(&format!("{POLICIES}?active_only=true")).await.expect(200).json();
        assert_eq!(active["data"].as_array().unwrap().len(), usize::from(is_active));
    }
    root.post_empty(&format!("{POLICIES}/rot_none/enable")).await.expect_error(404, "rotation_policy_not_found");
}

#[tokio::test]
async fn the_list_is_by_name() {
    let app = TestApp::new().await;
    let root = app.root();
    for name in ["c", "a", "b"] {
        rotation_policy(&app, name, "1d").await;
    }
    let first = root.get(&format!("{POLICIES}?limit=2")).await.expect(200).json();
    let cursor = first["cursor"].as_str().unwrap();
    let second = root.get(&format!("{POLICIES}?cursor={cursor}")).await.expect(200).json();
    let names: Vec<&Value> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["data"].as_array().unwrap())
        .map(|item| &item["name"])
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!((&second["has_more"], &second["cursor"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn all_of_it_needs_scope_admin() {
    let app = TestApp::new().await;
    let id = rotation_policy(&app, "quarterly", "90d").await;
    let others: Vec<&str> = all_scopes().into_iter().filter(|scope| *scope != "admin").collect();
    let mia = app.user("mia", &others, &[("**", &["admin"])]).await;
    let target = format!("{POLICIES}/{id}");
    for refused in [
        mia.get(POLICIES).await,
        mia.post(POLICIES, json!({"name": "p", "interval": "1d"})).await,
        mia.get(&target).await,
        mia.patch(&target, json!({})).await,
        mia.delete(&target).await,
        mia.post_empty(&format!("{target}/enable")).await,
        mia.post_empty(&format!("{target}/disable")).await,
        mia.get(&format!("{target}/secrets")).await,
        mia.post(&format!("{target}/secrets"), json!({"secret_path": "a"})).await,
        mia.delete(&format!("{target}/secrets/a")).await,
    ] {
        assert_eq!(refused.expect_error(403, "insufficient_scope").details()["required"], json!(["admin"]));
    }
}
