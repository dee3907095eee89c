//! Jobs: one of a kind for each subject, taken by one server at a time, done once.

use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobRecord, Plan};
use scaivault_store::{Lane, Store};

use crate::{at, engines};

pub(crate) const LEASE: i64 = 30;

pub(crate) fn plan_of<'a>(subject: &'a str, run_at: Timestamp) -> Plan<'a> {
    Plan { kind: "k", subject, tenant_id: "tnt_a", namespace: "tnt_a", run_at }
}

async fn plan(store: &Store, subject: &'static str, run_at: i64, now: i64) {
    store.write(Lane::Whole, move |tx| job::plan(tx, &plan_of(subject, at(run_at)), at(now))).await.unwrap();
}

fn due(store: &Store, now: i64) -> Vec<JobRecord> {
    store.read(|view| job::due(view, "k", at(now), 100)).unwrap()
}

async fn take(store: &Store, found: &JobRecord, now: i64) -> Option<JobRecord> {
    let found = found.clone();
    store.write(Lane::Whole, move |tx| job::take(tx, &found, at(now), at(now + LEASE))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_due_comes_first_and_the_rest_waits() {
    for bench in engines() {
        let store = bench.open();
        for (subject, run_at) in [("c", 3), ("a", 1), ("later", 60), ("b", 2)] {
            plan(&store, subject, run_at, 0).await;
        }
        let subjects: Vec<String> = due(&store, 10).into_iter().map(|job| job.key.subject).collect();
        assert_eq!(subjects, ["a", "b", "c"]);
        assert!(store.read(|view| job::due(view, "other", at(10), 100)).unwrap().is_empty());
        assert_eq!(store.read(|view| job::due(view, "k", at(10), 2)).unwrap().len(), 2);
        assert_eq!(store.read(|view| job::next_at(view, "k", at(0))).unwrap(), Some(at(1)));
        assert_eq!(store.read(|view| job::count_due(view, "k", at(10))).unwrap(), 3);
        assert_eq!(store.read(|view| job::count_waiting(view)).unwrap(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_one_gets_it_and_after_its_lease_the_other() {
    for bench in engines() {
        let store = bench.open();
        plan(&store, "a", 0, 0).await;
        let found = due(&store, 0).remove(0);
        let first = take(&store, &found, 0).await.unwrap();
        assert_eq!(take(&store, &found, 0).await, None);
        assert!(due(&store, LEASE - 1).is_empty());
        // Renewed, it stays its holder's.
        let renewed = first.clone();
        assert!(store.write(Lane::Whole, move |tx| job::renew(tx, &renewed, at(2 * LEASE))).await.unwrap());
        assert!(due(&store, 2 * LEASE - 1).is_empty());
        let found = due(&store, 2 * LEASE).remove(0);
        let second = take(&store, &found, 2 * LEASE).await.unwrap();
        // The first wakes up: whatever it says, the second has it.
        let late = first.clone();
        store
            .write(Lane::Whole, move |tx| {
                assert!(!job::renew(tx, &late, at(1000))?);
                assert!(!job::is_held(tx, &late)?);
                job::complete(tx, &late)?;
                job::again(tx, &late, at(1), at(1))?;
                job::retry(tx, &late, at(1), "late", at(1))?;
                job::bury(tx, &late, "late", at(1))?;
                job::postpone(tx, &late, at(1))?;
                job::release(tx, &late)
            })
            .await
            .unwrap();
        assert!(due(&store, 3 * LEASE - 1).is_empty());
        let held = second.clone();
        store
            .write(Lane::Whole, move |tx| {
                assert!(job::is_held(tx, &held)?);
                job::complete(tx, &held)
            })
            .await
            .unwrap();
        assert_eq!(store.read(|view| job::count_waiting(view)).unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_and_planned_anew_is_another_one() {
    for bench in engines() {
        let store = bench.open();
        plan(&store, "a", 0, 0).await;
        let old = take(&store, &due(&store, 0)[0], 0).await.unwrap();
        store.write(Lane::Whole, |tx| job::cancel(tx, "k", "a")).await.unwrap();
        plan(&store, "a", 1, 1).await;
        take(&store, &due(&store, 1)[0], 1).await.unwrap();
        store.write(Lane::Whole, move |tx| job::complete(tx, &old)).await.unwrap();
        assert_eq!(store.read(|view| job::count_waiting(view)).unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_a_clock_ahead_gave_holds_nobody() {
    for bench in engines() {
        let store = bench.open();
        plan(&store, "a", 0, 0).await;
        let year = 366 * 86_400;
        take(&store, &due(&store, year)[0], year).await.unwrap();
        assert!(due(&store, year).is_empty());
        let found = due(&store, 60).remove(0);
        assert!(take(&store, &found, 60).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_under_steady_hastening_keeps_its_pause_and_dies_in_the_end() {
    for bench in engines() {
        let store = bench.open();
        plan(&store, "a", 0, 0).await;
        let mut now = 0;
        for failures in 0..5 {
            let taken = take(&store, &due(&store, now)[0], now).await.unwrap();
            assert_eq!(taken.failures, failures);
            store
                .write(Lane::Whole, move |tx| {
                    job::hasten(tx, &plan_of("a", at(now)), at(now))?;
                    if failures == 4 {
                        return job::bury(tx, &taken, "given up", at(now));
                    }
                    job::retry(tx, &taken, at(now + 100), "again", at(now))?;
                    job::hasten(tx, &plan_of("a", at(now)), at(now))
                })
                .await
                .unwrap();
            // The first failure may have been of before the hastening.
            now += if failures == 0 { 0 } else { 100 };
            assert!(failures == 0 || due(&store, now - 1).is_empty());
        }
        let dead = store.read(|view| job::dead(view, 10)).unwrap();
        assert_eq!((dead.len(), dead[0].failures, dead[0].error.as_str()), (1, 5, "given up"));
        // A new plan is a new try, and so is an operator's.
        let key = dead[0].key.clone();
        assert!(store.write(Lane::Whole, move |tx| job::revive(tx, &key, at(now))).await.unwrap());
        let key = dead[0].key.clone();
        assert!(!store.write(Lane::Whole, move |tx| job::revive(tx, &key, at(now))).await.unwrap());
        assert_eq!(due(&store, now)[0].failures, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_failures_are_bounded() {
    for bench in engines() {
        let store = bench.open();
        plan(&store, "a", 0, 0).await;
        let taken = take(&store, &due(&store, 0)[0], 0).await.unwrap();
        store.write(Lane::Whole, move |tx| job::bury(tx, &taken, &"ä".repeat(5000), at(0))).await.unwrap();
        assert_eq!(store.read(|view| job::dead(view, 1)).unwrap()[0].error.chars().count(), 500);
        assert_eq!(store.read(|view| job::count_dead(view)).unwrap(), 1);
    }
}
