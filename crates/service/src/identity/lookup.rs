//! From the ways to name an identity to the identity.

use scaivault_domain::id::{IdentityRef, IdentityType};
use scaivault_domain::role::RoleSet;
use scaivault_domain::scope::ScopeSet;
use scaivault_store::Database;
use scaivault_store::group::{self, GroupRecord};
use scaivault_store::service_account::{self, ServiceAccountRecord};
use scaivault_store::user::{self, UserRecord};

use super::roles_of;
use crate::error::Result;
use crate::session::{self, DELETED};

/// A user, service account or group, as far as other operations need to know.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) internal_id: String,
    pub(crate) identity_type: IdentityType,
    /// `user:...`, `sa:...`, `group:...`.
    pub(crate) identity_id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) tenant_id: String,
    pub(crate) status: String,
    pub(crate) roles: RoleSet,
    pub(crate) ceiling: ScopeSet,
}

impl From<UserRecord> for Found {
    fn from(record: UserRecord) -> Self {
        let roles = roles_of(record.roles);
        Self {
            identity_type: IdentityType::User,
            identity_id: format!("user:{}", record.email),
            display_name: record.display_name,
            internal_id: record.id,
            tenant_id: record.tenant_id,
            status: record.status,
            roles,
            ceiling: session::ceiling(record.allowed_scopes, roles),
        }
    }
}

impl From<ServiceAccountRecord> for Found {
    fn from(record: ServiceAccountRecord) -> Self {
        let roles = roles_of(record.roles);
        Self {
            identity_type: IdentityType::ServiceAccount,
            identity_id: format!("sa:{}", record.name),
            display_name: Some(record.name),
            internal_id: record.id,
            tenant_id: record.tenant_id,
            status: record.status,
            roles,
            ceiling: session::ceiling(record.allowed_scopes, roles),
        }
    }
}

impl From<GroupRecord> for Found {
    fn from(record: GroupRecord) -> Self {
        Self {
            identity_type: IdentityType::Group,
            identity_id: format!("group:{}", record.name),
            display_name: Some(record.name),
            internal_id: record.id,
            tenant_id: record.tenant_id,
            status: record.status,
            roles: RoleSet::EMPTY,
            ceiling: ScopeSet::EMPTY,
        }
    }
}

/// By the id of the row, in any tenant and any state.
pub(crate) fn by_internal_id(db: &mut impl Database, id: &str) -> Result<Option<Found>> {
    Ok(match id.split_once('_') {
        Some(("usr", _)) => user::find(db, id)?.map(Found::from),
        Some(("sa", _)) => service_account::find(db, id)?.map(Found::from),
        Some(("grp", _)) => group::find(db, id)?.map(Found::from),
        _ => None,
    })
}

/// In either form: the living identity of that name or id in one tenant.
pub(crate) fn in_tenant(db: &mut impl Database, tenant_id: &str, wanted: &IdentityRef) -> Result<Option<Found>> {
    let found = match wanted {
        IdentityRef::User(email) => user::find_by_email(db, tenant_id, email.as_str())?.map(Found::from),
        IdentityRef::ServiceAccount(name) => {
            service_account::find_by_name(db, tenant_id, name.as_str())?.map(Found::from)
        }
        IdentityRef::Group(name) => group::find_by_name(db, tenant_id, name.as_str())?.map(Found::from),
        IdentityRef::DirectoryUser(id) => by_internal_id(db, id.as_str())?,
        IdentityRef::DirectoryServiceAccount(id) => by_internal_id(db, id.as_str())?,
        IdentityRef::DirectoryGroup(id) => by_internal_id(db, id.as_str())?,
        IdentityRef::System(_) => None,
    };
    Ok(found.filter(|found| found.tenant_id == tenant_id && found.status != DELETED))
}
