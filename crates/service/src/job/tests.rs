//! The runner with jobs made for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scaivault_domain::audit::AuditAction;
use scaivault_domain::time::Timestamp;
use scaivault_store::WriteTx;
use scaivault_store::job::{self, JobKey, JobRecord, Plan};
use tokio::task::JoinSet;

use super::{Doing, Job, JobKind, Next, OwnEntry, failure, outside};
use crate::context::Work;
use crate::error::{Code, Error, Outage, Result};
use crate::testing::{TENANT, TestVault};
use crate::vault::Vault;

/// How often a subject's job ran. Subjects name their test, so that tests do not count each other's.
static RUNS: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

fn count(subject: &str) -> usize {
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let runs = runs.get_or_insert_default().entry(subject.to_owned()).or_default();
    *runs += 1;
    *runs
}

fn runs(subject: &str) -> usize {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().get(subject).copied().unwrap_or(0)
}

/// What a subject's job does stands behind the last `/` of its name.
fn way_of(subject: &str) -> &str {
    subject.rsplit('/').next().unwrap_or_default()
}

/// Leaves an entry in the trail, then does what its subject says.
pub(super) fn inside(job: &Job, _: &mut WriteTx<'_>, work: &mut Work<'_>) -> Result<Next> {
    let turn = count(job.subject());
    work.leave_entry(OwnEntry {
        action: AuditAction::Purge,
        secret_path: None,
        resource_id: Some(job.subject().to_owned()),
        extra: Default::default(),
        failed: None,
    });
    match way_of(job.subject()) {
        "panic" => panic!("on purpose"),
        "fail" => Err(Error::internal("words for the log only")),
        "fail_once" if turn == 1 => Err(Error::internal("words for the log only")),
        "outage" => Err(Error::unavailable(Outage::Kms, "away")),
        "refused" => Err(Error::new(Code::InvalidState, "It can't be done in this state")),
        "now" => Ok(Next::At(work.now)),
        "hourly" => Ok(Next::At(work.now.plus_seconds(3600))),
        _ => Ok(Next::Never),
    }
}

pub(super) fn outside(vault: Arc<Vault>, taken: JobRecord) -> Doing {
    Box::pin(async move {
        count(&taken.key.subject);
        match way_of(&taken.key.subject) {
            "panic" => panic!("on purpose"),
            "fail" => return Err(Error::internal("words for the log only")),
            "hang" => std::future::pending::<()>().await,
            "slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            "hourly" => return Ok(Next::At(vault.clock.now().plus_seconds(3600))),
            _ => {}
        }
        Ok(Next::Never)
    })
}

const YEAR: i64 = 366 * 86_400;

async fn plan_at(test: &TestVault, kind: JobKind, tenant: &str, subject: &str, run_at: Timestamp) {
    let (tenant, subject, now) = (tenant.to_owned(), subject.to_owned(), test.vault.now());
    let write = test.vault.store.write(move |tx| {
        let plan = Plan { kind: kind.as_str(), subject: &subject, tenant_id: &tenant, namespace: &tenant, run_at };
        job::plan(tx, &plan, now)
    });
    write.await.unwrap();
}

/// Due at this moment.
async fn plan(test: &TestVault, kind: JobKind, subject: &str) {
    plan_at(test, kind, TENANT, subject, test.vault.now()).await;
}

/// One look at what is due; what acts outside goes on in the set.
async fn look(test: &TestVault) -> JoinSet<()> {
    let mut under_way = JoinSet::new();
    test.vault.take_due(&mut under_way).await.unwrap();
    under_way
}

fn rows(test: &TestVault, subject: &str) -> i64 {
    test.count(&format!("SELECT COUNT(*) FROM job WHERE subject = '{subject}'"))
}

fn dead(test: &TestVault) -> Vec<(String, i64, String)> {
    let dead = test.vault.store.read(|view| job::dead(view, 100)).unwrap();
    dead.into_iter().map(|dead| (dead.key.subject, dead.failures, dead.error)).collect()
}

fn entries(test: &TestVault, subject: &str) -> i64 {
    test.count(&format!(
        "SELECT COUNT(*) FROM audit_entry WHERE identity_id = 'system:test' AND resource_id = '{subject}' AND action = 'purge'"
    ))
}

