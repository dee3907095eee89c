//! Policies and their bindings (contract 03): who may do what at which paths.

mod binding;
mod change;
mod dry_run;
mod identity_key;
pub(crate) mod lapse;
mod read;
mod rules;

pub use binding::{BindPolicy, ListBindings, UnbindPolicy};
pub use change::{CreatePolicy, DeletePolicy, UpdatePolicy};
pub use dry_run::{DryRun, TestPolicy, TestedFacts};
pub use read::{GetPolicy, ListPolicies, PolicyDetail};
pub use rules::{checked_rule_count, checked_rules};
pub use scaivault_store::binding::BindingShown;
pub use scaivault_store::policy::PolicyListed;

use scaivault_domain::access::Permit;
use scaivault_domain::role::Role;
use scaivault_store::Database;
use scaivault_store::binding::Bound;
use scaivault_store::policy::{self, PolicyRecord};

use crate::error::{Code, Error, Result};

/// Whose a policy is (contract 03 section 2); never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyScope {
    /// Holds in all tenants of the partner.
    Partner,
    #[default]
    Tenant,
}

impl PolicyScope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partner => policy::PARTNER,
            Self::Tenant => policy::TENANT,
        }
    }

    /// The id under which a new policy stands.
    fn owner(self, permit: &Permit) -> &str {
        match self {
            Self::Partner => permit.tenant().partner().as_str(),
            Self::Tenant => permit.tenant().tenant().as_str(),
        }
    }
}

fn not_found(id: &str) -> Error {
    Error::new(Code::PolicyNotFound, format!("Policy '{id}' not found")).with("id", id)
}

/// A policy that the tenant sees: its own or its partner's.
fn visible(db: &mut impl Database, permit: &Permit, id: &str) -> Result<PolicyRecord> {
    policy::find(db, permit.tenant(), id)?.ok_or_else(|| not_found(id))
}

fn administers_partner(permit: &Permit) -> bool {
    matches!(permit.administers(), Some(Role::PartnerAdmin | Role::SuperAdmin))
}

/// # Errors
/// 403 `forbidden`: what belongs to the partner is for its admins to change and to bind.
fn may_change_partner_policies(permit: &Permit) -> Result<()> {
    if administers_partner(permit) {
        return Ok(());
    }
    let message = "The policy is the partner's; making, changing and binding those needs role partner_admin";
    Err(Error::new(Code::Forbidden, message).with("reason", "role_partner_admin_required"))
}

/// A policy that the caller may change or bind.
///
/// # Errors
/// 404 `policy_not_found`, then 403 `forbidden`: the tenant sees its partner's policies, so that their existence is no secret.
fn changeable(db: &mut impl Database, permit: &Permit, id: &str) -> Result<PolicyRecord> {
    let record = visible(db, permit, id)?;
    if record.is_of_partner() {
        may_change_partner_policies(permit)?;
    }
    Ok(record)
}

/// Which bindings a caller sees. Those of a partner's policy name identities of many tenants; a tenant sees its own.
fn bound(permit: &Permit) -> Bound<'_> {
    if administers_partner(permit) { Bound::Anywhere } else { Bound::In(permit.tenant()) }
}
