//! What an identity may administer (contract 02 section 6).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A standing right over a tenant, a partner or the whole instance. Roles do not replace scopes: a token needs both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    TenantAdmin,
    PartnerAdmin,
    SuperAdmin,
}

impl Role {
    /// From the narrowest to the widest.
    pub const ALL: [Role; 3] = [Role::TenantAdmin, Role::PartnerAdmin, Role::SuperAdmin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Role::TenantAdmin => "tenant_admin",
            Role::PartnerAdmin => "partner_admin",
            Role::SuperAdmin => "super_admin",
        }
    }

    /// `None` for anything that is no role; case-sensitive.
    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// The text of `GET /v1/identity/roles`.
    pub const fn description(self) -> &'static str {
        match self {
            Role::TenantAdmin => "Administers its tenant: directory, tokens, token issuers and every path",
            Role::PartnerAdmin => {
                "Administers all tenants of its partner, creates tenants, writes partner secrets and partner policies"
            }
            Role::SuperAdmin => "Administers everything: the system, partners and bearer token issuers",
        }
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Role::parse(&text).ok_or_else(|| serde::de::Error::custom("unknown role"))
    }
}

/// A set of roles. A wider role does not contain a narrower one: each holder is asked for exactly what it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoleSet(u8);

impl RoleSet {
    pub const EMPTY: RoleSet = RoleSet(0);

    #[must_use]
    pub const fn with(self, role: Role) -> RoleSet {
        RoleSet(self.0 | role.bit())
    }

    pub fn insert(&mut self, role: Role) {
        *self = self.with(role);
    }

    pub const fn contains(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    pub const fn contains_all(self, wanted: RoleSet) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// Those of `self` that `other` lacks.
    #[must_use]
    pub const fn minus(self, other: RoleSet) -> RoleSet {
        RoleSet(self.0 & !other.0)
    }

    /// Whether it holds `role` or a wider one.
    pub fn at_least(self, role: Role) -> bool {
        self.iter().any(|held| held >= role)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// From the narrowest to the widest.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }

    pub fn to_strings(self) -> Vec<String> {
        self.iter().map(|role| role.as_str().to_owned()).collect()
    }

    /// The bits as stored; bit n is `Role::ALL[n]`.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From stored bits; bits that stand for no role are dropped.
    pub const fn from_bits(bits: u8) -> RoleSet {
        RoleSet(bits & ((1 << Role::ALL.len()) - 1))
    }
}

impl FromIterator<Role> for RoleSet {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> RoleSet {
        roles.into_iter().fold(RoleSet::EMPTY, RoleSet::with)
    }
}

impl Serialize for RoleSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for RoleSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Role>::deserialize(deserializer).map(RoleSet::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_read_back_and_sets_keep_them_apart() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("Tenant_admin"), None);
        let set = RoleSet::from_iter([Role::SuperAdmin, Role::SuperAdmin]);
        assert!(!set.contains(Role::TenantAdmin) && set.at_least(Role::TenantAdmin));
        assert!(!RoleSet::EMPTY.with(Role::TenantAdmin).at_least(Role::PartnerAdmin));
        assert_eq!(set.to_strings(), ["super_admin"]);
        assert_eq!(RoleSet::from_bits(255).iter().count(), 3);
    }
}
