//! Under which circumstances a rule applies (contract 03 section 3).

mod window;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};

pub use window::{TimeWindow, TimeWindowParts};

use crate::duration::Span;
use crate::time::Timestamp;

const MAX_IP_RANGES: usize = 100;
/// How far another node's clock may be ahead before a second factor "from the future" counts for nothing.
const MAX_CLOCK_SKEW_MICROS: i64 = 60 * 1_000_000;

/// The conditions of one rule, all of which must hold. The default has none and always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    ip_ranges: Vec<IpNet>,
    // Kept apart from "not given", so that what was written is what is read back.
    require_mfa: Option<bool>,
    mfa_max_age: Option<Span>,
    time_window: Option<TimeWindow>,
}

impl Conditions {
    /// # Errors
    /// [`ConditionError`] for a bad value: 400 `invalid_policy`.
    pub fn from_parts(parts: &ConditionParts) -> Result<Conditions, ConditionError> {
        Ok(Conditions {
            ip_ranges: parts.ip_ranges.as_deref().map(parse_ip_ranges).transpose()?.unwrap_or_default(),
            require_mfa: parts.require_mfa,
            mfa_max_age: parts
                .mfa_max_age
                .as_deref()
                .map(|text| parse_mfa_max_age(text, parts.require_mfa))
                .transpose()?,
            time_window: parts.time_window.as_ref().map(TimeWindow::from_parts).transpose()?,
        })
    }

    /// The conditions as they were given.
    pub fn to_parts(&self) -> ConditionParts {
        let ranges = || self.ip_ranges.iter().map(IpNet::to_string).collect();
        ConditionParts {
            ip_ranges: (!self.ip_ranges.is_empty()).then(ranges),
            require_mfa: self.require_mfa,
            mfa_max_age: self.mfa_max_age.as_ref().map(|span| span.as_str().to_owned()),
            time_window: self.time_window.as_ref().map(TimeWindow::to_parts),
        }
    }

    pub fn ip_ranges(&self) -> &[IpNet] {
        &self.ip_ranges
    }

    pub fn require_mfa(&self) -> bool {
        self.require_mfa == Some(true)
    }

    pub fn mfa_max_age(&self) -> Option<&Span> {
        self.mfa_max_age.as_ref()
    }

    pub fn time_window(&self) -> Option<&TimeWindow> {
        self.time_window.as_ref()
    }

    /// Which of the conditions do not hold. A fact that is not known fails the condition that asks for it.
    pub fn failures(&self, facts: &Facts) -> FailedConditions {
        FailedConditions {
            ip: !self.ip_ranges.is_empty()
                && !facts.source_ip.is_some_and(|ip| self.ip_ranges.iter().any(|range| holds_address(range, ip))),
            mfa: self.require_mfa() && !self.mfa_is_fresh(facts),
            time: self.time_window.as_ref().is_some_and(|window| !window.holds(facts.now)),
        }
    }

    fn mfa_is_fresh(&self, facts: &Facts) -> bool {
        let max_age = self
            .mfa_max_age
            .as_ref()
            .map_or(facts.default_mfa_max_age_seconds, Span::seconds)
            .saturating_mul(1_000_000);
        facts.mfa_verified_at.is_some_and(|at| (-MAX_CLOCK_SKEW_MICROS..=max_age).contains(&facts.now.micros_since(at)))
    }
}

impl Serialize for Conditions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_parts().serialize(serializer)
    }
}

/// Conditions as they come over the wire and lie in the store; not yet checked but for their types.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionParts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_ranges: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_mfa: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_max_age: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_window: Option<TimeWindowParts>,
}

/// A condition whose value makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct ConditionError {
    /// Dotted, from the conditions on: `time_window.start`.
    pub field: &'static str,
    pub message: &'static str,
}

/// What is known of a request when its rules are evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The client's address, behind trusted proxies.
    pub source_ip: Option<IpAddr>,
    /// When the caller last proved its second factor.
    pub mfa_verified_at: Option<Timestamp>,
    pub now: Timestamp,
    /// For rules without `mfa_max_age` (setting `MFA_MAX_AGE`).
    pub default_mfa_max_age_seconds: i64,
}

/// The conditions of a rule that do not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailedConditions {
    pub ip: bool,
    pub mfa: bool,
    pub time: bool,
}

impl FailedConditions {
    pub const fn is_empty(self) -> bool {
        !self.ip && !self.mfa && !self.time
    }

    /// Whether proving the second factor is all that is missing.
    pub const fn is_only_mfa(self) -> bool {
        self.mfa && !self.ip && !self.time
    }
}

fn parse_ip_ranges(texts: &[String]) -> Result<Vec<IpNet>, ConditionError> {
    if texts.is_empty() || texts.len() > MAX_IP_RANGES {
        return Err(ConditionError { field: "ip_ranges", message: "must have 1 to 100 entries" });
    }
    let parse = |text: &String| {
        parse_cidr(text).ok_or(ConditionError { field: "ip_ranges", message: "must be CIDR ranges such as 10.0.0.0/8" })
    };
    texts.iter().map(parse).collect()
}

/// `<address>/<bits>`. A bare address is refused: whoever leaves the bits out may have meant a network.
pub fn parse_cidr(text: &str) -> Option<IpNet> {
    let (address, bits) = text.split_once('/')?;
    let is_plain_number =
        !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    if !is_plain_number {
        return None;
    }
    IpNet::new(address.parse().ok()?, bits.parse().ok()?).ok()
}

/// An IPv4 address that comes as IPv6 (`::ffff:a.b.c.d`) counts as IPv4, and so does a range of such; `::/0` holds no IPv4 address.
pub fn holds_address(range: &IpNet, address: IpAddr) -> bool {
    const MAPPED_BITS: u8 = 96;
    match (range, address.to_canonical()) {
        (IpNet::V6(v6), IpAddr::V4(v4)) => v6.prefix_len() >= MAPPED_BITS && v6.contains(&v4.to_ipv6_mapped()),
        (range, canonical) => range.contains(&canonical),
    }
}

fn parse_mfa_max_age(text: &str, require_mfa: Option<bool>) -> Result<Span, ConditionError> {
    let refuse = |message| ConditionError { field: "mfa_max_age", message };
    if require_mfa != Some(true) {
        return Err(refuse("is only allowed with require_mfa: true"));
    }
    Span::parse_positive(text).map_err(|_| refuse("must be a duration longer than zero, such as 1h30m"))
}

#[cfg(test)]
mod tests;
