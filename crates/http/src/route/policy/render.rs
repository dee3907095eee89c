//! From policies to the wire.

use scaivault_api::policy as wire;
use scaivault_domain::time::Timestamp;
use scaivault_service::Result;
use scaivault_service::page::Page;
use scaivault_service::policy::{BindingShown, DryRun, PolicyDetail, PolicyListed};

use crate::input::Input;
use crate::reply::Reply;

fn binding_of(shown: &BindingShown) -> wire::Binding {
    let record = &shown.record;
    wire::Binding {
        id: record.id.clone(),
        policy_id: record.policy_id.clone(),
        identity_type: record.identity_type.clone(),
        identity_id: shown.identity_id.clone(),
        expires_at: record.expires_at.map(Timestamp::to_rfc3339_seconds),
        created_at: record.created_at.to_rfc3339_seconds(),
        created_by: record.created_by.clone(),
    }
}

pub(crate) fn detail(policy: &PolicyDetail) -> Reply {
    let record = &policy.record;
    Reply::json(&wire::Policy {
        id: record.id.clone(),
        name: record.name.clone(),
        description: record.description.clone(),
        scope: record.scope.clone(),
        is_active: record.is_active,
        rules: policy.rules.iter().map(Into::into).collect(),
        bindings: policy.bindings.iter().map(binding_of).collect(),
        created_at: record.created_at.to_rfc3339_seconds(),
        updated_at: record.updated_at.to_rfc3339_seconds(),
    })
}

pub(crate) fn detail_of(policy: PolicyDetail, _input: &Input<'_>) -> Result<Reply> {
    Ok(detail(&policy))
}

fn item(policy: &PolicyListed) -> wire::PolicyItem {
    let record = &policy.record;
    let rules = record.rules.as_array().map_or(0, Vec::len);
    wire::PolicyItem {
        id: record.id.clone(),
        name: record.name.clone(),
        scope: record.scope.clone(),
        rule_count: i64::try_from(rules).unwrap_or(i64::MAX),
        binding_count: policy.binding_count,
        is_active: record.is_active,
        created_at: record.created_at.to_rfc3339_seconds(),
        updated_at: record.updated_at.to_rfc3339_seconds(),
    }
}

pub(crate) fn page(page: Page<PolicyListed>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::PolicyList {
        policies: page.items.iter().map(item).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

pub(crate) fn binding(shown: &BindingShown) -> Reply {
    Reply::json(&binding_of(shown))
}

pub(crate) fn binding_page(page: Page<BindingShown>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::BindingList {
        bindings: page.items.iter().map(binding_of).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

pub(crate) fn tested(verdict: DryRun, _input: &Input<'_>) -> Result<Reply> {
    Ok(Reply::json(&verdict_of(verdict)))
}

fn verdict_of(verdict: DryRun) -> wire::PolicyTestResult {
    match verdict {
        DryRun::ByPolicy { policy_id, rule } => wire::PolicyTestResult::Allowed(wire::TestAllowed {
            allowed: true,
            matched_policy: policy_id,
            matched_rule: Some(rule),
        }),
        DryRun::ByRole(role) => wire::PolicyTestResult::Allowed(wire::TestAllowed {
            allowed: true,
            matched_policy: format!("role:{}", role.as_str()),
            matched_rule: None,
        }),
        DryRun::Denied { reason, failed_condition, evaluated } => wire::PolicyTestResult::Denied(wire::TestDenied {
            allowed: false,
            reason: reason.as_str().to_owned(),
            failed_condition: failed_condition.map(str::to_owned),
            evaluated_policies: evaluated
                .into_iter()
                .map(|policy| wire::EvaluatedPolicy {
                    id: policy.id.as_str().to_owned(),
                    name: policy.name,
                    reason: policy.reason.as_str().to_owned(),
                })
                .collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use scaivault_domain::policy::DenialReason;
    use scaivault_domain::role::Role;
    use serde_json::{Value, json};

    use super::*;

    fn shown(verdict: DryRun) -> Value {
        serde_json::to_value(verdict_of(verdict)).unwrap()
    }

    #[test]
    fn verdicts_look_as_the_contract_says() {
        assert_eq!(
            shown(DryRun::ByPolicy { policy_id: "pol_k1".to_owned(), rule: 0 }),
            json!({"allowed": true, "matched_policy": "pol_k1", "matched_rule": 0})
        );
        assert_eq!(
            shown(DryRun::ByRole(Role::TenantAdmin)),
            json!({"allowed": true, "matched_policy": "role:tenant_admin", "matched_rule": null})
        );
        let denied =
            DryRun::Denied { reason: DenialReason::AccessDenied, failed_condition: None, evaluated: Vec::new() };
        assert_eq!(
            shown(denied),
            json!({"allowed": false, "reason": "access_denied", "failed_condition": null, "evaluated_policies": []})
        );
    }
}
