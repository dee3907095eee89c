//! Transactions: all or nothing, durable when answered, snapshots that stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use scaivault_store::secret::{self, Presence};
use scaivault_store::{Change, CommitListener, Lane, Store, StoreError};

use crate::{Bench, at, engines, path, record, scope};

fn is_live(store: &Store, wanted: &str) -> bool {
    let presence = store.read(|view| secret::look(view, &scope("tnt_a"), &path(wanted), at(0))).unwrap();
    matches!(presence, Presence::Live(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_reopening() {
    for bench in engines() {
        let store = bench.open();
        store.write(Lane::Whole, |tx| secret::insert(tx, &scope("tnt_a"), &record("sec_1", "a/b"))).await.unwrap();
        assert!(is_live(&store, "a/b"));
        store.close();
        drop(store);
        assert!(is_live(&bench.open(), "a/b"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_leaves_nothing_and_harms_no_neighbour() {
    for bench in engines() {
        let store = bench.open();
        let mut writes = Vec::new();
        for number in 0..50 {
            let store = store.clone();
            writes.push(tokio::spawn(async move {
                store
                    .write(Lane::Whole, move |tx| {
                        secret::insert(tx, &scope("tnt_a"), &record(&format!("sec_{number}"), &format!("p/{number}")))?;
                        if number % 2 == 0 { Ok(()) } else { Err(StoreError::Corrupt("on purpose".to_owned())) }
                    })
                    .await
            }));
        }
        for (number, write) in writes.into_iter().enumerate() {
            assert_eq!(write.await.unwrap().is_ok(), number % 2 == 0);
            assert_eq!(is_live(&store, &format!("p/{number}")), number % 2 == 0, "p/{number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_is_undone_and_the_rest_stands() {
    for bench in engines() {
        let store = bench.open();
        store
            .write(Lane::Whole, |tx| {
                let refused: Result<(), &str> = tx.attempt(|tx| {
                    secret::insert(tx, &scope("tnt_a"), &record("sec_1", "refused")).map_err(|_| "insert")?;
                    Err("on purpose")
                })?;
                assert_eq!(refused, Err("on purpose"));
                secret::insert(tx, &scope("tnt_a"), &record("sec_2", "kept"))
            })
            .await
            .unwrap();
        assert!(!is_live(&store, "refused"));
        assert!(is_live(&store, "kept"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_write_fails_that_write_only() {
    for bench in engines() {
        let store = bench.open();
        let panicked = store.write(Lane::Whole, |_| -> scaivault_store::StoreResult<()> { panic!("on purpose") }).await;
        assert!(panicked.is_err());
        store.write(Lane::Whole, |tx| secret::insert(tx, &scope("tnt_a"), &record("sec_1", "after"))).await.unwrap();
        assert!(is_live(&store, "after"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_stands_still_while_others_write() {
    for bench in engines() {
        let store = bench.open();
        let writer = store.clone();
        let handle = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            store.read(|view| {
                let seen = |view: &mut scaivault_store::ReadView<'_>| {
                    matches!(secret::look(view, &scope("tnt_a"), &path("late"), at(0)).unwrap(), Presence::Live(_))
                };
                assert!(!seen(view));
                handle
                    .block_on(
                        writer.write(Lane::Whole, |tx| secret::insert(tx, &scope("tnt_a"), &record("sec_1", "late"))),
                    )
                    .unwrap();
                assert!(!seen(view), "the snapshot moved");
            });
            assert!(is_live(&store, "late"));
        })
        .await
        .unwrap();
    }
}

struct Heard(AtomicUsize);

impl CommitListener for Heard {
    fn committed(&self, changes: &[Change], _: &[scaivault_domain::audit::AuditEntry]) {
        // That a node has just begun to hear of the others is none of this.
        let own = changes.iter().filter(|change| **change != Change::Everything);
        self.0.fetch_add(own.count(), Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_hears_of_a_commit_before_the_writer_does_and_never_of_a_failure() {
    for bench in engines() {
        let store = bench.open();
        let heard = Arc::new(Heard(AtomicUsize::new(0)));
        store.listen(Arc::clone(&heard) as Arc<dyn CommitListener>);
        store.write(Lane::Whole, |tx| secret::insert(tx, &scope("tnt_a"), &record("sec_1", "a"))).await.unwrap();
        assert_eq!(heard.0.load(Ordering::SeqCst), 1);
        let failed = store
            .write(Lane::Whole, |tx| {
                secret::insert(tx, &scope("tnt_a"), &record("sec_2", "b"))?;
                Err::<(), _>(StoreError::Corrupt("on purpose".to_owned()))
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(heard.0.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn y_11_a_second_server_on_the_same_data_is_refused() {
    for bench in engines().into_iter().filter(Bench::is_embedded) {
        let first = bench.open();
        assert!(matches!(bench.try_open(), Err(StoreError::InUse(_))));
        first.close();
        drop(first);
        bench.open();
    }
}
