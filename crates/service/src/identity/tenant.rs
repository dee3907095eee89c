//! Tenants: made with a key of their own.

use scaivault_domain::access::Permit;
use scaivault_domain::id::{self, PartnerId, TenantId};
use scaivault_domain::name::{ResourceName, UrlName};
use scaivault_domain::role::Role;
use scaivault_store::key::{self, KeyLevel};
use scaivault_store::tenant::{self, TenantRecord, TenantSettings, Within};
use scaivault_store::{ReadView, WriteTx};

use super::access::{demand, seen_partner, seen_tenant};
use super::partner::slug_of;
use super::{Listed, LiveStatus, PageRequest, SettingsChange, Status, change, rules};
use crate::context::{Context, Outcome};
use crate::error::{Error, Result};
use crate::keyring::mint;
use crate::naming::{name_exists, slug_id};
use crate::operation::{Command, Query, tenant_operation};

/// `GET /v1/identity/tenants`
pub struct ListTenants {
    pub partner_id: Option<String>,
    pub status: Option<Status>,
    pub page: PageRequest,
}

tenant_operation!(ListTenants, DirectoryRead, Listed<TenantRecord>);

impl Query for ListTenants {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Listed<TenantRecord>> {
        let identity = cx.caller.identity();
        let mut within = Within { wanted_partner: self.partner_id.as_deref(), ..Within::default() };
        match rules::authority(identity, identity.partner.as_str(), identity.tenant.as_str()) {
            Some(Role::SuperAdmin) => {}
            Some(Role::PartnerAdmin) => within.partner = Some(identity.partner.as_str()),
            Some(Role::TenantAdmin) | None => within.tenant = Some(identity.tenant.as_str()),
        }
        Ok(tenant::list(view, within, self.status.map(Status::as_str), self.page.rows())?)
    }
}

/// `GET /v1/identity/tenants/{id}`
pub struct GetTenant {
    pub id: String,
}

tenant_operation!(GetTenant, DirectoryRead, TenantRecord);

impl Query for GetTenant {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<TenantRecord> {
        cx.touched(&self.id);
        seen_tenant(view, cx, &self.id)
    }
}

/// `POST /v1/identity/tenants`
pub struct CreateTenant {
    pub id: Option<TenantId>,
    pub partner_id: PartnerId,
    pub name: ResourceName,
    pub slug: Option<UrlName>,
    pub settings: SettingsChange,
    pub status: LiveStatus,
}

tenant_operation!(CreateTenant, DirectoryChange, TenantRecord);

impl Command for CreateTenant {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<TenantRecord> {
        self.settings.check(cx)?;
        let partner = seen_partner(tx, cx.caller, self.partner_id.as_str())?;
        // The new tenant is nobody's home yet, so that only roles over the partner count.
        rules::demand(rules::authority(cx.caller.identity(), &partner.id, ""), Role::PartnerAdmin)?;
        let id = match &self.id {
            Some(id) => match tenant::find(tx, id.as_str())? {
                Some(_) => return Err(name_exists("id", id.as_str(), id.as_str())),
                None => id.as_str().to_owned(),
            },
            None => slug_id(TenantId::PREFIX, self.name.as_str(), cx, |id| Ok(tenant::find(tx, id)?.is_some()))?,
        };
        let mut settings = TenantSettings::default();
        self.settings.apply(&mut settings, &mut Vec::new());
        let record = TenantRecord {
            id,
            partner_id: partner.id,
            name: self.name.as_str().to_owned(),
            slug: slug_of(self.slug.as_ref(), &self.name),
            status: self.status.as_str().to_owned(),
            settings,
            created_at: cx.now,
            updated_at: cx.now,
            last_synced_at: None,
        };
        tenant::insert(tx, &record)?;
        give_key(tx, cx, &record)?;
        cx.touched(&record.id);
        cx.outcome(Outcome::Created);
        Ok(record)
    }
}

/// In the same transaction, so that no tenant is ever without a key.
fn give_key(tx: &mut WriteTx<'_>, cx: &Context<'_>, record: &TenantRecord) -> Result<()> {
    let partner_keys = key::of_owner(tx, KeyLevel::Partner, &record.partner_id)?;
    let newest = partner_keys.first().ok_or_else(|| Error::internal(format!("{} has no key", record.partner_id)))?;
    let unsealed = cx.vault.keyring.unsealed()?;
    let wrapped = mint::tenant(unsealed.root(), newest, &record.id, cx.now, &*cx.vault.entropy)?;
    Ok(key::insert(tx, &wrapped)?)
}

/// `PATCH /v1/identity/tenants/{id}`; absent fields leave what is, `Some(None)` goes back to the default.
pub struct UpdateTenant {
    pub id: String,
    pub name: Option<ResourceName>,
    pub slug: Option<Option<UrlName>>,
    pub settings: SettingsChange,
    pub status: Option<LiveStatus>,
}

tenant_operation!(UpdateTenant, DirectoryChange, TenantRecord);

impl Command for UpdateTenant {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<TenantRecord> {
        cx.touched(&self.id);
        self.settings.check(cx)?;
        let mut record = seen_tenant(tx, cx, &self.id)?;
        // A tenant can't lock itself out, nor let itself in again.
        let needed = if self.status.is_some() { Role::PartnerAdmin } else { Role::TenantAdmin };
        demand(cx.caller, &record, needed)?;
        let mut changed = Vec::new();
        change("name", &mut record.name, self.name.as_ref().map(|name| name.as_str().to_owned()), &mut changed);
        let slug = self.slug.as_ref().map(|slug| match slug {
            Some(slug) => slug.as_str().to_owned(),
            None => id::slug(&record.name),
        });
        change("slug", &mut record.slug, slug, &mut changed);
        self.settings.apply(&mut record.settings, &mut changed);
        change("status", &mut record.status, self.status.map(|status| status.as_str().to_owned()), &mut changed);
        if !changed.is_empty() {
            record.updated_at = cx.now;
            tenant::update(tx, &record)?;
        }
        cx.note("changed", changed);
        Ok(record)
    }
}
