//! Keeps failed authentications from filling the trail: at most ten entries a second per address, the rest counted (contract 06
//! section 2).

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;
use scaivault_domain::time::Timestamp;

const ENTRIES_PER_SECOND: u32 = 10;
/// Addresses remembered at a time; an attacker with more of them only gets more entries written.
const REMEMBERED: usize = 10_000;

#[derive(Default)]
pub(crate) struct FailureLog {
    windows: Mutex<HashMap<Option<IpAddr>, Window>>,
}

#[derive(Default)]
struct Window {
    second: i64,
    written: u32,
    suppressed: i64,
}

impl FailureLog {
    /// `Some(n)`: write an entry, which also stands for `n` that were not written. `None`: count this one only.
    pub(crate) fn admit(&self, source: Option<IpAddr>, now: Timestamp) -> Option<i64> {
        let mut windows = self.windows.lock();
        if windows.len() >= REMEMBERED {
            windows.retain(|_, window| window.second == now.as_seconds() || window.suppressed > 0);
        }
        if windows.len() >= REMEMBERED {
            windows.clear();
        }
        let window = windows.entry(source).or_default();
        if window.second != now.as_seconds() {
            window.second = now.as_seconds();
            window.written = 0;
        }
        if window.written >= ENTRIES_PER_SECOND {
            window.suppressed = window.suppressed.saturating_add(1);
            return None;
        }
        window.written = window.written.saturating_add(1);
        Some(std::mem::take(&mut window.suppressed))
    }
}
