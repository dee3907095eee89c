//! Who may do what in the directory: pure rules over roles and places (contract 02 sections 6 and 7).

use scaivault_domain::role::{Role, RoleSet};

use crate::caller::Identity;
use crate::error::{Code, Error};

/// The weightiest role by which `identity` administers a tenant of a partner.
pub(crate) fn authority(identity: &Identity, partner_id: &str, tenant_id: &str) -> Option<Role> {
    let holds = |role| identity.roles.contains(role);
    if holds(Role::SuperAdmin) {
        Some(Role::SuperAdmin)
    } else if holds(Role::PartnerAdmin) && identity.partner.as_str() == partner_id {
        Some(Role::PartnerAdmin)
    } else if holds(Role::TenantAdmin) && identity.tenant.as_str() == tenant_id {
        Some(Role::TenantAdmin)
    } else {
        None
    }
}

/// Own tenant; for a partner_admin every tenant of its partner; for a super_admin all.
pub(crate) fn sees_tenant(identity: &Identity, partner_id: &str, tenant_id: &str) -> bool {
    identity.tenant.as_str() == tenant_id
        || matches!(authority(identity, partner_id, tenant_id), Some(Role::PartnerAdmin | Role::SuperAdmin))
}

pub(crate) fn sees_partner(identity: &Identity, partner_id: &str) -> bool {
    identity.partner.as_str() == partner_id || identity.roles.contains(Role::SuperAdmin)
}

/// Why a role rule refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// This role, or a wider one, is needed here.
    Needs(Role),
    /// Nobody gives itself more than it has.
    SelfElevation,
    /// The identity holds a wider role than the caller: who could set its password or make its tokens would be it.
    Outranked,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (message, reason) = match refusal {
            Refusal::Needs(role) => (format!("This needs role {role}"), format!("role_{role}_required")),
            Refusal::SelfElevation => ("Nobody can widen its own rights".to_owned(), "self_elevation".to_owned()),
            Refusal::Outranked => ("This identity holds a wider role than you do".to_owned(), "outranked".to_owned()),
        };
        Error::new(Code::Forbidden, message).with("reason", reason)
    }
}

/// `held` is the caller's authority over the place.
pub(crate) fn demand(held: Option<Role>, needed: Role) -> Result<Role, Refusal> {
    held.filter(|role| *role >= needed).ok_or(Refusal::Needs(needed))
}

/// Whether someone with `held` may change an identity that holds `roles`.
pub(crate) fn demand_rank(held: Role, roles: RoleSet) -> Result<(), Refusal> {
    if roles.iter().any(|role| role > held) { Err(Refusal::Outranked) } else { Ok(()) }
}

/// A wish to give an identity another set of roles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleChange {
    /// The caller's authority over the identity's tenant.
    pub(crate) held: Option<Role>,
    pub(crate) is_self: bool,
    pub(crate) current: RoleSet,
    pub(crate) wanted: RoleSet,
}

impl RoleChange {
    /// What depends on nothing but the roles; that a super_admin remains is for the store to say.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let held = demand(self.held, Role::PartnerAdmin)?;
        let widest = |roles: RoleSet| roles.iter().max();
        if self.is_self && widest(self.wanted) > widest(self.current) {
            return Err(Refusal::SelfElevation);
        }
        let differ = self.current.contains(Role::SuperAdmin) != self.wanted.contains(Role::SuperAdmin);
        if differ {
            demand(Some(held), Role::SuperAdmin)?;
        }
        demand_rank(held, self.current)
    }
}

