//! Lists of secrets.

use scaivault_api::secret as wire;
use scaivault_domain::expiry::days_remaining;
use scaivault_domain::path::PathPrefix;
use scaivault_domain::secret::SecretType;
use scaivault_domain::time::Timestamp;
use scaivault_service::secret::{
    Criteria, ExpiringPage, ExpiringSecrets, ListFilter, ListItem, ListPage, ListSecrets, Sort,
};
use scaivault_service::{Code, Error, FaultCode, Result};

use super::render::overview_view;
use crate::extract::{Controls, Faults, QueryReader, Text, present};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

pub(crate) fn list(input: &Input<'_>) -> Result<ListSecrets> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let prefix = prefix(&mut query, &faults);
    let criteria = Criteria {
        tags: query.strings("tag", &Text::chars(1..=64).controls(Controls::None)),
        secret_type: secret_type(&mut query, &faults),
        owner: query.string("owner", &Text::chars(1..=256)),
        expires_before: query.time("expires_before"),
        updated_from: query.time("updated_after").map(Timestamp::floor_to_second),
        include_expired: query.boolean("include_expired").unwrap_or(false),
        include_deleted: query.boolean("include_deleted").unwrap_or(false),
    };
    let text = query.string("q", &Text::chars(1..=128));
    let include_metadata = query.boolean("include_metadata").unwrap_or(false);
    let by_folder = query.one_of("delimiter", &[("/", true)]).unwrap_or(false);
    let sort = query.one_of("sort", &[("path", Sort::Path), ("updated_at", Sort::UpdatedAt)]).unwrap_or_default();
    if by_folder && sort == Sort::UpdatedAt {
        query.fault("sort", FaultCode::Conflict, "cannot stand together with delimiter");
    }
    query.finish();
    faults.finish()?;
    Ok(ListSecrets {
        space: input.space,
        filter: ListFilter { prefix: present(prefix)?, criteria, text },
        include_metadata,
        by_folder,
        sort,
        limit: page.limit,
        after: page.after,
    })
}

fn prefix(query: &mut QueryReader<'_>, faults: &Faults) -> Option<PathPrefix> {
    faults.take(PathPrefix::parse(query.raw("prefix").unwrap_or_default()).map_err(|error| invalid_path(&error)))
}

fn secret_type(query: &mut QueryReader<'_>, faults: &Faults) -> Option<SecretType> {
    let text = query.raw("secret_type")?;
    let unknown = || Error::new(Code::InvalidSecretType, "There is no such secret_type").with("field", "secret_type");
    faults.take(SecretType::parse(text).ok_or_else(unknown))
}

pub(crate) fn page(page: ListPage, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::SecretList {
        secrets: page.items.iter().map(item).collect(),
        common_prefixes: page.folders,
        cursor: input.next_cursor(page.next)?,
        has_more,
        total_count: page.total_count,
    }))
}

fn item(item: &ListItem) -> wire::SecretListItem {
    let record = &item.record;
    match &item.overview {
        Some(overview) => wire::SecretListItem::Full(Box::new(wire::SecretFullItem {
            version: record.current_version,
            tags: record.metadata.tags.clone(),
            metadata: overview_view(overview),
        })),
        None => wire::SecretListItem::Minimal(wire::SecretItem {
            path: record.path.clone(),
            secret_type: record.secret_type.as_str().to_owned(),
            version: record.current_version,
            updated_at: record.updated_at.to_rfc3339_seconds(),
            expires_at: record.expires_at.map(Timestamp::to_rfc3339_seconds),
            tags: record.metadata.tags.clone(),
            deleted_at: record.trash.map(|trash| trash.deleted_at.to_rfc3339_seconds()),
            recoverable_until: record.trash.map(|trash| trash.recoverable_until.to_rfc3339_seconds()),
        }),
    }
}

pub(crate) fn expiring(input: &Input<'_>) -> Result<ExpiringSecrets> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let prefix = prefix(&mut query, &faults);
    let days = query.integer("days", 1..=3650).unwrap_or(30);
    let include_expired = query.boolean("include_expired").unwrap_or(false);
    query.finish();
    faults.finish()?;
    Ok(ExpiringSecrets {
        space: input.space,
        days,
        prefix: present(prefix)?,
        include_expired,
        limit: page.limit,
        after: page.after,
    })
}

pub(crate) fn expiring_page(page: ExpiringPage, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    let secrets = page.items.iter().map(|(path, end)| wire::ExpiringSecret {
        path: path.clone(),
        expires_at: end.to_rfc3339_seconds(),
        days_remaining: days_remaining(page.now, *end),
    });
    Ok(Reply::json(&wire::ExpiringSecrets {
        secrets: secrets.collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}
