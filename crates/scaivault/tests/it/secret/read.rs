//! `GET /v1/secrets/{path}`

use http::Method;
use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOUR, at, put, put_versions, put_with, rotation_policy, url, value};

#[tokio::test]
async fn s_1_versions_are_numbered_and_stay_readable() {
    let app = TestApp::new().await;
    let root = app.root();
    let first = root.put("/v1/secrets/app/db", json!({"data": {"password": app.canary()}})).await.expect(201);
    assert_eq!(first.json()["version"], 1);
    assert_eq!(first.header("etag"), Some("\"1\""));
    let second = root.put("/v1/secrets/app/db", json!({"data": {"password": "two"}})).await.expect(200);
    assert_eq!((&second.json()["version"], &second.json()["previous_version"]), (&json!(2), &json!(1)));
    let old = root.get("/v1/secrets/app/db?version=1").await.expect(200);
    assert_eq!(old.json()["data"]["password"], app.canary());
    assert_eq!(old.json()["is_current"], false);
    root.get("/v1/secrets/app/db?version=9").await.expect_error(404, "version_not_found");
    root.get("/v1/secrets/app/db?version=0").await.expect_fault("version", "range");
}

#[tokio::test]
async fn s_4_data_comes_back_as_it_was_sent() {
    let app = TestApp::new().await;
    let root = app.root();
    for (sent, kept) in [
        (r#"{"n":1e400,"z":1.0,"a":12345678901234567890}"#, r#"{"n":1e400,"z":1.0,"a":12345678901234567890}"#),
        ("{ \"b\" : [ 1 , -0.0 ] ,\n\t\"a\" : { } }", r#"{"b":[1,-0.0],"a":{}}"#),
        (r#"{"u":"\u00e9é\/","t":" a  b "}"#, r#"{"u":"\u00e9é\/","t":" a  b "}"#),
        ("{}", "{}"),
    ] {
        let body = format!("{{\"data\":{sent}}}");
        root.call(Method::PUT, &url("raw")).raw("application/json", body.as_bytes()).await;
        let read = root.get(&url("raw")).await.expect(200);
        assert!(read.text().contains(&format!("\"data\":{kept},")), "{sent} came back in {}", read.text());
    }
}

#[tokio::test]
async fn the_answer_tells_of_the_version_and_of_the_secret_as_it_is_now() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    put_with(&root, "a/b", json!({"data": {"v": app.canary()}, "secret_type": "api_key"})).await;
    let created = at(&app, 0);
    app.clock.advance(HOUR);
    let body = json!({"data": {"k": 2}, "secret_type": "json",
        "options": {"expires_in": "90d", "rotation_policy_id": "rot_quarterly"},
        "metadata": {"description": "d", "tags": ["t"], "owner": "team:x", "custom": {"k": "v"}}});
    put_with(&root, "a/b", body).await;
    let written = at(&app, 0);

    let now = root.get(&url("a/b")).await.expect(200);
    assert_eq!(now.header("etag"), Some("\"2\""));
    assert_eq!(now.header("cache-control"), Some("no-store"));
    assert_eq!(now.header("content-type"), Some("application/json"));
    let mut expected = json!({"path": "a/b", "secret_type": "json", "version": 2, "data": {"k": 2},
        "metadata": {"description": "d", "tags": ["t"], "owner": "team:x", "custom": {"k": "v"}},
        "created_at": created, "updated_at": written, "expires_at": at(&app, 90 * 86_400),
        "rotation_policy_id": "rot_quarterly", "secret_policy_id": null,
        "version_created_at": written, "is_current": true, "readable_until": null});
    assert_eq!(now.json(), expected);

    let old = root.get(&url("a/b?version=1")).await.expect(200);
    assert_eq!(old.header("etag"), Some("\"1\""));
    expected["version"] = json!(1);
    expected["data"] = json!({"v": app.canary()});
    expected["version_created_at"] = json!(created);
    expected["is_current"] = json!(false);
    assert_eq!(old.json(), expected);
}

#[tokio::test]
async fn s_30_at_finds_the_version_of_a_time() {
    let app = TestApp::new().await;
    let root = app.root();
    let before = at(&app, -1);
    put(&root, "a", app.canary()).await;
    let first = at(&app, 0);
    app.clock.advance(HOUR);
    put(&root, "a", "two").await;
    let second = at(&app, 0);
    let between = at(&app, -1);
    app.clock.advance(HOUR);
    for (time, version) in [
        (first.as_str(), 1),
        (&between, 1),
        (&second, 2),
        ("2999-01-01T00:00:00Z", 2),
        ("2999-01-01T00:00:00.5%2B02:00", 2),
    ] {
        let read = root.get(&url(&format!("a?at={time}"))).await.expect(200);
        assert_eq!(read.json()["version"], version, "{time}");
    }
    root.get(&url(&format!("a?at={before}"))).await.expect_error(404, "version_not_found");
}

#[tokio::test]
async fn a_time_without_a_fraction_means_the_end_of_its_second() {
    let app = TestApp::new().await;
    let root = app.root();
    let second = at(&app, 0);
    let fraction = second.replace('Z', ".2Z");
    app.clock.advance_micros(300_000);
    put(&root, "a", app.canary()).await;
    app.clock.advance_micros(300_000);
    put(&root, "a", "two").await;
    app.clock.advance(5);
    assert_eq!(value(&root, &format!("a?at={second}")).await, "two");
    root.get(&url(&format!("a?at={fraction}"))).await.expect_error(404, "version_not_found");
    assert_eq!(value(&root, &format!("a?at={}", second.replace('Z', ".3Z"))).await, app.canary());
}

#[tokio::test]
async fn s_31_the_reign_of_a_deleted_version_stays_empty() {
    let app = TestApp::new().await;
    let root = app.root();
    let mut times = Vec::new();
    for number in 1..=4 {
        put(&root, "a", app.canary()).await;
        times.push(at(&app, 0));
        assert_eq!(number, times.len());
        app.clock.advance(10);
    }
    root.delete(&url("a?version=2")).await.expect(200);
    root.patch(&url("a"), json!({"options": {"max_versions": 2}})).await.expect(200);
    put(&root, "a", "five").await;
    for (time, version) in times.iter().zip([None, None, None, Some(4)]) {
        let read = root.get(&url(&format!("a?at={time}"))).await;
        match version {
            Some(version) => assert_eq!(read.expect(200).json()["version"], version),
            None => drop(read.expect_error(404, "version_not_found")),
        }
    }
}

#[tokio::test]
async fn bad_queries_are_refused() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let now = at(&app, 0);
    for (query, field, code) in [
        (format!("version=1&at={now}"), "at", "conflict"),
        ("version=x".to_owned(), "version", "type"),
        ("version=-1".to_owned(), "version", "range"),
        ("version=1&version=1".to_owned(), "version", "conflict"),
        ("at=2026-05-01T10:00:00".to_owned(), "at", "format"),
        ("at=yesterday".to_owned(), "at", "format"),
        ("include_retired=1".to_owned(), "include_retired", "type"),
        ("foo=1".to_owned(), "foo", "unknown"),
    ] {
        root.get(&url(&format!("a?{query}"))).await.expect_fault(field, code);
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let app = TestApp::new().await;
    let root = app.root();
    let missing = root.get(&url("a/b")).await.expect_error(404, "secret_not_found");
    assert_eq!(missing.details(), json!({"path": "a/b"}));
    assert_eq!(missing.header("etag"), None);
    root.get(&url("a/b?version=1")).await.expect_error(404, "secret_not_found");
    put(&root, "a/b", app.canary()).await;
    root.get(&url("A/b")).await.expect_error(404, "secret_not_found");
    root.get(&url("%61/b")).await.expect(200);
    for (path, reason) in
        [("a//b", "empty_segment"), ("a/%2e%2e/b", "dot_segment"), ("a%2Fb", "character"), ("batch", "reserved")]
    {
        let refused = root.get(&url(path)).await.expect_error(400, "invalid_path");
        assert_eq!(refused.details()["reason"], reason, "{path}");
    }
    for call in [
        root.put("/v1/secrets/", json!({"data": {}})),
        root.patch("/v1/secrets/", json!({})),
        root.delete("/v1/secrets/"),
    ] {
        assert_eq!(call.await.expect_error(400, "invalid_path").details()["reason"], "empty");
    }
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 2).await;
    for (target, known, status) in [
        ("a", "\"2\"", 304),
        ("a", "\"1\"", 200),
        ("a", "\"1\", \"2\"", 304),
        ("a?version=1", "\"1\"", 304),
        ("a?version=1", "\"2\"", 200),
        ("a?version=9", "\"9\"", 404),
        ("b", "\"1\"", 404),
    ] {
        let answer = root.get(&url(target)).header("if-none-match", known).await.expect(status);
        assert_eq!(answer.body.is_empty(), status == 304, "{target} {known}");
    }
    let same = root.get(&url("a")).header("if-none-match", "\"2\"").await.expect(304);
    assert_eq!(same.header("etag"), Some("\"2\""));
    assert_eq!(same.header("cache-control"), Some("no-store"));
    assert_eq!(same.header("content-type"), None);
    for bad in ["W/\"2\"", "2", "\"x\"", "\"2"] {
        root.get(&url("a")).header("if-none-match", bad).await.expect_fault("If-None-Match", "format");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let (get, head) = (root.get(&url("a")).await.expect(200), root.head(&url("a")).await.expect(200));
    assert!(head.body.is_empty());
    for name in ["etag", "cache-control", "content-type"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
    let missing = root.head(&url("b")).await.expect(404);
    assert!(missing.body.is_empty());
    root.head(&url("a")).header("if-none-match", "\"1\"").await.expect(304);
    for target in ["/v1/secrets", "/v1/secrets/metadata/a", "/v1/secrets/a/versions", "/v1/secrets/expiring"] {
        assert!(root.head(target).await.expect(200).body.is_empty());
    }
}

#[tokio::test]
async fn a_cached_value_never_outlives_a_change() {
    let app = TestApp::new().await;
    let root = app.root();
    for round in 1..=5 {
        put(&root, "a", &round.to_string()).await;
        assert_eq!(value(&root, "a").await, round.to_string());
        assert_eq!(value(&root, "a").await, round.to_string());
    }
    let fresh = root.get(&url("a")).header("cache-control", "no-cache").await.expect(200);
    assert_eq!(fresh.json()["version"], 5);
    root.patch(&url("a"), json!({"metadata": {"owner": "team:new"}})).await.expect(200);
    assert_eq!(root.get(&url("a")).await.expect(200).json()["metadata"]["owner"], "team:new");
    root.delete(&url("a")).await.expect(200);
    root.get(&url("a")).await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn retired_versions_need_permission_admin() {
    let app = TestApp::new().await;
    let (owner, reader, _) = app.actors().await;
    put(&owner, "a", app.canary()).await;
    owner.post(&url("a/rotate"), json!({"new_value": {"v": "2"}, "grace_period": "0s"})).await.expect(200);
    assert_eq!(value(&owner, "a?version=1&include_retired=true").await, app.canary());
    reader.get(&url("a?version=1&include_retired=true")).await.expect_error(403, "access_denied");
    reader.get(&url("a?include_retired=false")).await.expect(200);
}

#[tokio::test]
async fn s_36_permission_list_shows_metadata_but_no_value() {
    let app = TestApp::new().await;
    put(&app.root(), "a/b", app.canary()).await;
    let lister = app.user("lister", super::ALL_SCOPES, &[("a/**", &["list"])]).await;
    let refused = lister.get(&url("a/b")).await.expect_error(403, "access_denied");
    assert_eq!(refused.details(), json!({"path": "a/b", "permission": "read"}));
    lister.get("/v1/secrets/metadata/a/b").await.expect(200);
    lister.get(&url("a/b/versions")).await.expect(200);
}
