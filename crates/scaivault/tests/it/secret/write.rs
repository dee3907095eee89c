//! `PUT /v1/secrets/{path}`

use http::Method;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOUR, at, metadata, put, put_with, rotation_policy, url};

#[tokio::test]
async fn a_first_write_answers_201_and_later_ones_200() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"data": {"v": app.canary()}, "secret_type": "json", "options": {"expires_in": "90d"}});
    let first = root.put(&url("a/b"), body).await.expect(201);
    let created = at(&app, 0);
    let expected = json!({"path": "a/b", "secret_type": "json", "version": 1, "created": true,
        "created_at": created, "expires_at": at(&app, 90 * 86_400)});
    assert_eq!(first.json(), expected);
    assert_eq!(first.header("etag"), Some("\"1\""));
    app.clock.advance(HOUR);
    let second = root.put(&url("a/b"), json!({"data": {"v": app.canary()}})).await.expect(200);
    let expected =
        json!({"path": "a/b", "version": 2, "created": false, "previous_version": 1, "updated_at": at(&app, 0)});
    assert_eq!(second.json(), expected, "the same data again is a new version");
    assert_eq!(second.header("etag"), Some("\"2\""));
    assert_eq!(metadata(&root, "a/b").await["created_at"], created);
}

#[tokio::test]
async fn defaults_hold_on_create_and_nothing_changes_unsaid_on_update() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "plain", app.canary()).await;
    let plain = metadata(&root, "plain").await;
    assert_eq!(plain["secret_type"], "kv");
    assert_eq!(plain["metadata"], json!({"description": null, "tags": [], "owner": null, "custom": {}}));
    assert_eq!(plain["options"], json!({"max_versions": 10, "expires_in": null, "notify_before": "30d,7d,1d"}));
    assert_eq!(
        (&plain["expires_at"], &plain["rotation_policy"], &plain["secret_policy_id"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );

    rotation_policy(&root, "quarterly", json!({})).await;
    put_with(&root, "full", full_body()).await;
    let before = metadata(&root, "full").await;
    put(&root, "full", "2").await;
    let after = metadata(&root, "full").await;
    for field in ["secret_type", "metadata", "options", "secret_policy_id", "created_at"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(after["rotation_policy"]["id"], "rot_quarterly");
}

fn full_body() -> Value {
    json!({"data": {"v": "1"}, "secret_type": "ssh_key",
        "metadata": {"description": "d", "tags": ["b", "a"], "owner": "team:x", "custom": {"k": "v"}},
        "options": {"max_versions": 5, "expires_in": "1h30m", "rotation_policy_id": "rot_quarterly",
            "notify_before": ["1d", "2w"]}})
}

#[tokio::test]
async fn given_subfields_replace_and_null_clears() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    put_with(&root, "a", full_body()).await;
    let change = json!({"data": {"v": "2"},
        "metadata": {"description": null, "tags": ["new"], "custom": {"other": "x"}},
        "options": {"rotation_policy_id": null, "expires_in": null}});
    put_with(&root, "a", change).await;
    let now = metadata(&root, "a").await;
    let expected = json!({"description": null, "tags": ["new"], "owner": "team:x", "custom": {"other": "x"}});
    assert_eq!(now["metadata"], expected);
    assert_eq!(now["options"], json!({"max_versions": 5, "expires_in": null, "notify_before": "2w,1d"}));
    assert_eq!((&now["rotation_policy"], &now["expires_at"]), (&Value::Null, &Value::Null));
    put_with(&root, "a", json!({"data": {}, "metadata": {"owner": null, "tags": null, "custom": null}})).await;
    let cleared = json!({"description": null, "tags": [], "owner": null, "custom": {}});
    assert_eq!(metadata(&root, "a").await["metadata"], cleared);
}

#[tokio::test]
async fn s_2_data_must_be_an_object() {
    let app = TestApp::new().await;
    let root = app.root();
    for (data, code) in [
        (json!({"data": null}), "type"),
        (json!({"data": []}), "type"),
        (json!({"data": "x"}), "type"),
        (json!({}), "required"),
    ] {
        let refused = root.put(&url("a"), data.clone()).await.expect_error(422, "validation_error");
        assert_eq!(refused.faults(), [("data".to_owned(), code.to_owned())], "{data}");
    }
    root.get(&url("a")).await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn all_faults_come_at_once_and_bad_json_comes_first() {
    let app = TestApp::new().await;
    let root = app.root();
    let refused = root.put(&url("a"), json!({"dta": {}})).await.expect_error(422, "validation_error");
    let mut faults = refused.faults();
    faults.sort();
    assert_eq!(faults, [("data".to_owned(), "required".to_owned()), ("dta".to_owned(), "unknown".to_owned())]);
    let deep = format!("{{\"data\":{}{}}}", "{\"a\":".repeat(70), "1".to_owned() + &"}".repeat(70));
    for body in
        ["", "{", "[]", "1", r#"{"data":{},"data":{}}"#, r#"{"data":{"a":1,"a":2}}"#, deep.as_str(), "{\"data\":{}} x"]
    {
        let answer = root.call(Method::PUT, &url("a")).raw("application/json", body.as_bytes()).await;
        match body {
            "" => drop(answer.expect_fault("data", "required")),
            _ => drop(answer.expect_error(400, "invalid_request")),
        }
    }
    root.call(Method::PUT, &url("a"))
        .raw("text/plain", b"{\"data\":{}}")
        .await
        .expect_error(415, "unsupported_media_type");
    root.call(Method::PUT, &url("a")).raw("application/json; charset=utf-8", b"{\"data\":{}}").await.expect(201);
    root.put(&url("a?dry_run=true"), json!({"data": {}})).await.expect_fault("dry_run", "unknown");
}

#[tokio::test]
async fn s_5_an_unknown_secret_type_is_named() {
    let app = TestApp::new().await;
    let root = app.root();
    for bad in ["password", "", "KV"] {
        let body = json!({"data": {}, "secret_type": bad});
        root.put(&url("a"), body).await.expect_error(400, "invalid_secret_type");
    }
    root.put(&url("a"), json!({"data": {}, "secret_type": 1})).await.expect_fault("secret_type", "type");
    for (number, good) in ["kv", "json", "certificate", "ssh_key", "api_key"].iter().enumerate() {
        put_with(&root, &format!("t/{number}"), json!({"data": {"any": "shape"}, "secret_type": good})).await;
        assert_eq!(metadata(&root, &format!("t/{number}")).await["secret_type"], *good);
    }
}

#[tokio::test]
async fn s_6_max_versions_is_1_to_100() {
    let app = TestApp::new().await;
    let root = app.root();
    for (bad, code) in [(json!(0), "range"), (json!(101), "range"), (json!("5"), "type"), (json!(2.5), "type")] {
        let body = json!({"data": {}, "options": {"max_versions": bad}});
        root.put(&url("a"), body).await.expect_fault("options.max_versions", code);
    }
    for good in [1, 100] {
        put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"max_versions": good}})).await;
    }
}

