//! How large a value may be (contract 01 section 1: `MAX_SECRET_BYTES` as compact JSON).

use http::Method;
use scaivault_testkit::TestApp;
use serde_json::json;

use super::{put, url};

const MIB: usize = 1024 * 1024;

/// `{"v":"..."}` of exactly `bytes`, with the canary in it.
fn sized(app: &TestApp, bytes: usize) -> String {
    let frame = r#"{"v":""}"#.len() + app.canary().len();
    format!("{{\"v\":\"{}{}\"}}", app.canary(), "x".repeat(bytes - frame))
}

#[tokio::test]
async fn s_3_a_value_may_have_exactly_the_limit() {
    let app = TestApp::new().await;
    let root = app.root();
    let put_raw = |path: &str, data: &str| {
        root.call(Method::PUT, &url(path)).raw("application/json", format!("{{\"data\":{data}}}").as_bytes())
    };
    let largest = sized(&app, MIB);
    put_raw("big", &largest).await.expect(201);
    let read = root.get(&url("big")).await.expect(200);
    assert!(read.text().contains(&format!("\"data\":{largest},")), "1 MiB did not come back");

    let refused = put_raw("big", &sized(&app, MIB + 1)).await.expect_error(413, "payload_too_large");
    assert_eq!(refused.details(), json!({"limit_bytes": MIB}));
    put_raw("new", &sized(&app, MIB + 1)).await.expect_error(413, "payload_too_large");
    root.get(&url("new")).await.expect_error(404, "secret_not_found");
    assert_eq!(super::states(&root, "big").await, [super::state(1, "current")], "nothing is kept");

    let spaced = sized(&app, MIB).replacen(':', &format!(":{}", " ".repeat(100)), 1);
    put_raw("spaced", &spaced).await.expect(201);
}

#[tokio::test]
async fn the_limit_can_be_set_and_holds_for_rotations() {
    let app = TestApp::builder().settings(|settings| settings.max_secret_bytes = 1000).start().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let rotate = |bytes: usize| {
        let body = format!("{{\"new_value\":{}}}", sized(&app, bytes));
        root.call(Method::POST, &url("a/rotate")).raw("application/json", body.as_bytes())
    };
    rotate(1001).await.expect_error(413, "payload_too_large");
    assert_eq!(super::metadata(&root, "a").await["current_version"], 1);
    rotate(1000).await.expect(200);
    let body = format!("{{\"data\":{{}}{}}}", " ".repeat(2000 + 64 * 1024));
    let refused = root.call(Method::PUT, &url("b")).raw("application/json", body.as_bytes()).await;
    refused.expect_error(413, "payload_too_large");
    root.get(&url("b")).await.expect_error(404, "secret_not_found");
}
