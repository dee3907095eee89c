//! Broken off and taken up again.

use serde_json::json;

use super::{Message, Reader};
use crate::subscription::live::Live;
use crate::subscription::{listener, write};

const DAY: i64 = 86_400;

/// Lets days pass, and old events go that were handed on.
async fn pass_days(live: &Live, days: i64) {
    live.app.settle().await;
    live.app.clock.advance(days * DAY);
    while live.app.vault.event_step().await.unwrap() > 0 {}
}

/// Ids of all events with a path, as they are stored.
fn stored(live: &Live) -> Vec<String> {
    let events = live.app.look(|view| scaivault_store::event::after(view, "tnt_default", "", 10_000));
    events.unwrap().into_iter().filter(|record| record.event.path.is_some()).map(|record| record.id).collect()
}

fn ids(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.id.clone()).collect()
}

// E-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_20_a_stream_broken_again_and_again_loses_nothing_and_repeats_nothing() {
    const WRITERS: usize = 4;
    const EACH: usize = 100;
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let mut reader = Reader::open(&live, &mia, "", None).await;
    let (url, token) = (live.url("/v1/secrets"), live.app.root().token().to_owned());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (url, token) = (url.clone(), token.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                for number in 0..EACH {
                    let call = client.put(format!("{url}/w{writer}/{number}")).bearer_auth(&token);
                    let answer = call.json(&json!({"data": {}})).send().await.unwrap();
                    assert_eq!(answer.status(), 201);
                }
            })
        })
        .collect();
    let mut got: Vec<Message> = Vec::new();
    let mut cut_after = 1;
    while got.len() < WRITERS * EACH {
        for _ in 0..cut_after {
            if got.len() == WRITERS * EACH {
                break;
            }
            got.push(reader.next().await);
        }
        // Each time at another place, mostly in the middle of a batch.
        cut_after = cut_after % 37 + 5;
        drop(reader);
        reader = Reader::open(&live, &mia, "", Some(&got.last().unwrap().id)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(ids(&got), stored(&live));
    assert!(reader.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_not_held_any_more_is_a_gap() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    for path in ["a", "b"] {
        write(&live.app, path).await;
    }
    let first = stored(&live).remove(0);
    let mut resumed = Reader::open(&live, &mia, "", Some(&first)).await;
    assert_eq!(resumed.next().await.path(), "b");

    let mut lost = Reader::open(&live, &mia, "", Some("evt_01HK7X9Z000000000000000000")).await;
    let gap = lost.next().await;
    assert_eq!((gap.event.as_str(), gap.id.as_str()), ("gap", ""));
    assert_eq!((lost.next().await.path(), lost.next().await.path()), ("a", "b"));

    // Another tenant's event is none of this one.
    let other = live.app.tenant("other").await;
    live.app.root().put("/v1/secrets/x", json!({"data": {}})).in_tenant(&other).await.expect(201);
    let foreign = live.app.look(|view| scaivault_store::event::last_id(view, &other)).unwrap().unwrap();
    assert_eq!(Reader::open(&live, &mia, "", Some(&foreign)).await.next().await.event, "gap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_held_for_seven_days() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    write(&live.app, "a").await;
    let first = stored(&live).remove(0);
    pass_days(&live, 6).await;
    write(&live.app, "b").await;
    assert_eq!(Reader::open(&live, &mia, "", Some(&first)).await.next().await.path(), "b");
    pass_days(&live, 2).await;
    let mut reader = Reader::open(&live, &mia, "", Some(&first)).await;
    assert_eq!(reader.next().await.event, "gap");
    assert_eq!(reader.next().await.path(), "b");
    // Who has the newest missed nothing, however long ago that was.
    let last = stored(&live).pop().unwrap();
    pass_days(&live, 9).await;
    assert!(stored(&live).is_empty());
    let mut reader = Reader::open(&live, &mia, "", Some(&last)).await;
    write(&live.app, "c").await;
    assert_eq!(reader.next().await.path(), "c");
}
