//! Ending a token before its time.

use scaivault_domain::access::Permit;
use scaivault_domain::role::{Role, RoleSet};
use scaivault_store::{WriteTx, token};

use super::seen_token;
use crate::context::{Context, Outcome};
use crate::error::Result;
use crate::identity::{lookup, rules};
use crate::operation::{Command, tenant_operation};

/// `DELETE /v1/auth/tokens/{id}`
pub struct RevokeToken {
    /// A token's id, or `self`.
    pub id: String,
}

tenant_operation!(RevokeToken, TokenRevoke, ());

impl Command for RevokeToken {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        let record = seen_token(tx, permit, cx.caller, &self.id)?;
        cx.touched(&record.id);
        if record.identity_id != cx.caller.identity().internal_id {
            let held = rules::demand(permit.administers(), Role::TenantAdmin)?;
            let owner = lookup::by_internal_id(tx, &record.identity_id)?;
            rules::demand_rank(held, owner.map_or(RoleSet::EMPTY, |owner| owner.roles))?;
        }
        token::revoke(tx, &record.id, cx.now)?;
        cx.note("token", record.token_ref);
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
