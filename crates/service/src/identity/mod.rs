//! The directory: partners, tenants, users, service accounts, groups and their roles (contract 02 sections 6 and 7).
//!
//! These operations take their tenant from the address and act from the caller's home: what a caller sees and may change
//! follows from its roles ([`rules`]), not from the tenant it acts in.

mod access;
mod credential;
mod end;
mod group;
pub(crate) mod lookup;
mod member;
mod partner;
mod resolve;
mod role;
pub(crate) mod rules;
mod service_account;
mod settings;
mod tenant;
mod tenant_end;
mod user;

pub use credential::{CreateCredential, Credential, DeleteCredential, ListCredentials, NewCredential};
pub use group::{CreateGroup, DeleteGroup, GetGroup, Group, ListGroups, UpdateGroup};
pub use member::{AddMember, ListMembers, Member, MemberKind, RemoveMember};
pub use partner::{CreatePartner, DeletePartner, GetPartner, ListPartners, UpdatePartner};
pub use resolve::{ResolveIdentity, Resolved};
pub use role::{GetRoles, HeldRoles, Holder, ListRoles, RoleOffer, SetRoles};
pub use scaivault_store::credential::CredentialRecord;
pub use scaivault_store::directory::Listed;
pub use scaivault_store::partner::PartnerRecord;
pub use scaivault_store::tenant::{TenantRecord, TenantSettings};
pub use service_account::{
    CreateServiceAccount, DeleteServiceAccount, GetServiceAccount, ListServiceAccounts, NewServiceAccount,
    ServiceAccount, UpdateServiceAccount,
};
pub use settings::SettingsChange;
pub use tenant::{CreateTenant, GetTenant, ListTenants, UpdateTenant};
pub use tenant_end::DeleteTenant;
pub use user::{CreateUser, DeleteUser, GetUser, ListUsers, UpdateUser, User};

use scaivault_crypto::{SecretString, SystemEntropy, kdf};
use scaivault_domain::role::RoleSet;
use scaivault_domain::scope::ScopeSet;
use scaivault_store::directory::Page;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::{Code, Error, FaultCode, Result};
use crate::session::{self, bits32};

/// Shortest password a user may have (contract 02 section 3).
pub const MIN_PASSWORD_CHARS: usize = 12;

/// The state of anything in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    Deleted,
    Suspended,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => session::ACTIVE,
            Self::Deleted => session::DELETED,
            Self::Suspended => session::SUSPENDED,
        }
    }
}

/// The states a caller can set; deleting is an operation of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveStatus {
    #[default]
    Active,
    Suspended,
}

impl LiveStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => session::ACTIVE,
            Self::Suspended => session::SUSPENDED,
        }
    }
}

/// A page of a numbered list, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    pub number: i64,
    pub size: i64,
}

impl PageRequest {
    fn rows(self) -> Page {
        Page { limit: self.size, offset: (self.number - 1).max(0).saturating_mul(self.size) }
    }

    /// Cuts a list that is already in memory.
    fn cut<T>(self, items: Vec<T>) -> Listed<T> {
        let total = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let rows = self.rows();
        let count = |number: i64| usize::try_from(number).unwrap_or(0);
        Listed { items: items.into_iter().skip(count(rows.offset)).take(count(rows.limit)).collect(), total }
    }
}

/// What is stored of a password. Takes some 20 ms: never call it where a transaction waits.
///
/// # Errors
/// `internal_error` without randomness.
pub fn hash_password(password: &SecretString) -> Result<String> {
    let work = || kdf::hash_password(password, &SystemEntropy::new()).map_err(Error::internal);
    // Doors call it while they read a request: other requests must not wait for this thread meanwhile.
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

pub(crate) fn identity_not_found(id: &str) -> Error {
    Error::new(Code::IdentityNotFound, format!("Identity '{id}' not found")).with("id", id)
}

fn roles_of(stored: i64) -> RoleSet {
    // The set has three bits; more can't have been written by us.
    RoleSet::from_bits(u8::try_from(bits32(stored) & 0xff).unwrap_or(0))
}

fn stored_roles(roles: RoleSet) -> i64 {
    i64::from(roles.bits())
}

fn stored_scopes(scopes: Option<ScopeSet>) -> Option<i64> {
    scopes.map(|scopes| i64::from(scopes.bits()))
}

/// Takes over the new value of a field and notes its name if there is one.
fn change<T>(field: &'static str, target: &mut T, new: Option<T>, changed: &mut Vec<&'static str>) {
    if let Some(new) = new {
        *target = new;
        changed.push(field);
    }
}

fn required_confirmation(given: Option<&str>, id: &str) -> Result<()> {
    match given {
        Some(confirm) if confirm == id => Ok(()),
        Some(_) => Err(Error::field("confirm", FaultCode::Conflict, "must be the id of the tenant to delete")),
        None => Err(Error::field("confirm", FaultCode::Required, "must repeat the id of the tenant to delete")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_from_one_and_end_empty() {
        let page = |number, size| PageRequest { number, size }.cut(vec![1, 2, 3, 4, 5]);
        assert_eq!(page(1, 2), Listed { items: vec![1, 2], total: 5 });
        assert_eq!(page(3, 2), Listed { items: vec![5], total: 5 });
        assert_eq!(page(4, 2), Listed { items: vec![], total: 5 });
        assert_eq!(page(i64::MAX, 200).items, Vec::<i32>::new());
    }

    #[test]
    fn a_tenant_is_deleted_only_by_its_name() {
        assert!(required_confirmation(Some("tnt_a"), "tnt_a").is_ok());
        for wrong in [None, Some(""), Some("tnt_b"), Some("TNT_A")] {
            assert_eq!(required_confirmation(wrong, "tnt_a").unwrap_err().code(), Code::ValidationError);
        }
    }
}
