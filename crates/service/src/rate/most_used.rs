//! The fullest of many buckets, in bounded memory.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use scaivault_domain::rate::RateCategory;

/// How much of its limit an identity has used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UsedBucket {
    pub(crate) category: RateCategory,
    pub(crate) identity: String,
    /// 0 to 1.
    pub(crate) used: f64,
}

pub(super) struct MostUsed {
    limit: usize,
    /// The least used on top.
    kept: BinaryHeap<Reverse<ByUse>>,
}

impl MostUsed {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: BinaryHeap::new() }
    }

    /// Copies the name only of what is kept: there may be hundreds of thousands.
    pub(super) fn offer(&mut self, category: RateCategory, identity: &str, used: f64) {
        let is_full = self.kept.len() >= self.limit;
        if is_full && self.kept.peek().is_none_or(|Reverse(ByUse(least))| used <= least.used) {
            return;
        }
        if is_full {
            self.kept.pop();
        }
        self.kept.push(Reverse(ByUse(UsedBucket { category, identity: identity.to_owned(), used })));
    }

    pub(super) fn into_vec(self) -> Vec<UsedBucket> {
        self.kept.into_iter().map(|Reverse(ByUse(bucket))| bucket).collect()
    }
}

struct ByUse(UsedBucket);

impl Ord for ByUse {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.used.total_cmp(&other.0.used)
    }
}

impl PartialOrd for ByUse {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByUse {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByUse {}
