//! `PATCH /v1/secrets/{path}`

use http::Method;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{ALL_SCOPES, HOUR, at, metadata, put, put_versions, put_with, rotation_policy, state, states, url};

#[tokio::test]
async fn s_15_a_patch_moves_updated_at_and_no_version() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "metadata": {"tags": ["old"], "owner": "o"}})).await;
    let before = root.get(&url("a")).await.expect(200);
    app.clock.advance(HOUR);
    let patched = root.patch(&url("a"), json!({"metadata": {"tags": ["postgres", "critical"]}})).await.expect(200);
    assert_eq!(patched.json(), metadata(&root, "a").await, "the answer is the object of section 5");
    assert_eq!(patched.json()["metadata"]["tags"], json!(["postgres", "critical"]));
    let after = root.get(&url("a")).await.expect(200);
    assert_eq!((&after.json()["version"], after.header("etag")), (&json!(1), before.header("etag")));
    assert_eq!(
        (&before.json()["updated_at"], &after.json()["updated_at"]),
        (&json!(at(&app, -HOUR)), &json!(at(&app, 0)))
    );
    assert_eq!(after.json()["version_created_at"], at(&app, -HOUR));
    assert_eq!(after.json()["metadata"]["owner"], "o");
    root.get(&url("a")).header("if-none-match", "\"1\"").await.expect(304);
}

#[tokio::test]
async fn s_16_data_and_type_are_not_for_patch() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    root.patch(&url("a"), json!({"data": {"v": "2"}})).await.expect_fault("data", "not_allowed");
    root.patch(&url("a"), json!({"secret_type": "json"})).await.expect_fault("secret_type", "not_allowed");
    let expected = json!({"options": {"expected_version": 1}});
    root.patch(&url("a"), expected).await.expect_error(422, "validation_error");
    root.patch(&url("a"), json!({"tags": []})).await.expect_fault("tags", "unknown");
    root.patch(&url("a"), json!({"options": {"max_versions": 0}})).await.expect_fault("options.max_versions", "range");
    assert_eq!(states(&root, "a").await, [state(1, "current")]);
}

#[tokio::test]
async fn s_17_an_absent_path_is_404_only_with_permission() {
    let app = TestApp::new().await;
    let body = || json!({"metadata": {"owner": "o"}});
    app.root().patch(&url("a"), body()).await.expect_error(404, "secret_not_found");
    let writer = app.user("writer", ALL_SCOPES, &[("mine/**", &["write"])]).await;
    writer.patch(&url("mine/a"), body()).await.expect_error(404, "secret_not_found");
    put(&app.root(), "other/there", app.canary()).await;
    for path in ["other/absent", "other/there"] {
        writer.patch(&url(path), body()).await.expect_error(403, "access_denied");
    }
}

#[tokio::test]
async fn null_clears_and_absent_leaves() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    let full = json!({"data": {"v": app.canary()},
        "metadata": {"description": "d", "tags": ["t"], "owner": "o", "custom": {"k": "v", "l": "w"}},
        "options": {"max_versions": 5, "rotation_policy_id": "rot_quarterly", "notify_before": "1d"}});
    put_with(&root, "a", full).await;
    let patch = json!({"metadata": {"custom": {"k": "x"}}, "options": {"notify_before": ["2d", "3d"]}});
    let now = root.patch(&url("a"), patch).await.expect(200).json();
    assert_eq!(now["metadata"], json!({"description": "d", "tags": ["t"], "owner": "o", "custom": {"k": "x"}}));
    assert_eq!(now["options"], json!({"max_versions": 5, "expires_in": null, "notify_before": "3d,2d"}));
    let patch = json!({"metadata": {"description": null, "tags": null, "owner": null, "custom": null},
        "options": {"max_versions": null, "rotation_policy_id": null,
            "secret_policy_id": null, "notify_before": null}});
    let now = root.patch(&url("a"), patch).await.expect(200).json();
    assert_eq!(now["metadata"], json!({"description": null, "tags": [], "owner": null, "custom": {}}));
    assert_eq!(now["options"], json!({"max_versions": 10, "expires_in": null, "notify_before": "30d,7d,1d"}));
    assert_eq!(now["rotation_policy"], Value::Null);
}

#[tokio::test]
async fn an_empty_patch_changes_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let before = metadata(&root, "a").await;
    app.clock.advance(HOUR);
    for body in [json!({}), json!({"metadata": {}}), json!({"metadata": {}, "options": {}})] {
        assert_eq!(root.patch(&url("a"), body).await.expect(200).json(), before);
    }
}

#[tokio::test]
async fn a_lower_cap_prunes_at_the_next_write() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 4).await;
    let patched = root.patch(&url("a"), json!({"options": {"max_versions": 2}})).await.expect(200).json();
    assert_eq!((&patched["version_count"], &patched["options"]["max_versions"]), (&json!(4), &json!(2)));
    put(&root, "a", "5").await;
    assert_eq!(states(&root, "a").await, [state(5, "current"), state(4, "available")]);
}

#[tokio::test]
async fn attaching_a_policy_counts_from_the_current_version() {
    let app = TestApp::new().await;
    let root = app.root();
    rotation_policy(&root, "quarterly", json!({})).await;
    put(&root, "a", app.canary()).await;
    let written = at(&app, 0);
    app.clock.advance(HOUR);
    let body = json!({"options": {"rotation_policy_id": "rot_quarterly"}});
    let patched = root.patch(&url("a"), body).await.expect(200).json();
    let next = at(&app, 90 * 86_400 - HOUR);
    assert_eq!(
        patched["rotation_policy"],
        json!({"id": "rot_quarterly", "next_rotation": next, "last_rotated_at": written, "status": "ok"})
    );
    let missing = root.patch(&url("a"), json!({"options": {"rotation_policy_id": "rot_x"}})).await;
    missing.expect_error(404, "rotation_policy_not_found");
    let missing = root.patch(&url("a"), json!({"options": {"secret_policy_id": "sp_x"}})).await;
    missing.expect_error(404, "secret_policy_not_found");
}

#[tokio::test]
async fn a_merge_patch_is_taken_too() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let call =
        root.call(Method::PATCH, &url("a")).raw("application/merge-patch+json", br#"{"metadata":{"owner":"o"}}"#);
    assert_eq!(call.await.expect(200).json()["metadata"]["owner"], "o");
    let call = root.call(Method::PATCH, &url("a")).raw("text/plain", b"{}");
    call.await.expect_error(415, "unsupported_media_type");
    root.call(Method::PUT, &url("a")).raw("application/merge-patch+json", br#"{"data":{}}"#).await.expect(415);
}
