//! Start-up and each look at what is due cost the same, however many jobs wait.
//!
//! `scripts/measure-start` measures the program itself; `SCAIVAULT_WAITING_JOBS=1000000 cargo nextest run --release -p scaivault life::waiting --no-capture` measures with a million.

use std::time::{Duration, Instant};

use scaivault_store::{Lane, job};
use scaivault_testkit::TestApp;

use super::{say, size};

const DAY: i64 = 86_400;

fn insert(app: &TestApp, kind: &str, count: i64, first_at: i64) {
    let now = app.now().as_micros();
    // Spread over a year, no two at the same time.
    let step = 365 * DAY * 1_000_000 / count;
    let inserted = app.raw().execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count} - 1)
         INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
         SELECT '{kind}', 'sec_' || i, 'tnt_default', 'tnt_default', {first_at} + i * {step}, {now}, 0, {now}, 0 FROM n"
    ));
    assert_eq!(i64::try_from(inserted).unwrap(), count);
    // As a server does by itself in time.
    app.raw().batch("ANALYZE job");
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    say(&format!("{what}: {:?}", begun.elapsed()));
    (result, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_and_each_look_do_not_grow_with_the_jobs_that_wait() {
    let count = size("SCAIVAULT_WAITING_JOBS", 200_000);
    let mut app = TestApp::new().await;
    let begun = Instant::now();
    app = app.restart().await;
    let empty = begun.elapsed();
    insert(&app, "rotation", count, app.now().plus_seconds(DAY).as_micros());
    say(&format!("{count} jobs wait"));

    // The first stop writes what the insertion left in the log, which is no part of a start.
    app = app.restart().await;
    let begun = Instant::now();
    app = app.restart().await;
    let full = begun.elapsed();
    say(&format!("start: {full:?}, with none: {empty:?}"));
    // Most of it is the opening of the database; a scan of the table would take longer than the difference.
    assert!(full < empty + Duration::from_secs(1), "{full:?} with {count} jobs, {empty:?} without");

    let begun = Instant::now();
    assert_eq!(app.settle().await, 0);
    say(&format!("first look, nothing due: {:?}", begun.elapsed()));
    assert!(begun.elapsed() < Duration::from_secs(1));
    let now = app.now();
    let store = app.vault.store();
    let (found, took) = timed("due", || store.read(|view| job::due(view, "rotation", now, 64)).unwrap());
    assert!(found.is_empty() && took < Duration::from_millis(100));
    let (next, took) = timed("next_at", || store.read(|view| job::next_at(view, "rotation", now)).unwrap());
    assert!(next == Some(now.plus_seconds(DAY)) && took < Duration::from_millis(100));
    let begun = Instant::now();
    assert_eq!(store.write(Lane::Whole, move |tx| job::recall(tx, now, 500)).await.unwrap(), 0);
    say(&format!("recall: {:?}", begun.elapsed()));
    assert!(begun.elapsed() < Duration::from_secs(1));

    // A year later all of them are due, and a look still takes a batch: none is of a secret that there is, so that each ends.
    app.clock.advance(2 * 365 * DAY);
    let now = app.now();
    let store = app.vault.store();
    let (found, took) = timed("due, with all due", || store.read(|view| job::due(view, "rotation", now, 64)).unwrap());
    assert!(found.len() == 64 && took < Duration::from_millis(100));
    let (found, took) = timed("due of another kind", || store.read(|view| job::due(view, "purge", now, 64)).unwrap());
    assert!(found.is_empty() && took < Duration::from_millis(100));
    let rest = i64::min(count, 10_000);
    app.raw().execute(&format!("DELETE FROM job WHERE subject NOT IN (SELECT subject FROM job LIMIT {rest})"));
    let begun = Instant::now();
    assert_eq!(i64::try_from(app.settle().await).unwrap(), rest);
    say(&format!("{rest} jobs with nothing to do: {:?}", begun.elapsed()));
}
