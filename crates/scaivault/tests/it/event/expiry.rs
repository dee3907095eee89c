//! Warnings ahead of an expiry and its end: each told once, whatever happens to the secret meanwhile (contract 01 section 6).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, data, mark, names, places, since, url};

/// Threshold of each warning, or `end`.
fn told(app: &TestApp, mark: &str) -> Vec<String> {
    let of = |event| data(event)["threshold"].as_str().unwrap_or("end").to_owned();
    since(app, mark).iter().filter(|event| event.event.event_type.starts_with("secret.expir")).map(of).collect()
}

async fn write(app: &TestApp, path: &str) {
    let answer = app.root().put(&url(path), json!({"data": {"v": "1"}})).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

async fn set(app: &TestApp, path: &str, options: Value) {
    app.root().patch(&url(path), json!({"options": options})).await.expect(200);
}

#[tokio::test]
async fn a_warning_whose_time_had_passed_when_the_end_was_set_was_not_missed() {
    let app = TestApp::new().await;
    write(&app, "a").await;
    let before = mark(&app);
    set(&app, "a", json!({"expires_in": "2d"})).await;
    app.settle().await;
    assert_eq!(told(&app, &before), Vec::<String>::new());
    app.pass(3 * DAY).await;
    assert_eq!(told(&app, &before), ["1d", "end"]);
    // Exactly as long ahead as a warning: who sets it knows it.
    write(&app, "b").await;
    let before = mark(&app);
    set(&app, "b", json!({"expires_in": "1d", "notify_before": "1d,1h"})).await;
    app.pass(3 * DAY).await;
    assert_eq!(told(&app, &before), ["1h", "end"]);
}

#[tokio::test]
async fn nothing_is_told_twice_for_the_same_end() {
    let app = TestApp::new().await;
    write(&app, "a").await;
    let end = app.now().plus_seconds(40 * DAY).to_rfc3339_seconds();
    let before = mark(&app);
    set(&app, "a", json!({"expires_at": end})).await;
    app.pass(10 * DAY).await;
    assert_eq!(told(&app, &before), ["30d"]);
    // The same end in other words, other fields, a new version, a warning that is new and lies in the past.
    set(&app, "a", json!({"expires_at": end})).await;
    app.root().patch(&url("a"), json!({"metadata": {"owner": "o"}})).await.expect(200);
    write(&app, "a").await;
    set(&app, "a", json!({"notify_before": "35d,30d,7d"})).await;
    app.settle().await;
    assert_eq!(told(&app, &before), ["30d"]);
    app.pass(60 * DAY).await;
    set(&app, "a", json!({"notify_before": "1d"})).await;
    app.pass(DAY).await;
    assert_eq!(told(&app, &before), ["30d", "7d", "end"]);
}

#[tokio::test]
async fn a_renewed_expiry_begins_anew_and_a_cleared_one_is_silent() {
    let app = TestApp::new().await;
    write(&app, "a").await;
    set(&app, "a", json!({"expires_in": "10d", "notify_before": "3d"})).await;
    let before = mark(&app);
    app.pass(8 * DAY).await;
    assert_eq!(told(&app, &before), ["3d"]);
    let before = mark(&app);
    set(&app, "a", json!({"expires_in": "10d"})).await;
    app.pass(8 * DAY).await;
    assert_eq!(told(&app, &before), ["3d"]);
    set(&app, "a", json!({"expires_at": null})).await;
    let before = mark(&app);
    app.pass(100 * DAY).await;
    assert_eq!(told(&app, &before), Vec::<String>::new());
    // After the end: a new end is another one.
    set(&app, "a", json!({"expires_in": "10d"})).await;
    app.pass(100 * DAY).await;
    assert_eq!(told(&app, &before), ["3d", "end"]);
}

#[tokio::test]
async fn after_a_long_silence_only_the_latest_is_told() {
    let app = TestApp::new().await;
    for path in ["a", "b"] {
        write(&app, path).await;
        set(&app, path, json!({"expires_in": "90d"})).await;
    }
    let before = mark(&app);
    // The server is down for 85 days, then for ten more.
    app.clock.advance(85 * DAY);
    let app = app.restart().await;
    app.settle().await;
    assert_eq!(told(&app, &before), ["7d", "7d"]);
    let late = since(&app, &before);
    assert_eq!(data(&late[0])["days_remaining"], 5, "as it is now, not as it would have been");
    app.clock.advance(10 * DAY);
    app.settle().await;
    assert_eq!(told(&app, &before), ["7d", "7d", "end", "end"]);
}

#[tokio::test]
async fn in_the_trash_it_rests_and_comes_back_with_the_secret() {
    let app = TestApp::new().await;
    write(&app, "a").await;
    set(&app, "a", json!({"expires_in": "20d"})).await;
    let before = mark(&app);
    app.root().delete(&url("a")).await.expect(200);
    app.pass(14 * DAY).await;
    assert_eq!(told(&app, &before), Vec::<String>::new());
    app.root().post_empty(&url("a/restore")).await.expect(200);
    app.settle().await;
    assert_eq!(told(&app, &before), ["7d"]);
    app.root().delete(&url("a")).await.expect(200);
    app.pass(10 * DAY).await;
    app.root().post_empty(&url("a/restore")).await.expect(200);
    app.pass(DAY).await;
    assert_eq!(told(&app, &before), ["7d", "end"]);
    // Gone for good, and a new one at its path.
    set(&app, "a", json!({"expires_in": "20d"})).await;
    app.root().delete(&url("a?permanent=true")).await.expect(200);
    write(&app, "a").await;
    app.pass(40 * DAY).await;
    assert_eq!(told(&app, &before), ["7d", "end"]);
    let left =
        "SELECT (SELECT COUNT(*) FROM secret_expiry_state) + (SELECT COUNT(*) FROM job WHERE kind = 'secret_expiry')";
    assert_eq!(app.raw().count(left), 0);
}

#[tokio::test]
async fn it_moves_along_and_a_copy_has_its_own() {
    let app = TestApp::new().await;
    write(&app, "a").await;
    set(&app, "a", json!({"expires_in": "20d"})).await;
    app.pass(14 * DAY).await;
    let before = mark(&app);
    app.root().post(&url("a/move"), json!({"destination": "b"})).await.expect(200);
    app.root().post(&url("b/copy"), json!({"destination": "c"})).await.expect(200);
    app.pass(10 * DAY).await;
    let events = since(&app, &before);
    let mut at: Vec<_> = places(&events).into_iter().filter(|(name, _)| name.starts_with("secret.expir")).collect();
    at.sort_unstable();
    let (warned, over) = ("secret.expiring", "secret.expired");
    assert_eq!(at, [(over, "b"), (over, "c"), (warned, "b"), (warned, "c")]);
}

/// What an older version of the program left: an expiry, and nothing of what was told.
#[tokio::test]
async fn a_database_from_before_tells_at_most_the_latest() {
    let app = TestApp::new().await;
    let day = |number: i64| json!(app.now().plus_seconds(number * DAY).to_rfc3339_seconds());
    for (path, end) in [("a", day(3)), ("b", day(90)), ("c", day(1))] {
        write(&app, path).await;
        set(&app, path, json!({"expires_at": end, "notify_before": "60d,30d,7d,1d"})).await;
    }
    let (raw, before) = (app.raw(), mark(&app));
    raw.batch(
        "DROP TABLE secret_expiry_state; DELETE FROM job WHERE kind IN ('secret_expiry', 'binding_lapse');
         ALTER TABLE binding DROP COLUMN lapsed_at; UPDATE secret SET updated_at = updated_at - 5184000000000;",
    );
    raw.batch(include_str!("../../../../store/src/migrations/0006_lives.sql"));
    drop(raw);
    app.clock.advance(2 * DAY);
    let app = app.restart().await;
    app.settle().await;
    let events = since(&app, &before);
    let mut told = places(&events);
    told.sort_unstable();
    assert_eq!(told, [("secret.expired", "c"), ("secret.expiring", "a")]);
    app.pass(100 * DAY).await;
    assert_eq!(names(&since(&app, &before)).iter().filter(|name| **name == "secret.expired").count(), 3);
}
