//! The decision over a path (contract 03 section 4, points 3 and 4) and its explanation (section 5, test).

use std::sync::Arc;

use super::{PermissionSet, Rule};
use crate::condition::{Facts, FailedConditions};
use crate::id::PolicyId;
use crate::time::Timestamp;

/// A policy as it stands for one identity, bound directly or through groups. Each policy occurs once, with the binding that lasts
/// longest.
#[derive(Clone, Debug)]
pub struct BoundPolicy {
    pub policy_id: PolicyId,
    pub name: String,
    pub is_active: bool,
    /// `None`: the binding does not expire.
    pub binding_expires_at: Option<Timestamp>,
    pub rules: Arc<[Rule]>,
}

impl BoundPolicy {
    /// Whether its rules count at this instant. A binding grants nothing from the second of its expiry on.
    pub fn grants_at(&self, now: Timestamp) -> bool {
        self.is_active && !self.is_expired_at(now)
    }

    fn is_expired_at(&self, now: Timestamp) -> bool {
        self.binding_expires_at.is_some_and(|at| now >= at.floor_to_second())
    }
}

/// What the rules say to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By the first rule that allows it, in the order of the policies and then of their rules; `rule` counts from 0.
    Allowed {
        policy_id: PolicyId,
        rule: usize,
    },
    Denied {
        reason: DenialReason,
        failed_condition: Option<&'static str>,
    },
}

impl Verdict {
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Verdict::Allowed { .. })
    }
}

/// Why nothing allowed it. The order is that of precedence: of several the greatest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenialReason {
    /// No rule matches path and permission.
    AccessDenied,
    TimeWindowViolation,
    IpNotAllowed,
    /// Some rule lacks nothing but a fresh second factor.
    MfaRequired,
}

impl DenialReason {
    /// The error code.
    pub const fn as_str(self) -> &'static str {
        match self {
            DenialReason::AccessDenied => "access_denied",
            DenialReason::TimeWindowViolation => "time_window_violation",
            DenialReason::IpNotAllowed => "ip_not_allowed",
            DenialReason::MfaRequired => "mfa_required",
        }
    }

    /// `details.failed_condition`.
    pub const fn failed_condition(self) -> Option<&'static str> {
        match self {
            DenialReason::AccessDenied => None,
            DenialReason::TimeWindowViolation => Some("time_window"),
            DenialReason::IpNotAllowed => Some("ip_ranges"),
            DenialReason::MfaRequired => Some("require_mfa"),
        }
    }

    /// What one matching rule with these failures amounts to. MFA and time failing together is a time violation: proving the second
    /// factor would not help.
    const fn of(failed: FailedConditions) -> DenialReason {
        if failed.is_only_mfa() {
            DenialReason::MfaRequired
        } else if failed.ip {
            DenialReason::IpNotAllowed
        } else {
            DenialReason::TimeWindowViolation
        }
    }
}

/// Decides whether one of `wanted` is allowed at `path`. `policies` are in the order of their ids.
///
/// A plain loop: a rule that does not concern the path costs a mask and a comparison of a few bytes, so that a thousand rules take
/// some microseconds and no index has to be built, kept and invalidated for each identity.
pub fn decide(policies: &[BoundPolicy], path: &str, wanted: PermissionSet, facts: &Facts) -> Verdict {
    let mut reason = DenialReason::AccessDenied;
    for policy in policies.iter().filter(|policy| policy.grants_at(facts.now)) {
        for (index, rule) in policy.rules.iter().enumerate() {
            if !rule.grants_any(wanted) || !rule.path_pattern().matches(path) {
                continue;
            }
            match failure(rule, facts) {
                None => return Verdict::Allowed { policy_id: policy.policy_id.clone(), rule: index },
                Some(failed) => reason = reason.max(DenialReason::of(failed)),
            }
        }
    }
    Verdict::Denied { reason, failed_condition: reason.failed_condition() }
}

/// The conditions of the rule that fail; `None` when all hold.
pub(super) fn failure(rule: &Rule, facts: &Facts) -> Option<FailedConditions> {
    if rule.is_unconditional() {
        return None;
    }
    Some(rule.conditions().failures(facts)).filter(|failed| !failed.is_empty())
}

/// Why a policy did not allow a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluatedPolicy {
    pub id: PolicyId,
    pub name: String,
    pub reason: EvaluationReason,
}

/// How near a policy came to allowing a request: the reason of the rule that came nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvaluationReason {
    Inactive,
    BindingExpired,
    PathMismatch,
    PermissionMissing,
    TimeWindow,
    IpRanges,
    RequireMfa,
}

impl EvaluationReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            EvaluationReason::Inactive => "inactive",
            EvaluationReason::BindingExpired => "binding_expired",
            EvaluationReason::PathMismatch => "path_mismatch",
            EvaluationReason::PermissionMissing => "permission_missing",
            EvaluationReason::TimeWindow => "time_window",
            EvaluationReason::IpRanges => "ip_ranges",
            EvaluationReason::RequireMfa => "require_mfa",
        }
    }

    /// `None` when the rule allows it.
    fn of_rule(rule: &Rule, path: &str, wanted: PermissionSet, facts: &Facts) -> Option<EvaluationReason> {
        if !rule.path_pattern().matches(path) {
            return Some(EvaluationReason::PathMismatch);
        }
        if !rule.grants_any(wanted) {
            return Some(EvaluationReason::PermissionMissing);
        }
        failure(rule, facts).map(|failed| match DenialReason::of(failed) {
            DenialReason::MfaRequired => EvaluationReason::RequireMfa,
            DenialReason::IpNotAllowed => EvaluationReason::IpRanges,
            DenialReason::TimeWindowViolation | DenialReason::AccessDenied => EvaluationReason::TimeWindow,
        })
    }

    /// `None` when the policy allows it.
    fn of_policy(policy: &BoundPolicy, path: &str, wanted: PermissionSet, facts: &Facts) -> Option<EvaluationReason> {
        if !policy.is_active {
            return Some(EvaluationReason::Inactive);
        }
        if policy.is_expired_at(facts.now) {
            return Some(EvaluationReason::BindingExpired);
        }
        let nearest = EvaluationReason::PathMismatch;
        policy
            .rules
            .iter()
            .try_fold(nearest, |nearest, rule| Some(nearest.max(EvaluationReason::of_rule(rule, path, wanted, facts)?)))
    }
}

/// Says of each policy why it did not allow a request that [`decide`] denied; a policy that allows it is left out. The nearest reason
/// of all agrees with the verdict's: the same precedence rules both.
pub fn explain(policies: &[BoundPolicy], path: &str, wanted: PermissionSet, facts: &Facts) -> Vec<EvaluatedPolicy> {
    let evaluate = |policy: &BoundPolicy| {
        let reason = EvaluationReason::of_policy(policy, path, wanted, facts)?;
        Some(EvaluatedPolicy { id: policy.policy_id.clone(), name: policy.name.clone(), reason })
    };
    policies.iter().filter_map(evaluate).collect()
}