/// The roles that a caller may give to others somewhere.
pub(crate) fn assignable(roles: RoleSet) -> RoleSet {
    if roles.contains(Role::SuperAdmin) {
        RoleSet::from_iter(Role::ALL)
    } else if roles.contains(Role::PartnerAdmin) {
        RoleSet::from_iter([Role::TenantAdmin, Role::PartnerAdmin])
    } else {
        RoleSet::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use Role::{PartnerAdmin as P, SuperAdmin as S, TenantAdmin as T};
    use scaivault_domain::id::{IdentityType, PartnerId, TenantId};
    use scaivault_domain::scope::ScopeSet;

    use super::*;

    fn identity(roles: &[Role]) -> Identity {
        Identity {
            internal_id: "usr_1".to_owned(),
            identity_type: IdentityType::User,
            identity_id: "user:a@b".to_owned(),
            display_name: None,
            tenant: TenantId::parse("tnt_home").unwrap(),
            partner: PartnerId::parse("ptn_home").unwrap(),
            roles: roles.iter().copied().collect(),
            ceiling: ScopeSet::ALL,
            groups: Vec::new(),
        }
    }

    #[test]
    fn authority_and_sight_end_where_the_role_does() {
        let places = [("ptn_home", "tnt_home"), ("ptn_home", "tnt_other"), ("ptn_far", "tnt_far")];
        /// Roles; authority and sight at home, in another tenant of the partner, and beyond.
        type Row = (&'static [Role], [Option<Role>; 3], [bool; 3]);
        let table: [Row; 5] = [
            (&[], [None, None, None], [true, false, false]),
            (&[T], [Some(T), None, None], [true, false, false]),
            (&[P], [Some(P), Some(P), None], [true, true, false]),
            (&[T, P], [Some(P), Some(P), None], [true, true, false]),
            (&[S], [Some(S), Some(S), Some(S)], [true, true, true]),
        ];
        for (roles, authorities, sights) in table {
            let identity = identity(roles);
            for ((partner, tenant), (held, seen)) in places.iter().zip(authorities.iter().zip(sights)) {
                assert_eq!(authority(&identity, partner, tenant), *held, "{roles:?} at {tenant}");
                assert_eq!(sees_tenant(&identity, partner, tenant), seen, "{roles:?} at {tenant}");
            }
            assert!(sees_partner(&identity, "ptn_home"));
            assert_eq!(sees_partner(&identity, "ptn_far"), roles.contains(&S));
        }
    }

    #[test]
    fn role_changes() {
        /// Authority, is it the caller itself, roles before, roles wanted.
        type Row = (Option<Role>, bool, &'static [Role], &'static [Role], Result<(), Refusal>);
        const NONE: &[Role] = &[];
        let needs = |role| Err(Refusal::Needs(role));
        let myself = Err(Refusal::SelfElevation);
        let table: [Row; 19] = [
            (None, false, NONE, &[T], needs(P)),
            (None, true, NONE, &[T], needs(P)),
            // a tenant_admin changes no roles, not even to take one away.
            (Some(T), false, NONE, &[T], needs(P)),
            (Some(T), true, &[T], NONE, needs(P)),
            (Some(T), true, &[T], &[S], needs(P)),
            (Some(P), false, NONE, &[T], Ok(())),
            (Some(P), false, NONE, &[P], Ok(())),
            (Some(P), false, &[P, T], NONE, Ok(())),
            // Only a super_admin gives super_admin, or takes it away.
            (Some(P), false, NONE, &[S], needs(S)),
            (Some(P), false, &[S], NONE, needs(S)),
            (Some(P), false, &[S], &[S, T], Err(Refusal::Outranked)),
            (Some(P), true, &[P], &[P, S], myself),
            (Some(P), true, &[P], &[S], myself),
            (Some(P), true, &[P], &[P, T], Ok(())),
            (Some(P), true, &[P], NONE, Ok(())),
            (Some(S), false, NONE, &[T, P, S], Ok(())),
            (Some(S), false, &[S], NONE, Ok(())),
            (Some(S), true, &[S], &[S, P], Ok(())),
            (Some(S), true, &[S], NONE, Ok(())),
        ];
        for (held, is_self, current, wanted, expected) in table {
            let change = RoleChange {
                held,
                is_self,
                current: current.iter().copied().collect(),
                wanted: wanted.iter().copied().collect(),
            };
            assert_eq!(change.check(), expected, "{change:?}");
        }
    }

    #[test]
    fn nobody_changes_an_identity_above_itself() {
        let roles = |roles: &[Role]| roles.iter().copied().collect();
        assert_eq!(demand_rank(T, roles(&[])), Ok(()));
        assert_eq!(demand_rank(T, roles(&[T])), Ok(()));
        assert_eq!(demand_rank(T, roles(&[T, P])), Err(Refusal::Outranked));
        assert_eq!(demand_rank(P, roles(&[S])), Err(Refusal::Outranked));
        assert_eq!(demand_rank(S, roles(&[S])), Ok(()));
    }

    #[test]
    fn refusals_name_their_reason() {
        let error = Error::from(Refusal::Needs(P));
        assert_eq!(error.code(), Code::Forbidden);
        assert_eq!(error.details()["reason"], "role_partner_admin_required");
        assert!(assignable(RoleSet::EMPTY.with(T)).is_empty());
        assert!(!assignable(RoleSet::EMPTY.with(P)).contains(S));
    }
}
