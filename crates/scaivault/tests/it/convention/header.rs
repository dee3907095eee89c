//! Contract 00 section 1: headers in and out, HEAD, collection roots.

use scaivault_testkit::{Call, TestApp};
use serde_json::json;

use super::{audit_entry, some_data};

#[tokio::test]
async fn c_16_a_clients_request_id_is_kept_and_never_told() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let own = "evil-0123456789";
    let calls = [
        root.get("/v1/secrets/a"),
        root.get("/v1/secrets/none"),
        root.put("/v1/secrets/a", json!({})),
        root.delete("/v1/secrets/none"),
        root.get("/v1/secrets/a%2Fb"),
    ];
    for call in calls {
        let answer = call.header("x-request-id", own).await;
        let shown = format!("{:?}{}", answer.headers, answer.text());
        assert!(!shown.contains(own), "{shown}");
        assert_eq!(audit_entry(&root, &answer).await["extra_data"]["client_request_id"], own);
    }
    for call in [app.anonymous().get("/v1/health"), root.get("/v1/nothing"), app.anonymous().get("/v1/secrets/a")] {
        let answer = call.header("x-request-id", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV").await;
        assert!(!format!("{:?}{}", answer.headers, answer.text()).contains("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    }
    let first = root.get("/v1/secrets/a").await;
    let second = root.get("/v1/secrets/a").await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test]
async fn a_clients_request_id_is_cut_to_64_characters() {
    let app = TestApp::new().await;
    let root = app.root();
    for (sent, kept) in
        [("x".repeat(65), "x".repeat(64)), ("é".repeat(65), "é".repeat(64)), (String::new(), String::new())]
    {
        let answer = root.get("/v1/secrets/a").header("x-request-id", &sent).await.expect(404);
        assert_eq!(
            audit_entry(&root, &answer).await["extra_data"]["client_request_id"].as_str().unwrap_or_default(),
            kept
        );
    }
    let answer = root.get("/v1/secrets/a").await.expect(404);
    assert!(audit_entry(&root, &answer).await["extra_data"].get("client_request_id").is_none());
}

#[tokio::test]
async fn header_values_that_are_no_ascii_break_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for name in [
        "user-agent",
        "x-request-id",
        "accept",
        "x-anything",
        "x-forwarded-for",
        "forwarded",
        "cache-control",
        "origin",
    ] {
        root.get("/v1/secrets/a").header(name, "caf\u{e9} \u{1f511}").await.expect(200);
    }
    root.get("/v1/secrets/a").in_tenant("tnt_\u{e9}").await.expect_error(404, "tenant_not_found");
    root.get("/v1/secrets/a").header("if-none-match", "\"\u{e9}\"").await.expect_fault("If-None-Match", "format");
    root.put("/v1/secrets/a", some_data())
        .header("idempotency-key", "\u{e9}")
        .await
        .expect_fault("Idempotency-Key", "format");
    root.put("/v1/secrets/a", some_data())
        .header("content-type", "\u{e9}")
        .await
        .expect_error(415, "unsupported_media_type");
    assert_eq!(root.get("/v1/secrets/a").await.json()["version"], 1);
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for target in [
        "/v1/secrets/a",
        "/v1/secrets",
        "/v1/secrets/metadata/a",
        "/v1/secrets/a/versions",
        "/v1/health",
        "/v1/secrets/none",
    ] {
        let (get, head) = (root.get(target).await, root.head(target).await);
        assert_eq!((get.status, get.header("etag")), (head.status, head.header("etag")), "{target}");
        assert_eq!(get.header("content-type"), head.header("content-type"), "{target}");
        assert!(head.body.is_empty(), "{target}");
        if get.status.is_success() && !target.contains("metadata") {
            assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()), "{target}");
        }
    }
    let head = root.head("/v1/secrets/a").await.expect(200);
    let entry = audit_entry(&root, &head).await;
    assert_eq!(
        (&entry["action"], &entry["secret_path"], &entry["success"]),
        (&json!("read"), &json!("a"), &json!(true))
    );
    root.head("/v1/secrets/a").header("if-none-match", "\"1\"").await.expect(304);
    app.anonymous().head("/v1/secrets/a").await.expect(401);
    root.head("/v1/sys/unseal").await.expect(405);
}

#[tokio::test]
async fn head_needs_what_get_needs() {
    let app = TestApp::new().await;
    let (owner, reader, stranger) = app.actors().await;
    owner.put("/v1/secrets/a", some_data()).await.expect(201);
    reader.head("/v1/secrets/a").await.expect(200);
    let denied = stranger.head("/v1/secrets/a").await.expect(403);
    let entry = audit_entry(&app.root(), &denied).await;
    assert_eq!((&entry["action"], &entry["error_code"]), (&json!("read"), &json!("access_denied")));
}

#[tokio::test]
async fn a_collections_root_may_end_in_a_slash() {
    let app = TestApp::new().await;
    let root = app.root();
    for target in ["/v1/secrets", "/v1/partner/secrets", "/v1/policies", "/v1/rotation/policies", "/v1/secret-policies"]
    {
        let plain = root.get(target).await.expect(200);
        let slashed = root.get(&format!("{target}/")).await.expect(200);
        assert_eq!(plain.body, slashed.body, "{target}");
        let slashed = root.get(&format!("/v1/t/tnt_default{}/", target.strip_prefix("/v1").unwrap())).await.expect(200);
        assert_eq!(plain.body, slashed.body, "{target}");
    }
    let rules = json!([{"path_pattern": "**", "permissions": ["read"]}]);
    root.post("/v1/policies/", json!({"name": "p", "rules": rules})).await.expect(201);
}

fn preflight(app: &TestApp) -> Call<'_> {
    let call = app.anonymous().call(http::Method::OPTIONS, "/v1/secrets/a");
    call.header("origin", "https://ui.example").header("access-control-request-method", "PUT")
}

#[tokio::test]
async fn cors_is_off_until_it_is_switched_on() {
    let app = TestApp::new().await;
    let answer = preflight(&app).await.expect_error(405, "method_not_allowed");
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));

    let app = TestApp::builder().http(|http| http.cors_origins = vec!["https://ui.example".to_owned()]).start().await;
    let answer = preflight(&app).await;
    assert!(answer.status.is_success());
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://ui.example"));
    // C-16: although no handler saw it.
    assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_") && id.len() == 30), "{answer:?}");
    let answer = app.anonymous().get("/v1/health").header("origin", "https://evil.example").await.expect(200);
    assert_ne!(answer.header("access-control-allow-origin"), Some("https://evil.example"));
    assert_ne!(answer.header("access-control-allow-origin"), Some("*"));
}
