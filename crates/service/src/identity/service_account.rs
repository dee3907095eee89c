//! Identities of programs.

use scaivault_crypto::{OpaqueToken, TokenKind};
use scaivault_domain::access::Permit;
use scaivault_domain::id::ServiceAccountId;
use scaivault_domain::name::UrlName;
use scaivault_domain::role::{Role, RoleSet};
use scaivault_domain::scope::ScopeSet;
use scaivault_domain::time::Timestamp;
use scaivault_store::service_account::{self, ServiceAccountRecord};
use scaivault_store::tenant::TenantRecord;
use scaivault_store::{Database, ReadView, WriteTx, credential, directory, subscription};

use super::access::{demand, demand_over, seen_home, seen_tenant};
use super::end::{keep_a_super_admin, set_status};
use super::user::check_own_scopes;
use super::{Listed, LiveStatus, PageRequest, Status, change, identity_not_found, roles_of, stored_scopes};
use crate::context::{Context, Outcome};
use crate::error::Result;
use crate::naming::{name_exists, unique};
use crate::operation::{Command, Query, tenant_operation};
use crate::policy::lapse;
use crate::session::{self, DELETED};

/// A service account as answers show it. Its id is its OAuth `client_id` too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    pub id: String,
    pub tenant_id: String,
    pub name: String,
    pub description: Option<String>,
    pub allowed_scopes: ScopeSet,
    pub roles: RoleSet,
    pub status: String,
    pub created_at: Timestamp,
}

impl From<ServiceAccountRecord> for ServiceAccount {
    fn from(record: ServiceAccountRecord) -> Self {
        let roles = roles_of(record.roles);
        Self {
            allowed_scopes: session::ceiling(record.allowed_scopes, roles),
            id: record.id,
            tenant_id: record.tenant_id,
            name: record.name,
            description: record.description,
            roles,
            status: record.status,
            created_at: record.created_at,
        }
    }
}

/// `GET /v1/identity/tenants/{tenant_id}/service-accounts`
pub struct ListServiceAccounts {
    pub tenant_id: String,
    pub status: Option<Status>,
    pub page: PageRequest,
}

tenant_operation!(ListServiceAccounts, DirectoryRead, Listed<ServiceAccount>);

impl Query for ListServiceAccounts {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Listed<ServiceAccount>> {
        cx.touched(&self.tenant_id);
        let tenant = seen_tenant(view, cx, &self.tenant_id)?;
        let found = service_account::list(view, &tenant.id, self.status.map(Status::as_str), self.page.rows())?;
        Ok(Listed { items: found.items.into_iter().map(ServiceAccount::from).collect(), total: found.total })
    }
}

/// `GET /v1/identity/service-accounts/{id}`
pub struct GetServiceAccount {
    pub id: String,
}

tenant_operation!(GetServiceAccount, DirectoryRead, ServiceAccount);

impl Query for GetServiceAccount {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<ServiceAccount> {
        cx.touched(&self.id);
        Ok(seen_account(view, cx, &self.id)?.0.into())
    }
}

pub(super) fn seen_account(
    db: &mut impl Database,
    cx: &mut Context<'_>,
    id: &str,
) -> Result<(ServiceAccountRecord, TenantRecord)> {
    let absent = || identity_not_found(id);
    let record = service_account::find(db, id)?.filter(|record| record.status != DELETED).ok_or_else(absent)?;
    let tenant = seen_home(db, cx, &record.tenant_id)?.ok_or_else(absent)?;
    Ok((record, tenant))
}

/// `POST /v1/identity/tenants/{tenant_id}/service-accounts`
pub struct CreateServiceAccount {
    pub tenant_id: String,
    pub name: UrlName,
    pub description: Option<String>,
    /// `None`: the usual ones.
    pub allowed_scopes: Option<ScopeSet>,
    pub status: LiveStatus,
}

/// A new service account with its first client secret, which is shown this once.
pub struct NewServiceAccount {
    pub account: ServiceAccount,
    pub client_secret: OpaqueToken,
}

tenant_operation!(CreateServiceAccount, DirectoryChange, NewServiceAccount);

