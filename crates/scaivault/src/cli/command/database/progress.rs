//! How far a copy is, for whoever waits: a line a second at most, on standard error.

use std::fmt::Display;
use std::time::{Duration, Instant};

use scaivault_store::copy::{Progress, Step};

use crate::output;

const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Telling {
    quiet: bool,
    told: Instant,
    /// What is counted at the moment, since when, and where the count began.
    course: Option<(Step, Instant, u64)>,
}

impl Telling {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, told: Instant::now(), course: None }
    }

    pub(super) fn say(&self, text: impl Display) {
        if !self.quiet {
            output::notice(text);
        }
    }

    /// Says it if nothing was said for a second.
    pub(super) fn now_and_then(&mut self, text: impl FnOnce() -> String) {
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            self.say(text());
        }
    }

    pub(super) fn tell(&mut self, progress: &Progress<'_>) {
        let Progress { step, table, done, total } = *progress;
        let (since, begin) = match self.course {
            Some((counted, since, begin)) if counted == step => (since, begin),
            _ => {
                self.course = Some((step, Instant::now(), done));
                return;
            }
        };
        self.now_and_then(|| {
            let verb = match step {
                Step::Copying => "copying",
                Step::Verifying => "comparing",
            };
            let rate = rate(done.saturating_sub(begin), since.elapsed());
            let left = match rate {
                0 => String::new(),
                rate => format!(", {} left", remaining(total.saturating_sub(done) / rate)),
            };
            format!("{verb} {table}: {done} of {total} rows, {rate} rows/s{left}")
        });
    }
}

/// Rows a second.
fn rate(rows: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    rows.saturating_mul(1000) / millis
}

fn remaining(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_for_people() {
        assert_eq!(rate(5000, Duration::from_millis(2500)), 2000);
        assert_eq!(rate(1, Duration::ZERO), 1000);
        assert_eq!(
            (remaining(59), remaining(61), remaining(7260)),
            ("59 s".into(), "1 min 1 s".into(), "2 h 1 min".into())
        );
    }
}
