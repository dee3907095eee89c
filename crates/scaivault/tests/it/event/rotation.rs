//! Writing values and rotating them: each event once for its cause, with exactly its fields (E-1, E-18).

use scaivault_testkit::{Answer, TestApp};
use serde_json::{Value, json};

use super::{DAY, data, keys, mark, names, since, url};
use crate::identity::id_of;

const ROOT: &str = "user:admin@localhost";
const SCHEDULER: &str = "system:rotation-scheduler";

fn time(app: &TestApp, seconds: i64) -> Value {
    json!(app.now().plus_seconds(seconds).to_rfc3339_seconds())
}

/// A rotation policy of 90 days and two days of grace; answers its id.
async fn policy(app: &TestApp, extra: Value) -> String {
    let mut body = json!({"name": "quarterly", "interval": "90d", "grace_period": "48h", "warn_before": ["7d", "1d"]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    id_of(&app.root().post("/v1/rotation/policies", body).await.expect(201).json())
}

async fn put(app: &TestApp, options: Value) -> Answer {
    let body = json!({"data": {"password": app.canary()}, "metadata": {"tags": ["prod"]}, "options": options});
    let answer = app.root().put(&url("app/db"), body).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    answer
}

/// Whether the events since `mark` are these alone, all of `app/db`.
#[track_caller]
fn check(app: &TestApp, mark: &str, by: &str, expected: &[(&str, Value)]) {
    let events = since(app, mark);
    assert_eq!(names(&events), expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (event, (name, expected)) in events.iter().zip(expected) {
        assert_eq!(data(event), *expected, "{name}");
        assert_eq!(keys(&data(event)), keys(expected), "{name}");
        let event = &event.event;
        assert_eq!((event.path.as_deref(), event.identity_id.as_str()), (Some("app/db"), by), "{name}");
        assert_eq!((event.secret_type.as_deref(), event.tags.as_slice()), (Some("kv"), ["prod".to_owned()].as_slice()));
    }
}

#[tokio::test]
async fn e_1_secret_created_and_updated() {
    let app = TestApp::new().await;
    let before = mark(&app);
    let answer = put(&app, json!({"expires_in": "90d"})).await;
    let created = json!({"version": 1, "secret_type": "kv", "created_by": ROOT, "tags": ["prod"],
        "expires_at": time(&app, 90 * DAY)});
    check(&app, &before, ROOT, &[("secret.created", created)]);
    assert_eq!(since(&app, &before)[0].event.request_id, answer.header("x-request-id").unwrap());
    let before = mark(&app);
    put(&app, json!({"expires_at": null})).await;
    let updated = json!({"old_version": 1, "new_version": 2, "updated_by": ROOT, "is_rotation": false});
    check(&app, &before, ROOT, &[("secret.updated", updated)]);
}

#[tokio::test]
async fn e_1_a_rotation_by_call_and_by_writing() {
    let app = TestApp::new().await;
    put(&app, json!({})).await;
    let rotation = |old: i64, by: &str, policy: Value, name: Value, grace: i64, trigger: &str, reason: Value| {
        let (new, ends) = (old + 1, time(&app, grace));
        [
            ("secret.updated", json!({"old_version": old, "new_version": new, "updated_by": by, "is_rotation": true})),
            (
                "secret.rotated",
                json!({"old_version": old, "new_version": new, "rotation_policy_id": policy, "rotation_policy_name": name,
                    "grace_period_ends": ends, "auto_generated": false, "reason": reason}),
            ),
            (
                "rotation.completed",
                json!({"rotation_policy_id": policy, "old_version": old, "new_version": new, "trigger": trigger}),
            ),
        ]
    };
    let before = mark(&app);
    let body = json!({"new_value": {"password": app.canary()}, "reason": "leaked", "grace_period": "1h"});
    app.root().post(&url("app/db/rotate"), body).await.expect(200);
    check(&app, &before, ROOT, &rotation(1, ROOT, Value::Null, Value::Null, 3600, "manual", json!("leaked")));

    let id = policy(&app, json!({})).await;
    put(&app, json!({"rotation_policy_id": id})).await;
    let before = mark(&app);
    put(&app, json!({})).await;
    check(&app, &before, ROOT, &rotation(3, ROOT, json!(id), json!("quarterly"), 2 * DAY, "write", Value::Null));
}

#[tokio::test]
async fn e_18_e_1_rotation_due_and_overdue() {
    let app = TestApp::new().await;
    let id = policy(&app, json!({"auto_generate": false})).await;
    put(&app, json!({"rotation_policy_id": id})).await;
    let (before, due_at) = (mark(&app), time(&app, 90 * DAY));
    let overdue_since = time(&app, 92 * DAY);
    app.pass(200 * DAY).await;
    let due = |threshold: &str, due_now: bool| {
        json!({"rotation_policy_id": id, "rotation_policy_name": "quarterly", "threshold": threshold,
            "warn_before": threshold, "due_now": due_now, "due_at": due_at, "current_version": 1})
    };
    let overdue = json!({"rotation_policy_id": id, "due_at": due_at, "overdue_since": overdue_since});
    let expected = [
        ("rotation.due", due("7d", false)),
        ("rotation.due", due("1d", false)),
        ("rotation.due", due("0s", true)),
        ("rotation.overdue", overdue),
    ];
    check(&app, &before, SCHEDULER, &expected);
    for event in since(&app, &before) {
        assert_eq!(data(&event)["threshold"], data(&event)["warn_before"]);
    }
}

#[tokio::test]
async fn e_1_a_rotation_of_the_scheduler() {
    let app = TestApp::new().await;
    let id = policy(&app, json!({"auto_generate": true, "warn_before": []})).await;
    put(&app, json!({"rotation_policy_id": id})).await;
    let before = mark(&app);
    app.pass(90 * DAY).await;
    let ends = time(&app, 2 * DAY);
    let expected = [
        ("secret.updated", json!({"old_version": 1, "new_version": 2, "updated_by": SCHEDULER, "is_rotation": true})),
        (
            "secret.rotated",
            json!({"old_version": 1, "new_version": 2, "rotation_policy_id": id, "rotation_policy_name": "quarterly",
                "grace_period_ends": ends, "auto_generated": true, "reason": null}),
        ),
        (
            "rotation.completed",
            json!({"rotation_policy_id": id, "old_version": 1, "new_version": 2, "trigger": "scheduled"}),
        ),
    ];
    check(&app, &before, SCHEDULER, &expected);
}

#[tokio::test]
async fn e_1_rotation_failed() {
    let app = TestApp::new().await;
    let id = policy(&app, json!({"auto_generate": true, "warn_before": []})).await;
    let body = json!({"data": {"unknown": 1, "shape": 2}, "metadata": {"tags": ["prod"]},
        "options": {"rotation_policy_id": id}});
    app.root().put(&url("app/db"), body).await.expect(201);
    let before = mark(&app);
    app.pass(90 * DAY).await;
    let events = since(&app, &before);
    assert_eq!(names(&events), ["rotation.failed"]);
    let failed = data(&events[0]);
    let error = failed["error"].clone();
    assert_eq!(keys(&error), ["code", "message"].into());
    assert_eq!(error["code"], "validation_error");
    let expected = json!({"rotation_policy_id": id, "error": error, "next_attempt_at": time(&app, 60)});
    check(&app, &before, SCHEDULER, &[("rotation.failed", expected)]);
}
