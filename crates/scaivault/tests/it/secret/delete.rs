//! `DELETE /v1/secrets/{path}`

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{ALL_SCOPES, DAY, at, listed, metadata, put, put_versions, state, states, url, value};

#[tokio::test]
async fn s_9_deleting_the_current_version_brings_back_the_one_before() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 5).await;
    assert_eq!(value(&root, "a").await, "5");
    let deleted = root.delete(&url("a?version=5")).await.expect(200);
    assert_eq!(deleted.json(), json!({"path": "a", "version": 5, "deleted": true, "current_version": 4}));
    let current = root.get(&url("a")).await.expect(200);
    assert_eq!((&current.json()["data"]["v"], current.header("etag")), (&json!("4"), Some("\"4\"")));
    assert_eq!(metadata(&root, "a").await["current_version"], 4);
    root.get(&url("a?version=5")).await.expect_error(404, "version_not_found");
    assert_eq!(put(&root, "a", app.canary()).await, 6);
}

#[tokio::test]
async fn deleting_an_older_version_leaves_the_current_one() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 3).await;
    let deleted = root.delete(&url("a?version=2&permanent=true")).await.expect(200);
    assert_eq!(deleted.json(), json!({"path": "a", "version": 2, "deleted": true, "current_version": 3}));
    assert_eq!(states(&root, "a").await, [state(3, "current"), state(1, "available")]);
    for gone in [2, 4] {
        root.delete(&url(&format!("a?version={gone}"))).await.expect_error(404, "version_not_found");
    }
    root.delete(&url("b?version=1")).await.expect_error(404, "secret_not_found");
    assert_eq!(put(&root, "a", app.canary()).await, 4, "a number is never used twice");
}

#[tokio::test]
async fn the_heir_is_readable_even_if_it_was_retired() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    root.post(&url("a/rotate"), json!({"new_value": {"v": "2"}, "grace_period": "0s"})).await.expect(200);
    root.get(&url("a?version=1")).await.expect_error(404, "version_not_found");
    root.delete(&url("a?version=2")).await.expect(200);
    assert_eq!(value(&root, "a").await, app.canary());
    assert_eq!(states(&root, "a").await, [state(1, "current")]);
}

#[tokio::test]
async fn s_10_the_only_version_stays() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    root.delete(&url("a?version=1")).await.expect_error(409, "last_version");
    root.delete(&url("a?version=2")).await.expect_error(404, "version_not_found");
    assert_eq!(value(&root, "a").await, app.canary());
}

#[tokio::test]
async fn s_11_a_soft_delete_hides_and_a_restore_brings_back() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 2).await;
    let deleted = root.delete(&url("a")).await.expect(200);
    let until = at(&app, 30 * DAY);
    let expected = json!({"path": "a", "deleted": true, "permanent": false,
        "deleted_at": at(&app, 0), "recoverable_until": until});
    assert_eq!(deleted.json(), expected);
    app.clock.advance(DAY);
    for target in ["a", "a?version=1", "a/versions", "metadata/a"] {
        root.get(&url(target)).await.expect_error(404, "secret_not_found");
    }
    assert!(listed(&root, "").await.is_empty());
    let refused = root.put(&url("a"), json!({"data": {}})).await.expect_error(409, "secret_exists");
    assert_eq!(refused.details(), json!({"recoverable_until": until}), "fixed at the deletion");
    root.delete(&url("a")).await.expect_error(404, "secret_not_found");
    root.delete(&url("a?version=1")).await.expect_error(404, "secret_not_found");
    root.patch(&url("a"), json!({"metadata": {"owner": "o"}})).await.expect_error(404, "secret_not_found");
    root.post(&url("a/rotate"), json!({"new_value": {}})).await.expect_error(404, "secret_not_found");
    root.post_empty(&url("a/restore")).await.expect(200);
    assert_eq!(root.get(&url("a")).await.expect(200).json()["version"], 2);
    assert_eq!(value(&root, "a").await, "2");
}

