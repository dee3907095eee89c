//! Polls that wait.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::live::Live;
use super::{SUBSCRIPTIONS, listener, paths, subscribe, trail, write};

const SECOND: Duration = Duration::from_secs(1);
/// Longer than any wait of a test that goes right.
const LONG: Duration = Duration::from_secs(10);

type Polling = tokio::task::JoinHandle<(u16, Value)>;

/// Begins a poll and gives it time to reach the server.
async fn begin(live: &Live, actor: &scaivault_testkit::Actor<'_>, id: &str, seconds: u32) -> Polling {
    let call = live.get(actor, &format!("{SUBSCRIPTIONS}/{id}/poll?timeout={seconds}"));
    let polling = tokio::spawn(async move {
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    });
    sleep(Duration::from_millis(200)).await;
    polling
}

async fn end(polling: Polling) -> (u16, Value) {
    timeout(LONG, polling).await.expect("the poll ends").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_13_a_waiting_poll_returns_within_a_second_of_the_write() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["app/**"]).await;
    for round in 0..3 {
        let polling = begin(&live, &mia, &id, 30).await;
        // Not what it waits for.
        write(&live.app, "other").await;
        sleep(Duration::from_millis(100)).await;
        assert!(!polling.is_finished());
        let written = Instant::now();
        write(&live.app, &format!("app/{round}")).await;
        let (status, polled) = end(polling).await;
        assert!(written.elapsed() < SECOND, "{:?}", written.elapsed());
        assert_eq!((status, paths(&polled)), (200, vec![format!("app/{round}")]));
        super::acknowledge(&mia, &id, &super::ids(&polled)).await;
    }
    assert_eq!(trail(&live.app, "subscription_event").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nothing_until_the_timeout_the_answer_is_empty() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let asked = Instant::now();
    let (status, polled) = end(begin(&live, &mia, &id, 1).await).await;
    assert!(asked.elapsed() >= SECOND, "{:?}", asked.elapsed());
    assert_eq!((status, polled), (200, json!({"events": [], "has_more": false})));
    assert!(trail(&live.app, "subscription_event").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_poll_ends_the_older_and_waits_itself() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let older = begin(&live, &mia, &id, 60).await;
    let newer = begin(&live, &mia, &id, 60).await;
    assert_eq!(end(older).await, (200, json!({"events": [], "has_more": false})));
    assert!(!newer.is_finished());
    // Another's poll of it is none.
    let root = live.app.root();
    root.get(&format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0")).await.expect(404);
    sleep(Duration::from_millis(100)).await;
    assert!(!newer.is_finished());
    write(&live.app, "a").await;
    assert_eq!(paths(&end(newer).await.1), ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_were_lost_meanwhile_are_lost() {
    let live = Live::start().await;
    let (app, root) = (&live.app, live.app.root());
    let mia = listener(app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let polling = begin(&live, &mia, &id, 60).await;
    write(app, "a").await;
    assert_eq!(paths(&end(polling).await.1), ["a"]);
    super::acknowledge(&mia, &id, &super::ids(&super::poll(&mia, &id).await)).await;

    let polling = begin(&live, &mia, &id, 60).await;
    let tokens = root.get(&format!("/v1/auth/tokens?identity_id={}", mia.id)).await.expect(200).json();
    let token = tokens["tokens"][0]["id"].as_str().unwrap();
    root.delete(&format!("/v1/auth/tokens/{token}")).await.expect(204);
    write(app, "b").await;
    let (status, refused) = end(polling).await;
    assert_eq!((status, &refused["error"]["code"]), (401, &json!("token_revoked")));
    let entry = &trail(app, "subscription_event").await[0];
    assert_eq!((&entry["error_code"], &entry["status_code"]), (&json!("token_revoked"), &json!(401)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_deleted_meanwhile_is_gone() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let polling = begin(&live, &mia, &id, 60).await;
    mia.delete(&format!("{SUBSCRIPTIONS}/{id}")).await.expect(204);
    let (status, refused) = end(polling).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("subscription_not_found")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_polls_end_when_the_server_stops_or_is_sealed() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let polling = begin(&live, &mia, &id, 60).await;
    live.shut_down();
    assert_eq!(end(polling).await, (200, json!({"events": [], "has_more": false})));

    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let polling = begin(&live, &mia, &id, 60).await;
    live.app.root().post_empty("/v1/sys/seal").await.expect(200);
    let (status, refused) = end(polling).await;
    assert_eq!((status, &refused["error"]["details"]["reason"]), (503, &json!("sealed")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_polls_and_acknowledges_gets_every_event_once_and_in_order() {
    const WRITERS: usize = 3;
    const EACH: usize = 100;
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let token = live.app.root().token().to_owned();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (base, token) = (live.url(&format!("/v1/secrets/w{writer}")), token.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                for number in 0..EACH {
                    let call = client.put(format!("{base}/{number}")).bearer_auth(&token);
                    let answer = call.json(&json!({"data": {}})).send().await.unwrap();
                    assert_eq!(answer.status(), 201);
                }
            })
        })
        .collect();
    let mut got = Vec::new();
    while got.len() < WRITERS * EACH {
        let target = format!("{SUBSCRIPTIONS}/{id}/poll?timeout=5&max_events=17");
        let polled = mia.get(&target).await.expect(200).json();
        let ids = super::ids(&polled);
        assert!(!ids.is_empty() && polled.get("dropped").is_none(), "{polled}");
        assert_eq!(super::acknowledge(&mia, &id, &ids).await, i64::try_from(ids.len()).unwrap());
        got.extend(ids);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(got.is_sorted() && got.len() == WRITERS * EACH);
    assert!(paths(&super::poll(&mia, &id).await).is_empty());
}
