//! One line of a policy: a pattern, what is allowed there, and when (contract 03 section 2).

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::{Permission, PermissionSet};
use crate::condition::{ConditionParts, Conditions};
use crate::glob::Glob;

/// The most rules a policy has.
pub const MAX_RULES: usize = 100;

/// A valid rule. Serialises to its wire shape, with only the keys that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    path_pattern: Glob,
    permissions: Vec<Permission>,
    conditions: Conditions,
    granted: PermissionSet,
    is_unconditional: bool,
}

impl Rule {
    /// Checks one rule; `index` is its place in the policy, for the error.
    ///
    /// # Errors
    /// [`PolicyError`] with the first fault: pattern, permissions, conditions.
    pub fn from_parts(index: usize, parts: &RuleParts) -> Result<Rule, PolicyError> {
        let path_pattern = Glob::parse(&parts.path_pattern).map_err(|error| PolicyError::InvalidGlob {
            rule: index,
            pattern: parts.path_pattern.clone(),
            reason: error.reason,
        })?;
        let permissions = parse_permissions(index, &parts.permissions)?;
        let conditions = parts.conditions.as_ref().map(Conditions::from_parts).transpose();
        let conditions =
            conditions.map_err(|error| PolicyError::invalid(index, format!("conditions.{error}")))?.unwrap_or_default();
        Ok(Rule {
            granted: PermissionSet::from_slice(&permissions),
            is_unconditional: conditions == Conditions::default(),
            path_pattern,
            permissions,
            conditions,
        })
    }

    /// Reads a stored rule.
    ///
    /// # Errors
    /// [`PolicyError`] for what [`Rule::to_json`] never wrote.
    pub fn from_json(value: &serde_json::Value) -> Result<Rule, PolicyError> {
        let parts = RuleParts::deserialize(value).map_err(|error| PolicyError::invalid(0, error.to_string()))?;
        Rule::from_parts(0, &parts)
    }

    /// The stored form, which is the wire shape.
    pub fn to_json(&self) -> serde_json::Value {
        // A struct of strings always becomes a value; were it ever otherwise, `from_json` refuses the null that is left.
        serde_json::to_value(self).unwrap_or_default()
    }

    pub fn to_parts(&self) -> RuleParts {
        RuleParts {
            path_pattern: self.path_pattern.as_str().to_owned(),
            permissions: self.permissions.iter().map(|permission| permission.as_str().to_owned()).collect(),
            conditions: (!self.is_unconditional).then(|| self.conditions.to_parts()),
        }
    }

    pub fn path_pattern(&self) -> &Glob {
        &self.path_pattern
    }

    /// Each once, in the order given.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Whether there is nothing to check but path and permission.
    pub fn is_unconditional(&self) -> bool {
        self.is_unconditional
    }

    /// Whether it allows one of `wanted`; `admin` allows whatever is wanted.
    pub fn grants_any(&self, wanted: PermissionSet) -> bool {
        self.granted.intersects(wanted.with(Permission::Admin))
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_parts().serialize(serializer)
    }
}

/// A rule as it comes over the wire and lies in the store; not yet checked but for its types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleParts {
    pub path_pattern: String,
    pub permissions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<ConditionParts>,
}

/// Rules that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// 400 `invalid_policy`; the reason names the rule where one is to blame.
    #[error("{reason}")]
    InvalidPolicy { reason: String },
    /// 400 `invalid_glob`; `rule` counts from 0.
    #[error("the pattern of rule {rule} is not a valid glob: {reason}")]
    InvalidGlob { rule: usize, pattern: String, reason: &'static str },
}

impl PolicyError {
    fn invalid(rule: usize, reason: impl std::fmt::Display) -> PolicyError {
        PolicyError::InvalidPolicy { reason: format!("rules[{rule}].{reason}") }
    }
}

/// For readers that count before they read.
///
/// # Errors
/// There are no rules, or more than [`MAX_RULES`].
pub fn check_rule_count(count: usize) -> Result<(), PolicyError> {
    if (1..=MAX_RULES).contains(&count) {
        Ok(())
    } else {
        Err(PolicyError::InvalidPolicy { reason: format!("rules must have 1 to {MAX_RULES} entries") })
    }
}

/// The rules of a policy: 1 to [`MAX_RULES`].
///
/// # Errors
/// [`PolicyError`] for the first rule at fault.
pub fn parse_rules(parts: &[RuleParts]) -> Result<Arc<[Rule]>, PolicyError> {
    check_rule_count(parts.len())?;
    parts.iter().enumerate().map(|(index, parts)| Rule::from_parts(index, parts)).collect()
}

/// The text in which a policy's rules are stored.
pub fn rules_to_json(rules: &[Rule]) -> String {
    // As in `to_json`: cannot fail, and the empty text that would be left is refused on reading.
    serde_json::to_string(rules).unwrap_or_default()
}

/// Reads what [`rules_to_json`] wrote.
///
/// # Errors
/// [`PolicyError`] for anything else.
pub fn rules_from_json(text: &str) -> Result<Arc<[Rule]>, PolicyError> {
    let parts: Vec<RuleParts> =
        serde_json::from_str(text).map_err(|error| PolicyError::InvalidPolicy { reason: error.to_string() })?;
    parse_rules(&parts)
}

fn parse_permissions(index: usize, texts: &[String]) -> Result<Vec<Permission>, PolicyError> {
    let mut permissions = Vec::new();
    for text in texts {
        let permission = Permission::parse(text).ok_or_else(|| {
            PolicyError::invalid(index, "permissions must be of read, write, delete, list, rotate, admin")
        })?;
        if !permissions.contains(&permission) {
            permissions.push(permission);
        }
    }
    if permissions.is_empty() {
        return Err(PolicyError::invalid(index, "permissions must not be empty"));
    }
    Ok(permissions)
}
