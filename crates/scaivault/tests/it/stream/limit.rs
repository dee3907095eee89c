//! How many streams there may be.

use std::time::Duration;

use scaivault_testkit::TestApp;

use super::{Reader, STREAM};
use crate::subscription::live::Live;
use crate::subscription::{listener, trail, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seventeenth_stream_of_an_identity_has_to_wait_for_another_to_close() {
    let live = Live::start().await;
    let app = &live.app;
    let (mia, ben) = (listener(app, "mia", "**").await, listener(app, "ben", "**").await);
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(Reader::open(&live, &mia, "", None).await);
    }
    let refused = live.get(&mia, STREAM).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let error: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(error["error"]["code"], "rate_limited");
    assert_eq!(error["error"]["details"]["category"], "subscription_poll");
    Reader::open(&live, &ben, "", None).await;
    assert_eq!(trail(app, "subscription_event").await.len(), 17, "one for each that opened");
    drop(readers.pop());
    let mut again = loop {
        let answer = live.get(&mia, STREAM).send().await.unwrap();
        if answer.status() == 200 {
            break Reader::of(answer).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    write(app, "a").await;
    assert_eq!(again.next().await.path(), "a");
    for reader in &mut readers {
        assert_eq!(reader.next().await.path(), "a");
    }
}

#[tokio::test]
async fn polls_and_connects_draw_from_one_bucket() {
    let app = TestApp::builder()
        .limits(|limits| limits.set(scaivault_domain::rate::RateCategory::SubscriptionPoll, 3))
        .start()
        .await;
    let mia = listener(&app, "mia", "**").await;
    let id = crate::subscription::subscribe(&mia, "crm", &["**"]).await;
    mia.head(STREAM).await.expect(200);
    crate::subscription::poll(&mia, &id).await;
    crate::subscription::poll(&mia, &id).await;
    let refused = mia.head(STREAM).await.expect(429);
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
}
