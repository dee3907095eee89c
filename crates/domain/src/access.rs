//! The access decision and its proof.
//!
//! [`decide`] is the only maker of a [`Permit`], and every store query takes its tenant out of one: an operation that forgot
//! to authorise, or to stay in its tenant, does not compile.

use std::sync::Arc;

use crate::action::{AccessRule, Action};
use crate::condition::Facts;
use crate::id::{PartnerId, TenantId};
use crate::path::SecretPath;
use crate::policy::{self, BoundPolicy, DenialReason, Permission, PermissionSet, Verdict, Visibility};
use crate::role::{Role, RoleSet};

/// Whose secrets a path addresses: the tenant's own, or those its partner shares (contract 01 section 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    Partner,
    Tenant,
}

/// What a request touches, as far as the decision needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The instance itself.
    Instance,
    /// Every path of a space; `prefix` is what the audit entry names.
    Listing {
        space: Space,
        prefix: Option<String>,
    },
    Secret {
        space: Space,
        path: SecretPath,
    },
    /// Something of the tenant that has no path.
    Tenant,
}

/// Who acts, where, and with which rights: the outcome of authentication and tenant resolution.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Where the request takes effect.
    pub tenant: TenantId,
    pub partner: PartnerId,
    /// The acting identity's home.
    pub home_tenant: TenantId,
    pub home_partner: PartnerId,
    pub roles: RoleSet,
    /// Policies bound to the identity, directly or through groups, in the order of their ids.
    pub policies: Arc<[BoundPolicy]>,
}

impl Standing {
    /// The role by which the identity administers the tenant it acts in, the weightiest first (contract 03 section 4).
    pub fn administers(&self) -> Option<Role> {
        if self.roles.contains(Role::SuperAdmin) {
            Some(Role::SuperAdmin)
        } else if self.roles.contains(Role::PartnerAdmin) && self.partner == self.home_partner {
            Some(Role::PartnerAdmin)
        } else if self.roles.contains(Role::TenantAdmin) && self.tenant == self.home_tenant {
            Some(Role::TenantAdmin)
        } else {
            None
        }
    }

    /// Whether the identity may administer the partner it acts under.
    pub fn administers_partner(&self) -> bool {
        matches!(self.administers(), Some(Role::SuperAdmin | Role::PartnerAdmin))
    }
}

/// What opened the door; recorded as `extra_data.granted_by`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Membership of the tenant (or of a tenant of the partner) was enough.
    Member,
    Policy(String),
    Role(Role),
}

/// The tenant a permit is for. Store queries on tenant-owned things demand one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantScope {
    tenant: TenantId,
    partner: PartnerId,
}

impl TenantScope {
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub fn partner(&self) -> &PartnerId {
        &self.partner
    }

    /// For work the server does on its own account (jobs, first start, key handling), where no caller is to be checked.
    /// Never reachable from a request.
    pub fn of_the_server(tenant: TenantId, partner: PartnerId) -> Self {
        Self { tenant, partner }
    }
}

/// The namespace of secrets a permit is for. Store queries on secrets demand one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretScope {
    space: Space,
    owner: TenantScope,
}

impl SecretScope {
    pub fn space(&self) -> Space {
        self.space
    }

    /// The id under which the rows stand: the tenant's, or the partner's for shared secrets.
    pub fn namespace(&self) -> &str {
        match self.space {
            Space::Partner => self.owner.partner.as_str(),
            Space::Tenant => self.owner.tenant.as_str(),
        }
    }

    pub fn owner(&self) -> &TenantScope {
        &self.owner
    }

    /// For work the server does on its own account; see [`TenantScope::of_the_server`].
    pub fn of_the_server(space: Space, owner: TenantScope) -> Self {
        Self { space, owner }
    }
}

/// The proof that a request may do what it asked for.
#[derive(Debug, Clone)]
pub struct Permit {
    secrets: SecretScope,
    grant: Grant,
    visibility: Visibility,
    admin_visibility: Visibility,
    administers: Option<Role>,
    path: Option<SecretPath>,
}

impl Permit {
    pub fn tenant(&self) -> &TenantScope {
        &self.secrets.owner
    }

    pub fn secrets(&self) -> &SecretScope {
        &self.secrets
    }

    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Which paths a listing may show; meaningful for actions with [`AccessRule::Listing`].
    pub fn visibility(&self) -> &Visibility {
        &self.visibility
    }

    /// On which paths a listing may also show what is deleted (permission delete or admin).
    pub fn trash_visibility(&self) -> &Visibility {
        &self.admin_visibility
    }

