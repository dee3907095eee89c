//! Token buckets of one size, one for each key.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};

use parking_lot::Mutex;

use super::{Decision, ceil_div};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * MICROS_PER_SECOND;

/// One unit, in the measure of [`Bucket::level`]: a bucket of `limit` units gains exactly `limit` of these parts each
/// microsecond, so refilling never rounds.
const UNIT: i64 = MINUTE;

/// Requests of different identities seldom wait for each other.
const SHARDS: usize = 16;

/// More keys than this in one shard and the fullest buckets are forgotten. Only a client with a quarter of a million
/// addresses gets there, and forgetting a bucket only makes it full.
const MAX_PER_SHARD: usize = 16_384;

const FIRST_SWEEP: usize = 64;

pub(super) struct Buckets<K> {
    limit: u32,
    hasher: RandomState,
    shards: Vec<Mutex<Shard<K>>>,
}

struct Shard<K> {
    buckets: HashMap<K, Bucket>,
    /// How many keys make the next sweep worth its time: twice of what the last one left.
    sweep_at: usize,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// In parts of [`UNIT`]; below zero after a charge.
    level: i64,
    at: i64,
}

impl<K: Hash + Eq> Buckets<K> {
    /// `limit` is at least 1.
    pub(super) fn new(limit: u32) -> Self {
        let shard = || Mutex::new(Shard { buckets: HashMap::new(), sweep_at: FIRST_SWEEP });
        Self { limit: limit.max(1), hasher: RandomState::new(), shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    pub(super) fn admit<Q>(&self, key: &Q, now: i64) -> Decision
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.with(key, now, |bucket| {
            let allowed = bucket.level >= UNIT;
            if allowed {
                bucket.level -= UNIT;
            }
            allowed
        })
    }

    pub(super) fn look<Q>(&self, key: &Q, now: i64) -> Decision
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.with(key, now, |bucket| bucket.level >= UNIT)
    }

    pub(super) fn charge<Q>(&self, key: &Q, units: u32, now: i64) -> Decision
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.with(key, now, |bucket| {
            bucket.level = bucket.level.saturating_sub(i64::from(units).saturating_mul(UNIT));
            true
        })
    }

    fn with<Q>(&self, key: &Q, now: i64, change: impl FnOnce(&mut Bucket) -> bool) -> Decision
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        // There always is a shard of that number; without one, letting the request pass is the kinder mistake.
        let Some(shard) = self.shards.get(at) else { return Decision::UNLIMITED };
        let mut shard = shard.lock();
        if let Some(bucket) = shard.buckets.get_mut(key) {
            bucket.refill(self.limit, now);
            let allowed = change(bucket);
            return bucket.decision(self.limit, allowed, now);
        }
        shard.make_room(self.limit, now);
        let mut bucket = Bucket { level: capacity(self.limit), at: now };
        let allowed = change(&mut bucket);
        shard.buckets.insert(key.to_owned(), bucket);
        bucket.decision(self.limit, allowed, now)
    }

    /// Hands over every bucket that is not full with the part of it that is used, 0 to 1.
    pub(super) fn each_used(&self, now: i64, mut each: impl FnMut(&K, f64)) {
        for shard in &self.shards {
            for (key, bucket) in &shard.lock().buckets {
                let mut bucket = *bucket;
                bucket.refill(self.limit, now);
                let used = capacity(self.limit).saturating_sub(bucket.level.max(0));
                if used > 0 {
                    each(key, used as f64 / capacity(self.limit) as f64);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().buckets.len()).sum()
    }
}

impl<K: Hash + Eq> Shard<K> {
    fn make_room(&mut self, limit: u32, now: i64) {
        if self.buckets.len() < self.sweep_at {
            return;
        }
        self.buckets.retain(|_, bucket| {
            bucket.refill(limit, now);
            bucket.level < capacity(limit)
        });
        if self.buckets.len() >= MAX_PER_SHARD {
            let mut levels: Vec<i64> = self.buckets.values().map(|bucket| bucket.level).collect();
            let half = levels.len() / 2;
            let median = *levels.select_nth_unstable(half).1;
            self.buckets.retain(|_, bucket| bucket.level < median);
        }
        self.sweep_at = (2 * self.buckets.len()).clamp(FIRST_SWEEP, MAX_PER_SHARD);
    }
}

impl Bucket {
    fn refill(&mut self, limit: u32, now: i64) {
        // A clock that was set back gives nothing, but must not keep the bucket waiting for its old time either.
        let elapsed = now.saturating_sub(self.at).max(0);
        let gained = elapsed.saturating_mul(i64::from(limit));
        self.level = self.level.saturating_add(gained).min(capacity(limit));
        self.at = now;
    }

    fn decision(&self, limit: u32, allowed: bool, now: i64) -> Decision {
        let parts_per_micro = i64::from(limit);
        let micros_to = |level: i64| ceil_div(level.saturating_sub(self.level).max(0), parts_per_micro);
        let full_at = now.saturating_add(micros_to(capacity(limit)));
        let wait = ceil_div(micros_to(UNIT), MICROS_PER_SECOND).max(1);
        Decision {
            allowed,
            limit,
            remaining: u32::try_from(self.level / UNIT).unwrap_or(0),
            reset_unix_seconds: ceil_div(full_at, MICROS_PER_SECOND),
            retry_after_seconds: if allowed { 0 } else { wait.unsigned_abs() },
        }
    }
}

fn capacity(limit: u32) -> i64 {
    i64::from(limit) * UNIT
}