#[tokio::test]
async fn s_7_an_expiry_is_a_duration_or_a_time_ahead() {
    let app = TestApp::new().await;
    let root = app.root();
    let options = |options: Value| json!({"data": {"v": "x"}, "options": options});
    for bad in ["90 days", "90", "1.5h", "", "-1d", "1m1h", "1d1d", "36501d", " 1d"] {
        let refused =
            root.put(&url("a"), options(json!({"expires_in": bad}))).await.expect_error(400, "invalid_duration");
        assert_eq!(refused.details(), json!({"field": "options.expires_in", "value": bad}));
    }
    for (bad, field, code) in [
        (json!({"expires_in": "90d", "expires_at": at(&app, 60)}), "options.expires_at", "conflict"),
        (json!({"expires_at": at(&app, -1)}), "options.expires_at", "range"),
        (json!({"expires_at": at(&app, 0)}), "options.expires_at", "range"),
        (json!({"expires_at": "2026-12-01T10:00:00"}), "options.expires_at", "format"),
        (json!({"expires_at": 5}), "options.expires_at", "type"),
        (json!({"expires_in": 90}), "options.expires_in", "type"),
        (json!({"expires_in": "0s"}), "options.expires_in", "range"),
    ] {
        root.put(&url("a"), options(bad)).await.expect_fault(field, code);
    }
    root.get(&url("a")).await.expect_error(404, "secret_not_found");
    let created = put_with(&root, "a", options(json!({"expires_at": "2026-05-01T13:00:00+02:00"}))).await;
    assert_eq!(created.json()["expires_at"], "2026-05-01T11:00:00Z");
}

