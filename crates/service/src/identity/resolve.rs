//! From any form of an identity's name to all that is public of it.

use scaivault_domain::access::Permit;
use scaivault_domain::id::{IdentityRef, IdentityType};
use scaivault_domain::role::RoleSet;
use scaivault_store::{ReadView, group};

use super::access::seen_home;
use super::{identity_not_found, lookup};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Query, tenant_operation};
use crate::session::DELETED;

/// `GET /v1/identity/resolve/{identity_type}/{identity_id}`. A name is looked for in the caller's tenant, an id wherever the
/// caller sees.
pub struct ResolveIdentity {
    pub identity_type: String,
    pub identity_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub id: String,
    pub identity_type: IdentityType,
    pub identity_id: String,
    pub tenant_id: String,
    pub display_name: Option<String>,
    pub status: String,
    /// `group:...`, direct and through nesting.
    pub groups: Vec<String>,
    pub roles: RoleSet,
}

tenant_operation!(ResolveIdentity, DirectoryRead, Resolved);

impl Query for ResolveIdentity {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Resolved> {
        let absent = || identity_not_found(&self.identity_id);
        let wanted = IdentityRef::parse(&self.identity_id).map_err(|_| absent())?;
        if IdentityType::parse(&self.identity_type) != Some(wanted.identity_type()) {
            return Err(absent());
        }
        let found = match &wanted {
            IdentityRef::DirectoryUser(_)
            | IdentityRef::DirectoryServiceAccount(_)
            | IdentityRef::DirectoryGroup(_) => lookup::by_internal_id(view, &self.identity_id)?,
            _ => lookup::in_tenant(view, cx.caller.identity().tenant.as_str(), &wanted)?,
        };
        let found = found.filter(|found| found.status != DELETED).ok_or_else(absent)?;
        let home = seen_home(view, cx, &found.tenant_id)?.ok_or_else(absent)?;
        cx.touched(&found.internal_id);
        let groups = group::closure(view, &found.internal_id)?;
        Ok(Resolved {
            groups: groups.into_iter().map(|group| format!("group:{}", group.name)).collect(),
            id: found.internal_id,
            identity_type: found.identity_type,
            identity_id: found.identity_id,
            tenant_id: home.id,
            display_name: found.display_name,
            status: found.status,
            roles: found.roles,
        })
    }
}