impl Command for CreateServiceAccount {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<NewServiceAccount> {
        let tenant = seen_tenant(tx, cx, &self.tenant_id)?;
        demand(cx.caller, &tenant, Role::TenantAdmin)?;
        check_free(tx, &tenant.id, &self.name, None)?;
        let record = ServiceAccountRecord {
            id: ServiceAccountId::from_ulid(cx.ulid()?).as_str().to_owned(),
            tenant_id: tenant.id,
            name: self.name.as_str().to_owned(),
            description: self.description.clone(),
            allowed_scopes: stored_scopes(self.allowed_scopes),
            roles: 0,
            status: self.status.as_str().to_owned(),
            created_at: cx.now,
            updated_at: cx.now,
        };
        unique(service_account::insert(tx, &record), "name", &record.name)?;
        let client_secret = cx.vault.new_token(TokenKind::ClientSecret)?;
        let first = super::credential::new_record(cx, &record, None)?;
        credential::insert(tx, &first, client_secret.hash().as_bytes())?;
        cx.touched(&record.id);
        cx.outcome(Outcome::Created);
        Ok(NewServiceAccount { account: record.into(), client_secret })
    }
}

fn check_free(db: &mut impl Database, tenant_id: &str, name: &UrlName, own_id: Option<&str>) -> Result<()> {
    match service_account::find_by_name(db, tenant_id, name.as_str())? {
        Some(other) if own_id != Some(&other.id) => Err(name_exists("name", name.as_str(), &other.id)),
        _ => Ok(()),
    }
}

/// `PATCH /v1/identity/service-accounts/{id}`; absent fields leave what is, `Some(None)` goes back to the default.
pub struct UpdateServiceAccount {
    pub id: String,
    pub name: Option<UrlName>,
    pub description: Option<Option<String>>,
    pub allowed_scopes: Option<Option<ScopeSet>>,
    pub status: Option<LiveStatus>,
}

tenant_operation!(UpdateServiceAccount, DirectoryChange, ServiceAccount);

impl Command for UpdateServiceAccount {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<ServiceAccount> {
        cx.touched(&self.id);
        let (mut record, tenant) = seen_account(tx, cx, &self.id)?;
        let roles = roles_of(record.roles);
        demand_over(cx.caller, &tenant, roles)?;
        if let Some(wanted) = self.allowed_scopes {
            check_own_scopes(cx, &record.id, session::ceiling(stored_scopes(wanted), roles))?;
        }
        if let Some(name) = &self.name {
            check_free(tx, &tenant.id, name, Some(&record.id))?;
        }
        if let Some(status) = self.status {
            set_status(tx, cx, &tenant.id, &record.id, roles, (&record.status, status))?;
        }
        let mut changed = Vec::new();
        change("name", &mut record.name, self.name.as_ref().map(|name| name.as_str().to_owned()), &mut changed);
        change("description", &mut record.description, self.description.clone(), &mut changed);
        let scopes = self.allowed_scopes.map(stored_scopes);
        change("allowed_scopes", &mut record.allowed_scopes, scopes, &mut changed);
        change("status", &mut record.status, self.status.map(|status| status.as_str().to_owned()), &mut changed);
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(service_account::update(tx, &record), "name", &record.name)?;
        }
        cx.note("changed", changed);
        Ok(record.into())
    }
}

/// `DELETE /v1/identity/service-accounts/{id}`, with its credentials.
pub struct DeleteServiceAccount {
    pub id: String,
}

tenant_operation!(DeleteServiceAccount, DirectoryChange, ());

impl Command for DeleteServiceAccount {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.id);
        let (mut record, tenant) = seen_account(tx, cx, &self.id)?;
        let roles = roles_of(record.roles);
        demand_over(cx.caller, &tenant, roles)?;
        keep_a_super_admin(tx, roles, &record.status)?;
        lapse::removed_with(tx, cx, &tenant.id, &record.id)?;
        record.status = DELETED.to_owned();
        record.roles = 0;
        record.updated_at = cx.now;
        service_account::update(tx, &record)?;
        credential::delete_all(tx, &record.id)?;
        directory::detach(tx, &tenant.id, &record.id, cx.now)?;
        subscription::delete_of_owner(tx, &record.id)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
