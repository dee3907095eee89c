//! What a token may be used for (contract 02 section 2).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! scopes {
    ($($variant:ident => $text:literal),+ $(,)?) => {
        /// One right of a token. No scope implies another, and there are no wildcards.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope { $($variant),+ }

        impl Scope {
            /// All of them, in the contract's order.
            pub const ALL: [Scope; [$($text),+].len()] = [$(Scope::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Scope::$variant => $text),+ }
            }

            /// `None` for anything that is no scope; case-sensitive.
            pub fn parse(text: &str) -> Option<Scope> {
                match text { $($text => Some(Scope::$variant),)+ _ => None }
            }
        }
    };
}

scopes! {
    SecretsRead => "secrets:read",
    SecretsWrite => "secrets:write",
    SecretsDelete => "secrets:delete",
    SecretsList => "secrets:list",
    SecretsRotate => "secrets:rotate",
    PoliciesRead => "policies:read",
    PoliciesWrite => "policies:write",
    AuditRead => "audit:read",
    AuditExport => "audit:export",
    PkiIssue => "pki:issue",
    PkiAdmin => "pki:admin",
    DynamicRead => "dynamic:read",
    DynamicManage => "dynamic:manage",
    FederationRead => "federation:read",
    FederationWrite => "federation:write",
    SubscriptionsRead => "subscriptions:read",
    SubscriptionsWrite => "subscriptions:write",
    IdentityRead => "identity:read",
    IdentityAdmin => "identity:admin",
    Admin => "admin",
}

impl Scope {
    const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Scope::parse(&text).ok_or_else(|| serde::de::Error::custom("unknown scope"))
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(u32);

impl ScopeSet {
    pub const EMPTY: ScopeSet = ScopeSet(0);

    /// Every scope: the ceiling of tenant_admin and above.
    pub const ALL: ScopeSet = ScopeSet((1 << Scope::ALL.len()) - 1);

    /// What a user or service account may hold unless an admin set its `allowed_scopes`.
    pub const DEFAULT_CEILING: ScopeSet = ScopeSet::EMPTY
        .with(Scope::SecretsRead)
        .with(Scope::SecretsWrite)
        .with(Scope::SecretsDelete)
        .with(Scope::SecretsList)
        .with(Scope::SecretsRotate)
        .with(Scope::PoliciesRead)
        .with(Scope::DynamicRead)
        .with(Scope::PkiIssue)
        .with(Scope::SubscriptionsRead)
        .with(Scope::SubscriptionsWrite)
        .with(Scope::IdentityRead);

    #[must_use]
    pub const fn with(self, scope: Scope) -> ScopeSet {
        ScopeSet(self.0 | scope.bit())
    }

    pub fn insert(&mut self, scope: Scope) {
        *self = self.with(scope);
    }

    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    pub const fn contains_all(self, wanted: ScopeSet) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    #[must_use]
    pub const fn intersect(self, other: ScopeSet) -> ScopeSet {
        ScopeSet(self.0 & other.0)
    }

    /// Those of `self` that `other` lacks.
    #[must_use]
    pub const fn minus(self, other: ScopeSet) -> ScopeSet {
        ScopeSet(self.0 & !other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// In the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    pub fn to_strings(self) -> Vec<String> {
        self.iter().map(|scope| scope.as_str().to_owned()).collect()
    }

    /// The bits as stored; bit n is `Scope::ALL[n]`.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From stored bits; bits that stand for no scope are dropped.
    pub const fn from_bits(bits: u32) -> ScopeSet {
        ScopeSet(bits & ScopeSet::ALL.0)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> ScopeSet {
        scopes.into_iter().fold(ScopeSet::EMPTY, ScopeSet::with)
    }
}

impl From<Scope> for ScopeSet {
    fn from(scope: Scope) -> ScopeSet {
        ScopeSet::EMPTY.with(scope)
    }
}

/// The OAuth form: separated by blanks.
impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Scope>::deserialize(deserializer).map(ScopeSet::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_reads_back_and_nothing_else_does() {
        assert_eq!(Scope::ALL.len(), 20);
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        for bad in ["", "*", "secrets:*", "Secrets:read", "secrets", "admin ", "secrets:read "] {
            assert_eq!(Scope::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sets_hold_what_was_put_in_and_imply_nothing() {
        let mut set = ScopeSet::from(Scope::Admin);
        assert!(!set.contains(Scope::SecretsRead));
        set.insert(Scope::SecretsRead);
        set.insert(Scope::SecretsRead);
        assert_eq!(set.to_strings(), ["secrets:read", "admin"]);
        assert_eq!(set.to_string(), "secrets:read admin");
        assert!(ScopeSet::ALL.contains_all(set) && !set.contains_all(ScopeSet::ALL));
        assert!(set.contains_all(ScopeSet::EMPTY) && ScopeSet::EMPTY.is_empty());
        assert_eq!(set.intersect(ScopeSet::DEFAULT_CEILING), ScopeSet::from(Scope::SecretsRead));
        assert_eq!(set.minus(ScopeSet::DEFAULT_CEILING), ScopeSet::from(Scope::Admin));
        assert_eq!(ScopeSet::from_bits(u32::MAX), ScopeSet::ALL);
    }

    #[test]
    fn the_default_ceiling_is_the_contract_s() {
        let expected = [
            "secrets:read",
            "secrets:write",
            "secrets:delete",
            "secrets:list",
            "secrets:rotate",
            "policies:read",
            "pki:issue",
            "dynamic:read",
            "subscriptions:read",
            "subscriptions:write",
            "identity:read",
        ];
        assert_eq!(ScopeSet::DEFAULT_CEILING.to_strings(), expected);
    }
}