#[tokio::test]
async fn tags_are_folded_and_keep_their_order() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {}, "metadata": {"tags": ["z", "a", "z", "A", "a"]}})).await;
    assert_eq!(metadata(&root, "a").await["metadata"]["tags"], json!(["z", "a", "A"]));
}

#[tokio::test]
async fn metadata_has_its_limits() {
    let app = TestApp::new().await;
    let root = app.root();
    let long = |count: usize| "é".repeat(count);
    let many = |count: usize| (0..count).map(|n| json!(format!("t{n}"))).collect::<Vec<_>>();
    let map = |count: usize| Value::Object((0..count).map(|n| (format!("k{n}"), json!("v"))).collect());
    let good = json!({"description": long(2000), "owner": long(256), "tags": many(50), "custom": map(64)});
    put_with(&root, "good", json!({"data": {}, "metadata": good})).await;
    put_with(&root, "good", json!({"data": {}, "metadata": {"tags": [long(64)], "custom": {long(128): long(1024)}}}))
        .await;
    for (bad, field) in [
        (json!({"description": long(2001)}), "metadata.description"),
        (json!({"description": 1}), "metadata.description"),
        (json!({"owner": long(257)}), "metadata.owner"),
        (json!({"tags": many(51)}), "metadata.tags"),
        (json!({"tags": "a,b"}), "metadata.tags"),
        (json!({"tags": ["ok", long(65)]}), "metadata.tags[1]"),
        (json!({"tags": [""]}), "metadata.tags[0]"),
        (json!({"tags": ["a\nb"]}), "metadata.tags[0]"),
        (json!({"custom": map(65)}), "metadata.custom"),
        (json!({"custom": {"k": long(1025)}}), "metadata.custom.k"),
        (json!({"custom": {"k": 1}}), "metadata.custom.k"),
        (json!({"color": "red"}), "metadata.color"),
        (json!([]), "metadata"),
    ] {
        let refused =
            root.put(&url("a"), json!({"data": {}, "metadata": bad})).await.expect_error(422, "validation_error");
        assert_eq!(refused.faults()[0].0, field, "{bad}: {}", refused.text());
    }
    for bad in [json!({long(129): "v"}), json!({"": "v"})] {
        root.put(&url("a"), json!({"data": {}, "metadata": {"custom": bad}}))
            .await
            .expect_error(422, "validation_error");
    }
    root.get(&url("a")).await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn policies_must_exist_in_the_tenant() {
    let app = TestApp::new().await;
    let root = app.root();
    let options = |options: Value| json!({"data": {"v": "x"}, "options": options});
    let refused = root.put(&url("a"), options(json!({"rotation_policy_id": "rot_none"}))).await;
    assert_eq!(refused.expect_error(404, "rotation_policy_not_found").details(), json!({"id": "rot_none"}));
    let refused = root.put(&url("a"), options(json!({"secret_policy_id": "sp_none"}))).await;
    assert_eq!(refused.expect_error(404, "secret_policy_not_found").details(), json!({"id": "sp_none"}));
    root.get(&url("a")).await.expect_error(404, "secret_not_found");
    let fields = json!([{"name": "v", "generator": "hex"}]);
    root.post("/v1/secret-policies", json!({"name": "db", "fields": fields})).await.expect(201);
    put_with(&root, "a", options(json!({"secret_policy_id": "sp_db"}))).await;
    let read = root.get(&url("a")).await.expect(200).json();
    assert_eq!(
        (&read["data"]["v"], &read["secret_policy_id"]),
        (&json!("x"), &json!("sp_db")),
        "PUT generates nothing"
    );
    put_with(&root, "a", options(json!({"secret_policy_id": null}))).await;
    assert_eq!(metadata(&root, "a").await["secret_policy_id"], Value::Null);
}

#[tokio::test]
async fn notify_before_takes_text_or_array_and_shows_the_longest_first() {
    let app = TestApp::new().await;
    let root = app.root();
    for (given, shown) in [(json!("1d,7d"), "7d,1d"), (json!(["1h", "2w", "36h"]), "2w,36h,1h"), (json!("12h"), "12h")]
    {
        put_with(&root, "a", json!({"data": {}, "options": {"notify_before": given}})).await;
        assert_eq!(metadata(&root, "a").await["options"]["notify_before"], shown);
    }
    for bad in [json!("7"), json!("1d,x"), json!(["1d", "1.5h"])] {
        let body = json!({"data": {}, "options": {"notify_before": bad}});
        root.put(&url("a"), body).await.expect_error(400, "invalid_duration");
    }
    let eleven: Vec<String> = (1..=11).map(|days| format!("{days}d")).collect();
    for bad in [json!(eleven), json!(eleven.join(",")), json!(7), json!([7])] {
        let body = json!({"data": {}, "options": {"notify_before": bad}});
        root.put(&url("a"), body).await.expect_error(422, "validation_error");
    }
    put_with(&root, "a", json!({"data": {}, "options": {"notify_before": eleven[..10].join(",")}})).await;
}

#[tokio::test]
async fn a_write_to_a_deleted_path_is_refused_whatever_its_precondition() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    root.delete(&url("a")).await.expect(200);
    let body = || json!({"data": {}});
    for call in [
        root.put(&url("a"), body()),
        root.put(&url("a"), body()).header("if-none-match", "*"),
        root.put(&url("a"), body()).header("if-match", "*"),
        root.put(&url("a"), body()).header("if-match", "\"7\""),
        root.put(&url("a"), json!({"data": {}, "options": {"expected_version": 0}})),
    ] {
        let refused = call.await.expect_error(409, "secret_exists");
        assert_eq!(refused.details(), json!({"recoverable_until": at(&app, 30 * 86_400)}));
    }
}

