//! How identities stop: suspended, or for good.

use scaivault_domain::role::{Role, RoleSet};
use scaivault_store::{Database, WriteTx, directory, token};

use super::{LiveStatus, stored_roles};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::session::ACTIVE;

pub(super) fn super_admin_bits() -> i64 {
    stored_roles(RoleSet::EMPTY.with(Role::SuperAdmin))
}

pub(super) fn last_admin() -> Error {
    Error::new(Code::LastAdmin, "This is the last super_admin; make another one first")
}

/// Before an identity loses the role, or its use.
///
/// # Errors
/// `last_admin`, if no usable super_admin would remain.
pub(super) fn keep_a_super_admin(db: &mut impl Database, roles: RoleSet, status: &str) -> Result<()> {
    let counts = roles.contains(Role::SuperAdmin) && status == ACTIVE;
    if counts && directory::count_with_roles(db, super_admin_bits())? <= 1 {
        return Err(last_admin());
    }
    Ok(())
}

/// What a new state means for the tokens: those of a suspended identity end for good, so that its return brings none back.
pub(super) fn set_status(
    tx: &mut WriteTx<'_>,
    cx: &Context<'_>,
    tenant_id: &str,
    identity_id: &str,
    roles: RoleSet,
    (before, after): (&str, LiveStatus),
) -> Result<()> {
    if after == LiveStatus::Suspended && before == ACTIVE {
        keep_a_super_admin(tx, roles, before)?;
        token::revoke_of_identity(tx, tenant_id, identity_id, cx.now)?;
    }
    Ok(())
}
