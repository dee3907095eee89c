//! `policy.violation`: access that policies denied, told at most once a minute for the same identity, path and permission (contract 07
//! section 2). The trail has every one of them.

use std::collections::HashMap;

use parking_lot::Mutex;
use scaivault_crypto::digest::sha256;
use scaivault_domain::access::{Space, Target};
use scaivault_domain::event::EventBody;
use scaivault_domain::policy::Permission;
use scaivault_domain::time::Timestamp;

use super::Happening;
use crate::caller::Caller;
use crate::error::{Code, Error};
use crate::vault::Vault;

const AGAIN_AFTER_SECONDS: i64 = 60;
/// Different ones a minute; what is beyond is in the trail only.
const TOLD_A_MINUTE: usize = 16_384;
/// Of these for one identity, so that nobody who tries paths silences the rest.
const TOLD_OF_ONE: usize = 1_024;

type Key = [u8; 32];

/// What was told lately. Two maps that take turns, so that nothing has to be searched for what is old.
#[derive(Default)]
pub(crate) struct Violations {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<Timestamp>,
    young: HashMap<Key, Told>,
    old: HashMap<Key, Told>,
    /// How many of the young ones are of an identity.
    counts: HashMap<String, usize>,
}

struct Told {
    at: Timestamp,
    request_id: String,
}

impl Violations {
    /// Whether this one is to be told. `again` says that a transaction may ask twice for the same request and means one answer.
    fn admit(&self, identity: &str, key: Key, request_id: &str, again: bool, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        state.turn(now);
        if let Some(told) = state.young.get(&key).or_else(|| state.old.get(&key)).filter(|told| told.is_recent(now)) {
            return again && told.request_id == request_id;
        }
        let of_this = state.counts.get(identity).copied().unwrap_or_default();
        if state.young.len() >= TOLD_A_MINUTE || of_this >= TOLD_OF_ONE {
            return false;
        }
        state.counts.insert(identity.to_owned(), of_this.saturating_add(1));
        state.young.insert(key, Told { at: now, request_id: request_id.to_owned() });
        true
    }

    /// The request could not be recorded, so nothing was told.
    pub(crate) fn forget(&self, request_id: &str) {
        self.state.lock().young.retain(|_, told| told.request_id != request_id);
    }
}

impl State {
    fn turn(&mut self, now: Timestamp) {
        let recent = self.since.is_some_and(|since| is_recent(since, now));
        if !recent {
            self.old = std::mem::take(&mut self.young);
            self.counts.clear();
            self.since = Some(now);
        }
    }
}

impl Told {
    fn is_recent(&self, now: Timestamp) -> bool {
        is_recent(self.at, now)
    }
}

/// Within the last minute; what lies ahead was told before the clock was set back.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    at <= now && now < at.plus_seconds(AGAIN_AFTER_SECONDS)
}

impl Vault {
    /// What is told of a refused request: `None` unless it was policies that refused it, on a path of the tenant's, and nothing like it
    /// was told within the minute.
    pub(crate) fn violation(
        &self,
        caller: &Caller,
        target: &Target,
        error: &Error,
        again: bool,
        now: Timestamp,
    ) -> Option<Happening> {
        let by_policy = matches!(
            error.code(),
            Code::AccessDenied | Code::IpNotAllowed | Code::MfaRequired | Code::TimeWindowViolation
        );
        // What a role alone opens, no policy denies: the partner's shared secrets.
        if !by_policy || space_of(target) != Some(Space::Tenant) {
            return None;
        }
        let text = |key: &str| error.details().get(key).and_then(|value| value.as_str());
        let permission = Permission::parse(text("permission")?)?.as_str();
        let path = text("path")?;
        let identity = caller.identity().internal_id.as_str();
        let key = key_of(&[caller.standing.tenant.as_str(), identity, path, permission]);
        let request_id = caller.meta.request_id.as_str();
        if !self.violations.admit(identity, key, request_id, again, now) {
            return None;
        }
        let source_ip = caller.meta.source_ip.map(|ip| ip.to_canonical().to_string());
        let body = EventBody::PolicyViolation { permission, code: error.code().as_str(), source_ip };
        Some(Happening::at_path(Space::Tenant, path, body))
    }
}

fn space_of(target: &Target) -> Option<Space> {
    match target {
        Target::Listing { space, .. } | Target::Secret { space, .. } => Some(*space),
        Target::Instance | Target::Tenant => None,
    }
}

/// A digest in the place of the texts, which may be long.
fn key_of(parts: &[&str]) -> Key {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_777_629_600 + seconds)
    }

    fn key(number: usize) -> Key {
        key_of(&[&number.to_string()])
    }

    #[test]
    fn the_same_is_told_once_a_minute() {
        let violations = Violations::default();
        let admit = |number, seconds| violations.admit("usr_1", key(number), "req", false, at(seconds));
        assert!(admit(1, 0));
        assert!(!admit(1, 0));
        assert!(admit(2, 30));
        // The maps changed places, and what is still recent is still known.
        assert!(admit(1, 60));
        assert!(!admit(2, 89));
        assert!(admit(2, 90));
        assert!(!admit(1, 119));
        assert!(admit(1, 120));
        assert!(admit(1, 5), "the clock was set back");
    }

    #[test]
    fn a_transaction_that_runs_again_and_one_that_fails_lose_nothing() {
        let violations = Violations::default();
        let admit = |request: &str, again| violations.admit("usr_1", key(1), request, again, at(0));
        assert!(admit("req_1", true));
        assert!(admit("req_1", true));
        assert!(!admit("req_2", true));
        violations.forget("req_1");
        assert!(admit("req_2", true));
    }

    #[test]
    fn memory_is_bounded_and_one_identity_silences_no_other() {
        let violations = Violations::default();
        let flood = |identity: &str, seconds| {
            let admit = |number: &usize| {
                violations.admit(identity, key_of(&[identity, &number.to_string()]), "r", false, at(seconds))
            };
            (0..TOLD_OF_ONE * 2).filter(admit).count()
        };
        for identity in 0..TOLD_A_MINUTE / TOLD_OF_ONE {
            assert_eq!(flood(&identity.to_string(), 0), TOLD_OF_ONE);
        }
        assert_eq!(flood("late", 1), 0);
        assert_eq!(flood("late", 61), TOLD_OF_ONE);
        let state = violations.state.lock();
        assert!(state.young.len() + state.old.len() <= 2 * TOLD_A_MINUTE);
    }
}
