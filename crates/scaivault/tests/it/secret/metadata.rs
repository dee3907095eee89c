//! `GET /v1/secrets/metadata/{path}`, and what no answer but a read may show

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, HOUR, at, metadata, put, put_with, rotation_policy, url};

#[tokio::test]
async fn it_tells_everything_but_the_value() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    let body = json!({"data": {"v": app.canary()}, "secret_type": "json",
        "metadata": {"description": "d", "tags": ["postgres", "production"], "custom": {"k": "v"}},
        "options": {"expires_in": "120d", "rotation_policy_id": "rot_quarterly"}});
    put_with(&root, "app/db", body).await;
    let created = at(&app, 0);
    app.clock.advance(HOUR);
    put(&root, "app/db", "2").await;
    root.get(&url("app/db")).await.expect(200);
    app.vault.flush_statistics().await.unwrap();
    let now = at(&app, 0);
    let answer = root.get("/v1/secrets/metadata/app/db").await.expect(200);
    let expected = json!({"path": "app/db", "secret_type": "json", "current_version": 2, "version_count": 2,
        "metadata": {"description": "d", "tags": ["postgres", "production"], "owner": null, "custom": {"k": "v"}},
        "created_at": created, "updated_at": now, "expires_at": at(&app, 120 * DAY),
        "last_accessed_at": now, "access_count_30d": 1,
        "rotation_policy": {"id": "rot_quarterly", "next_rotation": at(&app, 90 * DAY),
            "last_rotated_at": now, "status": "ok"},
        "secret_policy_id": null,
        "options": {"max_versions": 10, "expires_in": "120d", "notify_before": "30d,7d,1d"},
        "deleted_at": null, "recoverable_until": null});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn status_follows_the_schedule() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "daily", json!({"interval": "1d", "grace_period": "1h"})).await;
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"rotation_policy_id": "rot_daily"}})).await;
    for (seconds, expected) in [(DAY - 1, "ok"), (1, "due"), (HOUR, "overdue")] {
        app.clock.advance(seconds);
        assert_eq!(metadata(&root, "a").await["rotation_policy"]["status"], expected);
    }
    root.post_empty("/v1/rotation/policies/rot_daily/disable").await.expect(200);
    assert_eq!(metadata(&root, "a").await["rotation_policy"]["status"], "paused");
    root.delete("/v1/rotation/policies/rot_daily").await.expect(204);
    assert_eq!(metadata(&root, "a").await["rotation_policy"], Value::Null);
}

#[tokio::test]
async fn a_deleted_secret_shows_only_when_asked_for() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let live = root.get("/v1/secrets/metadata/a?include_deleted=true").await.expect(200).json();
    assert_eq!((&live["deleted_at"], &live["recoverable_until"]), (&Value::Null, &Value::Null));
    root.delete(&url("a")).await.expect(200);
    for query in ["", "?include_deleted=false"] {
        root.get(&format!("/v1/secrets/metadata/a{query}")).await.expect_error(404, "secret_not_found");
    }
    let deleted = root.get("/v1/secrets/metadata/a?include_deleted=true").await.expect(200).json();
    assert_eq!(
        (&deleted["deleted_at"], &deleted["recoverable_until"]),
        (&json!(at(&app, 0)), &json!(at(&app, 30 * DAY)))
    );
    root.get("/v1/secrets/metadata/b?include_deleted=true").await.expect_error(404, "secret_not_found");
    root.get("/v1/secrets/metadata/a?include_deleted=1").await.expect_fault("include_deleted", "type");
    root.get("/v1/secrets/metadata/a?version=1").await.expect_fault("version", "unknown");
}

#[tokio::test]
async fn include_deleted_needs_permission_delete_or_admin() {
    let app = TestApp::new().await;
    let (owner, reader, _) = app.actors().await;
    put(&owner, "a", app.canary()).await;
    owner.delete(&url("a")).await.expect(200);
    reader.get("/v1/secrets/metadata/a?include_deleted=true").await.expect_error(403, "access_denied");
    owner.get("/v1/secrets/metadata/a?include_deleted=true").await.expect(200);
    let deleter = app.user("deleter", super::ALL_SCOPES, &[("**", &["delete"])]).await;
    deleter.get("/v1/secrets/metadata/a?include_deleted=true").await.expect(200);
}

#[tokio::test]
async fn s_35_only_reads_show_values() {
    let app = TestApp::new().await;
    let root = app.root();
    let data = || json!({"v": app.canary(), "w": {"x": [app.canary()]}});
    let written = root.put(&url("a"), json!({"data": data()})).await.expect(201);
    let answers = [
        written,
        root.put(&url("a"), json!({"data": data()})).await.expect(200),
        root.patch(&url("a"), json!({"metadata": {"owner": "o"}})).await.expect(200),
        root.post(&url("a/rotate"), json!({"new_value": data(), "reason": "r"})).await.expect(200),
        root.get("/v1/secrets?include_metadata=true").await.expect(200),
        root.get("/v1/secrets/expiring?days=3650").await.expect(200),
        root.get("/v1/secrets/metadata/a").await.expect(200),
        root.get(&url("a/versions")).await.expect(200),
        root.get(&url("a/../b")).await.expect(400),
        root.delete(&url("a?version=1")).await.expect(200),
        root.delete(&url("a")).await.expect(200),
        root.put(&url("a"), json!({"data": data()})).await.expect(409),
        root.put(&url("b"), json!({"data": data(), "extra": app.canary()})).await.expect(422),
        root.post_empty(&url("a/restore")).await.expect(200),
        root.delete(&url("a?permanent=true")).await.expect(200),
    ];
    for answer in answers {
        assert!(!answer.text().contains(app.canary()), "{}", answer.text());
    }
}
