//! Rate limits: token buckets per identity and category (contract 12 section 5), per client address, and the throttle of
//! failed authentications (contract 02 section 1).
//!
//! All arithmetic is in whole numbers, so that a bucket of 1,000 admits 1,000 and not 999. Time is an argument: microseconds
//! since the Unix epoch. Buckets that are full again say nothing and are dropped; the memory is bounded by who was active in
//! the last minute, and by a cap beyond that.

mod bucket;
mod most_used;
mod throttle;

use std::net::{IpAddr, Ipv6Addr};

use scaivault_domain::rate::{RateCategory, RateLimits};

pub(crate) use most_used::UsedBucket;
pub use throttle::FailedAuthThrottle;

use bucket::Buckets;
use most_used::MostUsed;

/// What a bucket answers, and what the `X-RateLimit-*` headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// The size of the bucket; 0 = unlimited: there are no headers then.
    pub limit: u32,
    /// Whole units left.
    pub remaining: u32,
    /// Unix second at which the bucket is full again.
    pub reset_unix_seconds: i64,
    /// Whole seconds until one unit is free; at least 1 when refused, 0 when allowed.
    pub retry_after_seconds: u64,
}

impl Decision {
    pub const UNLIMITED: Decision =
        Decision { allowed: true, limit: 0, remaining: 0, reset_unix_seconds: 0, retry_after_seconds: 0 };

    pub fn is_unlimited(&self) -> bool {
        self.limit == 0
    }
}

/// One bucket for each identity and category that was used in the last minute.
pub struct RateLimiter {
    /// By [`RateCategory::index`]; `None` = unlimited.
    categories: Vec<Option<Buckets<String>>>,
}

impl RateLimiter {
    pub fn new(limits: &RateLimits) -> Self {
        let buckets = |category: &RateCategory| limits.per_minute(*category).map(Buckets::new);
        Self { categories: RateCategory::ALL.iter().map(buckets).collect() }
    }

    /// Takes one unit if there is one. A refused request costs nothing.
    ///
    /// `key` names tenant and identity in one: identities of one name in two tenants do not share a bucket.
    pub fn admit(&self, key: &str, category: RateCategory, now_micros: i64) -> Decision {
        self.buckets(category).map_or(Decision::UNLIMITED, |buckets| buckets.admit(key, now_micros))
    }

    /// Whether there is a unit, without taking it.
    pub fn look(&self, key: &str, category: RateCategory, now_micros: i64) -> Decision {
        self.buckets(category).map_or(Decision::UNLIMITED, |buckets| buckets.look(key, now_micros))
    }

    /// Takes `units` from the bucket, below zero if need be: for work whose size is known only after it was admitted.
    pub fn charge(&self, key: &str, category: RateCategory, units: u32, now_micros: i64) -> Decision {
        self.buckets(category).map_or(Decision::UNLIMITED, |buckets| buckets.charge(key, units, now_micros))
    }

    /// The `limit` buckets that are used most; those that are full again are not among them.
    pub(crate) fn used(&self, now_micros: i64, limit: usize) -> Vec<UsedBucket> {
        let mut most = MostUsed::new(limit);
        for &category in RateCategory::ALL {
            if let Some(buckets) = self.buckets(category) {
                buckets.each_used(now_micros, |identity, used| most.offer(category, identity, used));
            }
        }
        most.into_vec()
    }

    fn buckets(&self, category: RateCategory) -> Option<&Buckets<String>> {
        self.categories.get(category.index()).and_then(Option::as_ref)
    }
}

/// One bucket for each client address.
pub struct AddressLimiter {
    buckets: Option<Buckets<IpAddr>>,
}

impl AddressLimiter {
    /// `per_minute` units, refilled evenly over a minute; 0 = unlimited.
    pub fn new(per_minute: u32) -> Self {
        Self { buckets: (per_minute > 0).then(|| Buckets::new(per_minute)) }
    }

    /// Takes one unit if there is one. The addresses of one client share a bucket ([`one_client`]).
    pub fn admit(&self, address: IpAddr, now_micros: i64) -> Decision {
        let admit = |buckets: &Buckets<IpAddr>| buckets.admit(&one_client(address), now_micros);
        self.buckets.as_ref().map_or(Decision::UNLIMITED, admit)
    }
}

/// What stands for all addresses that a client may have at once: an IPv6 network of 64 bits is the least a subscriber gets, and
/// every address in it is as easily had as the next. An IPv4 address in IPv6 form is the IPv4 address.
fn one_client(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = u128::MAX << 64;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Rounded up; the one in the standard library is unstable for signed numbers. `by` is positive.
fn ceil_div(number: i64, by: i64) -> i64 {
    -(number.saturating_neg().div_euclid(by))
}

#[cfg(test)]
mod tests;
