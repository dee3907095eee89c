//! The rules of a request.

use std::sync::Arc;

use scaivault_domain::policy::{PolicyError, Rule, RuleParts, check_rule_count, parse_rules};

use crate::error::{Code, Error, Result};

/// A pattern as an answer shows it: longer ones are refused for their length alone.
const SHOWN_PATTERN: usize = 512;

/// Checks rules whose shape is right.
///
/// # Errors
/// 400 `invalid_policy` with `reason`, or `invalid_glob` with `rule`, `pattern` and `reason` (contract 03 section 2).
pub fn checked_rules(parts: &[RuleParts]) -> Result<Arc<[Rule]>> {
    parse_rules(parts).map_err(|error| refusal(&error))
}

/// Whether there may be so many rules, for doors that count before they read.
///
/// # Errors
/// 400 `invalid_policy`, as [`checked_rules`].
pub fn checked_rule_count(count: usize) -> Result<()> {
    check_rule_count(count).map_err(|error| refusal(&error))
}

fn refusal(error: &PolicyError) -> Error {
    match error {
        PolicyError::InvalidPolicy { reason } => {
            Error::new(Code::InvalidPolicy, format!("The policy is not valid: {reason}"))
                .with("reason", reason.as_str())
        }
        PolicyError::InvalidGlob { rule, pattern, reason } => {
            let shown: String = pattern.chars().take(SHOWN_PATTERN).collect();
            Error::new(Code::InvalidGlob, format!("The path_pattern of rule {rule} is not a valid glob: {reason}"))
                .with("rule", *rule)
                .with("pattern", shown)
                .with("reason", *reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pattern: &str, permission: &str) -> Error {
        let good = RuleParts { path_pattern: "a/**".into(), permissions: vec!["read".into()], conditions: None };
        let bad = RuleParts { path_pattern: pattern.into(), permissions: vec![permission.into()], conditions: None };
        checked_rules(&[good, bad]).unwrap_err()
    }

    // L-13
    #[test]
    fn the_fault_is_named_with_its_rule() {
        let error = refused("/app/**", "read");
        assert_eq!(error.code(), Code::InvalidGlob);
        assert_eq!(error.details()["rule"], 1);
        assert_eq!(error.details()["pattern"], "/app/**");
        assert_eq!(error.details()["reason"], "empty_segment");
        let error = refused("app/**", "own");
        assert_eq!(error.code(), Code::InvalidPolicy);
        assert!(error.details()["reason"].as_str().unwrap().starts_with("rules[1].permissions"));
        assert_eq!(checked_rules(&[]).unwrap_err().code(), Code::InvalidPolicy);
    }

    #[test]
    fn a_pattern_is_not_echoed_at_any_length() {
        let error = refused(&"x".repeat(100_000), "read");
        assert_eq!(error.details()["pattern"].as_str().unwrap().len(), SHOWN_PATTERN);
    }
}
