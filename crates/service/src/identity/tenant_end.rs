//! Deleting a tenant: its key is destroyed, and with it everything that was ever sealed for it.

use scaivault_domain::access::Permit;
use scaivault_domain::role::Role;
use scaivault_store::key::{self, KeyLevel};
use scaivault_store::{Change, WriteTx, delivery_target, directory, event, job, rotation_state, subscription, tenant};

use super::access::{demand, seen_tenant};
use super::end::{last_admin, super_admin_bits};
use super::required_confirmation;
use super::rules::Refusal;
use crate::context::{Context, Outcome};
use crate::error::Result;
use crate::operation::{Command, tenant_operation};
use crate::session::DELETED;

/// `DELETE /v1/identity/tenants/{id}?confirm={id}`
pub struct DeleteTenant {
    id: String,
}

impl DeleteTenant {
    /// # Errors
    /// `validation_error`, unless `confirm` repeats the id.
    pub fn confirmed(id: String, confirm: Option<&str>) -> Result<Self> {
        required_confirmation(confirm, &id)?;
        Ok(Self { id })
    }
}

tenant_operation!(DeleteTenant, DirectoryChange, ());

impl Command for DeleteTenant {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.id);
        let mut record = seen_tenant(tx, cx, &self.id)?;
        // The trail of a deleted tenant can't be asked for any more: its end is told where the administrator is at work.
        cx.concerns_nobody_else();
        let held = demand(cx.caller, &record, Role::PartnerAdmin)?;
        let super_admins = directory::count_with_roles_in(tx, &record.id, super_admin_bits())?;
        if super_admins > 0 {
            if held < Role::SuperAdmin {
                return Err(Refusal::Outranked.into());
            }
            if super_admins >= directory::count_with_roles(tx, super_admin_bits())? {
                return Err(last_admin());
            }
        }
        record.status = DELETED.to_owned();
        record.updated_at = cx.now;
        tenant::update(tx, &record)?;
        directory::end_all_in(tx, &record.id, cx.now)?;
        job::hand_over(tx, &record.id, &record.partner_id)?;
        job::delete_all(tx, &record.id)?;
        event::delete_all(tx, &record.id)?;
        delivery_target::delete_all(tx, &record.id)?;
        rotation_state::delete_all(tx, &record.id)?;
        subscription::delete_all(tx, &record.id)?;
        key::shred(tx, KeyLevel::Tenant, &record.id)?;
        tx.changed(Change::AllSecrets);
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
