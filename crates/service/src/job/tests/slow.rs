//! Jobs that need values which take long to make.

use std::sync::Arc;

use scaivault_store::job;

use super::super::JobKind;
use super::{entries, look, plan, rows, runs};
use crate::making::CONCURRENT_MAKERS;
use crate::testing::TestVault;

const MANY: usize = 150;

fn subject(number: usize) -> String {
    format!("slow/{number}/made")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_values_keeps_nobody_waiting() {
    let test = TestVault::new();
    let places = u32::try_from(CONCURRENT_MAKERS).unwrap();
    let taken = Arc::clone(&test.vault.makers).acquire_many_owned(places).await.unwrap();
    for number in 0..MANY {
        plan(&test, JobKind::TestInside, &subject(number)).await;
    }
    plan(&test, JobKind::TestOther, "slow/other/ok").await;
    let mut waiting = Vec::new();
    for expected in [63, 1, 0] {
        let under_way = look(&test).await;
        assert_eq!(under_way.len(), expected);
        waiting.push(under_way);
    }
    assert_eq!((runs("slow/other/ok"), test.vault.runner.held_of(JobKind::TestInside)), (1, 64));
    // There was no room for the others, and they do not come back at once.
    assert_eq!(test.vault.next_job_at().unwrap(), Some(test.vault.now().plus_seconds(5)));
    let held = test.vault.runner.held();
    let cancelled = held[0].key.subject.clone();
    let gone = cancelled.clone();
    test.vault
        .store
        .write(scaivault_store::Lane::Whole, move |tx| job::cancel(tx, "test_inside", &gone))
        .await
        .unwrap();
    drop(taken);
    for mut under_way in waiting {
        while under_way.join_next().await.is_some() {}
    }
    for record in &held {
        let subject = &record.key.subject;
        assert_eq!(entries(&test, subject), i64::from(*subject != cancelled), "{subject}");
    }
    test.clock.advance(5);
    test.vault.run_due_jobs().await.unwrap();
    for number in 0..MANY {
        let subject = subject(number);
        assert_eq!(
            (entries(&test, &subject), rows(&test, &subject)),
            (i64::from(subject != cancelled), 0),
            "{subject}"
        );
    }
    assert_eq!(test.count("SELECT COUNT(*) FROM job"), 0);
}
