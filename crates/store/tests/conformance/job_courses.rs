//! Random courses of plans, runs, deaths and clocks, compared with a naive model of what a job is.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobKey, JobRecord};
use scaivault_store::{Lane, Store};

use crate::jobs::{LEASE, plan_of};
use crate::{at, engines};

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
        self.store.write_blocking(Lane::Whole, change).unwrap();
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
        let taken = self
            .store
            .write_blocking(Lane::Whole, move |tx| job::take(tx, &wish, us(now), us(now + LEASE_US)))
            .unwrap();
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