    /// The role by which the caller administers the target tenant, if it does.
    pub fn administers(&self) -> Option<Role> {
        self.administers
    }

    /// The path that was decided on, if the action has one.
    pub fn path(&self) -> Option<&SecretPath> {
        self.path.as_ref()
    }
}

/// Why a request is refused, in the terms of contract 03 section 4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// No rule permits it, or only rules whose conditions fail.
    Policy { reason: DenialReason, failed_condition: Option<&'static str>, permission: Permission },
    /// A role rule refuses.
    Role { needed: &'static str },
}

/// Decides whether `standing` may perform `action` on `target`. Existence plays no part: the caller learns nothing of it.
///
/// # Errors
/// The [`Denial`] that is told to the caller.
pub fn decide(action: Action, target: &Target, standing: &Standing, facts: &Facts) -> Result<Permit, Denial> {
    let space = match target {
        Target::Listing { space, .. } | Target::Secret { space, .. } => *space,
        Target::Instance | Target::Tenant => Space::Tenant,
    };
    let mut permit = Permit {
        secrets: SecretScope {
            space,
            owner: TenantScope { tenant: standing.tenant.clone(), partner: standing.partner.clone() },
        },
        grant: Grant::Member,
        visibility: Visibility::none(),
        admin_visibility: Visibility::none(),
        administers: standing.administers(),
        path: match target {
            Target::Secret { path, .. } => Some(path.clone()),
            Target::Instance | Target::Listing { .. } | Target::Tenant => None,
        },
    };
    match action.spec().access {
        AccessRule::Instance => {
            if !standing.roles.contains(Role::SuperAdmin) {
                return Err(Denial::Role { needed: Role::SuperAdmin.as_str() });
            }
            permit.grant = Grant::Role(Role::SuperAdmin);
        }
        AccessRule::Tenant => {
            if let Some(role) = permit.administers {
                permit.grant = Grant::Role(role);
            }
        }
        AccessRule::Listing(wanted) => {
            let trash = PermissionSet::from_slice(&[Permission::Delete, Permission::Admin]);
            (permit.visibility, permit.admin_visibility) = match (space, permit.administers) {
                (Space::Tenant, Some(role)) => {
                    permit.grant = Grant::Role(role);
                    (Visibility::All, Visibility::All)
                }
                (Space::Partner, Some(role)) if standing.administers_partner() => {
                    permit.grant = Grant::Role(role);
                    (Visibility::All, Visibility::All)
                }
                (Space::Partner, _) if for_members(wanted) => (Visibility::All, Visibility::none()),
                (Space::Partner, _) => (Visibility::none(), Visibility::none()),
                (Space::Tenant, None) => (
                    policy::visibility(&standing.policies, PermissionSet::from_slice(wanted), facts),
                    policy::visibility(&standing.policies, trash, facts),
                ),
            };
        }
        AccessRule::Path(wanted) => permit.grant = decide_path(wanted, target, standing, facts)?,
    }
    Ok(permit)
}

/// What any identity of the partner's tenants may do with shared secrets.
fn for_members(wanted: &[Permission]) -> bool {
    wanted.iter().any(|one| matches!(one, Permission::List | Permission::Read))
}

fn decide_path(wanted: &[Permission], target: &Target, standing: &Standing, facts: &Facts) -> Result<Grant, Denial> {
    let permission = wanted.first().copied().unwrap_or(Permission::Admin);
    let refused = || Denial::Policy { reason: DenialReason::AccessDenied, failed_condition: None, permission };
    let Target::Secret { space, path } = target else {
        // An action on a path whose operation names none can't be decided; fail closed.
        return Err(refused());
    };
    match space {
        Space::Partner if standing.administers_partner() => {
            standing.administers().map_or_else(|| Err(refused()), |role| Ok(Grant::Role(role)))
        }
        Space::Partner if for_members(wanted) => Ok(Grant::Member),
        Space::Partner => Err(refused()),
        Space::Tenant => {
            if let Some(role) = standing.administers() {
                return Ok(Grant::Role(role));
            }
            match policy::decide(&standing.policies, path.as_str(), PermissionSet::from_slice(wanted), facts) {
                Verdict::Allowed { policy_id, .. } => Ok(Grant::Policy(policy_id.to_string())),
                Verdict::Denied { reason, failed_condition } => {
                    Err(Denial::Policy { reason, failed_condition, permission })
                }
            }
        }
    }
}
