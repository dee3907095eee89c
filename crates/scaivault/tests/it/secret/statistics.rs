//! `last_accessed_at` and `access_count_30d` (contract 01 section 5)

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{DAY, HOUR, at, metadata, put, put_versions, url, value};

/// What metadata says after the pending counts were written.
async fn count(app: &TestApp, actor: &Actor<'_>, path: &str) -> i64 {
    app.vault.flush_statistics().await.unwrap();
    metadata(actor, path).await["access_count_30d"].as_i64().unwrap()
}

#[tokio::test]
async fn s_33_a_read_counts_and_survives_a_restart() {
    let app = TestApp::new().await;
    put(&app.root(), "a", app.canary()).await;
    assert_eq!(metadata(&app.root(), "a").await["last_accessed_at"], Value::Null);
    value(&app.root(), "a").await;
    let read_at = at(&app, 0);
    app.clock.advance(10);
    assert_eq!(count(&app, &app.root(), "a").await, 1);
    assert_eq!(metadata(&app.root(), "a").await["last_accessed_at"], read_at);
    let app = app.restart().await;
    let after = metadata(&app.root(), "a").await;
    assert_eq!((&after["access_count_30d"], &after["last_accessed_at"]), (&json!(1), &json!(read_at)));
    value(&app.root(), "a").await;
    assert_eq!(count(&app, &app.root(), "a").await, 2);
}

#[tokio::test]
async fn s_34_looking_without_reading_does_not_count() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 2).await;
    for target in
        ["/v1/secrets", "/v1/secrets?include_metadata=true", "/v1/secrets/metadata/a", "/v1/secrets/a/versions"]
    {
        root.get(target).await.expect(200);
    }
    root.get("/v1/secrets/expiring").await.expect(200);
    root.get(&url("a?version=9")).await.expect_error(404, "version_not_found");
    root.patch(&url("a"), json!({"metadata": {"owner": "o"}})).await.expect(200);
    root.post(&url("a/rotate"), json!({"generate": true})).await.expect(200);
    root.delete(&url("a?version=1")).await.expect(200);
    root.delete(&url("a")).await.expect(200);
    root.get(&url("a")).await.expect_error(404, "secret_not_found");
    root.post_empty(&url("a/restore")).await.expect(200);
    assert_eq!(count(&app, &root, "a").await, 0);
    assert_eq!(metadata(&root, "a").await["last_accessed_at"], Value::Null);
}

#[tokio::test]
async fn every_kind_of_value_read_counts() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 2).await;
    root.get(&url("a")).await.expect(200);
    root.get(&url("a")).header("cache-control", "no-cache").await.expect(200);
    root.get(&url("a?version=1")).await.expect(200);
    root.get(&url("a")).header("if-none-match", "\"2\"").await.expect(304);
    root.head(&url("a")).await.expect(200);
    assert_eq!(count(&app, &root, "a").await, 5);
    for _ in 0..50 {
        value(&root, "a").await;
    }
    assert_eq!(count(&app, &root, "a").await, 55);
}

#[tokio::test]
async fn reads_leave_the_window_after_30_days_by_the_hour() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    value(&root, "a").await;
    let first = at(&app, 0);
    app.clock.advance(HOUR);
    value(&root, "a").await;
    value(&root, "a").await;
    let last = at(&app, 0);
    assert_eq!(count(&app, &root, "a").await, 3);
    app.clock.advance(30 * DAY - 2 * HOUR);
    assert_eq!(count(&app, &root, "a").await, 3, "the first read is 30 days less an hour old");
    app.clock.advance(2 * HOUR);
    assert!(count(&app, &root, "a").await < 3, "{first} left the window");
    app.clock.advance(HOUR);
    assert_eq!(count(&app, &root, "a").await, 0);
    assert_eq!(metadata(&root, "a").await["last_accessed_at"], last, "the last use is remembered");
}

#[tokio::test]
async fn a_read_through_the_partner_counts() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/partner/secrets/a", json!({"data": {"v": app.canary()}})).await.expect(201);
    put(&root, "a", "own").await;
    root.get("/v1/partner/secrets/a").await.expect(200);
    assert_eq!(count(&app, &root, "a").await, 0, "another namespace");
    let shared = root.get("/v1/partner/secrets/metadata/a").await.expect(200).json();
    assert_eq!((&shared["access_count_30d"], &shared["last_accessed_at"]), (&json!(1), &json!(at(&app, 0))));
}
