//! Contract 00 section 5: one envelope for every error, whoever makes it.

use scaivault_testkit::{Answer, TestApp};
use serde_json::json;

use super::{code, some_data};

/// What holds for every error answer; the test kit has compared the request ids already.
#[track_caller]
fn check(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    let body = answer.json();
    let error = body["error"].as_object().unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    assert!(error.keys().all(|key| ["code", "message", "details", "request_id"].contains(&key.as_str())), "{body}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    assert!(error.get("details").is_none_or(|details| !details.as_object().unwrap().is_empty()), "{body}");
}

#[tokio::test]
async fn c_15_unknown_routes_are_404_with_and_without_a_token() {
    let app = TestApp::new().await;
    let targets = [
        "/",
        "/v1",
        "/v1/",
        "/v2/secrets/a",
        "/v1/nothing",
        "/V1/health",
        "/v1//health",
        "//v1/health",
        "/v1/secret/a",
        "/v1/secre%74s/a",
        "/v1/t",
        "/v1/t/",
        "/v1/t/tnt_default",
        "/v1/t/tnt_default/",
        "/v1/t/a/t/b/secrets",
        "/v1/policies/pol_a/b",
        "/v1/secretsx",
        "/health",
        "/v1/health/../version",
        "/.env",
        "/v1/%00",
        "/v1/é",
    ];
    for target in targets {
        for caller in [app.anonymous(), app.root()] {
            check(&caller.get(target).await.expect_error(404, "not_found"));
            check(&caller.put(target, some_data()).await.expect_error(404, "not_found"));
        }
    }
}

#[tokio::test]
async fn c_15_other_methods_are_405_and_say_which_are_allowed() {
    let app = TestApp::new().await;
    let table = [
        ("DELETE", "/v1/health", "GET, HEAD"),
        ("POST", "/v1/health/ready", "GET, HEAD"),
        ("OPTIONS", "/v1/version", "GET, HEAD"),
        ("TRACE", "/v1/version", "GET, HEAD"),
        ("get", "/v1/version", "GET, HEAD"),
        ("BREW", "/v1/secrets/a", "GET, HEAD, PUT, PATCH, DELETE"),
        ("POST", "/v1/secrets/a", "GET, HEAD, PUT, PATCH, DELETE"),
        ("PUT", "/v1/policies", "GET, HEAD, POST"),
        ("PUT", "/v1/policies/", "GET, HEAD, POST"),
        ("POST", "/v1/t/tnt_default/secrets/a", "GET, HEAD, PUT, PATCH, DELETE"),
        ("GET", "/v1/sys/unseal", "POST"),
    ];
    for (method, target, allow) in table {
        for caller in [app.anonymous(), app.root()] {
            let method = http::Method::from_bytes(method.as_bytes()).unwrap();
            let answer = caller.call(method, target).await.expect_error(405, "method_not_allowed");
            check(&answer);
            assert_eq!(answer.header("allow"), Some(allow), "{target}");
            assert_eq!(answer.details()["allowed"], json!(allow.split(", ").collect::<Vec<_>>()));
        }
    }
}

#[tokio::test]
async fn missing_and_wrong_tokens_are_401_with_a_challenge() {
    let app = TestApp::new().await;
    let good = app.root().token().to_owned();
    let required = [
        "",
        "Bearer",
        "Bearer ",
        "Basic dTpw",
        &good,
        &format!("Token {good}"),
        &format!("Bearer{good}"),
        "Bearer a b",
        "Bearer \u{e9}",
    ];
    let invalid =
        ["Bearer x", "Bearer sv_0000", &format!("Bearer {good}x"), &format!("Bearer {}", good.to_uppercase())];
    let table = required.map(|value| (value, "authentication_required"));
    for (value, expected) in table.into_iter().chain(invalid.map(|value| (value, "token_invalid"))) {
        let answer = app.anonymous().get("/v1/secrets/a").header("authorization", value).await;
        assert_eq!((answer.status.as_u16(), code(&answer).as_str()), (401, expected), "{value}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        check(&answer);
    }
    let answer = app.anonymous().get(&format!("/v1/secrets/a?access_token={good}")).await;
    check(&answer.expect_error(401, "authentication_required"));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {good}");
        app.anonymous().get("/v1/secrets").header("authorization", &value).await.expect(200);
    }
}

#[tokio::test]
async fn every_kind_of_error_has_the_envelope() {
    let app = TestApp::builder().settings(|settings| settings.max_secret_bytes = 1000).start().await;
    let root = app.root();
    let large = format!("{{\"data\":{{\"x\":\"{}\"}}}}", "x".repeat(2 * 1000 + 64 * 1024));
    let table = [
        (root.get("/v1/secrets/a%2Fb"), 400, "invalid_path"),
        (root.get("/v1/secrets?cursor=x"), 400, "invalid_cursor"),
        (root.put("/v1/secrets/a", json!({})).raw("application/json", b"{"), 400, "invalid_request"),
        (root.put("/v1/secrets/a", json!({"data": {}, "secret_type": "password"})), 400, "invalid_secret_type"),
        (root.put("/v1/secrets/a", json!({"data": {}, "options": {"expires_in": "1"}})), 400, "invalid_duration"),
        (root.get("/v1/secrets/a"), 404, "secret_not_found"),
        (root.get("/v1/policies/pol_none"), 404, "policy_not_found"),
        (root.get("/v1/secrets/a").in_tenant("tnt_none"), 404, "tenant_not_found"),
        (root.put("/v1/secrets/a", some_data()).header("if-match", "*"), 409, "version_conflict"),
        (root.put("/v1/secrets/a", json!({"data": {"x": "x".repeat(1000)}})), 413, "payload_too_large"),
        (root.put("/v1/secrets/a", json!({})).raw("application/json", large.as_bytes()), 413, "payload_too_large"),
        (root.put("/v1/secrets/a", json!({})).raw("text/plain", b"x"), 415, "unsupported_media_type"),
        (root.get("/v1/secrets?foo=1"), 422, "validation_error"),
        (root.get("/v1/secrets").header("x-padding", "x".repeat(40_000)), 431, "headers_too_large"),
    ];
    for (call, status, code) in table {
        check(&call.await.expect_error(status, code));
    }
}

#[tokio::test]
async fn the_limit_of_a_body_is_exact_and_named() {
    let app = TestApp::builder().settings(|settings| settings.max_secret_bytes = 1000).start().await;
    let limit = 2 * 1000 + 64 * 1024;
    let body = |size: usize| format!("{{\"data\":{{}}{}}}", " ".repeat(size - 11));
    assert_eq!(body(limit).len(), limit);
    let put = |size| app.root().put("/v1/secrets/a", json!({})).raw("application/json", body(size).as_bytes());
    put(limit).await.expect(201);
    let answer = put(limit + 1).await.expect_error(413, "payload_too_large");
    assert_eq!(answer.details()["limit_bytes"], limit);
    assert_eq!(app.root().get("/v1/secrets/a").await.expect(200).json()["version"], 1);
}

#[tokio::test]
async fn c_16_a_damaged_store_is_a_500_with_a_request_id_and_no_text_of_its_own() {
    let mut app = TestApp::new().await;
    app.expect_damage();
    let root = app.root();
    root.put("/v1/secrets/a", json!({"data": {"password": app.canary()}})).await.expect(201);
    assert_eq!(app.raw().execute("UPDATE secret_version SET ciphertext = x'00112233'"), 1);
    let answer =
        root.get("/v1/secrets/a").header("cache-control", "no-cache").await.expect_error(500, "internal_error");
    check(&answer);
    let head = root.head("/v1/secrets/a").header("cache-control", "no-cache").await.expect(500);
    assert!(head.body.is_empty());
    // 5xx texts are constant.
    assert!(answer.json()["error"].get("details").is_none());
    let again = root.get("/v1/secrets/a").header("cache-control", "no-cache").await;
    assert_eq!(again.json()["error"]["message"], answer.json()["error"]["message"]);
}

#[tokio::test]
async fn several_faults_are_told_at_once() {
    let app = TestApp::new().await;
    let body = json!({
        "dta": {},
        "metadata": {"tags": ["ok", ""], "ownr": "x", "custom": {"any": "key", "n": 1}},
        "options": {"max_versions": 101, "expires_in": "0s", "expires_at": "yesterday", "expected_version": -1},
    });
    let answer = app
        .root()
        .put("/v1/secrets/a?permanant=true", body)
        .header("if-match", "W/\"1\"")
        .header("idempotency-key", "a b")
        .await
        .expect_error(422, "validation_error");
    check(&answer);
    let faults = answer.faults();
    let expected = [
        ("data", "required"),
        ("dta", "unknown"),
        ("metadata.ownr", "unknown"),
        ("metadata.tags[1]", "range"),
        ("metadata.custom.n", "type"),
        ("options.max_versions", "range"),
        ("options.expires_in", "range"),
        ("options.expires_at", "format"),
        ("options.expected_version", "range"),
        ("permanant", "unknown"),
        ("If-Match", "format"),
        ("Idempotency-Key", "format"),
    ];
    for (field, _) in expected {
        assert!(faults.iter().any(|(name, _)| name == field), "{field} is not in {faults:?}");
    }
    for (field, code) in [expected[0], expected[1], expected[2], expected[5], expected[9]] {
        assert!(faults.contains(&(field.to_owned(), code.to_owned())), "{field}/{code} is not in {faults:?}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
}

#[tokio::test]
async fn values_are_not_to_be_stored_by_anybody_on_the_way() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let answer = root.get("/v1/secrets/a").header("accept-encoding", "gzip, br, zstd").await.expect(200);
    assert_eq!((answer.header("cache-control"), answer.header("content-encoding")), (Some("no-store"), None));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}
