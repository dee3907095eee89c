//! A policy changes, or a secret's relation to it: its secrets are planned anew.

use scaivault_testkit::{TestApp, off_thread};
use serde_json::{Value, json};

use super::{
    DAY, HOUR, POLICIES, attach, history, policy_with, put, put_under, rotation_policy, state, status, told, version,
    words,
};

async fn patch(app: &TestApp, id: &str, body: Value) {
    app.root().patch(&format!("{POLICIES}/{id}"), body).await.expect(200);
}

#[tokio::test]
async fn a_new_interval_counts_from_the_last_rotation() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "p", json!({"interval": "90d", "warn_before": "1d", "grace_period": "1h"})).await;
    put_under(&app, &id, "db").await;
    app.pass(10 * DAY).await;
    patch(&app, &id, json!({"interval": "20d"})).await;
    assert_eq!(state(&app, "db").await["next_rotation"], "2026-05-21T10:00:00Z");
    let due = app.root().get("/v1/rotation/due?within_hours=240").await.expect(200).json();
    assert_eq!(due["data"][0]["next_rotation"], "2026-05-21T10:00:00Z");
    app.pass(20 * DAY).await;
    let expected = [(19 * DAY, "due 1d"), (20 * DAY, "due 0s"), (20 * DAY + HOUR, "overdue")];
    assert_eq!(words(&told(&app, "db")), expected);
    // Another due time has moments of its own, and the same rotation is still waited for.
    patch(&app, &id, json!({"interval": "40d"})).await;
    assert_eq!(status(&app, "db").await, "ok");
    app.pass(20 * DAY).await;
    let expected = [(39 * DAY, "due 1d"), (40 * DAY, "due 0s"), (40 * DAY + HOUR, "overdue")];
    assert_eq!(words(&told(&app, "db")[3..]), expected);
    assert_eq!(history(&app, &id, "").await.len(), 1);
}

#[tokio::test]
async fn an_interval_that_is_over_already_is_due_at_once() {
    let app = TestApp::new().await;
    let id = rotation_policy(&app, "p", "90d").await;
    put_under(&app, &id, "db").await;
    app.pass(30 * DAY).await;
    patch(&app, &id, json!({"interval": "29d", "grace_period": "2d"})).await;
    app.settle().await;
    assert_eq!(words(&told(&app, "db")), [(30 * DAY, "due 0s")]);
}

#[tokio::test]
async fn more_secrets_than_one_transaction_takes_are_planned_anew_too() {
    let app = TestApp::new().await;
    let id = rotation_policy(&app, "p", "90d").await;
    for number in 0..1100 {
        put_under(&app, &id, &format!("many/{number:04}")).await;
    }
    patch(&app, &id, json!({"interval": "10d"})).await;
    app.settle().await;
    let mut seen = 0;
    let mut target = "/v1/rotation/due?within_hours=240&limit=200".to_owned();
    loop {
        let page = app.root().get(&target).await.expect(200).json();
        seen += page["data"].as_array().unwrap().len();
        match page["cursor"].as_str() {
            Some(cursor) => target = format!("/v1/rotation/due?limit=200&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, 1100);
}

#[tokio::test]
async fn switching_to_generating_rotates_what_waits() {
    let app = TestApp::new().await;
    let id = rotation_policy(&app, "p", "10d").await;
    put_under(&app, &id, "db").await;
    app.pass(11 * DAY).await;
    patch(&app, &id, json!({"auto_generate": true})).await;
    app.settle().await;
    assert_eq!(version(&app, "db").await, 2);
    let items = history(&app, &id, "").await;
    assert_eq!((items.len(), &items[0]["status"], &items[0]["trigger"]), (1, &json!("success"), &json!("scheduled")));
}

#[tokio::test]
async fn a_disabled_policy_rests_and_goes_on_from_the_last_rotation() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "p", json!({"interval": "10d", "grace_period": "5d"})).await;
    put_under(&app, &id, "db").await;
    app.root().post_empty(&format!("{POLICIES}/{id}/disable")).await.expect(200);
    app.pass(12 * DAY).await;
    assert_eq!((told(&app, "db").len(), status(&app, "db").await.as_str()), (0, "paused"));
    let due = app.root().get("/v1/rotation/due").await.expect(200).json();
    assert_eq!(due["data"], json!([]));
    app.root().post_empty(&format!("{POLICIES}/{id}/enable")).await.expect(200);
    app.settle().await;
    assert_eq!(words(&told(&app, "db")), [(12 * DAY, "due 0s")]);
    assert_eq!(status(&app, "db").await, "due");
    // Off and on again: nothing is told twice.
    app.root().post_empty(&format!("{POLICIES}/{id}/disable")).await.expect(200);
    app.root().post_empty(&format!("{POLICIES}/{id}/enable")).await.expect(200);
    app.pass(3 * DAY).await;
    assert_eq!(words(&told(&app, "db")[1..]), [(15 * DAY, "overdue")]);
}

#[tokio::test]
async fn attaching_an_old_secret_makes_it_due_at_once() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "p", "10d").await;
    put(&root, "a", "one").await;
    put(&root, "b", "one").await;
    app.clock.advance(11 * DAY);
    attach(&root, &id, "a").await;
    root.patch("/v1/secrets/b", json!({"options": {"rotation_policy_id": id}})).await.expect(200);
    app.settle().await;
    for path in ["a", "b"] {
        assert_eq!(words(&told(&app, path)), [(11 * DAY, "due 0s")], "{path}");
    }
}

#[tokio::test]
async fn a_detached_secret_is_not_waited_for() {
    let app = TestApp::new().await;
    let root = app.root();
    let (id, other) = (rotation_policy(&app, "p", "10d").await, rotation_policy(&app, "other", "10d").await);
    for path in ["a", "b", "c"] {
        put_under(&app, &id, path).await;
    }
    app.pass(10 * DAY).await;
    root.delete(&format!("{POLICIES}/{id}/secrets/a")).await.expect(204);
    root.patch("/v1/secrets/b", json!({"options": {"rotation_policy_id": null}})).await.expect(200);
    attach(&root, &other, "c").await;
    app.pass(5 * DAY).await;
    let items = history(&app, &id, "").await;
    assert!(
        items.iter().all(|item| item["status"] == "failed" && item["error"]["code"] == "invalid_state"),
        "{items:?}"
    );
    assert_eq!(items[0]["completed_at"], "2026-05-11T10:00:00Z");
    assert_eq!((told(&app, "a").len(), told(&app, "b").len()), (1, 1));
    // Under the other policy it is another matter.
    assert_eq!(words(&told(&app, "c")), [(10 * DAY, "due 0s"), (10 * DAY, "due 0s"), (12 * DAY, "overdue")]);
    assert_eq!(history(&app, &other, "?status=pending").await.len(), 1);
}

#[tokio::test]
async fn r_9_a_deleted_policy_leaves_nothing_behind() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "p", "10d").await;
    put_under(&app, &id, "db").await;
    app.pass(10 * DAY).await;
    root.delete(&format!("{POLICIES}/{id}")).await.expect(204);
    app.pass(100 * DAY).await;
    assert_eq!((told(&app, "db").len(), state(&app, "db").await), (1, Value::Null));
    // One that gets its id knows nothing of it.
    assert_eq!(rotation_policy(&app, "p", "10d").await, id);
    assert!(history(&app, &id, "").await.is_empty());
    assert_eq!(off_thread(|| app.vault.next_job_at()).unwrap(), None);
}
