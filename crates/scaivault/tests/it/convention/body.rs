//! Contract 00 section 1: bodies.

use scaivault_testkit::{Answer, TestApp};
use serde_json::json;

use super::{secret_count, some_data};

const JSON: &str = "application/json";

async fn put(app: &TestApp, body: &[u8]) -> Answer {
    app.root().put("/v1/secrets/a", json!({})).raw(JSON, body).await
}

/// Each is refused with 400 `invalid_request` and `reason`, and stores nothing.
async fn refused(reason: &str, bodies: &[&[u8]]) {
    let app = TestApp::new().await;
    for body in bodies {
        let answer = put(&app, body).await.expect_error(400, "invalid_request");
        assert_eq!(answer.details()["reason"], reason, "{}", String::from_utf8_lossy(body));
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("line ") && message.contains("column "), "no position in '{message}'");
        assert!(!message.contains("hunter2"), "{message}");
    }
    assert_eq!(secret_count(&app.root()).await, 0);
}

#[tokio::test]
async fn c_4_a_duplicate_key_at_any_depth_is_400() {
    refused(
        "duplicate_key",
        &[
            br#"{"data":{},"data":{}}"#,
            br#"{"data":{"a":{"b":[{"hunter2":1,"x":2,"hunter2":1}]}}}"#,
            br#"{"data":{"k":1,"\u006b":1}}"#,
            br#"{"data":{},"metadata":{"custom":{"x":"1","x":"2"}}}"#,
            br#"{"data":{},"options":{"max_versions":1,"max_versions":1}}"#,
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_json_is_400_and_says_where() {
    let bodies: [&[u8]; 18] = [
        b"{",
        b"{}}",
        b"{\"data\":{}} x",
        b"{\"data\":{}}{}",
        b" ",
        b"\n",
        b"{\"data\":{},}",
        b"{'data':{}}",
        b"{data:{}}",
        b"{\"data\":{\"n\":01}}",
        b"{\"data\":{\"n\":NaN}}",
        b"{\"data\":{\"n\":+1}}",
        b"{\"data\":{\"s\":\"\x01\"}}",
        b"{\"data\":{\"s\":\"\\x\"}}",
        b"\xef\xbb\xbf{\"data\":{}}",
        b"{\"data\":{} /* hunter2 */}",
        b"{\"data\":{}}\0",
        b"{\"data\":{\"s\":\"hunter2",
    ];
    refused("not_json", &bodies).await;
    refused("not_an_object", &[b"[]", b"\"{}\"", b"1", b"null", b"true"]).await;
}

#[tokio::test]
async fn what_is_no_utf_8_is_400() {
    refused(
        "invalid_utf8",
        &[
            b"{\"data\":{\"s\":\"\xff\"}}",
            b"{\"data\":{\"\xc3\":1}}",
            b"{\"data\":{\"s\":\"\xed\xa0\x80\"}}",
            b"\xff\xfe{\0}\0",
        ],
    )
    .await;
    refused(
        "lone_surrogate",
        &[br#"{"data":{"s":"\ud800"}}"#, br#"{"data":{"\udc00":1}}"#, br#"{"data":{"s":"\ud83d\u0041"}}"#],
    )
    .await;
}

#[tokio::test]
async fn nesting_ends_at_64() {
    // The body is level 1, `data` level 2.
    let objects =
        |depth: usize| format!("{{\"data\":{}{}}}", "{\"a\":".repeat(depth - 2) + "{}", "}".repeat(depth - 2));
    let arrays = |depth: usize| format!("{{\"data\":{{\"a\":{}{}}}}}", "[".repeat(depth - 2), "]".repeat(depth - 2));
    let app = TestApp::new().await;
    put(&app, objects(64).as_bytes()).await.expect(201);
    put(&app, arrays(64).as_bytes()).await.expect(200);
    let read = app.root().get("/v1/secrets/a").await.expect(200);
    assert!(read.text().contains(&"[".repeat(62)));
    for body in [objects(65), arrays(65), arrays(127), arrays(100_000)] {
        let answer = put(&app, body.as_bytes()).await.expect_error(400, "invalid_request");
        assert_eq!(answer.details()["reason"], "too_deep");
    }
    assert_eq!(app.root().get("/v1/secrets/a").await.json()["version"], 2);
}

#[tokio::test]
async fn numbers_keys_and_order_come_back_as_sent() {
    let app = TestApp::new().await;
    let texts = [
        r#"{"n":1e400,"z":1.0,"a":12345678901234567890}"#,
        r#"{"b":-0,"a":0.10,"c":1E+2,"A":1e-7,"":null,"B":[1.50,{"z":1,"y":2}]}"#,
        r#"{"10":1,"9":2,"é":"\u00e9","q":"\"\\\/","emoji":"😀","pair":"\ud83d\ude00","nul":"\u0000"}"#,
        r#"{"long":0.1000000000000000055511151231257827021181583404541015625}"#,
        "{}",
    ];
    for text in texts {
        assert!(put(&app, format!("{{\"data\":{text}}}").as_bytes()).await.status.is_success());
        let read = app.root().get("/v1/secrets/a").await.expect(200);
        assert!(read.text().contains(&format!("\"data\":{text}")), "{text} became {}", read.text());
    }
    put(&app, b" {\r\n\t\"data\" : { \"b\" : [ 1 , 2 ] , \"a\" : \" x \" } } \n").await.expect(200);
    let read = app.root().get("/v1/secrets/a").await.expect(200);
    assert!(read.text().contains(r#""data":{"b":[1,2],"a":" x "}"#), "{}", read.text());
}

#[tokio::test]
async fn c_5_unknown_and_missing_fields_are_both_named() {
    let app = TestApp::new().await;
    let answer = app.root().put("/v1/secrets/a", json!({"dta": {}})).await.expect_error(422, "validation_error");
    let mut faults = answer.faults();
    faults.sort();
    assert_eq!(faults, [("data".to_owned(), "required".to_owned()), ("dta".to_owned(), "unknown".to_owned())]);
    let free = json!({"data": {"dta": {"any": 1}}, "metadata": {"custom": {"dta": "x"}}});
    app.root().put("/v1/secrets/a", free).await.expect(201);
    let answer = app.root().put("/v1/secrets/a", json!({"data": {}, "options": {"max_version": 3}})).await;
    answer.expect_fault("options.max_version", "unknown");
    app.root().patch("/v1/secrets/a", json!({"data": {}})).await.expect_fault("data", "not_allowed");
}

#[tokio::test]
async fn c_14_a_body_has_a_type_and_no_body_needs_none() {
    let app = TestApp::new().await;
    let root = app.root();
    let put = |kind: &str| root.put("/v1/secrets/a", some_data()).header("content-type", kind);
    let refused = [
        "text/plain",
        "",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "application/merge-patch+json",
        "text/json",
        "application/json; charset=latin-1",
        "application/json; version=1",
        "application/json, text/plain",
        "application/problem+json",
    ];
    for kind in refused {
        put(kind).await.expect_error(415, "unsupported_media_type");
    }
    put("x").without_header("content-type").await.expect_error(415, "unsupported_media_type");
    assert_eq!(secret_count(&root).await, 0);
    for kind in [JSON, "Application/JSON", "application/json;charset=utf-8", "application/json; charset=\"UTF-8\""] {
        assert!(put(kind).await.status.is_success(), "{kind}");
    }
    for kind in [JSON, "application/merge-patch+json"] {
        root.patch("/v1/secrets/a", json!({})).header("content-type", kind).await.expect(200);
    }
    root.delete("/v1/secrets/a").await.expect(200);
    root.post_empty("/v1/secrets/a/restore").await.expect(200);
    root.post("/v1/secrets/a/restore", json!({}))
        .header("content-type", "text/plain")
        .await
        .expect_error(415, "unsupported_media_type");
    // No body at all is a body without its required fields.
    root.call(http::Method::PUT, "/v1/secrets/a").await.expect_fault("data", "required");
}

#[tokio::test]
async fn compressed_bodies_are_415() {
    let app = TestApp::new().await;
    let root = app.root();
    for encoding in ["gzip", "br", "zstd", "deflate", "GZIP", "gzip, identity", "unheard-of", ""] {
        let answer = root.put("/v1/secrets/a", some_data()).header("content-encoding", encoding).await;
        answer.expect_error(415, "unsupported_media_type");
    }
    root.put("/v1/secrets/a", some_data()).header("content-encoding", "identity").await.expect(201);
    root.get("/v1/secrets/a").header("content-encoding", "gzip").await.expect(200);
}

#[tokio::test]
async fn a_body_on_get_head_or_delete_is_ignored() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    root.get("/v1/secrets/a").raw("text/plain", b"{").await.expect(200);
    root.head("/v1/secrets/a").raw("text/plain", b"\xff").await.expect(200);
    app.anonymous().get("/v1/health").raw("text/plain", b"{").await.expect(200);
    root.delete("/v1/secrets/a").raw(JSON, br#"{"permanent":true}"#).await.expect(200);
    root.post_empty("/v1/secrets/a/restore").await.expect(200);
}
