//! What would be decided (contract 03 section 5, test): a dry run that leaves no trace.

use std::net::IpAddr;

use scaivault_domain::access::{Permit, Standing};
use scaivault_domain::condition::Facts;
use scaivault_domain::id::IdentityRef;
use scaivault_domain::path::SecretPath;
use scaivault_domain::policy::{self, BoundPolicy, DenialReason, EvaluatedPolicy, Permission, Verdict};
use scaivault_domain::role::Role;
use scaivault_domain::time::Timestamp;
use scaivault_store::ReadView;

use super::identity_key::{identity_key, identity_not_found};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Query, tenant_operation};
use crate::session::{bound_policies, load_identity};

/// `POST /v1/policies/test`
#[derive(Debug, Clone)]
pub struct TestPolicy {
    /// As the client wrote it.
    pub identity_id: String,
    pub path: SecretPath,
    pub permission: Permission,
    pub context: TestedFacts,
}

/// The circumstances to suppose; one that is missing makes the conditions fail that ask for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestedFacts {
    pub source_ip: Option<IpAddr>,
    /// True: the second factor was proved at that very moment.
    pub mfa_verified: Option<bool>,
    /// `None`: now.
    pub timestamp: Option<Timestamp>,
}

/// What would be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRun {
    /// By the rule of that index, the first that allows.
    ByPolicy { policy_id: String, rule: usize },
    /// Administrators need no rule.
    ByRole(Role),
    Denied {
        reason: DenialReason,
        failed_condition: Option<&'static str>,
        /// Every policy bound to the identity, and why it did not help.
        evaluated: Vec<EvaluatedPolicy>,
    },
}

tenant_operation!(TestPolicy, PolicyTest, DryRun);

impl Query for TestPolicy {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<DryRun> {
        let reference = IdentityRef::parse(&self.identity_id).map_err(|_| identity_not_found(&self.identity_id))?;
        let found = identity_key(view, permit.tenant(), &reference)?;
        let role = match reference {
            // Only users and service accounts hold roles.
            IdentityRef::Group(_) | IdentityRef::DirectoryGroup(_) | IdentityRef::System(_) => None,
            IdentityRef::User(_)
            | IdentityRef::DirectoryUser(_)
            | IdentityRef::ServiceAccount(_)
            | IdentityRef::DirectoryServiceAccount(_) => {
                let (identity, _) =
                    load_identity(view, &found.key)?.ok_or_else(|| identity_not_found(&self.identity_id))?;
                Standing {
                    tenant: identity.tenant.clone(),
                    partner: identity.partner.clone(),
                    home_tenant: identity.tenant,
                    home_partner: identity.partner,
                    roles: identity.roles,
                    policies: Vec::new().into(),
                }
                .administers()
            }
        };
        let policies = bound_policies(view, &found.tenant_id, &found.key)?;
        let facts = self.context.facts(cx.now, cx.vault.settings.mfa_max_age_seconds);
        Ok(decide(role, &policies, &self.path, self.permission, &facts))
    }
}

impl TestedFacts {
    fn facts(&self, now: Timestamp, default_mfa_max_age_seconds: i64) -> Facts {
        let now = self.timestamp.unwrap_or(now);
        Facts {
            source_ip: self.source_ip,
            mfa_verified_at: self.mfa_verified.and_then(|verified| verified.then_some(now)),
            now,
            default_mfa_max_age_seconds,
        }
    }
}

/// The steps of a real request: roles first, then rules.
fn decide(
    role: Option<Role>,
    policies: &[BoundPolicy],
    path: &SecretPath,
    permission: Permission,
    facts: &Facts,
) -> DryRun {
    if let Some(role) = role {
        return DryRun::ByRole(role);
    }
    match policy::decide(policies, path.as_str(), permission.into(), facts) {
        Verdict::Allowed { policy_id, rule } => DryRun::ByPolicy { policy_id: policy_id.as_str().to_owned(), rule },
        Verdict::Denied { reason, failed_condition } => DryRun::Denied {
            reason,
            failed_condition,
            evaluated: policy::explain(policies, path.as_str(), permission.into(), facts),
        },
    }
}

#[cfg(test)]
mod tests {
    use scaivault_domain::id::PolicyId;
    use scaivault_domain::policy::rules_from_json;

    use super::*;

    fn policies() -> Vec<BoundPolicy> {
        let rules = r#"[{"path_pattern":"x/*","permissions":["read"]},
            {"path_pattern":"app/**","permissions":["read"],"conditions":{"ip_ranges":["10.0.0.0/8"],"require_mfa":true}}]"#;
        vec![BoundPolicy {
            policy_id: PolicyId::parse("pol_1").unwrap(),
            name: "ops".to_owned(),
            is_active: true,
            binding_expires_at: None,
            rules: rules_from_json(rules).unwrap(),
        }]
    }

    fn run(role: Option<Role>, context: TestedFacts) -> DryRun {
        let facts = context.facts(Timestamp::from_seconds(1_000_000), 3600);
        decide(role, &policies(), &SecretPath::parse("app/db").unwrap(), Permission::Read, &facts)
    }

    #[test]
    fn roles_come_before_rules() {
        assert_eq!(run(Some(Role::TenantAdmin), TestedFacts::default()), DryRun::ByRole(Role::TenantAdmin));
    }

    #[test]
    fn what_is_missing_fails_its_condition() {
        let here = TestedFacts { source_ip: Some("10.1.2.3".parse().unwrap()), ..TestedFacts::default() };
        let proved = TestedFacts { mfa_verified: Some(true), ..here };
        assert_eq!(run(None, proved), DryRun::ByPolicy { policy_id: "pol_1".to_owned(), rule: 1 });
        let reason = |context| match run(None, context) {
            DryRun::Denied { reason, failed_condition, evaluated } => {
                assert_eq!(evaluated.len(), 1);
                assert_eq!(Some(evaluated[0].reason.as_str()), failed_condition);
                reason
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(here), DenialReason::MfaRequired);
        assert_eq!(reason(TestedFacts { mfa_verified: Some(false), ..here }), DenialReason::MfaRequired);
        assert_eq!(reason(TestedFacts { source_ip: None, ..proved }), DenialReason::IpNotAllowed);
        assert_eq!(reason(TestedFacts::default()), DenialReason::IpNotAllowed);
    }

    #[test]
    fn the_second_factor_is_fresh_at_the_supposed_time() {
        let at = Timestamp::from_seconds(5);
        let context = TestedFacts { mfa_verified: Some(true), timestamp: Some(at), ..TestedFacts::default() };
        let facts = context.facts(Timestamp::from_seconds(1_000_000), 3600);
        assert_eq!((facts.now, facts.mfa_verified_at), (at, Some(at)));
    }
}
