//! Slows down who guesses tokens and passwords (contract 02 section 1).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use parking_lot::Mutex;

use super::{ceil_div, one_client};

const MINUTE: i64 = 60_000_000;

/// So many failures in a minute block the address for a minute.
const FAILURES_PER_MINUTE: usize = 20;

/// Addresses kept; a few megabytes at most.
const MAX_ADDRESSES: usize = 16_384;

/// Counts failed authentications by client address (IPv6: by network of 64 bits), in a window that slides. Valid tokens never ask it.
#[derive(Default)]
pub struct FailedAuthThrottle {
    addresses: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Default)]
struct Failures {
    /// When, oldest first; at most [`FAILURES_PER_MINUTE`].
    times: VecDeque<i64>,
    blocked_until: i64,
}

impl FailedAuthThrottle {
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a failed authentication. `Some(seconds)`: the address is blocked for that long yet, answer 429 instead of 401.
    /// The attempt that makes the count full is still answered as a failure; attempts while blocked do not prolong the block.
    pub fn fail(&self, address: IpAddr, now_micros: i64) -> Option<u64> {
        let address = one_client(address);
        let mut addresses = self.addresses.lock();
        if addresses.len() >= MAX_ADDRESSES && !addresses.contains_key(&address) {
            make_room(&mut addresses, now_micros);
        }
        let failures = addresses.entry(address).or_default();
        if let Some(seconds) = failures.blocked(now_micros) {
            return Some(seconds);
        }
        failures.forget_before(now_micros - MINUTE);
        failures.times.push_back(now_micros);
        if failures.times.len() >= FAILURES_PER_MINUTE {
            failures.times.clear();
            failures.blocked_until = now_micros + MINUTE;
        }
        None
    }

    /// `Some(seconds)` while the address is blocked: to ask before costly work such as hashing a password.
    pub fn blocked(&self, address: IpAddr, now_micros: i64) -> Option<u64> {
        self.addresses.lock().get(&one_client(address))?.blocked(now_micros)
    }
}

impl Failures {
    fn blocked(&self, now: i64) -> Option<u64> {
        let left = self.blocked_until - now;
        // A block that seems longer than a minute was made before the clock was set back; it is over.
        (1..=MINUTE).contains(&left).then(|| ceil_div(left, 1_000_000).unsigned_abs())
    }

    fn forget_before(&mut self, time: i64) {
        while self.times.front().is_some_and(|&first| first <= time) {
            self.times.pop_front();
        }
    }
}

/// First what no longer counts, then who is not blocked: a flood of addresses must not free the ones that were caught.
fn make_room(addresses: &mut HashMap<IpAddr, Failures>, now: i64) {
    addresses.retain(|_, failures| {
        failures.forget_before(now - MINUTE);
        failures.blocked(now).is_some() || !failures.times.is_empty()
    });
    if addresses.len() >= MAX_ADDRESSES {
        addresses.retain(|_, failures| failures.blocked(now).is_some());
    }
    if addresses.len() >= MAX_ADDRESSES {
        addresses.clear();
    }
}
