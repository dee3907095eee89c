//! Jobs: one of a kind for each subject, taken by one server at a time, done once. Random courses are compared with a naive model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scaivault_domain::time::Timestamp;
use scaivault_store::Store;
use scaivault_store::job::{self, JobKey, JobRecord, Plan};

use crate::{at, engines};

const LEASE: i64 = 30;

fn plan_of<'a>(subject: &'a str, run_at: Timestamp) -> Plan<'a> {
    Plan { kind: "k", subject, tenant_id: "tnt_a", namespace: "tnt_a", run_at }
}

async fn plan(store: &Store, subject: &'static str, run_at: i64, now: i64) {
    store.write(move |tx| job::plan(tx, &plan_of(subject, at(run_at)), at(now))).await.unwrap();
}

fn due(store: &Store, now: i64) -> Vec<JobRecord> {
    store.read(|view| job::due(view, "k", at(now), 100)).unwrap()
}

async fn take(store: &Store, found: &JobRecord, now: i64) -> Option<JobRecord> {
    let found = found.clone();
    store.write(move |tx| job::take(tx, &found, at(now), at(now + LEASE))).await.unwrap()
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
        assert!(store.write(move |tx| job::renew(tx, &renewed, at(2 * LEASE))).await.unwrap());
        assert!(due(&store, 2 * LEASE - 1).is_empty());
        let found = due(&store, 2 * LEASE).remove(0);
        let second = take(&store, &found, 2 * LEASE).await.unwrap();
        // The first wakes up: whatever it says, the second has it.
        let late = first.clone();
        store
            .write(move |tx| {
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
            .write(move |tx| {
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
        store.write(|tx| job::cancel(tx, "k", "a")).await.unwrap();
        plan(&store, "a", 1, 1).await;
        take(&store, &due(&store, 1)[0], 1).await.unwrap();
        store.write(move |tx| job::complete(tx, &old)).await.unwrap();
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
                .write(move |tx| {
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
        assert!(store.write(move |tx| job::revive(tx, &key, at(now))).await.unwrap());
        let key = dead[0].key.clone();
        assert!(!store.write(move |tx| job::revive(tx, &key, at(now))).await.unwrap());
        assert_eq!(due(&store, now)[0].failures, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_failures_are_bounded() {
    for bench in engines() {
        let store = bench.open();
        plan(&store, "a", 0, 0).await;
        let taken = take(&store, &due(&store, 0)[0], 0).await.unwrap();
        store.write(move |tx| job::bury(tx, &taken, &"ä".repeat(5000), at(0))).await.unwrap();
        assert_eq!(store.read(|view| job::dead(view, 1)).unwrap()[0].error.chars().count(), 500);
        assert_eq!(store.read(|view| job::count_dead(view)).unwrap(), 1);
    }
}

const SUBJECTS: [&str; 3] = ["a", "b", "c"];

// Courses run in microseconds.
const SECOND: i64 = 1_000_000;
const LEASE_US: i64 = LEASE * SECOND;

fn us(micros: i64) -> Timestamp {
    Timestamp::from_micros(at(0).as_micros() + micros)
}

fn due_at(store: &Store, now: i64) -> Vec<JobRecord> {
    store.read(|view| job::due(view, "k", us(now), 100)).unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    /// Microseconds from now.
    Plan(usize, i64),
    Hasten(usize, i64),
    Cancel(usize),
    Revive(usize),
    Pass(i64),
    Back(i64),
    Recall,
    /// The first that is due, if any.
    Take,
    /// Of what was taken and not said anything of yet.
    Complete(usize),
    Again(usize, i64),
    Retry(usize, i64),
    Bury(usize),
    Renew(usize),
    /// Its server dies.
    Forget(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let soon = (-5..200_i64).prop_map(|seconds| seconds * SECOND);
    prop_oneof![
        4 => (0..3_usize, soon.clone()).prop_map(|(subject, after)| Step::Plan(subject, after)),
        3 => (0..3_usize, soon.clone()).prop_map(|(subject, after)| Step::Hasten(subject, after)),
        1 => (0..3_usize).prop_map(Step::Cancel),
        1 => (0..3_usize).prop_map(Step::Revive),
        4 => (1..60_i64).prop_map(|seconds| Step::Pass(seconds * SECOND)),
        1 => (1..400_i64).prop_map(|seconds| Step::Back(seconds * SECOND)),
        1 => Just(Step::Recall),
        6 => Just(Step::Take),
        3 => (0..4_usize).prop_map(Step::Complete),
        3 => (0..4_usize, soon.clone()).prop_map(|(taken, after)| Step::Again(taken, after)),
        2 => (0..4_usize, soon).prop_map(|(taken, after)| Step::Retry(taken, after)),
        1 => (0..4_usize).prop_map(Step::Bury),
        1 => (0..4_usize).prop_map(Step::Renew),
        1 => (0..4_usize).prop_map(Step::Forget),
    ]
}

/// A job as one would tell of it.
#[derive(Debug, Clone)]
struct Wanted {
    run_at: i64,
    planned_at: i64,
    /// The run that has it, and until when.
    holder: Option<(usize, i64)>,
    /// Planned or hastened since that run began.
    renewed: bool,
    failures: i64,
    dead: bool,
}

#[derive(Default)]
struct Model {
    jobs: BTreeMap<&'static str, Wanted>,
    runs: usize,
}

impl Model {
    fn is_free(wanted: &Wanted, now: i64) -> bool {
        wanted.holder.is_none_or(|(_, until)| until <= now || until > now + 300 * SECOND)
    }

    fn due(&self, now: i64) -> Vec<&'static str> {
        let due = |wanted: &Wanted| !wanted.dead && wanted.run_at <= now && Self::is_free(wanted, now);
        let mut found: Vec<_> = self.jobs.iter().filter(|(_, wanted)| due(wanted)).collect();
        found.sort_by_key(|(_, wanted)| wanted.run_at);
        found.into_iter().map(|(subject, _)| *subject).collect()
    }

    /// The job of a run that still counts.
    fn of_run(&mut self, subject: &str, run: usize) -> Option<&mut Wanted> {
        // A dead one has no holder, but its last run is still the last.
        self.jobs.get_mut(subject).filter(|wanted| wanted.holder.is_some_and(|(holder, _)| holder == run))
    }
}

/// (what the store gave out, the subject, the model's run)
type Taken = (JobRecord, &'static str, usize);

struct Course {
    store: Store,
    model: Model,
    taken: Vec<Taken>,
    now: i64,
}

impl Course {
    fn write(
        &self,
        change: impl FnMut(&mut scaivault_store::WriteTx<'_>) -> scaivault_store::StoreResult<()> + Send + 'static,
    ) {
        self.store.write_blocking(change).unwrap();
    }

    /// What a run says at its end.
    fn end(&mut self, index: usize) -> Option<Taken> {
        (index < self.taken.len()).then(|| self.taken.remove(index))
    }

    fn go(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Plan(subject, after) => {
                let subject = SUBJECTS[subject];
                self.write(move |tx| job::plan(tx, &plan_of(subject, us(now + after)), us(now)));
                let holder = self.model.jobs.get(subject).and_then(|wanted| wanted.holder);
                let wanted =
                    Wanted { run_at: now + after, planned_at: now, holder, renewed: true, failures: 0, dead: false };
                self.model.jobs.insert(subject, wanted);
            }
            Step::Hasten(subject, after) => self.hasten(SUBJECTS[subject], now + after),
            Step::Cancel(subject) => {
                let subject = SUBJECTS[subject];
                self.write(move |tx| job::cancel(tx, "k", subject));
                self.model.jobs.remove(subject);
            }
            Step::Revive(subject) => {
                let key = JobKey { kind: "k".to_owned(), subject: SUBJECTS[subject].to_owned() };
                self.write(move |tx| job::revive(tx, &key, us(now)).map(|_| ()));
                if let Some(wanted) = self.model.jobs.get_mut(SUBJECTS[subject]).filter(|wanted| wanted.dead) {
                    (wanted.run_at, wanted.planned_at, wanted.failures, wanted.dead) = (now, now, 0, false);
                }
            }
            Step::Pass(time) => self.now += time,
            Step::Back(time) => self.now -= time,
            Step::Recall => {
                self.write(move |tx| {
                    while job::recall(tx, us(now), 2)? > 0 {}
                    Ok(())
                });
                for wanted in self.model.jobs.values_mut().filter(|wanted| wanted.planned_at > now && !wanted.dead) {
                    (wanted.run_at, wanted.planned_at, wanted.renewed) = (now, now, true);
                }
            }
            Step::Take => self.take(),
            Step::Complete(index) => {
                let Some((record, subject, run)) = self.end(index) else { return };
                self.write(move |tx| job::complete(tx, &record));
                let Some(wanted) = self.model.of_run(subject, run) else { return };
                if wanted.renewed {
                    (wanted.holder, wanted.failures) = (None, 0);
                } else {
                    self.model.jobs.remove(subject);
                }
            }
            Step::Again(index, after) => {
                let Some((record, subject, run)) = self.end(index) else { return };
                self.write(move |tx| job::again(tx, &record, us(now + after), us(now)));
                let Some(wanted) = self.model.of_run(subject, run) else { return };
                (wanted.holder, wanted.failures) = (None, 0);
                if !wanted.renewed {
                    (wanted.run_at, wanted.planned_at) = (now + after, now);
                }
            }
            Step::Retry(index, after) => {
                let Some((record, subject, run)) = self.end(index) else { return };
                self.write(move |tx| job::retry(tx, &record, us(now + after), "x", us(now)));
                let Some(wanted) = self.model.of_run(subject, run) else { return };
                if !wanted.renewed || wanted.failures > 0 {
                    (wanted.run_at, wanted.planned_at) = (now + after, now);
                }
                (wanted.holder, wanted.failures) = (None, wanted.failures + 1);
            }
            Step::Bury(index) => {
                let Some((record, subject, run)) = self.end(index) else { return };
                self.write(move |tx| job::bury(tx, &record, "x", us(now)));
                let Some(wanted) = self.model.of_run(subject, run) else { return };
                wanted.dead = !wanted.renewed || wanted.failures > 0;
                (wanted.holder, wanted.failures) = (None, wanted.failures + 1);
            }
            Step::Renew(index) => {
                let Some((record, subject, run)) = self.taken.get(index).cloned() else { return };
                self.write(move |tx| job::renew(tx, &record, us(now + LEASE_US)).map(|_| ()));
                if let Some(wanted) = self.model.of_run(subject, run) {
                    wanted.holder = Some((run, now + LEASE_US));
                }
            }
            Step::Forget(index) => {
                let _ = self.end(index);
            }
        }
    }

    fn hasten(&mut self, subject: &'static str, wish: i64) {
        let now = self.now;
        self.write(move |tx| job::hasten(tx, &plan_of(subject, us(wish)), us(now)));
        let fresh = Wanted { run_at: wish, planned_at: now, holder: None, renewed: false, failures: 0, dead: false };
        let Some(wanted) = self.model.jobs.get_mut(subject) else {
            self.model.jobs.insert(subject, fresh);
            return;
        };
        let held_until = wanted.holder.map(|(_, until)| until).filter(|until| *until > now);
        wanted.run_at = match held_until {
            _ if wanted.dead => wish,
            _ if wanted.failures > 0 => wanted.run_at,
            Some(until) => wish.min(until),
            None => wish.min(wanted.run_at),
        };
        wanted.failures = if wanted.dead { 0 } else { wanted.failures };
        (wanted.planned_at, wanted.renewed, wanted.dead) = (now, true, false);
    }

    fn take(&mut self) {
        let found = due_at(&self.store, self.now);
        let Some(found) = found.first() else { return };
        let (wish, now) = (found.clone(), self.now);
        let taken = self.store.write_blocking(move |tx| job::take(tx, &wish, us(now), us(now + LEASE_US))).unwrap();
        let subject = SUBJECTS.into_iter().find(|subject| *subject == found.key.subject).unwrap();
        self.model.runs += 1;
        let run = self.model.runs;
        let wanted = self.model.jobs.get_mut(subject).unwrap();
        (wanted.holder, wanted.renewed) = (Some((run, now + LEASE_US)), false);
        self.taken.push((taken.expect("what is due can be taken"), subject, run));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_course_the_store_agrees_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        for bench in engines() {
            let mut course = Course { store: bench.open(), model: Model::default(), taken: Vec::new(), now: 0 };
            for step in &steps {
                course.go(step);
                let now = course.now;
                let mut found: Vec<_> = due_at(&course.store, now).into_iter().map(|job| (job.run_at, job.key.subject)).collect();
                let wanted = |subject: &&str| (us(course.model.jobs[*subject].run_at), (*subject).to_owned());
                let mut expected: Vec<_> = course.model.due(now).iter().map(wanted).collect();
                // Jobs of one time come in any order.
                found.sort();
                expected.sort();
                prop_assert_eq!(found, expected, "after {:?}", step);
                let dead = course.model.jobs.values().filter(|wanted| wanted.dead).count();
                prop_assert_eq!(course.store.read(|view| job::count_dead(view)).unwrap(), i64::try_from(dead).unwrap());
                let next = course.model.jobs.values().filter(|wanted| !wanted.dead && Model::is_free(wanted, now));
                let next = next.map(|wanted| us(wanted.run_at)).min();
                prop_assert_eq!(course.store.read(|view| job::next_at(view, "k", us(now))).unwrap(), next);
                // A moment passes between any two things that happen.
                course.now += 1;
            }
            course.store.close();
        }
    }
}
