//! What fails: alone, with pauses, and given up in the end.

use scaivault_store::job::{self, JobKey};

use super::super::{JobKind, failure};
use super::{dead, entries, plan, plan_at, rows, runs};
use crate::testing::{TENANT, TestVault};

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
    let internal = format!("internal_error: {}", failure::SEE_THE_LOG);
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
    assert!(test.vault.store.write(scaivault_store::Lane::Whole, move |tx| job::revive(tx, &key, now)).await.unwrap());
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
    let raw = test.raw();
    for (&how, round) in raw.refusals().iter().zip(1..) {
        raw.refuse("job", "UPDATE", "NEW.subject = 'batch/cursed' AND NEW.claim > OLD.claim", how);
        // In the end it is alone, and what can't even be marked as failed is taken for trouble with the database.
        test.vault.run_due_jobs().await.unwrap_err();
        for number in 0..10 {
            let subject = format!("batch/{number}/ok");
            assert_eq!(entries(&test, &subject), round, "{subject}");
            plan(&test, JobKind::TestInside, &subject).await;
        }
        assert_eq!(runs("batch/cursed"), 0);
        raw.allow("job");
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
