//! People.

use scaivault_domain::access::Permit;
use scaivault_domain::id::UserId;
use scaivault_domain::name::Email;
use scaivault_domain::role::{Role, RoleSet};
use scaivault_domain::scope::ScopeSet;
use scaivault_domain::time::Timestamp;
use scaivault_store::user::{self, UserRecord};
use scaivault_store::{Database, ReadView, WriteTx, directory, membership, subscription};

use super::access::{demand, demand_over, seen_home, seen_tenant};
use super::end::{keep_a_super_admin, set_status};
use super::rules::Refusal;
use super::{Listed, LiveStatus, PageRequest, Status, change, identity_not_found, roles_of, stored_scopes};
use crate::context::{Context, Outcome};
use crate::error::Result;
use crate::naming::{name_exists, unique};
use crate::operation::{Command, Query, tenant_operation};
use crate::policy::lapse;
use crate::session::{self, DELETED};

/// A user as answers show it: without what its password is checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub tenant_id: String,
    pub email: String,
    pub display_name: Option<String>,
    pub status: String,
    pub mfa_enabled: bool,
    /// Ids of the groups it stands in directly.
    pub groups: Vec<String>,
    pub roles: RoleSet,
    pub allowed_scopes: ScopeSet,
    pub last_synced_at: Option<Timestamp>,
}

fn views(db: &mut impl Database, records: Vec<UserRecord>) -> Result<Vec<User>> {
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let memberships = membership::of_members(db, &ids)?;
    let view = |record: UserRecord| {
        let roles = roles_of(record.roles);
        let own = memberships.iter().filter(|(member, _)| *member == record.id);
        User {
            groups: own.map(|(_, group)| group.clone()).collect(),
            allowed_scopes: session::ceiling(record.allowed_scopes, roles),
            id: record.id,
            tenant_id: record.tenant_id,
            email: record.email,
            display_name: record.display_name,
            status: record.status,
            mfa_enabled: record.mfa_enabled,
            roles,
            last_synced_at: record.last_synced_at,
        }
    };
    Ok(records.into_iter().map(view).collect())
}

fn view(db: &mut impl Database, record: UserRecord) -> Result<User> {
    let id = record.id.clone();
    views(db, vec![record])?.pop().ok_or_else(|| identity_not_found(&id))
}

/// `GET /v1/identity/tenants/{tenant_id}/users`
pub struct ListUsers {
    pub tenant_id: String,
    pub status: Option<Status>,
    /// Part of e-mail or name.
    pub text: Option<String>,
    pub page: PageRequest,
}

tenant_operation!(ListUsers, DirectoryRead, Listed<User>);

impl Query for ListUsers {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Listed<User>> {
        cx.touched(&self.tenant_id);
        let tenant = seen_tenant(view, cx, &self.tenant_id)?;
        let status = self.status.map(Status::as_str);
        let found = user::list(view, &tenant.id, status, self.text.as_deref(), self.page.rows())?;
        Ok(Listed { items: views(view, found.items)?, total: found.total })
    }
}

/// `GET /v1/identity/users/{id}`
pub struct GetUser {
    pub id: String,
}

tenant_operation!(GetUser, DirectoryRead, User);