async fn until(what: impl Fn() -> bool) {
    let met = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), met).await.expect("it did not come to it");
}

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
async fn what_fails_or_panics_harms_no_other_and_is_given_up_in_the_end() {
    let test = TestVault::new();
    for subject in ["bad/a/ok", "bad/panic", "bad/fail", "bad/refused", "bad/z/ok"] {
        plan(&test, JobKind::TestInside, subject).await;
    }
    plan(&test, JobKind::TestOutside, "bad/out/panic").await;
    plan(&test, JobKind::TestOutside, "bad/out/fail").await;
    test.vault.run_due_jobs().await.unwrap();
    for subject in ["bad/a/ok", "bad/z/ok"] {
        assert_eq!((runs(subject), entries(&test, subject), rows(&test, subject)), (1, 1, 0), "{subject}");
    }
    // The pauses are 10 s, 40 s, ... an hour, a tenth more or less.
    test.clock.advance(8);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(runs("bad/fail"), 1);
    test.clock.advance(4);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((runs("bad/fail"), runs("bad/panic"), runs("bad/out/panic")), (2, 2, 2));
    for _ in 0..40 {
        test.clock.advance(4000);
        test.vault.run_due_jobs().await.unwrap();
    }
    let mut dead = dead(&test);
    dead.sort();
    let internal = "internal_error: An internal error occurred; quote the request id to your operator".to_owned();
    let expected = |subject: &str, error: &str| (subject.to_owned(), failure::MOST_FAILURES, error.to_owned());
    assert_eq!(
        dead,
        [
            expected("bad/fail", &internal),
            expected("bad/out/fail", &internal),
            expected("bad/out/panic", &internal),
            expected("bad/panic", &internal),
            expected("bad/refused", "invalid_state: It can't be done in this state"),
        ]
    );
    for subject in ["bad/fail", "bad/panic", "bad/out/fail", "bad/out/panic"] {
        assert_eq!(runs(subject), 30, "{subject}");
        assert_eq!(entries(&test, subject), 0, "{subject}");
    }
    assert!(test.vault.verify_audit(TENANT, None, None).unwrap().is_valid());
    // Tried again, and planned anew.
    let now = test.vault.now();
    let key = JobKey { kind: "test_inside".to_owned(), subject: "bad/fail".to_owned() };
    assert!(test.vault.store.write(move |tx| job::revive(tx, &key, now)).await.unwrap());
    plan(&test, JobKind::TestInside, "bad/panic").await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((runs("bad/fail"), runs("bad/panic")), (31, 31));
    assert_eq!(test.count("SELECT failures FROM job WHERE subject = 'bad/fail'"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_for_longer() {
    let test = TestVault::new();
    plan(&test, JobKind::TestInside, "away/outage").await;
    for _ in 0..failure::MOST_FAILURES + 10 {
        test.vault.run_due_jobs().await.unwrap();
        test.clock.advance(4000);
    }
    assert!(dead(&test).is_empty());
    test.tamper(&format!("UPDATE job SET failures = {} WHERE subject = 'away/outage'", failure::MOST_OUTAGES - 1));
    test.vault.run_due_jobs().await.unwrap();
    let text = "service_unavailable: The key provider cannot be reached".to_owned();
    assert_eq!(dead(&test), [("away/outage".to_owned(), failure::MOST_OUTAGES, text)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_database_refuses_does_not_stop_its_batch() {
    let test = TestVault::new();
    for number in 0..10 {
        plan(&test, JobKind::TestInside, &format!("batch/{number}/ok")).await;
    }
    plan_at(&test, JobKind::TestInside, TENANT, "batch/cursed", test.vault.now().plus_seconds(-60)).await;
    for kind in ["ABORT", "ROLLBACK"] {
        test.tamper(&format!(
            "CREATE TRIGGER cursed BEFORE UPDATE ON job WHEN NEW.subject = 'batch/cursed' AND NEW.claim > OLD.claim
             BEGIN SELECT RAISE({kind}, 'on purpose'); END"
        ));
        // In the end it is alone, and what can't even be marked as failed is taken for trouble with the database.
        test.vault.run_due_jobs().await.unwrap_err();
        for number in 0..10 {
            let subject = format!("batch/{number}/ok");
            assert_eq!(entries(&test, &subject), if kind == "ABORT" { 1 } else { 2 }, "{subject}");
            plan(&test, JobKind::TestInside, &subject).await;
        }
        assert_eq!(runs("batch/cursed"), 0);
        test.tamper("DROP TRIGGER cursed");
    }
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(entries(&test, "batch/cursed"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_tenants_that_are_gone_do_not_stay_due() {
    let test = TestVault::new();
    let past = test.vault.now().plus_seconds(-3600);
    for number in 0..100 {
        let (inside, outside) = (format!("gone/{number}/in/ok"), format!("gone/{number}/out/ok"));
        plan_at(&test, JobKind::TestInside, "tnt_gone", &inside, past).await;
        plan_at(&test, JobKind::TestOutside, "tnt_gone", &outside, past).await;
    }
    plan_at(&test, JobKind::TestInside, "", "gone/nobodys/ok", past).await;
    plan(&test, JobKind::TestInside, "gone/living/ok").await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(runs("gone/living/ok"), 1);
    let due = "SELECT COUNT(*) FROM job WHERE died_at IS NULL";
    let in_grave = "SELECT COUNT(*) FROM job WHERE error = 'tenant_not_found: There is no such tenant'";
    assert_eq!((test.count(due), test.count(in_grave), runs("gone/1/in/ok")), (0, 201, 0));

    test.tamper("DELETE FROM job; UPDATE tenant SET status = 'DELETED'");
    plan(&test, JobKind::TestInside, "gone/deleted/ok").await;
    plan(&test, JobKind::TestOutside, "gone/deleted/ok").await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((test.count("SELECT COUNT(*) FROM job"), runs("gone/deleted/ok")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_always_goes_on_at_once_is_slowed() {
    let test = TestVault::new();
    plan(&test, JobKind::TestInside, "eager/now").await;
    plan(&test, JobKind::TestInside, "eager/ok").await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((runs("eager/now"), runs("eager/ok")), (101, 1));
    assert_eq!(test.vault.next_job_at().unwrap(), Some(test.vault.now().plus_seconds(1)));
    test.clock.advance(1);
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
    let taken = test.vault.store.write(take).await.unwrap().unwrap();
    test.clock.advance(outside::LEASE_SECONDS - 1);
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 0);
    test.clock.advance(1);
    assert_eq!(test.vault.run_due_jobs().await.unwrap(), 1);
    assert_eq!(runs("dead/hourly"), 1);
    test.vault.store.write(move |tx| job::complete(tx, &taken)).await.unwrap();
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
    test.vault.store.write(take).await.unwrap();

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
