//! An event is there exactly when what it tells of is (E-2).

use scaivault_store::event;
use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOME, mark, names, places, since, url};

#[tokio::test]
async fn e_2_what_was_refused_is_not_told() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put(&url("a"), json!({"data": {}})).await.expect(201);
    root.put(&url("taken"), json!({"data": {}})).await.expect(201);
    root.put(&url("folder/b"), json!({"data": {}})).await.expect(201);
    root.put(&url("folder/c"), json!({"data": {}})).await.expect(201);
    root.put(&url("to/c"), json!({"data": {}})).await.expect(201);
    let before = mark(&app);
    root.put(&url("a"), json!({"data": {}})).header("if-match", "\"9\"").await.expect_error(409, "version_conflict");
    root.patch(&url("a"), json!({"metadata": {"owner": "o"}, "options": {"rotation_policy_id": "rot_none"}}))
        .await
        .expect_error(404, "rotation_policy_not_found");
    root.delete(&url("a")).header("if-match", "\"9\"").await.expect_error(409, "version_conflict");
    root.delete(&url("a?version=1")).await.expect_error(409, "last_version");
    root.post(&url("a/move"), json!({"destination": "taken"})).await.expect_error(409, "version_conflict");
    // The first has gone when the second finds no room.
    root.post(&url("folder/move"), json!({"destination": "to", "recursive": true}))
        .await
        .expect_error(409, "version_conflict");
    root.post(&url("folder/copy"), json!({"destination": "to", "recursive": true}))
        .await
        .expect_error(409, "version_conflict");
    assert_eq!(since(&app, &before), []);
}

#[tokio::test]
async fn e_2_without_the_trail_there_is_neither_change_nor_event() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &["secrets:read", "secrets:write"], &[]).await;
    root.put(&url("a"), json!({"data": {"v": app.canary()}})).await.expect(201);
    let (before, raw) = (mark(&app), app.raw());
    raw.refuse_inserts("audit_entry");
    root.patch(&url("a"), json!({"metadata": {"owner": "o"}})).await.expect_error(503, "service_unavailable");
    root.delete(&url("a")).await.expect_error(503, "service_unavailable");
    root.post("/v1/policies", json!({"name": "p", "rules": [{"path_pattern": "a", "permissions": ["read"]}]}))
        .await
        .expect_error(503, "service_unavailable");
    mia.get(&url("a")).await.expect_error(503, "service_unavailable");
    mia.put(&url("a"), json!({"data": {}})).await.expect_error(503, "service_unavailable");
    assert_eq!(since(&app, &before), []);
    raw.allow("audit_entry");
    // What could not be told then is told now, though the minute is not over.
    mia.get(&url("a")).await.expect_error(403, "access_denied");
    mia.put(&url("a"), json!({"data": {}})).await.expect_error(403, "access_denied");
    assert_eq!(names(&since(&app, &before)), ["policy.violation", "policy.violation"]);
}

#[tokio::test]
async fn e_2_what_was_answered_is_told_after_a_restart() {
    let app = TestApp::new().await;
    app.root().put(&url("a"), json!({"data": {"v": app.canary()}})).await.expect(201);
    app.settle().await;
    let before = mark(&app);
    app.root().delete(&url("a")).await.expect(200);
    let app = app.restart().await;
    let events = since(&app, &before);
    assert_eq!(places(&events), [("secret.deleted", "a")]);
    let waiting = |app: &TestApp| app.look(|view| event::backlogs(view, "", 10)).unwrap();
    assert!(waiting(&app).iter().any(|backlog| backlog.tenant_id == HOME));
    app.settle().await;
    assert_eq!(waiting(&app), []);
    app.root().post_empty(&url("a/restore")).await.expect(200);
    assert_eq!(names(&since(&app, &before)), ["secret.deleted", "secret.restored"]);
}

#[tokio::test]
async fn an_answer_that_is_repeated_is_told_once() {
    let app = TestApp::new().await;
    app.root().put(&url("a"), json!({"data": {}})).await.expect(201);
    let before = mark(&app);
    for _ in 0..3 {
        let call = app.root().post(&url("a/copy"), json!({"destination": "b"}));
        call.header("idempotency-key", "key-1").await.expect(200);
    }
    assert_eq!(names(&since(&app, &before)), ["secret.created"]);
}
