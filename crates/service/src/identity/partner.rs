//! Partners: the owners of tenants.

use scaivault_domain::access::Permit;
use scaivault_domain::id::{self, PartnerId};
use scaivault_domain::name::{ResourceName, UrlName};
use scaivault_domain::role::Role;
use scaivault_store::key::{self, KeyLevel};
use scaivault_store::partner::{self, PartnerRecord};
use scaivault_store::{Change, ReadView, WriteTx, tenant};

use super::access::{demand_super_admin, seen_partner};
use super::{Listed, PageRequest, Status, change};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::keyring::mint;
use crate::naming::{name_exists, slug_id};
use crate::operation::{Command, Query, tenant_operation};
use crate::session::{ACTIVE, DELETED};

/// `GET /v1/identity/partners`
pub struct ListPartners {
    pub status: Option<Status>,
    pub page: PageRequest,
}

tenant_operation!(ListPartners, DirectoryRead, Listed<PartnerRecord>);

impl Query for ListPartners {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Listed<PartnerRecord>> {
        let own = cx.caller.identity().partner.as_str();
        let only = (!cx.caller.has_role(Role::SuperAdmin)).then_some(own);
        Ok(partner::list(view, only, self.status.map(Status::as_str), self.page.rows())?)
    }
}

/// `GET /v1/identity/partners/{id}`
pub struct GetPartner {
    pub id: String,
}

tenant_operation!(GetPartner, DirectoryRead, PartnerRecord);

impl Query for GetPartner {
    fn run(&self, _: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<PartnerRecord> {
        cx.touched(&self.id);
        seen_partner(view, cx.caller, &self.id)
    }
}

/// `POST /v1/identity/partners`
pub struct CreatePartner {
    pub id: Option<PartnerId>,
    pub name: ResourceName,
    pub slug: Option<UrlName>,
    pub region: Option<String>,
}

tenant_operation!(CreatePartner, DirectoryChange, PartnerRecord);

impl Command for CreatePartner {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<PartnerRecord> {
        demand_super_admin(cx.caller)?;
        let slug = slug_of(self.slug.as_ref(), &self.name);
        let id = match &self.id {
            Some(id) => match partner::find(tx, id.as_str())? {
                Some(_) => return Err(name_exists("id", id.as_str(), id.as_str())),
                None => id.as_str().to_owned(),
            },
            None => slug_id(PartnerId::PREFIX, self.name.as_str(), cx, |id| Ok(partner::find(tx, id)?.is_some()))?,
        };
        let record = PartnerRecord {
            id,
            name: self.name.as_str().to_owned(),
            slug,
            region: self.region.clone(),
            status: ACTIVE.to_owned(),
            created_at: cx.now,
            updated_at: cx.now,
            last_synced_at: None,
        };
        partner::insert(tx, &record)?;
        let unsealed = cx.vault.keyring.unsealed()?;
        for wrapped in mint::partner(unsealed.root(), &record.id, cx.now, &*cx.vault.entropy)? {
            key::insert(tx, &wrapped)?;
        }
        cx.touched(&record.id);
        cx.outcome(Outcome::Created);
        Ok(record)
    }
}

pub(super) fn slug_of(given: Option<&UrlName>, name: &ResourceName) -> String {
    given.map_or_else(|| id::slug(name.as_str()), |slug| slug.as_str().to_owned())
}

/// `PATCH /v1/identity/partners/{id}`; absent fields leave what is, `Some(None)` goes back to the default.
pub struct UpdatePartner {
    pub id: String,
    pub name: Option<ResourceName>,
    pub slug: Option<Option<UrlName>>,
    pub region: Option<Option<String>>,
}

tenant_operation!(UpdatePartner, DirectoryChange, PartnerRecord);

impl Command for UpdatePartner {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<PartnerRecord> {
        cx.touched(&self.id);
        let mut record = seen_partner(tx, cx.caller, &self.id)?;
        demand_super_admin(cx.caller)?;
        let mut changed = Vec::new();
        change("name", &mut record.name, self.name.as_ref().map(|name| name.as_str().to_owned()), &mut changed);
        let slug = self.slug.as_ref().map(|slug| match slug {
            Some(slug) => slug.as_str().to_owned(),
            None => id::slug(&record.name),
        });
        change("slug", &mut record.slug, slug, &mut changed);
        change("region", &mut record.region, self.region.clone(), &mut changed);
        if !changed.is_empty() {
            record.updated_at = cx.now;
            partner::update(tx, &record)?;
        }
        cx.note("changed", changed);
        Ok(record)
    }
}

/// `DELETE /v1/identity/partners/{id}`; its keys go with it.
pub struct DeletePartner {
    pub id: String,
}

tenant_operation!(DeletePartner, DirectoryChange, ());

impl Command for DeletePartner {
    fn run(&self, _: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        cx.touched(&self.id);
        let mut record = seen_partner(tx, cx.caller, &self.id)?;
        demand_super_admin(cx.caller)?;
        let tenants = tenant::count_living(tx, &record.id)?;
        if tenants > 0 {
            let message = format!("The partner still has {tenants} tenants; delete them first");
            return Err(Error::new(Code::ResourceInUse, message).with("count", tenants));
        }
        record.status = DELETED.to_owned();
        record.updated_at = cx.now;
        partner::update(tx, &record)?;
        for level in [KeyLevel::Namespace, KeyLevel::Partner] {
            key::shred(tx, level, &record.id)?;
        }
        tx.changed(Change::AllSecrets);
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
