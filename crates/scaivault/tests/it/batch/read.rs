//! Batch read: section 1.

use scaivault_testkit::{Actor, TestApp};
use serde_json::json;

use super::{READ, entries, fill, keys, metadata, read, read_with};

const GOOD_DENIED_ABSENT: [&str; 3] = ["app/good", "infra/denied", "app/absent"];

/// May read `app/**` and nothing else.
async fn reader(app: &TestApp) -> Actor<'_> {
    fill(app, &["app/good", "app/other", "infra/denied"]).await;
    app.user("reader", &["secrets:read"], &[("app/**", &["read"])]).await
}

#[tokio::test]
async fn b_1_good_ones_come_beside_errors() {
    let app = TestApp::new().await;
    let reader = reader(&app).await;
    let answer = read(&reader, &GOOD_DENIED_ABSENT).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(
        body["secrets"],
        json!({"app/good": {"data": {"v": app.canary(), "path": "app/good"}, "version": 1, "secret_type": "kv"}})
    );
    assert_eq!(keys(&body["errors"]), ["app/absent", "infra/denied"]);
    assert_eq!((&body["success_count"], &body["error_count"]), (&json!(1), &json!(2)));
    for (path, status) in [("infra/denied", 403), ("app/absent", 404)] {
        let mut single = reader.get(&format!("/v1/secrets/{path}")).await.expect(status).json()["error"].clone();
        single.as_object_mut().unwrap().remove("request_id");
        assert_eq!(body["errors"][path], single, "the same as of a single read");
    }
    assert_eq!(body["errors"]["infra/denied"]["code"], "access_denied");
    assert_eq!(body["errors"]["app/absent"]["code"], "secret_not_found");
}

#[tokio::test]
async fn b_2_the_first_error_in_order_is_the_answer_when_failing_fast() {
    let app = TestApp::new().await;
    let reader = reader(&app).await;
    let fail_fast = || json!({"fail_fast": true});
    let denied = read_with(&reader, &GOOD_DENIED_ABSENT, fail_fast()).await.expect_error(403, "access_denied");
    assert_eq!(denied.details()["path"], "infra/denied");
    assert!(denied.json().get("secrets").is_none());
    let audited: Vec<_> =
        entries(&app, &denied).await.iter().map(|e| (e["secret_path"].clone(), e["status_code"].clone())).collect();
    assert_eq!(audited, [(json!("app/good"), json!(200)), (json!("infra/denied"), json!(403))]);

    let absent = read_with(&reader, &["app/absent", "infra/denied", "app/good"], fail_fast()).await;
    let absent = absent.expect_error(404, "secret_not_found");
    assert_eq!(absent.details()["path"], "app/absent");
    assert_eq!(entries(&app, &absent).await.len(), 1);
    let invalid = read_with(&reader, &["app/good", "a//b"], fail_fast()).await.expect_error(400, "invalid_path");
    assert_eq!(invalid.details(), json!({"path": "a//b", "reason": "empty_segment"}));
    let good = read_with(&reader, &["app/good", "app/other"], fail_fast()).await.expect(200);
    assert_eq!(keys(&good.json()["secrets"]), ["app/good", "app/other"]);
}

#[tokio::test]
async fn b_3_from_one_to_a_hundred_paths() {
    let app = TestApp::new().await;
    let root = app.root();
    let paths: Vec<String> = (0..101).map(|i| format!("many/{i}")).collect();
    root.post(READ, json!({"paths": paths})).await.expect_fault("paths", "range");
    root.post(READ, json!({"paths": []})).await.expect_fault("paths", "range");
    root.post(READ, json!({"paths": ["a", 1]})).await.expect_fault("paths[1]", "type");
    root.post(READ, json!({"paths": "a"})).await.expect_fault("paths", "type");
    root.post(READ, json!({})).await.expect_fault("paths", "required");
    root.post(READ, json!({"paths": ["a"], "option": {}})).await.expect_fault("option", "unknown");
    root.post(&format!("{READ}?version=1"), json!({"paths": ["a"]})).await.expect_fault("version", "unknown");
    read_with(&root, &["a"], json!({"version": 0})).await.expect_fault("options.version", "range");
    read_with(&root, &["a"], json!({"fail_fast": "true"})).await.expect_fault("options.fail_fast", "type");
    let all = root.post(READ, json!({"paths": paths[..100]})).await.expect(200).json();
    assert_eq!((&all["success_count"], &all["error_count"]), (&json!(0), &json!(100)), "all failed is still 200");
}

