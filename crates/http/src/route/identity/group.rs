//! `/v1/identity/groups`

use scaivault_api::identity as wire;
use scaivault_service::Result;
use scaivault_service::identity::{CreateGroup, DeleteGroup, GetGroup, Group, ListGroups, Listed, UpdateGroup};

use super::{description, only_id, opt_second, page, status, url_name};
use crate::extract::{Faults, present};
use crate::input::Input;
use crate::reply::Reply;

pub(crate) fn list(input: &Input<'_>) -> Result<ListGroups> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op = ListGroups { tenant_id: input.param("tenant_id"), status: status(&mut query), page: page(&mut query) };
    query.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn listed(found: Listed<Group>, _input: &Input<'_>) -> Result<Reply> {
    let groups = found.items.iter().map(view).collect();
    Ok(Reply::json(&wire::GroupList { groups, total: found.total }))
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetGroup> {
    Ok(GetGroup { id: only_id(input, "group_id")? })
}

pub(crate) fn shown(group: Group, _input: &Input<'_>) -> Result<Reply> {
    Ok(changed(&group))
}

pub(crate) fn changed(group: &Group) -> Reply {
    Reply::json(&view(group))
}

fn view(group: &Group) -> wire::Group {
    let record = &group.record;
    wire::Group {
        id: record.id.clone(),
        tenant_id: record.tenant_id.clone(),
        name: record.name.clone(),
        identity_id: format!("group:{}", record.name),
        description: record.description.clone(),
        member_count: group.member_count,
        status: record.status.clone(),
        last_synced_at: opt_second(record.last_synced_at),
    }
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateGroup> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let name = body.require("name", &url_name());
    let description = body.patch("description", &description()).set();
    body.finish();
    faults.finish()?;
    Ok(CreateGroup { tenant_id: input.param("tenant_id"), name: present(name)?, description })
}

pub(crate) fn update(input: &Input<'_>) -> Result<UpdateGroup> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let op = UpdateGroup {
        id: input.param("group_id"),
        name: body.get("name", &url_name()),
        description: body.patch("description", &description()).into_change(),
    };
    body.read_only(&["id", "tenant_id", "identity_id", "member_count", "status", "last_synced_at"]);
    body.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteGroup> {
    Ok(DeleteGroup { id: only_id(input, "group_id")? })
}
