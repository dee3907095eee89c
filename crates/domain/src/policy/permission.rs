//! What a rule can allow (contract 03 section 1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing a rule allows at its paths. `Admin` includes all others; where that matters is [`super::Rule::grants_any`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    Read,
    Write,
    Delete,
    List,
    Rotate,
    Admin,
}

impl Permission {
    pub const ALL: [Permission; 6] = [
        Permission::Read,
        Permission::Write,
        Permission::Delete,
        Permission::List,
        Permission::Rotate,
        Permission::Admin,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Delete => "delete",
            Permission::List => "list",
            Permission::Rotate => "rotate",
            Permission::Admin => "admin",
        }
    }

    /// `None` for anything else; case-sensitive.
    pub fn parse(text: &str) -> Option<Permission> {
        Permission::ALL.into_iter().find(|permission| permission.as_str() == text)
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Permission::parse(&text).ok_or_else(|| serde::de::Error::custom("unknown permission"))
    }
}

/// A set of permissions. `Admin` in it is one permission like the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PermissionSet(u8);

impl PermissionSet {
    pub const EMPTY: PermissionSet = PermissionSet(0);

    pub fn from_slice(permissions: &[Permission]) -> PermissionSet {
        permissions.iter().copied().collect()
    }

    #[must_use]
    pub const fn with(self, permission: Permission) -> PermissionSet {
        PermissionSet(self.0 | permission.bit())
    }

    pub fn insert(&mut self, permission: Permission) {
        *self = self.with(permission);
    }

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether they have one in common.
    pub const fn intersects(self, other: PermissionSet) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> PermissionSet {
        permissions.into_iter().fold(PermissionSet::EMPTY, PermissionSet::with)
    }
}

impl From<Permission> for PermissionSet {
    fn from(permission: Permission) -> PermissionSet {
        PermissionSet::EMPTY.with(permission)
    }
}
