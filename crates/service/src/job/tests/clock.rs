//! Leases, and clocks that jump.

use scaivault_store::WriteTx;
use scaivault_store::job;

use super::super::{JobKind, outside};
use super::{YEAR, look, plan, plan_at, rows, runs};
use crate::testing::{TENANT, TestVault};

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_here_is_not_begun_twice_however_the_clock_jumps() {
    let test = TestVault::new();
    plan(&test, JobKind::TestOutside, "held/slow").await;
    let mut under_way = look(&test).await;
    for jump in [YEAR, -2 * YEAR] {
        test.clock.advance(jump);
        assert_eq!(look(&test).await.len(), 0);
    }
    test.vault.renew_leases().await;
    let lease = test.count("SELECT lease_until FROM job WHERE subject = 'held/slow'");
    assert_eq!(lease, test.vault.now().plus_seconds(outside::LEASE_SECONDS).as_micros());
    under_way.join_next().await;
    assert_eq!((runs("held/slow"), rows(&test, "held/slow")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_server_held_is_taken_over_and_its_word_counts_no_more() {
    let test = TestVault::new();
    plan(&test, JobKind::TestOutside, "dead/hourly").await;
    let now = test.vault.now();
    let found = test.vault.store.read(|view| job::due(view, "test_outside", now, 1)).unwrap().remove(0);
    let take = move |tx: &mut WriteTx<'_>| job::take(tx, &found, now, now.plus_seconds(outside::LEASE_SECONDS));
    let taken = test.vault.store.write(scaivault_store::Lane::Whole, take).await.unwrap().unwrap();
    test.clock.advance(outside::LEASE_SECONDS - 1);
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 0);
    test.clock.advance(1);
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 1);
    assert_eq!(runs("dead/hourly"), 1);
    test.vault.store.write(scaivault_store::Lane::Whole, move |tx| job::complete(tx, &taken)).await.unwrap();
    assert_eq!(rows(&test, "dead/hourly"), 1);
    assert_eq!(test.vault.next_job_at().unwrap(), Some(test.vault.now().plus_seconds(3600)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_a_year_ahead_leaves_nothing_asleep() {
    let test = TestVault::new();
    plan_at(&test, JobKind::TestInside, TENANT, "ahead/patient/ok", test.vault.now().plus_seconds(7200)).await;
    test.vault.run_due_jobs().await.unwrap();
    test.clock.advance(YEAR);
    plan(&test, JobKind::TestInside, "ahead/hourly").await;
    plan(&test, JobKind::TestOutside, "ahead/out/hourly").await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((runs("ahead/hourly"), runs("ahead/out/hourly"), runs("ahead/patient/ok")), (1, 1, 1));
    // A lease of that time, of a server that died.
    plan(&test, JobKind::TestOutside, "ahead/left/ok").await;
    let now = test.vault.now();
    let found = test.vault.store.read(|view| job::due(view, "test_outside", now, 1)).unwrap().remove(0);
    let take = move |tx: &mut WriteTx<'_>| job::take(tx, &found, now, now.plus_seconds(30)).map(|_| ());
    test.vault.store.write(scaivault_store::Lane::Whole, take).await.unwrap();

    test.clock.advance(-YEAR);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((runs("ahead/hourly"), runs("ahead/out/hourly"), runs("ahead/left/ok")), (2, 2, 1));
    assert_eq!(test.vault.next_job_at().unwrap(), Some(test.vault.now().plus_seconds(3600)));
    test.clock.advance(3600);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((runs("ahead/hourly"), runs("ahead/out/hourly")), (3, 3));
    // Little by little, too.
    for _ in 0..10 {
        test.clock.advance(-3);
        test.vault.run_due_jobs().await.unwrap();
    }
    assert!(runs("ahead/hourly") > 3);
}
