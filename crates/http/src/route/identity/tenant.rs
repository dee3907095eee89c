//! `/v1/identity/tenants`

use scaivault_api::identity as wire;
use scaivault_domain::id::{PartnerId, TenantId};
use scaivault_service::Result;
use scaivault_service::identity::{
    CreateTenant, DeleteTenant, GetTenant, ListTenants, Listed, SettingsChange, TenantRecord, UpdateTenant,
};

use super::{LIVE_STATUS, only_id, opt_second, page, second, status, url_name};
use crate::extract::{Duration, Faults, Integer, ObjectReader, Patch, Text, present};
use crate::input::Input;
use crate::reply::Reply;
use crate::route::field::{Name, Parsed};

pub(crate) fn list(input: &Input<'_>) -> Result<ListTenants> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op = ListTenants {
        partner_id: query.string("partner_id", &Text::chars(1..=128)),
        status: status(&mut query),
        page: page(&mut query),
    };
    query.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn listed(found: Listed<TenantRecord>, _input: &Input<'_>) -> Result<Reply> {
    let tenants = found.items.iter().map(view).collect();
    Ok(Reply::json(&wire::TenantList { tenants, total: found.total }))
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetTenant> {
    Ok(GetTenant { id: only_id(input, "tenant_id")? })
}

pub(crate) fn shown(record: TenantRecord, _input: &Input<'_>) -> Result<Reply> {
    Ok(changed(&record))
}

pub(crate) fn changed(record: &TenantRecord) -> Reply {
    Reply::json(&view(record))
}

fn view(record: &TenantRecord) -> wire::Tenant {
    wire::Tenant {
        id: record.id.clone(),
        partner_id: record.partner_id.clone(),
        name: record.name.clone(),
        slug: record.slug.clone(),
        status: record.status.clone(),
        settings: wire::TenantSettings {
            soft_delete_retention: record.settings.soft_delete_retention.clone(),
            audit_retention: record.settings.audit_retention.clone(),
            default_max_versions: record.settings.default_max_versions,
            max_secret_bytes: record.settings.max_secret_bytes,
        },
        created_at: second(record.created_at),
        last_synced_at: opt_second(record.last_synced_at),
    }
}

fn settings(body: &mut ObjectReader<'_>) -> SettingsChange {
    let mut settings = match body.patch_nested("settings") {
        Patch::Absent => return SettingsChange::default(),
        Patch::Null => return SettingsChange::reset(),
        Patch::Set(reader) => reader,
    };
    let positive = Duration { positive: true };
    SettingsChange {
        soft_delete_retention: settings.patch("soft_delete_retention", &positive).into_change(),
        audit_retention: settings.patch("audit_retention", &positive).into_change(),
        default_max_versions: settings.patch("default_max_versions", &Integer(1..=100)).into_change(),
        max_secret_bytes: settings.patch("max_secret_bytes", &Integer(1..=i64::MAX)).into_change(),
    }
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateTenant> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let id = body.patch("id", &Parsed(TenantId::parse)).set();
    let partner_id = body.require("partner_id", &Parsed(PartnerId::parse));
    let name = body.require("name", &Name);
    let slug = body.patch("slug", &url_name()).set();
    let settings = settings(&mut body);
    let status = body.get("status", &LIVE_STATUS).unwrap_or_default();
    body.finish();
    faults.finish()?;
    Ok(CreateTenant { id, partner_id: present(partner_id)?, name: present(name)?, slug, settings, status })
}

pub(crate) fn update(input: &Input<'_>) -> Result<UpdateTenant> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let op = UpdateTenant {
        id: input.param("tenant_id"),
        name: body.get("name", &Name),
        slug: body.patch("slug", &url_name()).into_change(),
        settings: settings(&mut body),
        status: body.get("status", &LIVE_STATUS),
    };
    body.read_only(&["id", "partner_id", "created_at", "last_synced_at"]);
    body.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteTenant> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op = faults.take(DeleteTenant::confirmed(input.param("tenant_id"), query.raw("confirm")));
    query.finish();
    faults.finish()?;
    present(op)
}
