//! Requests at the same moment (contract 00 section 7).

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use scaivault_testkit::{Answer, TestApp};
use serde_json::json;

use super::{put, put_versions, states, url};

enum Slot<F: Future> {
    Running(Pin<Box<F>>),
    Done(F::Output),
}

/// Drives all futures at once and answers their outputs in order.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut slots: Vec<Slot<F>> = futures.into_iter().map(|future| Slot::Running(Box::pin(future))).collect();
    std::future::poll_fn(|cx| {
        let mut running = 0;
        for slot in &mut slots {
            if let Slot::Running(future) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => *slot = Slot::Done(output),
                    Poll::Pending => running += 1,
                }
            }
        }
        if running == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let output = |slot| match slot {
        Slot::Done(output) => output,
        Slot::Running(_) => unreachable!("all are done"),
    };
    slots.into_iter().map(output).collect()
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn c_11_of_two_conditional_writes_one_wins() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 3).await;
    let write = |value: &'static str| {
        root.put(&url("a"), json!({"data": {"v": value}})).header("if-match", "\"3\"").into_future()
    };
    let answers = all([write("left"), write("right")]).await;
    assert_eq!((count(&answers, 200), count(&answers, 409)), (1, 1));
    for answer in answers {
        match answer.status.as_u16() {
            200 => assert_eq!(answer.json()["version"], 4),
            _ => assert_eq!(answer.expect_error(409, "version_conflict").details(), json!({"current_version": 4})),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_12_a_hundred_parallel_writes_get_a_hundred_versions() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = |n: usize| json!({"data": {"v": format!("{}{n}", app.canary())}, "options": {"max_versions": 100}});
    let answers = all((0..100).map(|n| root.put(&url("a"), body(n)).into_future())).await;
    assert_eq!((count(&answers, 201), count(&answers, 200)), (1, 99));
    let mut versions: Vec<(i64, usize)> =
        answers.iter().enumerate().map(|(n, answer)| (answer.json()["version"].as_i64().unwrap(), n)).collect();
    versions.sort_unstable();
    assert!(versions.iter().map(|(version, _)| *version).eq(1..=100), "{versions:?}");
    assert_eq!(states(&root, "a").await.len(), 100, "none is lost");
    for (version, n) in versions {
        assert_eq!(super::value(&root, &format!("a?version={version}")).await, format!("{}{n}", app.canary()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_creators_and_one_path_make_one_secret() {
    let app = TestApp::new().await;
    let root = app.root();
    let create =
        |_| root.put(&url("a"), json!({"data": {"v": app.canary()}})).header("if-none-match", "*").into_future();
    let answers = all((0..100).map(create)).await;
    assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 99));
    assert_eq!(states(&root, "a").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_race_a_delete_and_see_all_or_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    for round in 0..20 {
        let path = format!("a/{round}");
        let last = if round % 2 == 0 { "?permanent=true" } else { "" };
        put(&root, &path, app.canary()).await;
        let reads = (0..20).map(|_| root.get(&url(&path)).into_future());
        let delete = root.delete(&url(&format!("{path}{last}"))).into_future();
        let calls: Vec<_> = reads.clone().take(10).chain([delete]).chain(reads.take(10)).collect();
        let mut answers = all(calls).await;
        answers.remove(10).expect(200);
        for answer in answers {
            match answer.status.as_u16() {
                200 => assert_eq!(answer.json()["data"]["v"], app.canary()),
                _ => drop(answer.expect_error(404, "secret_not_found")),
            }
        }
        root.get(&url(&path)).await.expect_error(404, "secret_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_never_sees_an_older_value_than_the_last_answer() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", "0").await;
    let writer = async {
        for number in 1..=60 {
            put(&root, "a", &number.to_string()).await;
            assert_eq!(super::value(&root, "a").await, number.to_string());
        }
    };
    let reader = async {
        let mut last = 0;
        for _ in 0..200 {
            let seen: i64 = super::value(&root, "a").await.parse().unwrap();
            assert!(seen >= last, "{seen} after {last}");
            last = seen;
        }
    };
    tokio::join!(writer, reader);
}

/// On a thread of its own: what deadlocks here would stop the runtime of the test, and its clock too.
#[test]
fn one_idempotency_key_at_the_same_moment_writes_once() {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let passed = std::panic::catch_unwind(|| runtime.block_on(write_twenty_times_with_one_key()));
        sender.send(passed).unwrap();
    });
    let passed = receiver.recv_timeout(Duration::from_secs(60)).expect("the server deadlocks");
    passed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

async fn write_twenty_times_with_one_key() {
    let app = TestApp::new().await;
    let root = app.root();
    let write =
        |_| root.put(&url("a"), json!({"data": {"v": app.canary()}})).header("idempotency-key", "k").into_future();
    let answers = all((0..20).map(write)).await;
    assert_eq!(count(&answers, 201) + count(&answers, 409), 20);
    assert!(count(&answers, 201) >= 1);
    for answer in answers.into_iter().filter(|answer| answer.status.as_u16() == 409) {
        answer.expect_error(409, "request_in_progress");
    }
    assert_eq!(states(&root, "a").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_all_versions_at_once_leaves_one() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 8).await;
    let answers = all((1..=8).map(|version| root.delete(&url(&format!("a?version={version}"))).into_future())).await;
    assert_eq!((count(&answers, 200), count(&answers, 409)), (7, 1));
    assert_eq!(states(&root, "a").await.len(), 1);
    root.get(&url("a")).await.expect(200);
}
