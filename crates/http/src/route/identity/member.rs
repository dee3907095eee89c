//! `/v1/identity/groups/{id}/members`

use scaivault_api::identity as wire;
use scaivault_domain::id::IdentityRef;
use scaivault_service::Result;
use scaivault_service::identity::{AddMember, ListMembers, Listed, Member, MemberKind, RemoveMember};

use super::{only_id, page, second};
use crate::extract::{Faults, present};
use crate::input::Input;
use crate::reply::Reply;
use crate::route::field::Parsed;

pub(crate) fn list(input: &Input<'_>) -> Result<ListMembers> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op = ListMembers { group_id: input.param("group_id"), page: page(&mut query) };
    query.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn listed(found: Listed<Member>, _input: &Input<'_>) -> Result<Reply> {
    let members = found.items.iter().map(view).collect();
    Ok(Reply::json(&wire::MemberList { members, total: found.total }))
}

fn view(member: &Member) -> wire::Member {
    let (id, name) = (Some(member.id.clone()), Some(member.name.clone()));
    let membership_type = if member.direct { "DIRECT" } else { "INHERITED" }.to_owned();
    let common = wire::Member { membership_type, added_at: second(member.added_at), ..wire::Member::default() };
    match member.kind {
        MemberKind::Group => wire::Member { group_id: id, name, ..common },
        MemberKind::ServiceAccount => wire::Member { service_account_id: id, name, ..common },
        MemberKind::User => wire::Member { user_id: id, email: name, ..common },
    }
}

pub(crate) fn add(input: &Input<'_>) -> Result<AddMember> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let identity = body.require("identity_id", &Parsed(IdentityRef::parse));
    body.finish();
    faults.finish()?;
    Ok(AddMember { group_id: input.param("group_id"), identity: present(identity)? })
}

pub(crate) fn added(member: &Member) -> Reply {
    Reply::json(&view(member))
}

pub(crate) fn remove(input: &Input<'_>) -> Result<RemoveMember> {
    let member = only_id(input, "member_id")?;
    Ok(RemoveMember { group_id: input.param("group_id"), member })
}