#[tokio::test]
async fn s_13_a_permanent_delete_needs_scope_and_permission() {
    let app = TestApp::new().await;
    put_versions(&app.root(), "a", 2).await;
    let all = &["read", "write", "delete", "list", "rotate"];
    let deleter = app.user("deleter", ALL_SCOPES, &[("**", all)]).await;
    let (admin, _, _) = app.actors().await;
    for query in ["permanent=true", "permanent=true&version=1"] {
        deleter.delete(&url(&format!("a?{query}"))).await.expect_error(403, "access_denied");
        let refused = admin.delete(&url(&format!("a?{query}"))).await.expect_error(403, "insufficient_scope");
        assert_eq!(refused.details(), json!({"required": ["secrets:delete", "admin"]}));
    }
    assert_eq!(states(&app.root(), "a").await.len(), 2);
    deleter.delete(&url("a?version=1")).await.expect(200);
    deleter.delete(&url("a?permanent=false")).await.expect(200);
    let full = app.user("full", ALL_SCOPES, &[("**", &["admin"])]).await;
    full.delete(&url("a?permanent=true")).await.expect(200);
}

#[tokio::test]
async fn s_14_a_permanent_delete_also_empties_the_trash() {
    let app = TestApp::new().await;
    let root = app.root();
    for soft_first in [true, false] {
        put_versions(&root, "a", 2).await;
        if soft_first {
            root.delete(&url("a")).await.expect(200);
        }
        let deleted = root.delete(&url("a?permanent=true")).await.expect(200);
        assert_eq!(deleted.json(), json!({"path": "a", "deleted": true, "permanent": true}));
        root.get(&url("a")).await.expect_error(404, "secret_not_found");
        root.post_empty(&url("a/restore")).await.expect_error(404, "secret_not_found");
        assert_eq!(put(&root, "a", app.canary()).await, 1);
        assert_eq!(root.put(&url("a"), json!({"data": {}})).await.expect(200).json()["version"], 2);
        root.delete(&url("a?permanent=true")).await.expect(200);
    }
    root.delete(&url("a?permanent=true")).await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn a_permanent_delete_takes_metadata_and_statistics_along() {
    let app = TestApp::new().await;
    let root = app.root();
    super::put_with(&root, "a", json!({"data": {"v": app.canary()}, "metadata": {"tags": ["t"], "owner": "o"}})).await;
    value(&root, "a").await;
    app.vault.flush_statistics().await.unwrap();
    value(&root, "a").await;
    root.delete(&url("a?permanent=true")).await.expect(200);
    app.vault.flush_statistics().await.unwrap();
    assert!(listed(&root, "tag=t&include_deleted=true").await.is_empty());
    put(&root, "a", app.canary()).await;
    let new = metadata(&root, "a").await;
    assert_eq!((&new["access_count_30d"], &new["last_accessed_at"]), (&json!(0), &Value::Null));
    assert_eq!(new["metadata"]["owner"], Value::Null);
}

#[tokio::test]
async fn s_38_a_misspelt_parameter_deletes_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 3).await;
    root.delete(&url("a?version=2&permanant=true")).await.expect_fault("permanant", "unknown");
    root.delete(&url("a?permanant=true")).await.expect_fault("permanant", "unknown");
    root.delete(&url("a?permanent=yes")).await.expect_fault("permanent", "type");
    root.delete(&url("a?version=0")).await.expect_fault("version", "range");
    assert_eq!(states(&root, "a").await.len(), 3);
}

#[tokio::test]
async fn retention_can_be_set() {
    let app = TestApp::builder().settings(|settings| settings.secret_retention_seconds = 60).start().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let deleted = root.delete(&url("a")).await.expect(200);
    assert_eq!(deleted.json()["recoverable_until"], at(&app, 60));
}