impl Query for GetUser {
    fn run(&self, _: &Permit, db: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<User> {
        cx.touched(&self.id);
        let (record, _) = seen_user(db, cx, &self.id)?;
        view(db, record)
    }
}

fn seen_user(
    db: &mut impl Database,
    cx: &mut Context<'_>,
    id: &str,
) -> Result<(UserRecord, scaivault_store::tenant::TenantRecord)> {
    let absent = || identity_not_found(id);
    let record = user::find(db, id)?.filter(|record| record.status != DELETED).ok_or_else(absent)?;
    let tenant = seen_home(db, cx, &record.tenant_id)?.ok_or_else(absent)?;
    Ok((record, tenant))
}

/// `POST /v1/identity/tenants/{tenant_id}/users`
pub struct CreateUser {
    pub tenant_id: String,
    pub email: Email,
    pub display_name: Option<String>,
    /// Made by [`super::hash_password`] before the operation waits for its transaction.
    pub password_hash: Option<String>,
    /// `None`: the usual ones.
    pub allowed_scopes: Option<ScopeSet>,
    pub status: LiveStatus,
}

tenant_operation!(CreateUser, DirectoryChange, User);

impl Command for CreateUser {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<User> {
        let tenant = seen_tenant(tx, cx, &self.tenant_id)?;
        demand(cx.caller, &tenant, Role::TenantAdmin)?;
        check_free(tx, &tenant.id, &self.email, None)?;
        let record = UserRecord {
            id: UserId::from_ulid(cx.ulid()?).as_str().to_owned(),
            tenant_id: tenant.id,
            email: self.email.as_str().to_owned(),
            display_name: self.display_name.clone(),
            password_hash: self.password_hash.clone(),
            allowed_scopes: stored_scopes(self.allowed_scopes),
            roles: 0,
            mfa_enabled: false,
            status: self.status.as_str().to_owned(),
            created_at: cx.now,
            updated_at: cx.now,
            last_synced_at: None,
        };
        unique(user::insert(tx, &record), "email", &record.email)?;
        cx.touched(&record.id);
        cx.outcome(Outcome::Created);
        view(tx, record)
    }
}

fn check_free(db: &mut impl Database, tenant_id: &str, email: &Email, own_id: Option<&str>) -> Result<()> {
    match user::find_by_email(db, tenant_id, email.as_str())? {
        Some(other) if own_id != Some(&other.id) => Err(name_exists("email", email.as_str(), &other.id)),
        _ => Ok(()),
    }
}

/// `PATCH /v1/identity/users/{id}`; absent fields leave what is, `Some(None)` goes back to the default.
pub struct UpdateUser {
    pub id: String,
    pub email: Option<Email>,
    pub display_name: Option<Option<String>>,
    pub password_hash: Option<Option<String>>,
    pub allowed_scopes: Option<Option<ScopeSet>>,
    pub status: Option<LiveStatus>,
}

tenant_operation!(UpdateUser, DirectoryChange, User);

impl Command for UpdateUser {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<User> {
        cx.touched(&self.id);
        let (mut record, tenant) = seen_user(tx, cx, &self.id)?;
        let roles = roles_of(record.roles);
        demand_over(cx.caller, &tenant, roles)?;
        if let Some(wanted) = self.allowed_scopes {
            check_own_scopes(cx, &record.id, session::ceiling(stored_scopes(wanted), roles))?;
        }
        if let Some(email) = &self.email {
            check_free(tx, &tenant.id, email, Some(&record.id))?;
        }
        if let Some(status) = self.status {
            set_status(tx, cx, &tenant.id, &record.id, roles, (&record.status, status))?;
        }
        let mut changed = Vec::new();
        change("email", &mut record.email, self.email.as_ref().map(|email| email.as_str().to_owned()), &mut changed);
        change("display_name", &mut record.display_name, self.display_name.clone(), &mut changed);
        change("password", &mut record.password_hash, self.password_hash.clone(), &mut changed);
        let scopes = self.allowed_scopes.map(stored_scopes);
        change("allowed_scopes", &mut record.allowed_scopes, scopes, &mut changed);
        change("status", &mut record.status, self.status.map(|status| status.as_str().to_owned()), &mut changed);
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(user::update(tx, &record), "email", &record.email)?;
        }
        cx.note("changed", changed);
        view(tx, record)
    }
}

/// # Errors
/// `forbidden`, if an identity would widen its own scopes.
pub(super) fn check_own_scopes(cx: &mut Context<'_>, id: &str, wanted: ScopeSet) -> Result<()> {
    let own = cx.caller.identity();
    if own.internal_id == id && !own.ceiling.contains_all(wanted) {
        return Err(Refusal::SelfElevation.into());
    }
    Ok(())
}

/// `DELETE /v1/identity/users/{id}`. The row stays for the audit trail; nothing it gave rights to does.
pub struct DeleteUser {
    pub id: String,
}

tenant_operation!(DeleteUser, DirectoryChange, ());

impl Command for DeleteUser {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.id);
        let (mut record, tenant) = seen_user(tx, cx, &self.id)?;
        let roles = roles_of(record.roles);
        demand_over(cx.caller, &tenant, roles)?;
        keep_a_super_admin(tx, roles, &record.status)?;
        lapse::removed_with(tx, cx, &tenant.id, &record.id)?;
        record.status = DELETED.to_owned();
        record.password_hash = None;
        record.roles = 0;
        record.updated_at = cx.now;
        user::update(tx, &record)?;
        directory::detach(tx, &tenant.id, &record.id, cx.now)?;
        subscription::delete_of_owner(tx, &record.id)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
