//! Answers on their way to the peer.
//!
//! Over HTTP/2 a peer can leave an answer where it is without the socket showing it: it gives no window, nothing waits to be
//! written, and the answer stays in memory. So every answer is watched until its last byte has gone to the socket.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::{Buf, Bytes};

use super::activity::Activity;
use super::body::OpenRequest;
use crate::answer_budget::Charge;

/// One answer may stand still this many times longer than all of them together: on a slow line others go first. Without a
/// limit of its own, a peer that takes one answer after the other could leave the rest of them where they are.
const ALONE: u32 = 4;

/// While the budget of answers is scarce, patience is this much shorter: whoever takes nothing keeps others from being answered.
const HASTE: u64 = 12;

/// The answers of one connection that have not gone yet.
#[derive(Default)]
pub(super) struct Deliveries {
    open: Mutex<Vec<Weak<Progress>>>,
    /// When a portion of any of them last left, in milliseconds of the connection.
    moved: AtomicU64,
}

impl Deliveries {
    fn add(&self, progress: &Arc<Progress>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|progress| progress.strong_count() > 0);
        open.push(Arc::downgrade(progress));
    }

    /// When the patience with a peer that takes nothing ends, in milliseconds of the connection.
    pub(super) fn deadline(&self, limit: Duration) -> Option<u64> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: Vec<Waiting> = open.iter().filter_map(|progress| progress.upgrade()?.waiting()).collect();
        let oldest = waiting.iter().map(|waiting| waiting.since).min()?;
        let haste = if waiting.iter().any(|waiting| waiting.scarce) { HASTE } else { 1 };
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) / haste;
        let together = oldest.max(self.moved.load(Ordering::Relaxed)).saturating_add(limit);
        Some(together.min(oldest.saturating_add(limit.saturating_mul(u64::from(ALONE)))))
    }
}

#[derive(Default)]
struct Progress {
    /// When the peer last took a portion, or could have begun to.
    since: AtomicU64,
    /// Portions that were handed out and have not left.
    outstanding: AtomicUsize,
    /// The body itself has nothing more yet: that is not the peer's doing.
    paused: AtomicBool,
    charge: Option<Charge>,
}

struct Waiting {
    since: u64,
    /// It holds a part of a budget that goes to its end.
    scarce: bool,
}

impl Progress {
    fn waiting(&self) -> Option<Waiting> {
        let waits = self.outstanding.load(Ordering::Acquire) > 0 || !self.paused.load(Ordering::Acquire);
        waits.then(|| Waiting {
            since: self.since.load(Ordering::Acquire),
            scarce: self.charge.as_ref().is_some_and(Charge::is_scarce),
        })
    }
}

/// One answer. Lives until its body and all of its portions are gone; until then its request counts as open, and its bytes as
/// waiting.
pub(super) struct Delivery {
    activity: Arc<Activity>,
    progress: Arc<Progress>,
    _request: OpenRequest,
}

impl Delivery {
    pub(super) fn begin(activity: &Arc<Activity>, charge: Option<Charge>, request: OpenRequest) -> Arc<Self> {
        let progress = Arc::new(Progress { since: AtomicU64::new(activity.now()), charge, ..Progress::default() });
        activity.deliveries().add(&progress);
        Arc::new(Self { activity: Arc::clone(activity), progress, _request: request })
    }

    /// A piece of the answer leaves the body.
    pub(super) fn hand_out(self: &Arc<Self>, bytes: Bytes) -> Portion {
        if self.progress.paused.load(Ordering::Acquire) {
            self.progress.since.store(self.activity.now(), Ordering::Release);
        }
        self.progress.outstanding.fetch_add(1, Ordering::AcqRel);
        self.progress.paused.store(false, Ordering::Release);
        Portion { bytes, delivery: Arc::clone(self) }
    }

    pub(super) fn pause(&self) {
        self.progress.paused.store(true, Ordering::Release);
    }

    fn left(&self) {
        let now = self.activity.now();
        self.progress.since.store(now, Ordering::Release);
        self.activity.deliveries().moved.store(now, Ordering::Relaxed);
    }
}

/// A piece of an answer. Only a whole one counts as taken: byte by byte nobody needs it.
pub(super) struct Portion {
    bytes: Bytes,
    delivery: Arc<Delivery>,
}

impl Buf for Portion {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        // One that is thrown away with its stream was not taken.
        if !self.bytes.has_remaining() {
            self.delivery.left();
        }
        self.delivery.progress.outstanding.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer_budget::AnswerBudget;

    const LIMIT: Duration = Duration::from_secs(60);

    fn begin(activity: &Arc<Activity>) -> Arc<Delivery> {
        Delivery::begin(activity, None, OpenRequest::begin(activity, true))
    }

    fn deadline(activity: &Activity) -> Option<u64> {
        activity.deliveries().deadline(LIMIT).map(|millis| millis / 1000)
    }

    fn take(delivery: &Arc<Delivery>) {
        let mut portion = delivery.hand_out(Bytes::from_static(b"abc"));
        portion.advance(3);
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn patience_is_renewed_by_whole_portions_only() {
        let activity = Arc::new(Activity::new());
        assert_eq!(deadline(&activity), None);
        pass(10).await;
        let delivery = begin(&activity);
        assert_eq!(deadline(&activity), Some(70));
        pass(20).await;
        let mut portion = delivery.hand_out(Bytes::from_static(b"abc"));
        portion.advance(2);
        assert_eq!(deadline(&activity), Some(70));
        portion.advance(1);
        drop(portion);
        assert_eq!(deadline(&activity), Some(90));
        pass(10).await;
        drop(delivery.hand_out(Bytes::from_static(b"thrown away")));
        assert_eq!(deadline(&activity), Some(90));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_moves_prolongs_the_others_but_not_for_ever() {
        let activity = Arc::new(Activity::new());
        let (_still, moving) = (begin(&activity), begin(&activity));
        for _ in 0..7 {
            pass(30).await;
            take(&moving);
        }
        assert_eq!(deadline(&activity), Some(240));
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_budget_is_scarce_patience_is_short() {
        let activity = Arc::new(Activity::new());
        let budget = AnswerBudget::of_kib(100);
        let request = OpenRequest::begin(&activity, true);
        let _delivery = Delivery::begin(&activity, budget.charge(20 * 1024), request);
        assert_eq!(deadline(&activity), Some(60));
        let others = budget.charge(40 * 1024);
        assert_eq!(deadline(&activity), Some(5));
        drop(others);
        assert_eq!(deadline(&activity), Some(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_has_nothing_yet_is_not_the_peers_fault() {
        let activity = Arc::new(Activity::new());
        let delivery = begin(&activity);
        delivery.pause();
        assert_eq!(deadline(&activity), None);
        pass(500).await;
        let portion = delivery.hand_out(Bytes::from_static(b"abc"));
        delivery.pause();
        assert_eq!(deadline(&activity), Some(560));
        drop(delivery);
        assert!(activity.has_open_requests(), "a portion is on its way");
        drop(portion);
        assert_eq!((deadline(&activity), activity.has_open_requests()), (None, false));
    }
}
