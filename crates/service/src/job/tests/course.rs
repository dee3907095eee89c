//! What is due gets its turn, from the start of the server to its end.

use std::sync::Arc;
use std::time::Duration;

use super::super::JobKind;
use super::{entries, look, plan, plan_at, rows, runs, until};
use crate::testing::{TENANT, TestVault};

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_and_its_completion_are_one() {
    let test = TestVault::new();
    plan(&test, JobKind::TestInside, "one/ok").await;
    plan_at(&test, JobKind::TestInside, TENANT, "one/later/ok", test.vault.now().plus_seconds(60)).await;
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 1);
    assert_eq!((runs("one/ok"), entries(&test, "one/ok"), rows(&test, "one/ok")), (1, 1, 0));
    assert_eq!(runs("one/later/ok"), 0);
    test.clock.advance(60);
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 1);
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 0);
    assert_eq!((runs("one/later/ok"), rows(&test, "one/later/ok")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_always_goes_on_at_once_is_slowed() {
    let test = TestVault::new();
    plan(&test, JobKind::TestInside, "eager/now").await;
    plan(&test, JobKind::TestInside, "eager/ok").await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((runs("eager/now"), runs("eager/ok")), (101, 1));
    let pause = test.vault.next_job_at().unwrap().unwrap().as_micros() - test.vault.now().as_micros();
    assert_eq!(pause, 50_000);
    test.clock.advance_micros(pause);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(runs("eager/now"), 102);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_waits_for_the_backlog_of_another() {
    let test = TestVault::new();
    let now = test.vault.now().as_micros();
    // Long due, and more than one look takes.
    test.tamper(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
         SELECT 'test_inside', 'backlog/' || i || '/ok', '{TENANT}', '{TENANT}', {now} - 1000000 + i, {now}, 0, 0, 0 FROM n
         UNION ALL
         SELECT 'test_outside', 'backlog/' || i || '/hang', '{TENANT}', '{TENANT}', {now} - 1000000 + i, {now}, 0, 0, 0 FROM n"
    ));
    plan(&test, JobKind::TestOther, "backlog/other/ok").await;
    test.vault.plan_housekeeping().await.unwrap();
    let mut first = look(&test).await;
    assert_eq!(runs("backlog/other/ok"), 1);
    // All places of the kind are taken by what hangs; the others have their own.
    until(|| test.vault.runner.held_of(JobKind::TestOutside) == JobKind::TestOutside.places()).await;
    until(|| test.count("SELECT COUNT(*) FROM job WHERE kind = 'purge' AND run_at > planned_at") == 1).await;
    let mut second = look(&test).await;
    assert_eq!((second.len(), runs("backlog/127/ok"), runs("backlog/128/ok")), (0, 1, 0));
    first.shutdown().await;
    second.shutdown().await;
    assert_eq!(test.vault.runner.held().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_server_runs_nothing_and_counts_no_failure() {
    let test = TestVault::new();
    plan(&test, JobKind::TestInside, "sealed/ok").await;
    test.vault.seal();
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 0);
    assert_eq!(look(&test).await.len(), 0);
    assert_eq!(runs("sealed/ok"), 0);
    assert_eq!(
        test.count("SELECT failures + claim FROM job WHERE subject = 'sealed/ok'"),
        test.vault.now().as_micros()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_wakes_for_what_is_planned_and_lets_go_at_shutdown() {
    let test = TestVault::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(Arc::clone(&test.vault).run_jobs(stopped));
    plan(&test, JobKind::TestInside, "wake/ok").await;
    plan(&test, JobKind::TestOutside, "wake/hang").await;
    until(|| runs("wake/ok") == 1 && runs("wake/hang") == 1).await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    // Given back, not left to its lease: the next start takes it at once.
    assert_eq!(test.count("SELECT COUNT(*) FROM job WHERE subject = 'wake/hang' AND lease_until IS NULL"), 1);
    assert_eq!(test.vault.runner.held().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_ends_with_its_store_and_with_its_owner() {
    let test = TestVault::new();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(Arc::clone(&test.vault).run_jobs(stopped));
    test.vault.shut_down().await;
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();

    let test = TestVault::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(Arc::clone(&test.vault).run_jobs(stopped));
    drop(stop);
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
}