#[tokio::test]
async fn a_write_that_rotates_tells_when_grace_ends() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({"grace_period": "2h"})).await;
    let body = json!({"data": {"v": app.canary()}, "options": {"rotation_policy_id": "rot_quarterly"}});
    let created = root.put(&url("a"), body).await.expect(201).json();
    assert_eq!(created.get("grace_period_ends"), None);
    let rotated = root.put(&url("a"), json!({"data": {"v": "2"}})).await.expect(200).json();
    assert_eq!(rotated["grace_period_ends"], at(&app, 2 * HOUR));
    root.post_empty("/v1/rotation/policies/rot_quarterly/disable").await.expect(200);
    let plain = root.put(&url("a"), json!({"data": {"v": "3"}})).await.expect(200).json();
    assert_eq!(plain.get("grace_period_ends"), None);
}

#[tokio::test]
async fn a_tenant_has_settings_of_its_own() {
    let app = TestApp::new().await;
    let root = app.root();
    let tenant = app.tenant("small").await;
    let settings = json!({"default_max_versions": 2, "soft_delete_retention": "1h", "max_secret_bytes": 100});
    root.patch(&format!("/v1/identity/tenants/{tenant}"), json!({"settings": settings})).await.expect(200);
    let write = |bytes: usize| {
        let value = "x".repeat(bytes - r#"{"v":""}"#.len());
        root.put(&url("a"), json!({"data": {"v": value}})).in_tenant(&tenant)
    };
    let refused = write(101).await.expect_error(413, "payload_too_large");
    assert_eq!(refused.details(), json!({"limit_bytes": 100}));
    for _ in 0..3 {
        write(100).await;
    }
    let now = root.get("/v1/secrets/metadata/a").in_tenant(&tenant).await.expect(200).json();
    let shown = (&now["options"]["max_versions"], &now["version_count"], &now["current_version"]);
    assert_eq!(shown, (&json!(2), &json!(2), &json!(3)));
    let deleted = root.delete(&url("a")).in_tenant(&tenant).await.expect(200).json();
    assert_eq!(deleted["recoverable_until"], at(&app, HOUR));
}