#[tokio::test]
async fn b_4_a_repeated_path_comes_once_with_one_entry() {
    let app = TestApp::new().await;
    fill(&app, &["a/b"]).await;
    let answer = read(&app.root(), &["a/b", "a//b", "a/b", "a//b"]).await.expect(200);
    assert_eq!((&answer.json()["success_count"], &answer.json()["error_count"]), (&json!(1), &json!(1)));
    assert_eq!(entries(&app, &answer).await.len(), 2);
}

#[tokio::test]
async fn b_5_a_version_that_one_of_them_has_not() {
    let app = TestApp::new().await;
    fill(&app, &["a/one", "a/two"]).await;
    let root = app.root();
    root.put("/v1/secrets/a/two", json!({"data": {"n": 2}})).await.expect(200);
    root.put("/v1/secrets/a/two", json!({"data": {"n": 3}})).await.expect(200);
    let body = read_with(&root, &["a/one", "a/two"], json!({"version": 2})).await.expect(200).json();
    assert_eq!(body["secrets"]["a/two"]["data"], json!({"n": 2}));
    assert_eq!(body["secrets"]["a/two"]["version"], 2);
    assert_eq!(body["errors"]["a/one"]["code"], "version_not_found");
    assert_eq!(body["errors"]["a/one"]["details"], json!({"path": "a/one", "version": 2}));
}

