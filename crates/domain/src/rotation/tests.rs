use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

fn table(interval: &str, grace: &str, warn: &str, auto_generate: bool) -> Timetable {
    Timetable {
        interval: Span::parse(interval).unwrap(),
        grace_period: Span::parse(grace).unwrap(),
        warn_before: SpanList::parse(warn, 10).unwrap(),
        auto_generate,
    }
}

fn word(step: &Step) -> String {
    match step {
        Step::Warn(span) => format!("warn {span}"),
        Step::TellDue => "due".to_owned(),
        Step::Rotate => "rotate".to_owned(),
        Step::TellOverdue => "overdue".to_owned(),
    }
}

/// One secret under a policy, as the job sees it. Attempts fail while `broken`.
struct Secret {
    table: Timetable,
    rotated_at: Timestamp,
    progress: Progress,
    broken: bool,
    told: Vec<(i64, String)>,
}

impl Secret {
    fn new(table: Timetable) -> Self {
        let progress = Progress::new(table.due_at(at(0)));
        Self { table, rotated_at: at(0), progress, broken: false, told: Vec::new() }
    }

    /// Looks once, and answers when to look again.
    fn look(&mut self, seconds: i64) -> Option<Timestamp> {
        let now = at(seconds);
        self.rotated_at = cycle_start(self.rotated_at, now);
        self.progress = self.progress.for_due(self.table.due_at(self.rotated_at), now);
        while let Some(step) = self.table.next_step(&self.progress, now) {
            self.told.push((seconds, word(&step)));
            match step {
                Step::Rotate if self.broken => {
                    self.progress.failed(now);
                }
                Step::Rotate => {
                    self.rotated_at = now;
                    self.progress = Progress::new(self.table.due_at(now));
                }
                step => self.progress.done(&step),
            }
        }
        let next = self.table.next_look(&self.progress);
        assert!(next.is_none_or(|next| next > now), "it would look again at once, for ever");
        next
    }

    /// Looks whenever it asked to, up to `end`.
    fn live(&mut self, from: i64, end: i64) {
        let mut now = from;
        loop {
            match self.look(now) {
                Some(next) if next <= at(end) => now = (next.as_micros() - at(0).as_micros()) / 1_000_000,
                _ => return,
            }
        }
    }

    fn words(&self) -> Vec<(i64, &str)> {
        self.told.iter().map(|(day, word)| (*day, word.as_str())).collect()
    }
}

#[test]
fn r_3_and_r_4_each_moment_of_a_cycle_comes_at_its_time() {
    let mut secret = Secret::new(table("90d", "48h", "7d,1d", false));
    secret.live(0, 1000 * DAY);
    let expected = [(83 * DAY, "warn 7d"), (89 * DAY, "warn 1d"), (90 * DAY, "due"), (92 * DAY, "overdue")];
    assert_eq!(secret.words(), expected);
}

#[test]
fn r_5_what_generates_is_neither_due_nor_overdue() {
    let mut secret = Secret::new(table("90d", "48h", "7d", true));
    secret.live(0, 200 * DAY);
    let expected = [(83 * DAY, "warn 7d"), (90 * DAY, "rotate"), (173 * DAY, "warn 7d"), (180 * DAY, "rotate")];
    assert_eq!(secret.words(), expected);
}

#[test]
fn r_10_of_what_was_missed_the_latest_is_told() {
    let looks = |seconds: &[i64]| {
        let mut secret = Secret::new(table("90d", "48h", "30d,7d,1d", false));
        for now in seconds {
            secret.look(*now);
        }
        secret.told.into_iter().map(|(_, word)| word).collect::<Vec<_>>()
    };
    assert_eq!(looks(&[80 * DAY, 91 * DAY]), ["warn 30d", "due"]);
    assert_eq!(looks(&[84 * DAY]), ["warn 7d"]);
    assert_eq!(looks(&[89 * DAY + 1, 89 * DAY + 2]), ["warn 1d"]);
    assert_eq!(looks(&[95 * DAY]), ["due", "overdue"]);
    assert_eq!(looks(&[92 * DAY]), ["due", "overdue"]);
    assert_eq!(looks(&[82 * DAY, 83 * DAY - 1, 83 * DAY]), ["warn 30d", "warn 7d"]);
}

#[test]
fn failures_are_tried_again_after_1m_5m_30m_and_then_hourly() {
    let mut secret = Secret::new(table("1d", "2h", "1h", true));
    secret.broken = true;
    secret.live(0, DAY + 4 * 3600);
    let minutes = |word: &str| -> Vec<i64> {
        let told = secret.told.iter().filter(|(_, told)| told == word);
        told.map(|(seconds, _)| (seconds - DAY) / 60).collect()
    };
    assert_eq!(minutes("rotate"), [0, 1, 6, 36, 96, 156, 216]);
    assert_eq!((minutes("warn 1h"), minutes("overdue")), (vec![-60], vec![120]));
    assert_eq!(secret.table.status(&secret.progress, true, at(DAY + 60)), Status::Failed);
    secret.broken = false;
    secret.live(DAY + 5 * 3600, DAY + 6 * 3600);
    assert_eq!(secret.progress, Progress::new(at(2 * DAY + 5 * 3600)));
}

