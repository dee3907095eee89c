//! `GET /v1/secrets/{path}`

use scaivault_testkit::TestApp;
use serde_json::json;

#[tokio::test]
async fn s_1_versions_are_numbered_and_stay_readable() {
    let app = TestApp::new().await;
    let root = app.root();
    let first = root.put("/v1/secrets/app/db", json!({"data": {"password": app.canary()}})).await.expect(201);
    assert_eq!(first.json()["version"], 1);
    assert_eq!(first.header("etag"), Some("\"1\""));
    let second = root.put("/v1/secrets/app/db", json!({"data": {"password": "two"}})).await.expect(200);
    assert_eq!(second.json()["previous_version"], 1);
    let old = root.get("/v1/secrets/app/db?version=1").await.expect(200);
    assert_eq!(old.json()["data"]["password"], app.canary());
    assert_eq!(old.json()["is_current"], false);
    root.get("/v1/secrets/app/db?version=9").await.expect_error(404, "version_not_found");
    root.get("/v1/secrets/app/db?version=0").await.expect_fault("version", "range");
}
