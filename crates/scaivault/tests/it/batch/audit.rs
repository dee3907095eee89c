//! What batches leave in the trail.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{READ, entries, fill, metadata, read};

#[tokio::test]
async fn u_12_each_path_leaves_an_entry_under_one_request_id() {
    let app = TestApp::new().await;
    fill(&app, &["app/a", "app/b", "infra/c"]).await;
    let reader = app.user("reader", &["secrets:read"], &[("app/**", &["read"])]).await;
    let answer = read(&reader, &["app/a", "infra/c", "app/b"]).await.expect(200);
    let trail = entries(&app, &answer).await;
    let told: Vec<_> = trail
        .iter()
        .map(|entry| {
            assert_eq!((&entry["action"], &entry["identity_id"]), (&json!("read"), &json!(reader.identity_id)));
            (entry["secret_path"].as_str().unwrap(), entry["success"].as_bool().unwrap(), entry["error_code"].as_str())
        })
        .collect();
    assert_eq!(told, [("app/a", true, None), ("infra/c", false, Some("access_denied")), ("app/b", true, None)]);
    assert_eq!(trail[0]["extra_data"]["version"], 1);
    assert!(trail[0]["extra_data"]["granted_by"].as_str().unwrap().starts_with("policy:"));
    assert!(trail[1]["extra_data"].get("version").is_none());
    let sequence: Vec<i64> = trail.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
    assert_eq!(sequence, [sequence[0], sequence[0] + 1, sequence[0] + 2]);
    assert_eq!(app.root().get("/v1/audit/verify").await.expect(200).json()["valid"], true);
}

#[tokio::test]
async fn what_is_no_path_is_recorded_without_one() {
    let app = TestApp::new().await;
    let answer = read(&app.root(), &["no path"]).await.expect(200);
    let trail = entries(&app, &answer).await;
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0]["secret_path"], json!(null));
    assert_eq!((&trail[0]["error_code"], &trail[0]["status_code"]), (&json!("invalid_path"), &json!(400)));
}

#[tokio::test]
async fn a_request_of_no_shape_leaves_one_entry() {
    let app = TestApp::new().await;
    let answer = app.root().post(READ, json!({"paths": []})).await.expect(422);
    let trail = entries(&app, &answer).await;
    assert_eq!(trail.len(), 1);
    assert_eq!((&trail[0]["action"], &trail[0]["error_code"]), (&json!("read"), &json!("validation_error")));
}

#[tokio::test]
async fn a_call_for_metadata_leaves_one_entry() {
    let app = TestApp::new().await;
    fill(&app, &["app/a", "app/b"]).await;
    let answer = metadata(&app.root(), &["app/*", "app/none", "app/a"], true).await.expect(200);
    let trail = entries(&app, &answer).await;
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0]["action"], "list");
    assert_eq!((&trail[0]["extra_data"]["op"], &trail[0]["extra_data"]["returned"]), (&json!("batch"), &json!(2)));
}
