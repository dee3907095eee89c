//! What waits, and what no longer fits.

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, acknowledge, ids, listener, paths, poll, subscribe, wanted, write};

async fn with_buffer(actor: &Actor<'_>, size: i64) -> String {
    let mut body = wanted("crm", &["**"]);
    body["delivery"]["buffer_size"] = json!(size);
    actor.post(SUBSCRIPTIONS, body).await.expect(201).json()["id"].as_str().unwrap().to_owned()
}

async fn write_numbers(app: &TestApp, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        write(app, &format!("n/{number:02}")).await;
    }
}

fn numbers(polled: &Value) -> Vec<u32> {
    paths(polled).iter().map(|path| path.strip_prefix("n/").unwrap().parse().unwrap()).collect()
}

// E-14
#[tokio::test]
async fn e_14_of_a_full_buffer_the_oldest_go_and_are_counted() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = with_buffer(&mia, 10).await;
    write_numbers(&app, 1..=15).await;
    app.settle().await;
    let polled = poll(&mia, &id).await;
    assert_eq!(numbers(&polled), (6..=15).collect::<Vec<_>>());
    assert_eq!(polled["dropped"], 5);
}

#[tokio::test]
async fn dropped_events_are_told_until_something_is_acknowledged() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = with_buffer(&mia, 3).await;
    // One after the other, and then more at a time than there is room for.
    for number in 1..=4 {
        write_numbers(&app, number..=number).await;
        app.settle().await;
    }
    let first = poll(&mia, &id).await;
    assert_eq!((numbers(&first), &first["dropped"]), (vec![2, 3, 4], &json!(1)));
    assert_eq!(poll(&mia, &id).await["dropped"], 1, "the answer may have been lost");
    write_numbers(&app, 5..=9).await;
    app.settle().await;
    // What was dropped after the answer is not taken for told.
    assert_eq!(acknowledge(&mia, &id, &ids(&first)).await, 0);
    let second = poll(&mia, &id).await;
    assert_eq!((numbers(&second), &second["dropped"]), (vec![7, 8, 9], &json!(6)));
    write_numbers(&app, 10..=10).await;
    app.settle().await;
    assert_eq!(acknowledge(&mia, &id, &ids(&second)).await, 2);
    let third = poll(&mia, &id).await;
    assert_eq!((numbers(&third), &third["dropped"]), (vec![10], &json!(1)));
    acknowledge(&mia, &id, &ids(&third)).await;
    assert_eq!(poll(&mia, &id).await.get("dropped"), None);
}

#[tokio::test]
async fn who_goes_on_behind_what_was_pushed_out_hears_of_a_gap() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = with_buffer(&mia, 3).await;
    write_numbers(&app, 1..=3).await;
    app.settle().await;
    let first = ids(&poll(&mia, &id).await);
    let since = async |event_id: &str| {
        let target = format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0&since_event_id={event_id}");
        mia.get(&target).await.expect(200).json()
    };
    assert_eq!(since(&first[0]).await.get("gap"), None, "it is held");
    write_numbers(&app, 4..=5).await;
    app.settle().await;
    for gone in &first[..2] {
        let polled = since(gone).await;
        assert_eq!((numbers(&polled), &polled["gap"]), (vec![3, 4, 5], &json!(true)));
        assert_eq!(polled["dropped"], 2);
    }
    let held = since(&first[2]).await;
    assert_eq!((numbers(&held), held.get("gap"), &held["dropped"]), (vec![4, 5], None, &json!(2)));
    // What the owner took out itself is no gap; what it did not, still is.
    acknowledge(&mia, &id, &first[2..]).await;
    let acknowledged = since(&first[2]).await;
    assert_eq!((numbers(&acknowledged), acknowledged.get("gap")), (vec![4, 5], None));
    let gone = since(&first[0]).await;
    assert_eq!((numbers(&gone), &gone["gap"], gone.get("dropped")), (vec![4, 5], &json!(true), None));
    // More at once than there is room for, and a buffer that is made smaller.
    let fourth = ids(&acknowledged)[0].clone();
    write_numbers(&app, 6..=11).await;
    app.settle().await;
    let polled = since(&fourth).await;
    assert_eq!((numbers(&polled), &polled["gap"]), (vec![9, 10, 11], &json!(true)));
    let ninth = ids(&polled)[0].clone();
    mia.patch(&format!("{SUBSCRIPTIONS}/{id}"), json!({"delivery": {"buffer_size": 1}})).await.expect(200);
    let polled = since(&ninth).await;
    assert_eq!((numbers(&polled), &polled["gap"]), (vec![11], &json!(true)));
}

#[tokio::test]
async fn a_long_buffer_that_its_owner_does_not_see_is_looked_through() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", super::SCOPES, &[]).await;
    let rules = |pattern: &str| json!({"rules": [{"path_pattern": pattern, "permissions": ["list"]}]});
    let policy = app.policy_in("tnt_default", "p", &[("**", &["list"])], &[("user", &mia.id)]).await;
    let id = with_buffer(&mia, 2000).await;
    for _ in 0..1501 {
        root.put("/v1/secrets/hidden", json!({"data": {}})).await;
    }
    write(&app, "seen").await;
    app.settle().await;
    root.patch(&format!("/v1/policies/{policy}"), rules("seen")).await.expect(200);
    assert_eq!(paths(&poll(&mia, &id).await), ["seen"]);
    root.patch(&format!("/v1/policies/{policy}"), rules("other")).await.expect(200);
    assert_eq!(poll(&mia, &id).await["events"], json!([]));
}

#[tokio::test]
async fn a_smaller_buffer_drops_at_once() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = with_buffer(&mia, 10).await;
    write_numbers(&app, 1..=5).await;
    app.settle().await;
    mia.patch(&format!("{SUBSCRIPTIONS}/{id}"), json!({"delivery": {"buffer_size": 2}})).await.expect(200);
    let polled = poll(&mia, &id).await;
    assert_eq!((numbers(&polled), &polled["dropped"]), (vec![4, 5], &json!(3)));
}

#[tokio::test]
async fn what_nobody_takes_lapses_after_seven_days() {
    const DAY: i64 = 86_400;
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = with_buffer(&mia, 3).await;
    write_numbers(&app, 1..=2).await;
    app.settle().await;
    app.clock.advance(6 * DAY);
    write_numbers(&app, 3..=3).await;
    app.settle().await;
    assert_eq!(numbers(&poll(&mia, &id).await), [1, 2, 3]);
    app.clock.advance(DAY + 1);
    // Whether or not it was cleaned up meanwhile.
    assert_eq!(poll(&mia, &id).await["events"].as_array().unwrap().len(), 1);
    write_numbers(&app, 4..=5).await;
    app.settle().await;
    let polled = poll(&mia, &id).await;
    assert_eq!(
        (numbers(&polled), polled.get("dropped")),
        (vec![3, 4, 5], None),
        "nothing was pushed out that was not over"
    );
    app.clock.advance(8 * DAY);
    while app.vault.event_step().await.unwrap() + app.vault.buffer_step().await.unwrap() > 0 {}
    let left = app.raw().count("SELECT COUNT(*) FROM subscription_buffer");
    assert_eq!(left, 0, "rows of events that are gone are cleaned up");
}

#[tokio::test]
async fn waiting_events_survive_a_restart() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    write(&app, "a").await;
    app.settle().await;
    // Written, but not handed on before the server stopped.
    write(&app, "b").await;
    let token = mia.token().to_owned();
    let app = app.restart().await;
    app.settle().await;
    assert_eq!(paths(&poll(&app.with_token(&token), &id).await), ["a", "b"]);
}
