//! `/v1/policies` on the wire (contract 03).

use scaivault_domain::condition::Conditions as DomainConditions;
use scaivault_domain::policy::Rule as DomainRule;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A window of local time on days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// `mon` to `sun`; absent: every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
    /// `HH:MM`, the first minute within.
    pub start: String,
    /// `HH:MM`, the first minute no longer within.
    pub end: String,
    /// IANA name; absent: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// When a rule applies; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_ranges: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_mfa: Option<bool>,
    /// Only with `require_mfa: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_max_age: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_window: Option<TimeWindow>,
}

impl From<&DomainConditions> for Conditions {
    fn from(conditions: &DomainConditions) -> Self {
        let parts = conditions.to_parts();
        Self {
            ip_ranges: parts.ip_ranges,
            require_mfa: parts.require_mfa,
            mfa_max_age: parts.mfa_max_age,
            time_window: parts.time_window.map(|window| TimeWindow {
                days: window.days,
                start: window.start,
                end: window.end,
                timezone: window.timezone,
            }),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A glob over secret paths.
    pub path_pattern: String,
    /// Of `read`, `write`, `delete`, `list`, `rotate`, `admin`.
    pub permissions: Vec<String>,
    #[serde(default)]
    pub conditions: Conditions,
}

impl From<&DomainRule> for Rule {
    fn from(rule: &DomainRule) -> Self {
        Self {
            path_pattern: rule.path_pattern().as_str().to_owned(),
            permissions: rule.permissions().iter().map(|permission| permission.as_str().to_owned()).collect(),
            conditions: rule.conditions().into(),
        }
    }
}

/// An identity for which a policy holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Binding {
    pub id: String,
    pub policy_id: String,
    /// `user`, `service_account`, `group` or `system`.
    pub identity_type: String,
    pub identity_id: String,
    pub expires_at: Option<String>,
    pub created_at: String,
    pub created_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// `tenant` or `partner`.
    pub scope: String,
    pub is_active: bool,
    pub rules: Vec<Rule>,
    pub bindings: Vec<Binding>,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyItem {
    pub id: String,
    pub name: String,
    pub scope: String,
    pub rule_count: i64,
    pub binding_count: i64,
    pub is_active: bool,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyList {
    pub policies: Vec<PolicyItem>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BindingList {
    pub bindings: Vec<Binding>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// Body of POST `/v1/policies`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub rules: Vec<Rule>,
    /// `tenant` (default) or `partner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// Body of PUT `/v1/policies/{id}`: what is left out goes back to its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyReplacement {
    pub name: String,
    pub rules: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// Body of PATCH `/v1/policies/{id}`: absent is unchanged, `null` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// Replaces the rules whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<bool>)]
    pub is_active: Option<Option<bool>>,
}

/// Body of POST `/v1/policies/{id}/bindings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBinding {
    /// `user`, `service_account`, `group` or `system`.
    pub identity_type: String,
    /// `user:<email>`, `sa:<name>`, `group:<name>`, `dynamic:<engine>`, `federation:<backend>`, or a directory id.
    pub identity_id: String,
    /// In the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// The circumstances that a test supposes; what is missing makes the conditions fail that ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestContext {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_verified: Option<bool>,
    /// Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

/// Body of POST `/v1/policies/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    pub identity_id: String,
    pub path: String,
    /// `read`, `write`, `delete`, `list`, `rotate` or `admin`.
    pub permission: String,
    #[serde(default)]
    pub context: TestContext,
}

/// Why a bound policy did not allow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvaluatedPolicy {
    pub id: String,
    pub name: String,
    /// `inactive`, `binding_expired`, `path_mismatch`, `permission_missing`, `ip_ranges`, `time_window` or `require_mfa`.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestAllowed {
    pub allowed: bool,
    /// A policy's id, or `role:<name>`.
    pub matched_policy: String,
    /// Index of the rule; null through a role.
    pub matched_rule: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestDenied {
    pub allowed: bool,
    /// The error code that a request would get.
    pub reason: String,
    pub failed_condition: Option<String>,
    pub evaluated_policies: Vec<EvaluatedPolicy>,
}

/// The answer of POST `/v1/policies/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PolicyTestResult {
    Allowed(TestAllowed),
    Denied(TestDenied),
}
