//! Roles: which there are, who holds them, and who gives them.

use scaivault_domain::access::Permit;
use scaivault_domain::role::{Role, RoleSet};
use scaivault_store::service_account::{self, ServiceAccountRecord};
use scaivault_store::tenant::TenantRecord;
use scaivault_store::user::{self, UserRecord};
use scaivault_store::{Database, ReadView, WriteTx};

use super::access::seen_home;
use super::end::keep_a_super_admin;
use super::rules::{self, RoleChange};
use super::{identity_not_found, roles_of, stored_roles};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Command, Query, tenant_operation};
use crate::session::DELETED;

/// `GET /v1/identity/roles`
pub struct ListRoles;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleOffer {
    pub role: Role,
    /// By the caller.
    pub assignable: bool,
}

tenant_operation!(ListRoles, RoleCatalogue, Vec<RoleOffer>);

impl Query for ListRoles {
    fn run(&self, _: &Permit, _: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Vec<RoleOffer>> {
        let assignable = rules::assignable(cx.caller.identity().roles);
        Ok(Role::ALL.into_iter().map(|role| RoleOffer { role, assignable: assignable.contains(role) }).collect())
    }
}

/// Whose roles are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    ServiceAccount(String),
    User(String),
}

impl Holder {
    pub fn id(&self) -> &str {
        match self {
            Self::ServiceAccount(id) | Self::User(id) => id,
        }
    }
}

enum Record {
    ServiceAccount(ServiceAccountRecord),
    User(UserRecord),
}

impl Record {
    fn seen(db: &mut impl Database, cx: &mut Context<'_>, holder: &Holder) -> Result<(Self, TenantRecord)> {
        let absent = || identity_not_found(holder.id());
        let record = match holder {
            Holder::ServiceAccount(id) => service_account::find(db, id)?.map(Self::ServiceAccount),
            Holder::User(id) => user::find(db, id)?.map(Self::User),
        };
        let record = record.filter(|record| record.status() != DELETED).ok_or_else(absent)?;
        let tenant = seen_home(db, cx, record.tenant_id())?.ok_or_else(absent)?;
        Ok((record, tenant))
    }

    fn tenant_id(&self) -> &str {
        match self {
            Self::ServiceAccount(account) => &account.tenant_id,
            Self::User(user) => &user.tenant_id,
        }
    }

    fn status(&self) -> &str {
        match self {
            Self::ServiceAccount(account) => &account.status,
            Self::User(user) => &user.status,
        }
    }

    fn roles(&self) -> RoleSet {
        roles_of(match self {
            Self::ServiceAccount(account) => account.roles,
            Self::User(user) => user.roles,
        })
    }

    fn set_roles(&mut self, tx: &mut WriteTx<'_>, cx: &mut Context<'_>, roles: RoleSet) -> Result<()> {
        match self {
            Self::ServiceAccount(account) => {
                account.roles = stored_roles(roles);
                account.updated_at = cx.now;
                service_account::update(tx, account)?;
            }
            Self::User(user) => {
                user.roles = stored_roles(roles);
                user.updated_at = cx.now;
                user::update(tx, user)?;
            }
        }
        Ok(())
    }
}

/// `GET /v1/identity/users/{id}/roles` and the same of service accounts.
pub struct GetRoles {
    pub holder: Holder,
}

/// The roles of one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRoles {
    pub holder: Holder,
    pub roles: RoleSet,
}

tenant_operation!(GetRoles, DirectoryRead, HeldRoles);

impl Query for GetRoles {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<HeldRoles> {
        cx.touched(self.holder.id());
        let roles = Record::seen(view, cx, &self.holder)?.0.roles();
        Ok(HeldRoles { holder: self.holder.clone(), roles })
    }
}

/// `PUT /v1/identity/users/{id}/roles` and the same of service accounts: replaces all.
pub struct SetRoles {
    pub holder: Holder,
    pub roles: RoleSet,
}

tenant_operation!(SetRoles, DirectoryChange, HeldRoles);

impl Command for SetRoles {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<HeldRoles> {
        cx.touched(self.holder.id());
        let (mut record, tenant) = Record::seen(tx, cx, &self.holder)?;
        let current = record.roles();
        let own = cx.caller.identity();
        RoleChange {
            held: rules::authority(own, &tenant.partner_id, &tenant.id),
            is_self: own.internal_id == self.holder.id(),
            current,
            wanted: self.roles,
        }
        .check()?;
        if !self.roles.contains(Role::SuperAdmin) {
            keep_a_super_admin(tx, current, record.status())?;
        }
        cx.note("old_roles", current.to_strings());
        cx.note("new_roles", self.roles.to_strings());
        if current != self.roles {
            record.set_roles(tx, cx, self.roles)?;
        }
        Ok(HeldRoles { holder: self.holder.clone(), roles: self.roles })
    }
}
