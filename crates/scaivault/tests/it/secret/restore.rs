//! `POST /v1/secrets/{path}/restore`

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, HOUR, listed, metadata, put, put_with, rotation_policy, state, states, url, value};

#[tokio::test]
async fn s_12_after_retention_nothing_comes_back() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    put(&root, "a", "2").await;
    root.delete(&url("a")).await.expect(200);
    app.clock.advance(30 * DAY + 1);
    root.post_empty(&url("a/restore")).await.expect_error(404, "secret_not_found");
    root.get("/v1/secrets/metadata/a?include_deleted=true").await.expect_error(404, "secret_not_found");
    root.delete(&url("a?permanent=true")).await.expect_error(404, "secret_not_found");
    assert!(listed(&root, "include_deleted=true").await.is_empty());
    let written = root.put(&url("a"), json!({"data": {"v": app.canary()}})).await.expect(201);
    assert_eq!(written.json()["version"], 1);
    assert_eq!(states(&root, "a").await, [state(1, "current")]);
    root.get(&url("a?version=2")).await.expect_error(404, "version_not_found");
}

#[tokio::test]
async fn until_the_last_second_everything_returns() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    let body = json!({"data": {"v": app.canary()}, "secret_type": "json",
        "metadata": {"description": "d", "tags": ["t"], "owner": "o", "custom": {"k": "v"}},
        "options": {"max_versions": 3, "expires_in": "90d", "rotation_policy_id": "rot_quarterly"}});
    put_with(&root, "a", body).await;
    app.clock.advance(HOUR);
    put(&root, "a", "2").await;
    value(&root, "a").await;
    app.vault.flush_statistics().await.unwrap();
    let (before, versions) = (metadata(&root, "a").await, states(&root, "a").await);
    root.delete(&url("a")).await.expect(200);
    app.clock.advance(30 * DAY - 1);
    let restored = root.post_empty(&url("a/restore")).await.expect(200).json();
    for (field, kept) in before.as_object().unwrap() {
        if !["updated_at", "access_count_30d"].contains(&field.as_str()) {
            assert_eq!(&restored[field], kept, "{field}");
        }
    }
    assert_eq!(restored, metadata(&root, "a").await, "the answer is the object of section 5");
    assert_eq!(versions, [state(2, "current"), state(1, "grace")]);
    assert_eq!(states(&root, "a").await, [state(2, "current"), state(1, "retired")], "grace went on meanwhile");
    assert_eq!(listed(&root, "tag=t").await, ["a"]);
    assert_eq!(value(&root, "a").await, "2");
}

#[tokio::test]
async fn what_expired_in_the_trash_comes_back_expired() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"expires_in": "1h"}})).await;
    root.delete(&url("a")).await.expect(200);
    app.clock.advance(2 * HOUR);
    root.post_empty(&url("a/restore")).await.expect(200);
    root.get(&url("a")).await.expect_error(410, "secret_expired");
}

#[tokio::test]
async fn only_what_is_deleted_can_be_restored() {
    let app = TestApp::new().await;
    let root = app.root();
    root.post_empty(&url("a/restore")).await.expect_error(404, "secret_not_found");
    put(&root, "a", app.canary()).await;
    let refused = root.post_empty(&url("a/restore")).await.expect_error(409, "secret_exists");
    assert_eq!(refused.details(), json!({"recoverable_until": Value::Null}));
    root.delete(&url("a")).await.expect(200);
    root.post(&url("a/restore"), json!({"version": 1})).await.expect_fault("version", "unknown");
    root.post(&url("a/restore"), json!({})).await.expect(200);
}

#[tokio::test]
async fn restore_needs_permission_delete() {
    let app = TestApp::new().await;
    let (owner, reader, _) = app.actors().await;
    put(&owner, "a", app.canary()).await;
    owner.delete(&url("a")).await.expect(200);
    let writer = app.user("writer", super::ALL_SCOPES, &[("**", &["read", "write", "list", "rotate"])]).await;
    writer.post_empty(&url("a/restore")).await.expect_error(403, "access_denied");
    reader.post_empty(&url("a/restore")).await.expect_error(403, "insufficient_scope");
    let deleter = app.user("deleter", super::ALL_SCOPES, &[("**", &["delete"])]).await;
    deleter.post_empty(&url("a/restore")).await.expect(200);
}
