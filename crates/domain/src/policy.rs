//! Who may do what at which paths (contract 03). Allow-only: what no rule allows is denied.

mod decision;
mod permission;
mod rule;
mod visibility;

pub use decision::{BoundPolicy, DenialReason, EvaluatedPolicy, EvaluationReason, Verdict, decide, explain};
pub use permission::{Permission, PermissionSet};
pub use rule::{
    MAX_RULES, PolicyError, Rule, RuleParts, check_rule_count, parse_rules, rules_from_json, rules_to_json,
};
pub use visibility::{Visibility, visibility};

#[cfg(test)]
mod tests;
