//! How many bytes of answers may wait for their clients at a time, in the whole process.
//!
//! A client decides when it takes its answer, and until then the answer is memory. Time limits end each wait
//! (`serve/delivery.rs`); this bounds what all clients together can have waiting meanwhile.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: u64 = 1024;

/// Not more than the state of the request itself takes: charging these would let a crowd without tokens, which gets nothing but
/// small errors, use up what others need. Health answers are among them.
const FREE: u64 = 4 * KIB;

/// Values of secrets that are read and rendered at a time. Only a finished answer has a size that can be charged; until then, and
/// above all while it waits for its audit entry, its value is in memory as well.
const READING: usize = 128;

const DEFAULT_KIB: u32 = 256 * 1024;

/// A handle: clones share the budget.
#[derive(Debug, Clone)]
pub struct AnswerBudget {
    /// In KiB.
    left: Arc<Semaphore>,
    total: u32,
    reading: Arc<Semaphore>,
}

/// A place among those whose answers are made; to be kept until the answer is charged.
#[derive(Debug)]
pub struct Turn {
    _place: Option<OwnedSemaphorePermit>,
}

/// Paid back when the last clone is dropped: by the answer's body or its last byte on the way, whichever lives longer.
#[derive(Debug, Clone)]
pub struct Charge {
    /// `None`: small enough to cost nothing.
    paid: Option<Arc<OwnedSemaphorePermit>>,
    /// With less than this left there is no more patience for those who take nothing.
    scarce: usize,
}

impl Charge {
    /// Whether the budget, of which this is a part, goes to its end.
    pub(crate) fn is_scarce(&self) -> bool {
        self.paid.as_ref().is_some_and(|paid| paid.semaphore().available_permits() < self.scarce)
    }
}

impl AnswerBudget {
    pub fn of_kib(total: u32) -> Self {
        let places = usize::try_from(total).unwrap_or(Semaphore::MAX_PERMITS);
        Self { left: Arc::new(Semaphore::new(places)), total, reading: Arc::new(Semaphore::new(READING)) }
    }

    /// Waits for its turn to read a value. Not for work that may take long: it would keep the others waiting.
    pub async fn turn(&self) -> Turn {
        self.turns(1).await
    }

    /// Waits for its turn to read as much as `places` values of the largest size.
    pub async fn turns(&self, places: u32) -> Turn {
        // An error would mean that the semaphore was closed, which nobody does.
        Turn { _place: Arc::clone(&self.reading).acquire_many_owned(places).await.ok() }
    }

    pub fn left_kib(&self) -> usize {
        self.left.available_permits()
    }

    /// `None`: too much waits already. An answer larger than the whole budget goes out when nothing else waits.
    pub fn charge(&self, bytes: u64) -> Option<Charge> {
        let scarce = usize::try_from(self.total / 2).unwrap_or(usize::MAX);
        if bytes <= FREE {
            return Some(Charge { paid: None, scarce });
        }
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX).min(self.total);
        let paid = Arc::clone(&self.left).try_acquire_many_owned(kib).ok()?;
        Some(Charge { paid: Some(Arc::new(paid)), scarce })
    }
}

impl Default for AnswerBudget {
    fn default() -> Self {
        Self::of_kib(DEFAULT_KIB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_paid_back_with_the_last_clone() {
        let budget = AnswerBudget::of_kib(100);
        let first = budget.charge(60 * KIB).unwrap();
        let clone = first.clone();
        assert_eq!(budget.left_kib(), 40);
        assert!(first.is_scarce());
        assert!(budget.charge(60 * KIB).is_none());
        assert!(budget.charge(FREE).is_some(), "small answers always pass");
        drop(first);
        assert_eq!(budget.left_kib(), 40);
        drop(clone);
        assert!(!budget.charge(50 * KIB).unwrap().is_scarce());
        let huge = budget.charge(1000 * KIB).unwrap();
        assert_eq!(budget.left_kib(), 0);
        assert!(budget.charge(FREE + 1).is_none() && budget.charge(0).is_some());
        drop(huge);
        assert_eq!(budget.left_kib(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn values_are_read_in_turns() {
        let budget = AnswerBudget::of_kib(100);
        let mut turns = Vec::new();
        for _ in 0..READING {
            turns.push(budget.turn().await);
        }
        let brief = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(brief, budget.turn()).await.is_err());
        turns.pop();
        assert!(tokio::time::timeout(brief, budget.turn()).await.is_ok());
    }
}
