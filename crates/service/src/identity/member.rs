//! Who stands in a group, directly and through groups within it.

use std::collections::BTreeMap;

use scaivault_domain::access::Permit;
use scaivault_domain::id::{IdentityRef, IdentityType};
use scaivault_domain::role::Role;
use scaivault_domain::time::Timestamp;
use scaivault_store::group::MAX_NESTING;
use scaivault_store::membership;
pub use scaivault_store::membership::MemberKind;
use scaivault_store::{Database, ReadView, WriteTx};

use super::access::demand;
use super::group::seen_group;
use super::{Listed, PageRequest, identity_not_found, lookup};
use crate::context::{Context, Outcome};
use crate::error::{Error, FaultCode, Result};
use crate::naming::name_exists;
use crate::operation::{Command, Query, tenant_operation};

/// One that a group's rights reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub kind: MemberKind,
    pub id: String,
    /// The e-mail of a user, the name of anything else.
    pub name: String,
    /// Not (only) through a group within the group.
    pub direct: bool,
    /// To the group, or to the group within it.
    pub added_at: Timestamp,
}

/// `GET /v1/identity/groups/{id}/members`
pub struct ListMembers {
    pub group_id: String,
    pub page: PageRequest,
}

tenant_operation!(ListMembers, DirectoryRead, Listed<Member>);

impl Query for ListMembers {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Listed<Member>> {
        cx.touched(&self.group_id);
        let (group, _) = seen_group(view, cx, &self.group_id)?;
        Ok(self.page.cut(all_members(view, &group.id)?))
    }
}

/// Each once, the nearest membership first found counting; by name.
fn all_members(db: &mut impl Database, group_id: &str) -> Result<Vec<Member>> {
    let mut found: BTreeMap<String, Member> = BTreeMap::new();
    let mut level = vec![group_id.to_owned()];
    let mut direct = true;
    while !level.is_empty() {
        let mut next = Vec::new();
        for group in &level {
            for record in membership::of_group(db, group)? {
                if found.contains_key(&record.id) {
                    continue;
                }
                if record.kind == MemberKind::Group {
                    next.push(record.id.clone());
                }
                let member =
                    Member { kind: record.kind, id: record.id, name: record.name, direct, added_at: record.added_at };
                found.insert(member.id.clone(), member);
            }
        }
        level = next;
        direct = false;
    }
    let mut members: Vec<Member> = found.into_values().collect();
    members.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(members)
}

/// `POST /v1/identity/groups/{id}/members`
pub struct AddMember {
    pub group_id: String,
    pub identity: IdentityRef,
}

tenant_operation!(AddMember, DirectoryChange, Member);

impl Command for AddMember {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Member> {
        cx.touched(&self.group_id);
        let (group, tenant) = seen_group(tx, cx, &self.group_id)?;
        demand(cx.caller, &tenant, Role::TenantAdmin)?;
        let named = self.identity.to_string();
        let found = lookup::in_tenant(tx, &tenant.id, &self.identity)?.ok_or_else(|| identity_not_found(&named))?;
        let kind = match found.identity_type {
            IdentityType::User => MemberKind::User,
            IdentityType::ServiceAccount => MemberKind::ServiceAccount,
            IdentityType::Group => MemberKind::Group,
            IdentityType::System => return Err(identity_not_found(&named)),
        };
        if kind == MemberKind::Group {
            check_nesting(tx, &group.id, &found.internal_id)?;
        }
        if membership::is_member(tx, &group.id, &found.internal_id)? {
            return Err(name_exists("identity_id", &found.identity_id, &found.internal_id));
        }
        membership::insert(tx, &tenant.id, &group.id, &found.internal_id, cx.now)?;
        cx.note("member", found.identity_id.as_str());
        cx.outcome(Outcome::Created);
        let name = found.identity_id.split_once(':').map_or_else(String::new, |(_, name)| name.to_owned());
        Ok(Member { kind, id: found.internal_id, name, direct: true, added_at: cx.now })
    }
}

/// # Errors
/// `validation_error`, if the groups would form a circle or stand too deep in each other.
fn check_nesting(db: &mut impl Database, group_id: &str, inner_id: &str) -> Result<()> {
    let above = membership::ancestors(db, group_id)?;
    if group_id == inner_id || above.groups.contains(inner_id) {
        let message = "would make the group a member of itself";
        return Err(Error::field("identity_id", FaultCode::Conflict, message));
    }
    let below = membership::descendants(db, inner_id)?;
    if above.depth + 1 + below.depth > MAX_NESTING {
        let message = format!("would nest groups deeper than {MAX_NESTING} levels");
        return Err(Error::field("identity_id", FaultCode::Range, message));
    }
    Ok(())
}

/// `DELETE /v1/identity/groups/{id}/members/{member_id}`
pub struct RemoveMember {
    pub group_id: String,
    /// `usr_...`, `sa_...` or `grp_...`, or the public form.
    pub member: String,
}

tenant_operation!(RemoveMember, DirectoryChange, ());

impl Command for RemoveMember {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.group_id);
        let (group, tenant) = seen_group(tx, cx, &self.group_id)?;
        demand(cx.caller, &tenant, Role::TenantAdmin)?;
        let absent = || identity_not_found(&self.member);
        let wanted = IdentityRef::parse(&self.member).map_err(|_| absent())?;
        let found = lookup::in_tenant(tx, &tenant.id, &wanted)?.ok_or_else(absent)?;
        // Who is a member only through another group can be removed only there.
        if !membership::delete(tx, &group.id, &found.internal_id)? {
            return Err(absent());
        }
        cx.note("member", found.identity_id);
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
