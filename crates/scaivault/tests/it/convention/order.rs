//! Contract 00 section 3: of two steps that fail, the earlier one answers.

use scaivault_domain::rate::RateCategory;
use scaivault_testkit::{Call, TestApp};
use serde_json::json;

use super::{code, some_data};

async fn check(table: Vec<(&str, Call<'_>, u16, &str)>) {
    for (what, call, status, expected) in table {
        let answer = call.await;
        assert_eq!((answer.status.as_u16(), code(&answer).as_str()), (status, expected), "{what}: {}", answer.text());
    }
}

const BAD_PATH: &str = "/v1/secrets/a%2Fb";

#[tokio::test]
async fn route_and_method_come_before_the_token() {
    let app = TestApp::new().await;
    let (nobody, root) = (app.anonymous(), app.root());
    let long = "x".repeat(33_000);
    check(vec![
        ("headers before route", nobody.get("/v1/nothing").header("x-long", &long), 431, "headers_too_large"),
        ("headers before method", nobody.delete("/v1/health").header("x-long", &long), 431, "headers_too_large"),
        ("headers before token", nobody.get("/v1/secrets").header("x-long", &long), 431, "headers_too_large"),
        ("route before token", nobody.get("/v1/nothing"), 404, "not_found"),
        ("method before token", nobody.post_empty("/v1/secrets/a"), 405, "method_not_allowed"),
        ("route before tenant", root.get("/v1/nothing").in_tenant("tnt_none"), 404, "not_found"),
        ("method before tenant", root.post_empty("/v1/t/tnt_none/secrets/a"), 405, "method_not_allowed"),
        ("C-1 token before path", nobody.get(BAD_PATH), 401, "authentication_required"),
        ("C-1 token before path", app.with_token("junk").get(BAD_PATH), 401, "token_invalid"),
        ("token before tenant", nobody.get("/v1/t/tnt_none/secrets"), 401, "authentication_required"),
        ("token before query", nobody.get("/v1/secrets?foo=1"), 401, "authentication_required"),
        (
            "token before body",
            nobody.put("/v1/secrets/a", json!({})).raw("text/plain", b"{"),
            401,
            "authentication_required",
        ),
        ("tenant before path", root.get(BAD_PATH).in_tenant("tnt_none"), 404, "tenant_not_found"),
        ("tenant before query", root.get("/v1/t/tnt_none/secrets?foo=1"), 404, "tenant_not_found"),
        ("tenant before body", root.put("/v1/t/tnt_none/secrets/a", json!([])), 404, "tenant_not_found"),
    ])
    .await;
}

#[tokio::test]
async fn the_seal_comes_after_the_route_and_before_the_token() {
    let app = TestApp::new().await;
    let (nobody, root) = (app.anonymous(), app.root());
    root.post_empty("/v1/sys/seal").await.expect(200);
    check(vec![
        ("route before seal", nobody.get("/v1/nothing"), 404, "not_found"),
        ("method before seal", nobody.post_empty("/v1/secrets/a"), 405, "method_not_allowed"),
        ("seal before token", nobody.get("/v1/secrets/a"), 503, "service_unavailable"),
        ("seal before tenant", root.get("/v1/secrets/a").in_tenant("tnt_none"), 503, "service_unavailable"),
        ("seal before path", root.get(BAD_PATH), 503, "service_unavailable"),
        ("seal before body", root.put("/v1/secrets/a", json!([])), 503, "service_unavailable"),
    ])
    .await;
    let answer = nobody.get("/v1/secrets/a").await;
    assert_eq!((answer.details()["reason"].as_str(), answer.header("retry-after")), (Some("sealed"), None));
    nobody.get("/v1/health").await.expect(200);
    nobody.get("/v1/version").await.expect(200);
    nobody.get("/v1/sys/seal-status").await.expect(200);
}

#[tokio::test]
async fn the_rate_comes_after_the_tenant_and_before_the_content() {
    let limits = |limits: &mut scaivault_domain::rate::RateLimits| {
        limits.set(RateCategory::Read, 1);
        limits.set(RateCategory::Write, 1);
    };
    let app = TestApp::builder().limits(limits).start().await;
    let (nobody, root) = (app.anonymous(), app.root());
    root.get("/v1/secrets/a").await.expect(404);
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    check(vec![
        ("token before rate", nobody.get("/v1/secrets/a"), 401, "authentication_required"),
        ("tenant before rate", root.get("/v1/secrets/a").in_tenant("tnt_none"), 404, "tenant_not_found"),
        ("rate before path", root.get(BAD_PATH), 429, "rate_limited"),
        ("rate before query", root.get("/v1/secrets/a?foo=1"), 429, "rate_limited"),
        ("rate before type", root.put("/v1/secrets/a", json!({})).raw("text/plain", b"x"), 429, "rate_limited"),
        ("rate before existence", root.get("/v1/secrets/none"), 429, "rate_limited"),
    ])
    .await;
}

#[tokio::test]
async fn in_the_content_type_comes_first_and_codes_of_their_own_last() {
    let app = TestApp::builder().settings(|settings| settings.max_secret_bytes = 100).start().await;
    let root = app.root();
    let long = "x".repeat(70_000);
    let put = |target: &str, kind: &str, body: &str| root.put(target, json!({})).raw(kind, body.as_bytes());
    let json = "application/json";
    let bad_duration = r#"{"data":{},"options":{"expires_in":"1"}}"#;
    check(vec![
        ("type before size", put("/v1/secrets/a", "text/plain", &long), 415, "unsupported_media_type"),
        ("type before JSON", put("/v1/secrets/a", "text/plain", "{"), 415, "unsupported_media_type"),
        ("type before path", put(BAD_PATH, "text/plain", "{}"), 415, "unsupported_media_type"),
        ("size before JSON", put("/v1/secrets/a", json, &long), 413, "payload_too_large"),
        ("size before path", put(BAD_PATH, json, &long), 413, "payload_too_large"),
        ("JSON before shape", put("/v1/secrets/a?foo=1", json, "{"), 400, "invalid_request"),
        ("JSON before path", put(BAD_PATH, json, "{"), 400, "invalid_request"),
        ("shape before path", put(&format!("{BAD_PATH}?foo=1"), json, r#"{"data":{}}"#), 422, "validation_error"),
        ("shape before duration", put("/v1/secrets/a?foo=1", json, bad_duration), 422, "validation_error"),
        ("path before duration", put(BAD_PATH, json, bad_duration), 400, "invalid_path"),
        ("shape before cursor", root.get("/v1/secrets?cursor=x&limit=0"), 422, "validation_error"),
        ("shape before existence", root.get("/v1/secrets/none?foo=1"), 422, "validation_error"),
        (
            "key before precondition",
            { root.put("/v1/secrets/none", some_data()).header("idempotency-key", "a b").header("if-match", "*") },
            422,
            "validation_error",
        ),
    ])
    .await;
}

#[tokio::test]
async fn c_2_scope_comes_before_the_content_and_policy_after_it() {
    let app = TestApp::new().await;
    let reader = app.user("reader", &["secrets:read"], &[("app/**", &["read"])]).await;
    let writer = app.user("writer", &["secrets:read", "secrets:write"], &[("app/**", &["read"])]).await;
    let put = |body: &str| writer.put("/v1/secrets/app/db", json!({})).raw("application/json", body.as_bytes());
    check(vec![
        ("scope before path", reader.put(BAD_PATH, some_data()), 403, "insufficient_scope"),
        ("scope before query", reader.put("/v1/secrets/app/db?foo=1", some_data()), 403, "insufficient_scope"),
        (
            "scope before type",
            reader.put("/v1/secrets/app/db", json!({})).raw("text/plain", b"x"),
            403,
            "insufficient_scope",
        ),
        ("scope before policy", reader.put("/v1/secrets/none", some_data()), 403, "insufficient_scope"),
        (
            "tenant before scope",
            reader.put("/v1/secrets/app/db", some_data()).in_tenant("tnt_none"),
            403,
            "tenant_access_denied",
        ),
        ("path before policy", writer.put(BAD_PATH, some_data()), 400, "invalid_path"),
        ("JSON before policy", put("{"), 400, "invalid_request"),
        ("shape before policy", put("{}"), 422, "validation_error"),
        (
            "policy before state",
            writer.put("/v1/secrets/app/db", some_data()).header("if-match", "*"),
            403,
            "access_denied",
        ),
        ("policy before existence", writer.get("/v1/secrets/none"), 403, "access_denied"),
        ("policy then existence", writer.get("/v1/secrets/app/db"), 404, "secret_not_found"),
    ])
    .await;
    let answer = reader.put(BAD_PATH, some_data()).await;
    assert_eq!(answer.details()["required"], json!(["secrets:write"]));
}

#[tokio::test]
async fn the_rate_comes_before_the_scope() {
    let app = TestApp::builder().limits(|limits| limits.set(RateCategory::Write, 1)).start().await;
    let reader = app.user("reader", &["secrets:read"], &[]).await;
    reader.put("/v1/secrets/a", some_data()).await.expect_error(403, "insufficient_scope");
    reader.put("/v1/secrets/a", some_data()).await.expect_error(429, "rate_limited");
}
