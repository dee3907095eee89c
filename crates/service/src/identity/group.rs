//! Groups.

use scaivault_domain::access::Permit;
use scaivault_domain::id::GroupId;
use scaivault_domain::name::UrlName;
use scaivault_domain::role::Role;
use scaivault_store::group::{self, GroupRecord};
use scaivault_store::tenant::TenantRecord;
use scaivault_store::{Database, ReadView, WriteTx, directory, membership};

use super::access::{demand, seen_home, seen_tenant};
use super::{Listed, PageRequest, Status, change};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::naming::{name_exists, unique};
use crate::operation::{Command, Query, tenant_operation};
use crate::policy::lapse;
use crate::session::{ACTIVE, DELETED};

/// A group and how many stand in it directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub record: GroupRecord,
    pub member_count: i64,
}

fn view(db: &mut impl Database, record: GroupRecord) -> Result<Group> {
    Ok(Group { member_count: membership::count(db, &record.id)?, record })
}

/// `GET /v1/identity/tenants/{tenant_id}/groups`
pub struct ListGroups {
    pub tenant_id: String,
    pub status: Option<Status>,
    pub page: PageRequest,
}

tenant_operation!(ListGroups, DirectoryRead, Listed<Group>);

impl Query for ListGroups {
    fn run(&self, _: &Permit, db: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Listed<Group>> {
        cx.touched(&self.tenant_id);
        let tenant = seen_tenant(db, cx, &self.tenant_id)?;
        let found = group::list(db, &tenant.id, self.status.map(Status::as_str), self.page.rows())?;
        let items = found.items.into_iter().map(|record| view(db, record)).collect::<Result<Vec<_>>>()?;
        Ok(Listed { items, total: found.total })
    }
}

/// `GET /v1/identity/groups/{id}`
pub struct GetGroup {
    pub id: String,
}

tenant_operation!(GetGroup, DirectoryRead, Group);

impl Query for GetGroup {
    fn run(&self, _: &Permit, db: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Group> {
        cx.touched(&self.id);
        let (record, _) = seen_group(db, cx, &self.id)?;
        view(db, record)
    }
}

pub(super) fn seen_group(
    db: &mut impl Database,
    cx: &mut Context<'_>,
    id: &str,
) -> Result<(GroupRecord, TenantRecord)> {
    let absent = || Error::new(Code::GroupNotFound, format!("Group '{id}' not found")).with("id", id);
    let record = group::find(db, id)?.filter(|record| record.status != DELETED).ok_or_else(absent)?;
    let tenant = seen_home(db, cx, &record.tenant_id)?.ok_or_else(absent)?;
    Ok((record, tenant))
}

/// `POST /v1/identity/tenants/{tenant_id}/groups`
pub struct CreateGroup {
    pub tenant_id: String,
    pub name: UrlName,
    pub description: Option<String>,
}

tenant_operation!(CreateGroup, DirectoryChange, Group);

impl Command for CreateGroup {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Group> {
        let tenant = seen_tenant(tx, cx, &self.tenant_id)?;
        demand(cx.caller, &tenant, Role::TenantAdmin)?;
        check_free(tx, &tenant.id, &self.name, None)?;
        let record = GroupRecord {
            id: GroupId::from_ulid(cx.ulid()?).as_str().to_owned(),
            tenant_id: tenant.id,
            name: self.name.as_str().to_owned(),
            description: self.description.clone(),
            status: ACTIVE.to_owned(),
            created_at: cx.now,
            updated_at: cx.now,
            last_synced_at: None,
        };
        unique(group::insert(tx, &record), "name", &record.name)?;
        cx.touched(&record.id);
        cx.outcome(Outcome::Created);
        Ok(Group { record, member_count: 0 })
    }
}

fn check_free(db: &mut impl Database, tenant_id: &str, name: &UrlName, own_id: Option<&str>) -> Result<()> {
    match group::find_by_name(db, tenant_id, name.as_str())? {
        Some(other) if own_id != Some(&other.id) => Err(name_exists("name", name.as_str(), &other.id)),
        _ => Ok(()),
    }
}

/// `PATCH /v1/identity/groups/{id}`; absent fields leave what is, `Some(None)` goes back to the default.
pub struct UpdateGroup {
    pub id: String,
    pub name: Option<UrlName>,
    pub description: Option<Option<String>>,
}

tenant_operation!(UpdateGroup, DirectoryChange, Group);

impl Command for UpdateGroup {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Group> {
        cx.touched(&self.id);
        let (mut record, tenant) = seen_group(tx, cx, &self.id)?;
        demand(cx.caller, &tenant, Role::TenantAdmin)?;
        if let Some(name) = &self.name {
            check_free(tx, &tenant.id, name, Some(&record.id))?;
        }
        let mut changed = Vec::new();
        change("name", &mut record.name, self.name.as_ref().map(|name| name.as_str().to_owned()), &mut changed);
        change("description", &mut record.description, self.description.clone(), &mut changed);
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(group::update(tx, &record), "name", &record.name)?;
        }
        cx.note("changed", changed);
        view(tx, record)
    }
}

/// `DELETE /v1/identity/groups/{id}`; its members lose what it gave them.
pub struct DeleteGroup {
    pub id: String,
}

tenant_operation!(DeleteGroup, DirectoryChange, ());

impl Command for DeleteGroup {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.id);
        let (mut record, tenant) = seen_group(tx, cx, &self.id)?;
        demand(cx.caller, &tenant, Role::TenantAdmin)?;
        lapse::removed_with(tx, cx, &tenant.id, &record.id)?;
        record.status = DELETED.to_owned();
        record.updated_at = cx.now;
        group::update(tx, &record)?;
        directory::detach(tx, &tenant.id, &record.id, cx.now)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
