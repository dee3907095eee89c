//! Who may send now: a receiver that keeps its sender waiting must not keep anybody else's waiting, and nobody knows which one will.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::job::JobKind;

/// Targets that can be sent to at a time.
const PLACES: usize = JobKind::Deliver.places();
/// A tenant has more of them only while this many stay free for others.
const SHARE: usize = PLACES / 4;
/// Targets that were slow the last time and may be at it at once.
const SLOW_AT_A_TIME: usize = PLACES / 2;
/// A run that took this long had to wait for its receiver.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(3);
/// Targets whose pace is remembered. Beyond that all of them have to show it again.
const MOST_REMEMBERED: usize = 100_000;

/// What is known of a target from its last run on this server; nothing that a restart would miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It took a delivery, and did not take long.
    Prompt,
    Slow,
}

#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    all: usize,
    /// By targets that are not known to be prompt.
    doubtful: usize,
    slow: usize,
}

#[derive(Default)]
struct State {
    known: HashMap<String, Known>,
    taken: Taken,
    of_tenants: HashMap<String, Taken>,
}

#[derive(Default)]
pub(crate) struct Pace(Arc<Mutex<State>>);

/// The right to send to one target; given back when it is dropped.
pub(super) struct Place {
    state: Arc<Mutex<State>>,
    tenant_id: String,
    known: Option<Known>,
}

impl Pace {
    /// `None` while the target has to wait for others. A quarter of all places is for tenants that have less than a quarter themselves,
    /// and a quarter for targets that were prompt the last time.
    pub(super) fn begin(&self, tenant_id: &str, target_id: &str) -> Option<Place> {
        let mut state = self.0.lock();
        let known = state.known.get(target_id).copied();
        let own = state.of_tenants.get(tenant_id).copied().unwrap_or_default();
        let all = state.taken;
        let doubtful = known != Some(Known::Prompt);
        let fair = own.all < SHARE || all.all < PLACES - SHARE;
        let prompt_have_room =
            all.doubtful < PLACES - SHARE && (own.doubtful < SHARE || all.doubtful < PLACES - 2 * SHARE);
        if !fair || (doubtful && !prompt_have_room) || (known == Some(Known::Slow) && all.slow >= SLOW_AT_A_TIME) {
            return None;
        }
        state.taken.add(known);
        state.of_tenants.entry(tenant_id.to_owned()).or_default().add(known);
        drop(state);
        Some(Place { state: Arc::clone(&self.0), tenant_id: tenant_id.to_owned(), known })
    }

    /// How a run went: how long it took, and whether the target took anything.
    pub(super) fn end(&self, target_id: &str, took: Duration, delivered: bool) {
        let mut state = self.0.lock();
        let known = match () {
            () if took >= SLOW_AFTER => Known::Slow,
            () if delivered => Known::Prompt,
            () => {
                state.known.remove(target_id);
                return;
            }
        };
        if state.known.len() >= MOST_REMEMBERED && !state.known.contains_key(target_id) {
            state.known.clear();
        }
        state.known.insert(target_id.to_owned(), known);
    }
}

impl Taken {
    fn add(&mut self, known: Option<Known>) {
        self.all += 1;
        self.doubtful += usize::from(known != Some(Known::Prompt));
        self.slow += usize::from(known == Some(Known::Slow));
    }

    fn give_back(&mut self, known: Option<Known>) {
        self.all = self.all.saturating_sub(1);
        self.doubtful = self.doubtful.saturating_sub(usize::from(known != Some(Known::Prompt)));
        self.slow = self.slow.saturating_sub(usize::from(known == Some(Known::Slow)));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        state.taken.give_back(self.known);
        if let Some(own) = state.of_tenants.get_mut(&self.tenant_id) {
            own.give_back(self.known);
            if own.all == 0 {
                state.of_tenants.remove(&self.tenant_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins runs for new targets of a tenant until one is refused.
    fn fill(pace: &Pace, tenant: &str, prefix: &str) -> Vec<Place> {
        (0..).map_while(|number| pace.begin(tenant, &format!("{prefix}{number}"))).collect()
    }

    fn prompt(pace: &Pace, prefix: &str) {
        (0..PLACES).for_each(|number| pace.end(&format!("{prefix}{number}"), Duration::ZERO, true));
    }

    #[test]
    fn unknown_targets_of_a_tenant_leave_room_for_others_and_for_the_prompt() {
        let pace = Pace::default();
        prompt(&pace, "p");
        let first = fill(&pace, "a", "a");
        assert_eq!(first.len(), PLACES / 2);
        let own_prompt = pace.begin("a", "p0");
        assert!(own_prompt.is_some(), "its own prompt ones do not wait for the others");
        assert_eq!(fill(&pace, "b", "b").len(), SHARE);
        let second = fill(&pace, "b", "b");
        assert!(fill(&pace, "c", "c").is_empty(), "a quarter is for who was prompt");
        assert!(pace.begin("c", "p1").is_some());
        drop((first, second, own_prompt));
        assert!(pace.0.lock().of_tenants.is_empty() && pace.0.lock().taken.all == 0);
    }

    #[test]
    fn not_even_prompt_targets_of_one_tenant_take_all_places() {
        let pace = Pace::default();
        prompt(&pace, "p");
        let first = fill(&pace, "a", "p");
        assert_eq!(first.len(), PLACES - SHARE);
        assert_eq!(fill(&pace, "b", "p").len(), SHARE);
    }

    #[test]
    fn slow_targets_have_half_of_the_places() {
        let pace = Pace::default();
        (0..=SLOW_AT_A_TIME).for_each(|number| pace.end(&format!("s{number}"), SLOW_AFTER, true));
        let held: Vec<_> = (0..SLOW_AT_A_TIME).map(|number| pace.begin("a", &format!("s{number}")).unwrap()).collect();
        let last = format!("s{SLOW_AT_A_TIME}");
        assert!(pace.begin("a", &last).is_none() && pace.begin("b", &last).is_none());
        assert!(pace.begin("b", "new").is_some());
        drop(held);
        assert!(pace.begin("a", &last).is_some());
        pace.end(&last, Duration::ZERO, true);
        assert_eq!(pace.0.lock().known.get(&last), Some(&Known::Prompt), "who was quick again is forgiven");
        pace.end(&last, Duration::ZERO, false);
        assert_eq!(pace.0.lock().known.get(&last), None);
    }
}
