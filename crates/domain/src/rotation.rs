//! When a rotation is due, and what is to be said and done about it (contract 04 section 3).
//!
//! A cycle runs from one rotation to the next. [`Timetable`] is what the policy says, [`Progress`] what was done in the cycle so far;
//! from these two and the time follows the next [`Step`]. So a job that looks late, twice, or by a clock that was moved does each
//! thing once.

use crate::duration::{Span, SpanList};
use crate::time::Timestamp;

/// A rotation further ahead of the clock than this was written while the clock was wrong.
const CLOCK_SLACK_SECONDS: i64 = 5;
/// Seconds from one failed attempt to the next one; the last goes for all that follow.
const PAUSES: [i64; 4] = [60, 300, 1800, 3600];

/// What a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    pub interval: Span,
    pub grace_period: Span,
    /// Each shorter than the interval.
    pub warn_before: SpanList,
    pub auto_generate: bool,
}

/// What was done about one due time. Another due time, be it of a new cycle or of a changed interval, begins with nothing done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub due_at: Timestamp,
    /// Seconds of the shortest warning that was given.
    pub warned: Option<i64>,
    pub due_told: bool,
    pub overdue_told: bool,
    /// Failed attempts in a row.
    pub failures: i64,
    /// `None`: as soon as it is due.
    pub next_attempt_at: Option<Timestamp>,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Say that it will be due in so long.
    Warn(Span),
    /// Say that a new value is wanted now.
    TellDue,
    /// Generate a value and write it.
    Rotate,
    /// Say that there is still no new value though the grace is over.
    TellOverdue,
}

/// Where a secret stands in its cycle (contract 01 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Due,
    Failed,
    Ok,
    Overdue,
    /// The policy is disabled.
    Paused,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Failed => "failed",
            Self::Ok => "ok",
            Self::Overdue => "overdue",
            Self::Paused => "paused",
        }
    }
}

/// What made a rotation happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A call to rotate.
    Manual,
    Scheduled,
    /// A PUT of a value.
    Write,
}

impl Trigger {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
            Self::Write => "write",
        }
    }
}

/// What became of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Failed,
    /// It is due, and a value is waited for.
    Pending,
    Success,
}

impl Fate {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Success => "success",
        }
    }
}

/// When a cycle began: at the last rotation, or now if that lies in a future that the clock was set back from.
pub fn cycle_start(last_rotated_at: Timestamp, now: Timestamp) -> Timestamp {
    if last_rotated_at > now.plus_seconds(CLOCK_SLACK_SECONDS) { now } else { last_rotated_at }
}

impl Timetable {
    /// When a cycle that began then ends.
    pub fn due_at(&self, cycle_start: Timestamp) -> Timestamp {
        cycle_start.plus_seconds(self.interval.seconds())
    }

    pub fn overdue_at(&self, due_at: Timestamp) -> Timestamp {
        due_at.plus_seconds(self.grace_period.seconds())
    }

    /// The first thing that is to be done now; whoever did it says so with [`Progress::done`] or [`Progress::failed`] and asks again.
    /// Of warnings that were missed only the latest is given, and none when it is due already.
    pub fn next_step(&self, progress: &Progress, now: Timestamp) -> Option<Step> {
        if now < progress.due_at {
            let missed = |span: &&Span| warning_at(progress, span) <= now;
            return self.open_warnings(progress).filter(missed).last().cloned().map(Step::Warn);
        }
        if self.auto_generate && self.turn_at(progress).is_some_and(|at| at <= now) {
            return Some(Step::Rotate);
        }
        if !self.auto_generate && !progress.due_told {
            return Some(Step::TellDue);
        }
        (!progress.overdue_told && self.overdue_at(progress.due_at) <= now).then_some(Step::TellOverdue)
    }

    /// When to look again, in the past if something is to be done at once; `None` when nothing is left to be done in this cycle.
    pub fn next_look(&self, progress: &Progress) -> Option<Timestamp> {
        let warning = self.open_warnings(progress).next().map(|span| warning_at(progress, span));
        let overdue = (!progress.overdue_told).then(|| self.overdue_at(progress.due_at));
        [warning, self.turn_at(progress), overdue].into_iter().flatten().min()
    }

    pub fn status(&self, progress: &Progress, is_active: bool, now: Timestamp) -> Status {
        if !is_active {
            Status::Paused
        } else if self.auto_generate && progress.failures > 0 {
            Status::Failed
        } else if now >= self.overdue_at(progress.due_at) {
            Status::Overdue
        } else if now >= progress.due_at {
            Status::Due
        } else {
            Status::Ok
        }
    }

    /// Warnings that may still be given, the earliest first.
    fn open_warnings(&self, progress: &Progress) -> impl Iterator<Item = &Span> {
        let over = progress.due_told || progress.failures > 0;
        let warned = progress.warned;
        self.warn_before.iter().filter(move |span| !over && warned.is_none_or(|warned| span.seconds() < warned))
    }

    /// When the value is to be generated, or asked for.
    fn turn_at(&self, progress: &Progress) -> Option<Timestamp> {
        if self.auto_generate {
            Some(progress.next_attempt_at.map_or(progress.due_at, |at| at.max(progress.due_at)))
        } else {
            (!progress.due_told).then_some(progress.due_at)
        }
    }
}

fn warning_at(progress: &Progress, span: &Span) -> Timestamp {
    progress.due_at.plus_seconds(-span.seconds())
}

impl Progress {
    pub fn new(due_at: Timestamp) -> Self {
        Self { due_at, warned: None, due_told: false, overdue_told: false, failures: 0, next_attempt_at: None }
    }

    /// What of it holds for a due time at `now`: nothing if it was another one. An attempt that was put off further than attempts are
    /// put off was put off by a clock that was wrong.
    #[must_use]
    pub fn for_due(self, due_at: Timestamp, now: Timestamp) -> Self {
        if self.due_at != due_at {
            return Self::new(due_at);
        }
        let longest = now.plus_seconds(pause_after(self.failures));
        Self { next_attempt_at: self.next_attempt_at.filter(|at| *at <= longest), ..self }
    }

    /// Notes that something was said. A rotation begins a cycle of its own.
    pub fn done(&mut self, step: &Step) {
        match step {
            Step::Warn(span) => self.warned = Some(span.seconds()),
            Step::TellDue => self.due_told = true,
            Step::TellOverdue => self.overdue_told = true,
            Step::Rotate => {}
        }
    }

    /// Notes a failed attempt and answers when the next one is.
    pub fn failed(&mut self, now: Timestamp) -> Timestamp {
        self.failures = self.failures.saturating_add(1);
        let next = now.plus_seconds(pause_after(self.failures));
        self.next_attempt_at = Some(next);
        next
    }
}

/// Seconds from the `failures`-th failure in a row to the next attempt.
fn pause_after(failures: i64) -> i64 {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(0);
    PAUSES.get(place).or(PAUSES.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