#[tokio::test]
async fn b_6_each_value_is_that_of_a_single_read_and_counts_as_one() {
    let app = TestApp::new().await;
    let root = app.root();
    let texts = [("a/x", r#"{"z":1,"a":1.50,"e":1e400}"#), ("a/y", r#"{"é":"ü","n":[]}"#)];
    for (path, data) in texts {
        let body = format!(r#"{{"data":{data},"secret_type":"json"}}"#);
        root.put(&format!("/v1/secrets/{path}"), json!({})).raw("application/json", body.as_bytes()).await.expect(201);
    }
    root.get("/v1/secrets/a/x").await.expect(200);
    let batch = read(&root, &["a/y", "a/x", "a/none"]).await.expect(200);
    for (path, data) in texts {
        assert!(batch.text().contains(&format!(r#""{path}":{{"data":{data},"version":1,"secret_type":"json"}}"#)));
        let single = root.get(&format!("/v1/secrets/{path}")).await.expect(200);
        assert!(single.text().contains(&format!(r#""data":{data}"#)));
    }
    app.vault.flush_statistics().await.unwrap();
    for (path, reads) in [("a/x", 3), ("a/y", 2)] {
        let known = root.get(&format!("/v1/secrets/metadata/{path}")).await.expect(200).json();
        assert_eq!(known["access_count_30d"], reads, "{path}");
    }
}

#[tokio::test]
async fn b_6_what_is_not_disclosed_does_not_count() {
    let app = TestApp::new().await;
    fill(&app, &["a/x"]).await;
    let root = app.root();
    read_with(&root, &["a/x", "a/none"], json!({"fail_fast": true})).await.expect(404);
    app.vault.flush_statistics().await.unwrap();
    assert_eq!(root.get("/v1/secrets/metadata/a/x").await.expect(200).json()["access_count_30d"], 0);
}

#[tokio::test]
async fn b_10_the_names_of_the_routes_are_no_paths() {
    let app = TestApp::new().await;
    for path in ["batch", "batch/metadata"] {
        let answer = app.root().get(&format!("/v1/secrets/{path}")).await.expect_error(400, "invalid_path");
        assert_eq!(answer.details()["reason"], "reserved");
        assert_eq!(answer.details()["reserved"], "batch");
    }
    let body = read(&app.root(), &["batch/x", "a/restore"]).await.expect(200).json();
    assert_eq!(body["errors"]["batch/x"]["details"], json!({"reason": "reserved", "reserved": "batch"}));
    assert_eq!(body["errors"]["a/restore"]["code"], "invalid_path");
    app.root().post("/v1/partner/secrets/batch", json!({"paths": ["a"]})).await.expect(405);
}

#[tokio::test]
async fn with_metadata_items_have_every_field_but_the_path() {
    let app = TestApp::new().await;
    fill(&app, &["a/b"]).await;
    let root = app.root();
    let item = read_with(&root, &["a/b"], json!({"include_metadata": true})).await.expect(200).json()["secrets"]["a/b"]
        .clone();
    let mut expected = root.get("/v1/secrets/metadata/a/b").await.expect(200).json();
    let fields = expected.as_object_mut().unwrap();
    fields.remove("path");
    fields.insert("version".to_owned(), json!(1));
    fields.insert("data".to_owned(), json!({"v": app.canary(), "path": "a/b"}));
    assert_eq!(item, expected);
}

#[tokio::test]
async fn expired_and_deleted_ones_are_errors_of_their_own() {
    let app = TestApp::new().await;
    fill(&app, &["a/deleted"]).await;
    let root = app.root();
    root.delete("/v1/secrets/a/deleted").await.expect(200);
    root.put("/v1/secrets/a/expired", json!({"data": {}, "options": {"expires_in": "1h"}})).await.expect(201);
    app.clock.advance(3600);
    let errors = read(&root, &["a/deleted", "a/expired"]).await.expect(200).json()["errors"].clone();
    assert_eq!(errors["a/deleted"]["code"], "secret_not_found");
    assert_eq!(errors["a/expired"]["code"], "secret_expired");
    assert!(errors["a/expired"]["details"]["expires_at"].is_string());
}

#[tokio::test]
async fn a_value_that_was_replaced_does_not_come_again() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&app, &["a/x", "a/y"]).await;
    for n in 0..3 {
        root.put("/v1/secrets/a/y", json!({"data": {"n": n}})).await.expect(200);
        let batch = read(&root, &["a/x", "a/y"]).await.expect(200).json();
        assert_eq!(batch["secrets"]["a/y"]["data"], json!({"n": n}));
        assert_eq!(root.get("/v1/secrets/a/y").await.expect(200).json()["data"], json!({"n": n}));
    }
}

#[tokio::test]
async fn all_values_together_have_a_limit() {
    let app = TestApp::builder().settings(|settings| settings.max_secret_bytes = 1000).start().await;
    let root = app.root();
    let paths: Vec<String> = (0..33).map(|i| format!("big/{i:02}")).collect();
    for path in &paths {
        root.put(&format!("/v1/secrets/{path}"), json!({"data": {"v": "x".repeat(980)}})).await.expect(201);
    }
    let refused = root.post(READ, json!({"paths": paths})).await.expect_error(413, "payload_too_large");
    assert_eq!(refused.details(), json!({"limit_bytes": 32_000}));
    let trail = entries(&app, &refused).await;
    assert_eq!((trail.len(), &trail[32]["status_code"]), (33, &json!(413)));
    let fits = root.post(READ, json!({"paths": paths[..32]})).await.expect(200);
    assert_eq!(fits.json()["success_count"], 32);
}

#[tokio::test]
async fn another_tenant_is_read_in_its_own_name() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    fill(&app, &["a/b"]).await;
    root.put(&format!("/v1/t/{other}/secrets/a/b"), json!({"data": {"of": "other"}})).await.expect(201);
    let there = root.post(&format!("/v1/t/{other}/secrets/batch"), json!({"paths": ["a/b"]})).await.expect(200);
    assert_eq!(there.json()["secrets"]["a/b"]["data"], json!({"of": "other"}));
    let named = read(&root, &["a/b"]).in_tenant(&other).await.expect(200);
    assert_eq!(named.json()["secrets"]["a/b"]["data"], json!({"of": "other"}));
    let trail = root.get("/v1/audit/secrets/a/b").in_tenant(&other).await.expect(200).json();
    assert_eq!(trail["summary_30d"]["reads"], 2);
}

#[tokio::test]
async fn a_key_for_repetition_has_no_effect() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&app, &["a/b", "a/c"]).await;
    for path in ["a/b", "a/c"] {
        let answer = read(&root, &[path]).header("idempotency-key", "same").await.expect(200);
        assert_eq!(answer.header("idempotent-replayed"), None);
        assert_eq!(keys(&answer.json()["secrets"]), [path]);
    }
}

#[tokio::test]
async fn whoever_has_no_policy_learns_the_same_of_what_exists_and_what_does_not() {
    let app = TestApp::new().await;
    fill(&app, &["there/is"]).await;
    let stranger = app.user("stranger", &["secrets:read", "secrets:list"], &[]).await;
    for call in [read(&stranger, &["there/is", "there/no"]), metadata(&stranger, &["there/is", "there/no"], false)] {
        let errors = call.await.expect(200).json()["errors"].clone();
        let [is, no] = ["there/is", "there/no"].map(|path| errors[path].to_string().replace(path, "PATH"));
        assert_eq!(is, no);
        assert!(is.contains("access_denied"));
    }
}
