//! `POST /v1/rotation/policies/{id}/rotate` (R-11)

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, POLICIES, entries, events, history, policy_with, put, put_under, rotation_policy, state, version};

async fn auto(app: &TestApp) -> String {
    policy_with(app, "auto", json!({"interval": "10d", "auto_generate": true})).await
}

fn brief_of(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = report.as_array().unwrap().iter();
    items.map(|item| (text(&item["secret_path"]), text(&item["status"]), text(&item["error"]["code"]))).collect()
}

fn line(path: &str, status: &str, code: &str) -> (String, String, String) {
    (path.to_owned(), status.to_owned(), code.to_owned())
}

#[tokio::test]
async fn r_11_each_path_is_decided_on_by_itself() {
    let app = TestApp::new().await;
    let id = auto(&app).await;
    put_under(&app, &id, "mine/a").await;
    put_under(&app, &id, "other/b").await;
    let caller = app.user("rotator", &["secrets:rotate"], &[("mine/**", &["rotate"])]).await;
    let target = format!("{POLICIES}/{id}/rotate");
    let body = json!({"secret_paths": ["other/b", "mine/a"], "reason": "leaked"});
    let report = caller.post(&target, body).await.expect(200).json();
    let expected = [line("mine/a", "success", ""), line("other/b", "failed", "access_denied")];
    assert_eq!(brief_of(&report), expected);
    let shown = &report[0];
    let expected = json!({"id": shown["id"], "policy_id": id, "secret_path": "mine/a", "status": "success", "trigger": "manual",
        "old_version": 1, "new_version": 2, "started_at": "2026-05-01T10:00:00Z", "completed_at": "2026-05-01T10:00:00Z",
        "error": null});
    assert_eq!(shown, &expected);
    assert!(report[1]["id"].as_str().unwrap().starts_with("rh_"));
    assert_eq!((version(&app, "mine/a").await, version(&app, "other/b").await), (2, 1));
    // What was refused is in the trail, not in the history.
    assert_eq!(history(&app, &id, "").await, std::slice::from_ref(shown));
    let trail = entries(&app, "rotate").await;
    let brief: Vec<_> = trail
        .iter()
        .map(|entry| {
            (entry["secret_path"].as_str().unwrap(), entry["success"].as_bool().unwrap(), &entry["error_code"])
        })
        .collect();
    assert_eq!(brief, [("other/b", false, &json!("access_denied")), ("mine/a", true, &Value::Null)]);
    assert!(trail.iter().all(|entry| entry["resource_id"] == id.as_str() && entry["extra_data"]["reason"] == "leaked"));
    let rotated = events(&app).into_iter().find(|(_, name, ..)| name == "secret.rotated").unwrap().3;
    assert_eq!((&rotated["reason"], &rotated["auto_generated"]), (&json!("leaked"), &json!(true)));
    // All attached: the same answer.
    let report = caller.post_empty(&target).await.expect(200).json();
    assert_eq!(brief_of(&report), [line("mine/a", "success", ""), line("other/b", "failed", "access_denied")]);
}

#[tokio::test]
async fn what_is_not_attached_fails_by_itself() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = auto(&app).await;
    let other = rotation_policy(&app, "other", "10d").await;
    put_under(&app, &id, "a").await;
    put_under(&app, &other, "b").await;
    put(&root, "c", "one").await;
    put_under(&app, &id, "gone").await;
    root.delete("/v1/secrets/gone").await.expect(200);
    let target = format!("{POLICIES}/{id}/rotate");
    let body = json!({"secret_paths": ["gone", "c", "b", "a", "a", "nowhere"]});
    let report = root.post(&target, body).await.expect(200).json();
    let absent = |path: &str| line(path, "failed", "secret_not_found");
    let expected = [line("a", "success", ""), absent("b"), absent("c"), absent("gone"), absent("nowhere")];
    assert_eq!(brief_of(&report), expected);
    assert_eq!(state(&app, "a").await["last_rotated_at"], "2026-05-01T10:00:00Z");
    // Who may not rotate there hears the same of what is there and what is not.
    let caller = app.user("rotator", &["secrets:rotate"], &[]).await;
    let report = caller.post(&target, json!({"secret_paths": ["a", "nowhere"]})).await.expect(200).json();
    assert_eq!(brief_of(&report), [line("a", "failed", "access_denied"), line("nowhere", "failed", "access_denied")]);
    assert_eq!(root.post(&target, json!({"secret_paths": []})).await.expect(200).json(), json!([]));
}

