//! What a connection is doing, and how long it may go on doing it.
//!
//! A connection at rest, one that dawdles over a head and one whose request takes long are three things with three limits.
//! Timers are not moved with every request: the connection's one timer sleeps to the deadline it last knew and asks again.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::delivery::Deliveries;

/// How long the rest of a peer's input is read after the last answer.
const LINGER: Duration = Duration::from_secs(3);

/// How often a busy connection is looked at.
const CHECK: Duration = Duration::from_secs(15);

/// Limits of a connection's phases.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its head; also for the TLS handshake.
    pub head: Duration,
    /// From the first wait for a request's body to its end.
    pub body: Duration,
    /// Without a request. Longer than what clients and proxies usually keep, so that they are the ones who close.
    pub idle: Duration,
    /// The same while all places are taken.
    pub idle_crowded: Duration,
    /// A peer that takes none of its answers.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(120),
            idle: Duration::from_secs(300),
            idle_crowded: Duration::from_secs(5),
            write: Duration::from_secs(60),
        }
    }
}

/// How much patience is left with a connection that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    Usual,
    Crowded,
    /// It was told to leave.
    None,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait(Instant),
    /// Close it in an orderly way.
    Leave,
    /// Drop it.
    Cut,
}

/// Shared by a connection's reader and writer, its requests and its timer.
pub(super) struct Activity {
    start: Instant,
    open_requests: AtomicUsize,
    /// When the present phase began, in milliseconds after `start`.
    since: AtomicU64,
    /// Bytes came, but no request yet.
    in_head: AtomicBool,
    /// HTTP/2: bytes need not be a head.
    multiplexed: AtomicBool,
    /// When the peer stopped taking bytes, in milliseconds after `start` and one; 0 = it takes them.
    stalled: AtomicU64,
    /// The last request was answered before all of it was read.
    input_left: AtomicBool,
    /// When our direction was closed, as in `stalled`.
    closed: AtomicU64,
    deliveries: Deliveries,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            open_requests: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            in_head: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            stalled: AtomicU64::new(0),
            input_left: AtomicBool::new(false),
            closed: AtomicU64::new(0),
            deliveries: Deliveries::default(),
        }
    }

    /// In milliseconds after the connection's start.
    pub(super) fn now(&self) -> u64 {
        self.millis(Instant::now())
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    pub(super) fn received(&self) {
        let rests = self.open_requests.load(Ordering::Acquire) == 0 && !self.multiplexed.load(Ordering::Relaxed);
        if rests && !self.in_head.load(Ordering::Relaxed) {
            self.since.store(self.now(), Ordering::Relaxed);
            self.in_head.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn request_began(&self, multiplexed: bool) {
        if multiplexed {
            self.multiplexed.store(true, Ordering::Relaxed);
        }
        self.in_head.store(false, Ordering::Relaxed);
        self.open_requests.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn request_ended(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.open_requests.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn has_open_requests(&self) -> bool {
        self.open_requests.load(Ordering::Acquire) > 0
    }

    pub(super) fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    pub(super) fn sent(&self) {
        if self.stalled.load(Ordering::Relaxed) != 0 {
            self.stalled.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn stalled(&self) {
        if self.stalled.load(Ordering::Relaxed) == 0 {
            self.stalled.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn leaves_input_unread(&self) {
        self.input_left.store(true, Ordering::Relaxed);
    }

    /// Asked when our direction is closed: whether there is input to read away.
    pub(super) fn lingers(&self) -> bool {
        let lingers = self.input_left.load(Ordering::Relaxed);
        if lingers && self.closed.load(Ordering::Relaxed) == 0 {
            self.closed.store(self.now() + 1, Ordering::Relaxed);
        }
        lingers
    }

    fn linger_deadline(&self) -> Option<Instant> {
        let closed = self.closed.load(Ordering::Relaxed);
        (closed != 0).then(|| self.at(closed - 1) + LINGER)
    }

    /// A deadline that may be nearer than the one the timer sleeps to.
    pub(super) fn near_deadline(&self, timeouts: &Timeouts) -> Option<Instant> {
        let phase = self.linger_deadline().or_else(|| self.head_deadline(timeouts));
        [phase, self.write_deadline(timeouts)].into_iter().flatten().min()
    }

    /// When a peer must have taken something of what waits for it: at the socket, or before it for lack of a window.
    fn write_deadline(&self, timeouts: &Timeouts) -> Option<Instant> {
        let stalled = self.stalled.load(Ordering::Relaxed);
        let at_socket = (stalled != 0).then(|| self.at(stalled - 1) + timeouts.write);
        let before_it = self.deliveries.deadline(timeouts.write).map(|millis| self.at(millis));
        [at_socket, before_it].into_iter().flatten().min()
    }

    /// While a head is being read: when it must have come.
    fn head_deadline(&self, timeouts: &Timeouts) -> Option<Instant> {
        let reading = self.in_head.load(Ordering::Relaxed) && !self.has_open_requests();
        reading.then(|| self.at(self.since.load(Ordering::Relaxed)) + timeouts.head)
    }

    pub(super) fn verdict(&self, now: Instant, timeouts: &Timeouts, patience: Patience) -> Verdict {
        let write = self.write_deadline(timeouts);
        if write.is_some_and(|deadline| now >= deadline) {
            return Verdict::Cut;
        }
        if let Some(deadline) = self.linger_deadline() {
            return if now >= deadline { Verdict::Cut } else { Verdict::Wait(deadline) };
        }
        if self.has_open_requests() {
            let check = now + CHECK.min(timeouts.write);
            return Verdict::Wait(write.map_or(check, |deadline| deadline.min(check)));
        }
        if let Some(deadline) = self.head_deadline(timeouts) {
            return if now >= deadline { Verdict::Cut } else { Verdict::Wait(deadline) };
        }
        let rest = match patience {
            Patience::Usual => timeouts.idle,
            Patience::Crowded => timeouts.idle_crowded,
            Patience::None => return Verdict::Leave,
        };
        let deadline = self.at(self.since.load(Ordering::Relaxed)) + rest;
        if now >= deadline { Verdict::Leave } else { Verdict::Wait(deadline) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        head: Duration::from_secs(10),
        body: Duration::from_secs(100),
        idle: Duration::from_secs(300),
        idle_crowded: Duration::from_secs(5),
        write: Duration::from_secs(60),
    };

    fn after(seconds: u64, activity: &Activity, patience: Patience) -> Verdict {
        activity.verdict(activity.start + Duration::from_secs(seconds), &TIMEOUTS, patience)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_at_rest_leaves_when_its_time_is_over() {
        let activity = Activity::new();
        assert_eq!(after(299, &activity, Patience::Usual), Verdict::Wait(activity.start + Duration::from_secs(300)));
        assert_eq!(after(300, &activity, Patience::Usual), Verdict::Leave);
        assert_eq!(after(5, &activity, Patience::Crowded), Verdict::Leave);
        assert_eq!(after(0, &activity, Patience::None), Verdict::Leave);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_cut() {
        let activity = Activity::new();
        tokio::time::advance(Duration::from_secs(100)).await;
        activity.received();
        tokio::time::advance(Duration::from_secs(5)).await;
        activity.received();
        assert_eq!(after(109, &activity, Patience::Usual), Verdict::Wait(activity.start + Duration::from_secs(110)));
        assert_eq!(after(110, &activity, Patience::Usual), Verdict::Cut, "dripping bytes do not prolong it");
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_request_may_take_its_time_and_rest_counts_from_its_end() {
        let activity = Activity::new();
        activity.received();
        activity.request_began(false);
        assert!(matches!(after(1000, &activity, Patience::None), Verdict::Wait(_)));
        tokio::time::advance(Duration::from_secs(1000)).await;
        activity.request_ended();
        assert_eq!(after(1001, &activity, Patience::Usual), Verdict::Wait(activity.start + Duration::from_secs(1300)));
    }

    #[tokio::test(start_paused = true)]
    async fn pings_of_http2_are_no_head_and_no_activity() {
        let activity = Activity::new();
        activity.request_began(true);
        activity.request_ended();
        tokio::time::advance(Duration::from_secs(200)).await;
        activity.received();
        assert_eq!(after(211, &activity, Patience::Usual), Verdict::Wait(activity.start + Duration::from_secs(300)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut_even_with_an_open_request() {
        let activity = Activity::new();
        activity.request_began(false);
        activity.stalled();
        assert_eq!(after(60, &activity, Patience::Usual), Verdict::Cut);
        activity.sent();
        assert!(matches!(after(60, &activity, Patience::Usual), Verdict::Wait(_)));
    }
}