#[test]
fn an_attempt_that_a_wrong_clock_put_off_is_made() {
    let mut secret = Secret::new(table("1d", "0s", "", true));
    secret.broken = true;
    secret.look(400 * DAY);
    secret.broken = false;
    secret.look(DAY + 10);
    assert_eq!(secret.rotated_at, at(DAY + 10));
}

#[test]
fn a_rotation_of_the_future_counts_from_now() {
    let mut secret = Secret::new(table("10d", "1d", "1d", true));
    secret.look(365 * DAY);
    assert_eq!(secret.rotated_at, at(365 * DAY));
    assert_eq!(secret.look(5 * DAY), Some(at(14 * DAY)));
    secret.live(5 * DAY, 15 * DAY);
    assert_eq!(secret.words(), [(365 * DAY, "rotate"), (14 * DAY, "warn 1d"), (15 * DAY, "rotate")]);
    assert_eq!(cycle_start(at(5), at(0)), at(5), "a little ahead is only a little ahead");
    assert_eq!(cycle_start(at(6), at(0)), at(0));
}

#[test]
fn another_due_time_begins_with_nothing_done() {
    let mut secret = Secret::new(table("90d", "48h", "7d", false));
    secret.look(95 * DAY);
    secret.table.interval = Span::parse("180d").unwrap();
    secret.live(95 * DAY, 400 * DAY);
    let expected = [(95, "due"), (95, "overdue"), (173, "warn 7d"), (180, "due"), (182, "overdue")];
    assert_eq!(secret.words(), expected.map(|(day, word)| (day * DAY, word)));
}

#[test]
fn statuses() {
    let table = table("10d", "1d", "", false);
    let progress = Progress::new(at(10 * DAY));
    let status = |day: i64| table.status(&progress, true, at(day * DAY)).as_str();
    assert_eq!((status(9), status(10), status(11)), ("ok", "due", "overdue"));
    assert_eq!(table.status(&progress, false, at(11 * DAY)), Status::Paused);
    // A failure of the time when the policy still generated says nothing any more.
    let failed = Progress { failures: 1, ..progress };
    assert_eq!(table.status(&failed, true, at(10 * DAY)), Status::Due);
}

fn tables() -> impl Strategy<Value = Timetable> {
    let warnings = prop::collection::vec(1_i64..200, 0..5);
    (61_i64..400, 0_i64..60, warnings, any::<bool>()).prop_map(|(interval, grace, warnings, auto_generate)| {
        let shorter: Vec<String> =
            warnings.into_iter().filter(|seconds| *seconds < interval).map(|s| format!("{s}s")).collect();
        Timetable {
            interval: Span::from_seconds(interval),
            grace_period: Span::from_seconds(grace),
            warn_before: SpanList::from_items(&shorter, 10).unwrap(),
            auto_generate,
        }
    })
}

proptest! {
    /// Whatever the clock does, nothing is told twice, and what waits for a value is told that it is due.
    #[test]
    fn whatever_the_clock_does_nothing_is_told_twice(
        table in tables(),
        steps in prop::collection::vec(prop_oneof![-50_i64..50, -1000_i64..1000, Just(365 * DAY), Just(-365 * DAY)], 1..60),
    ) {
        let table = Timetable { auto_generate: false, ..table };
        let mut secret = Secret::new(table.clone());
        let (mut now, mut seen_due) = (0_i64, false);
        for step in steps {
            // Never before the secret was rotated: that would be another cycle.
            now = (now + step).max(0);
            secret.look(now);
            seen_due |= now >= table.interval.seconds();
        }
        for (index, (_, word)) in secret.told.iter().enumerate() {
            let again = secret.told.iter().skip(index + 1).any(|(_, later)| later == word);
            prop_assert!(!again, "{word} twice in {:?}", secret.told);
        }
        prop_assert_eq!(secret.told.iter().any(|(_, word)| word == "due"), seen_due);
        prop_assert_eq!(secret.table.next_look(&secret.progress).is_none(), secret.progress.overdue_told && secret.progress.due_told);
    }

    /// However the clock runs, a value that is generated is never more than an interval away from a clock that then runs straight.
    #[test]
    fn nothing_that_generates_rests_for_ever(
        table in tables(),
        steps in prop::collection::vec(prop_oneof![-1000_i64..1000, Just(365 * DAY), Just(-365 * DAY)], 1..20),
        broken in any::<bool>(),
    ) {
        let mut secret = Secret::new(Timetable { auto_generate: true, ..table });
        secret.broken = broken;
        let mut now = 0_i64;
        for step in steps {
            now += step;
            secret.look(now);
        }
        secret.broken = false;
        secret.told.clear();
        let longest = secret.table.interval.seconds().max(3600) + 5;
        secret.live(now, now + longest);
        prop_assert!(secret.told.iter().any(|(_, word)| word == "rotate"), "{:?}", secret.progress);
    }
}
