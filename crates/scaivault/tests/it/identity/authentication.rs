//! What opens the door, and what does not.

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::json;

#[rstest]
#[case::nothing(None)]
#[case::basic(Some("Basic x"))]
#[case::bare(Some("Bearer"))]
#[case::blank(Some("Bearer "))]
#[case::empty(Some(""))]
#[case::no_scheme(Some("skt_00000000000000000000000000000000000000000002CZclj"))]
#[tokio::test]
async fn a_1_without_a_bearer_token_nobody_is_let_in(#[case] header: Option<&str>) {
    let app = TestApp::new().await;
    let call = app.anonymous().get("/v1/auth/whoami");
    let call = match header {
        Some(value) => call.header("authorization", value),
        None => call,
    };
    let answer = call.await.expect_error(401, "authentication_required");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

#[tokio::test]
async fn a_1_the_scheme_counts_in_any_case_and_the_query_never() {
    let app = TestApp::new().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let header = format!("{scheme} {}", app.root().token());
        app.anonymous().get("/v1/auth/whoami").header("authorization", &header).await.expect(200);
    }
    let target = format!("/v1/auth/whoami?access_token={}", app.root().token());
    app.anonymous().get(&target).await.expect_error(401, "authentication_required");
}

#[tokio::test]
async fn a_2_every_changed_character_is_noticed() {
    let app = TestApp::new().await;
    let good = app.root().token().to_owned();
    assert_eq!(good.len(), 4 + 43 + 6);
    for position in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[position] = if bytes[position] == b'a' { b'b' } else { b'a' };
        let bad = String::from_utf8(bytes).unwrap();
        app.with_token(&bad).get("/v1/auth/whoami").await.expect_error(401, "token_invalid");
    }
}

#[rstest]
#[case::zeroes("skt_00000000000000000000000000000000000000000002CZclj")]
#[case::counted("skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP")]
#[case::too_short("skt_0")]
#[case::other_kind("skr_00000000000000000000000000000000000000000002CZclj")]
#[case::looks_like_a_jwt("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyOmEifQ.")]
#[tokio::test]
async fn a_2_an_unknown_token_is_invalid_however_well_formed(#[case] token: &str) {
    let app = TestApp::new().await;
    let answer = app.with_token(token).get("/v1/auth/whoami").await.expect_error(401, "token_invalid");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert!(!answer.text().contains(token));
}

#[tokio::test]
async fn a_3_expired_and_revoked_are_told_apart() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "short", "scopes": ["secrets:read"], "expires_in": "1h"});
    let short = root.post("/v1/auth/tokens", body.clone()).await.expect(201).json();
    let both = root.post("/v1/auth/tokens", body).await.expect(201).json();
    let (short, both_token) = (app.with_token(short["token"].as_str().unwrap()), both["token"].as_str().unwrap());
    app.clock.advance(3599);
    short.get("/v1/auth/whoami").await.expect(200);
    root.delete(&format!("/v1/auth/tokens/{}", both["id"].as_str().unwrap())).await.expect(204);
    app.clock.advance(1);
    let expired = short.get("/v1/auth/whoami").await.expect_error(401, "token_expired");
    assert_eq!(expired.details()["expired_at"], "2026-05-01T11:00:00Z");
    app.with_token(both_token).get("/v1/auth/whoami").await.expect_error(401, "token_revoked");
}

#[tokio::test]
async fn a_8_the_token_string_is_shown_once_and_stands_nowhere() {
    let lines = tempfile::NamedTempFile::new().unwrap();
    let mirror = lines.path().to_owned();
    let app = TestApp::builder().settings(|settings| settings.audit_log_file = Some(mirror)).start().await;
    let root = app.root();
    let made = root.post("/v1/auth/tokens", json!({"name": "secret", "scopes": ["secrets:read"]})).await.expect(201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.json();
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    let actor = app.with_token(token);
    actor.get("/v1/secrets/a").await.expect(404);
    actor.get("/v1/secrets/metadata/a").await.expect(404);
    actor.put("/v1/secrets/a", json!({"data": {}})).await.expect_error(403, "insufficient_scope");
    let sources =
        ["/v1/auth/tokens".to_owned(), format!("/v1/auth/tokens/{id}"), "/v1/audit/logs?limit=1000".to_owned()];
    for source in sources {
        let shown = root.get(&source).await.expect(200).text();
        assert!(!shown.contains(token) && !shown.contains(&token[4..]), "{source}");
        assert!(shown.contains(made["token_ref"].as_str().unwrap()), "{source}");
    }
    let introspected = root.post("/v1/auth/introspect", json!({"token": token})).await.expect(200).text();
    let log = std::fs::read_to_string(lines.path()).unwrap();
    assert!(log.contains("token_create"), "the mirror was not written");
    assert!(!introspected.contains(token) && !log.contains(token));
    assert!(app.places_that_hold(token.as_bytes()).is_empty());
}

#[tokio::test]
async fn a_8_a_refused_token_is_in_no_audit_entry_either() {
    let app = TestApp::new().await;
    let wrong = "skt_00000000000000000000000000000000000000000002CZclj";
    app.with_token(wrong).get("/v1/secrets/a").await.expect(401);
    let log = app.root().get("/v1/audit/logs?stream=system").await.expect(200).text();
    assert!(log.contains("auth_failure") && !log.contains(wrong));
}
