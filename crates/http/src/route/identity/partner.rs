//! `/v1/identity/partners`

use scaivault_api::identity as wire;
use scaivault_domain::id::PartnerId;
use scaivault_service::Result;
use scaivault_service::identity::{
    CreatePartner, DeletePartner, GetPartner, ListPartners, Listed, PartnerRecord, UpdatePartner,
};

use super::{only_id, opt_second, page, status, url_name};
use crate::extract::shape::Controls;
use crate::extract::{Faults, Text, present};
use crate::input::Input;
use crate::reply::Reply;
use crate::route::field::{Name, Parsed};

pub(crate) fn list(input: &Input<'_>) -> Result<ListPartners> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let op = ListPartners { status: status(&mut query), page: page(&mut query) };
    query.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn listed(found: Listed<PartnerRecord>, _input: &Input<'_>) -> Result<Reply> {
    let partners = found.items.iter().map(view).collect();
    Ok(Reply::json(&wire::PartnerList { partners, total: found.total }))
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetPartner> {
    Ok(GetPartner { id: only_id(input, "partner_id")? })
}

pub(crate) fn shown(record: PartnerRecord, _input: &Input<'_>) -> Result<Reply> {
    Ok(changed(&record))
}

pub(crate) fn changed(record: &PartnerRecord) -> Reply {
    Reply::json(&view(record))
}

fn view(record: &PartnerRecord) -> wire::Partner {
    wire::Partner {
        id: record.id.clone(),
        name: record.name.clone(),
        slug: record.slug.clone(),
        region: record.region.clone(),
        status: record.status.clone(),
        last_synced_at: opt_second(record.last_synced_at),
    }
}

fn region() -> Text {
    Text::chars(1..=64).controls(Controls::None)
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreatePartner> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let id = body.patch("id", &Parsed(PartnerId::parse)).set();
    let name = body.require("name", &Name);
    let slug = body.patch("slug", &url_name()).set();
    let region = body.patch("region", &region()).set();
    body.finish();
    faults.finish()?;
    Ok(CreatePartner { id, name: present(name)?, slug, region })
}

pub(crate) fn update(input: &Input<'_>) -> Result<UpdatePartner> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let op = UpdatePartner {
        id: input.param("partner_id"),
        name: body.get("name", &Name),
        slug: body.patch("slug", &url_name()).into_change(),
        region: body.patch("region", &region()).into_change(),
    };
    body.read_only(&["id", "status", "last_synced_at"]);
    body.finish();
    faults.finish()?;
    Ok(op)
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeletePartner> {
    Ok(DeletePartner { id: only_id(input, "partner_id")? })
}