#[tokio::test]
async fn a_policy_that_generates_nothing_rotates_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "asks", "10d").await;
    put_under(&app, &id, "a").await;
    put_under(&app, &id, "b").await;
    let target = format!("{POLICIES}/{id}/rotate");
    let report = root.post_empty(&target).await.expect(200).json();
    assert_eq!(brief_of(&report), [line("a", "failed", "validation_error"), line("b", "failed", "validation_error")]);
    assert_eq!(history(&app, &id, "?status=failed").await.len(), 2);
    root.patch(&format!("{POLICIES}/{id}"), json!({"auto_generate": true})).await.expect(200);
    root.post_empty(&format!("{POLICIES}/{id}/disable")).await.expect(200);
    let report = root.post_empty(&target).await.expect(200).json();
    assert_eq!(brief_of(&report), [line("a", "failed", "invalid_state"), line("b", "failed", "invalid_state")]);
    assert_eq!(version(&app, "a").await, 1);
}

#[tokio::test]
async fn what_fails_leaves_nothing_and_the_others_are_done() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = auto(&app).await;
    let fields = json!([{"name": "password", "generator": "hex", "config": {"length": 10}}]);
    root.post("/v1/secret-policies", json!({"name": "hex", "fields": fields})).await.expect(201);
    put_under(&app, &id, "a").await;
    put_under(&app, &id, "b").await;
    root.patch("/v1/secrets/a", json!({"options": {"secret_policy_id": "sp_hex"}})).await.expect(200);
    root.patch("/v1/secret-policies/sp_hex", json!({"is_active": false})).await.expect(200);
    let report = root.post_empty(&format!("{POLICIES}/{id}/rotate")).await.expect(200).json();
    assert_eq!(brief_of(&report), [line("a", "failed", "invalid_state"), line("b", "success", "")]);
    let failed = history(&app, &id, "?status=failed").await;
    assert_eq!((failed.len(), &failed[0]), (1, &report[0]));
    assert_eq!((version(&app, "a").await, version(&app, "b").await), (1, 2));
}

#[tokio::test]
async fn it_completes_what_is_waited_for_and_starts_the_cycle_anew() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "p", "10d").await;
    put_under(&app, &id, "a").await;
    app.pass(10 * DAY).await;
    root.post_empty(&format!("{POLICIES}/{id}/disable")).await.expect(200);
    root.patch(&format!("{POLICIES}/{id}"), json!({"auto_generate": true})).await.expect(200);
    root.post_empty(&format!("{POLICIES}/{id}/enable")).await.expect(200);
    let report = root.post_empty(&format!("{POLICIES}/{id}/rotate")).await.expect(200).json();
    assert_eq!((&report[0]["trigger"], &report[0]["started_at"]), (&json!("manual"), &json!("2026-05-11T10:00:00Z")));
    app.settle().await;
    assert_eq!((version(&app, "a").await, history(&app, &id, "").await.len()), (2, 1));
    assert_eq!(state(&app, "a").await["next_rotation"], "2026-05-21T10:00:00Z");
}

#[tokio::test]
async fn requests_are_checked() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = auto(&app).await;
    let target = format!("{POLICIES}/{id}/rotate");
    root.post(&target, json!({"secret_paths": ["/a"]})).await.expect_error(400, "invalid_path");
    root.post(&target, json!({"secret_paths": "a"})).await.expect_fault("secret_paths", "type");
    let many: Vec<String> = (0..1001).map(|number| format!("p/{number}")).collect();
    root.post(&target, json!({"secret_paths": many})).await.expect_fault("secret_paths", "range");
    root.post(&target, json!({"reason": "r".repeat(501)})).await.expect_fault("reason", "range");
    root.post(&target, json!({"paths": []})).await.expect_fault("paths", "unknown");
    root.post_empty(&format!("{POLICIES}/rot_none/rotate")).await.expect_error(404, "rotation_policy_not_found");
    let admin = app.user("admin", &["admin"], &[("**", &["admin"])]).await;
    admin.post_empty(&target).await.expect_error(403, "insufficient_scope");
    let before = entries(&app, "rotate").await.len();
    assert_eq!(root.post_empty(&target).await.expect(200).json(), json!([]));
    assert_eq!(entries(&app, "rotate").await.len(), before + 1, "a call that had nothing to rotate is in the trail");
}

#[tokio::test]
async fn more_than_a_thousand_have_to_be_named() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = auto(&app).await;
    for number in 0..1001 {
        put_under(&app, &id, &format!("many/{number:04}")).await;
    }
    let target = format!("{POLICIES}/{id}/rotate");
    root.post_empty(&target).await.expect_fault("secret_paths", "required");
    root.delete("/v1/secrets/many/1000").await.expect(200);
    let report = root.post_empty(&target).header("idempotency-key", "k").await.expect(200);
    let items = report.json();
    assert!(items.as_array().unwrap().iter().all(|item| item["status"] == "success"));
    assert_eq!(items.as_array().unwrap().len(), 1000);
    let again = root.post_empty(&target).header("idempotency-key", "k").await.expect(200);
    assert_eq!((again.json(), version(&app, "many/0007").await), (items, 2));
}
