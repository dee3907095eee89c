//! The clock is set forward by a year, or back: it does no harm.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{DAY, HOUR, POLICIES, attach, entries, policy_with, put, put_under, state, status, told, version, words};

const YEAR: i64 = 365 * DAY;

#[tokio::test]
async fn a_year_forward_does_each_thing_once() {
    let app = TestApp::new().await;
    let asks = policy_with(&app, "asks", json!({"interval": "90d", "warn_before": "7d,1d"})).await;
    let makes =
        policy_with(&app, "makes", json!({"interval": "90d", "warn_before": "7d,1d", "auto_generate": true})).await;
    put_under(&app, &asks, "asked").await;
    put_under(&app, &makes, "made").await;
    app.settle().await;
    app.clock.advance(YEAR);
    app.settle().await;
    app.settle().await;
    assert_eq!(words(&told(&app, "asked")), [(YEAR, "due 0s"), (YEAR, "overdue")]);
    assert_eq!(words(&told(&app, "made")), [(YEAR, "secret.rotated"), (YEAR, "completed scheduled")]);
    assert_eq!((version(&app, "made").await, entries(&app, "rotate").await.len()), (2, 1));
}

#[tokio::test]
async fn a_year_back_rests_nothing_for_ever_and_tells_nothing_twice() {
    let app = TestApp::new().await;
    let asks = policy_with(&app, "asks", json!({"interval": "90d", "warn_before": "7d,1d"})).await;
    let makes = policy_with(&app, "makes", json!({"interval": "90d", "auto_generate": true})).await;
    put_under(&app, &asks, "asked").await;
    put_under(&app, &makes, "made").await;
    app.clock.advance(YEAR);
    app.settle().await;
    let (asked, made) = (told(&app, "asked").len(), told(&app, "made").len());
    app.clock.advance(-YEAR);
    app.settle().await;
    // What was rotated in a future that is none counts from now.
    assert_eq!(state(&app, "made").await["last_rotated_at"], "2026-05-01T10:00:00Z");
    assert_eq!(state(&app, "made").await["next_rotation"], "2026-07-30T10:00:00Z");
    app.pass(91 * DAY).await;
    assert_eq!((told(&app, "asked").len(), status(&app, "asked").await.as_str()), (asked, "due"));
    assert_eq!(words(&told(&app, "made")[made..]), [(90 * DAY, "secret.rotated"), (90 * DAY, "completed scheduled")]);
    assert_eq!(version(&app, "made").await, 3);
}

#[tokio::test]
async fn a_secret_written_in_the_future_is_due_in_time() {
    let app = TestApp::new().await;
    let asks = policy_with(&app, "asks", json!({"interval": "10d", "warn_before": "1d", "grace_period": "1h"})).await;
    app.clock.advance(YEAR);
    put_under(&app, &asks, "db").await;
    app.clock.advance(-YEAR);
    // Also when the server was down meanwhile.
    let app = app.restart().await;
    app.settle().await;
    app.pass(11 * DAY).await;
    let expected = [(9 * DAY, "due 1d"), (10 * DAY, "due 0s"), (10 * DAY + HOUR, "overdue")];
    assert_eq!(words(&told(&app, "db")), expected);
}

#[tokio::test]
async fn a_secret_of_the_future_is_attached_as_one_of_now() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = policy_with(&app, "p", json!({"interval": "10d"})).await;
    app.clock.advance(YEAR);
    put(&root, "a", "one").await;
    put(&root, "b", "one").await;
    root.post("/v1/secrets/b/rotate", json!({"new_value": {"password": "two"}})).await.expect(200);
    app.clock.advance(-YEAR);
    attach(&root, &id, "a").await;
    root.patch("/v1/secrets/b", json!({"options": {"rotation_policy_id": id}})).await.expect(200);
    app.pass(10 * DAY).await;
    for path in ["a", "b"] {
        assert_eq!(told(&app, path).last().unwrap(), &(10 * DAY, "due 0s".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_clock_that_swings_tells_each_moment_once() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "p", json!({"interval": "90d", "warn_before": "30d,7d,1d", "grace_period": "2d"})).await;
    put_under(&app, &id, "db").await;
    for days in [61, -50, 60, 15, -80, 79, 4, -89, 92, 400, -480, 1, 90] {
        app.clock.advance(days * DAY);
        app.settle().await;
    }
    let told = told(&app, "db");
    let words: Vec<&str> = told.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["due 30d", "due 7d", "due 1d", "due 0s", "overdue"]);
}

#[tokio::test]
async fn a_retry_is_not_put_off_by_a_clock_that_was_wrong() {
    let app = TestApp::new().await;
    let fields = json!([{"name": "password", "generator": "hex", "config": {"length": 10}}]);
    app.root().post("/v1/secret-policies", json!({"name": "hex", "fields": fields})).await.expect(201);
    let id =
        policy_with(&app, "p", json!({"interval": "1d", "auto_generate": true, "secret_policy_id": "sp_hex"})).await;
    put_under(&app, &id, "db").await;
    app.root().patch("/v1/secret-policies/sp_hex", json!({"is_active": false})).await.expect(200);
    app.clock.advance(YEAR);
    app.settle().await;
    assert_eq!(status(&app, "db").await, "failed");
    app.root().patch("/v1/secret-policies/sp_hex", json!({"is_active": true})).await.expect(200);
    app.clock.advance(-YEAR + DAY);
    app.settle().await;
    assert_eq!((version(&app, "db").await, status(&app, "db").await.as_str()), (2, "ok"));
    app.root().get(&format!("{POLICIES}/{id}/history?status=failed")).await.expect(200);
}
