//! `/v1/identity`

pub(crate) mod credential;
pub(crate) mod group;
pub(crate) mod member;
pub(crate) mod partner;
pub(crate) mod role;
pub(crate) mod service_account;
pub(crate) mod tenant;
pub(crate) mod user;

use scaivault_domain::name::UrlName;
use scaivault_domain::scope::ScopeSet;
use scaivault_domain::time::Timestamp;
use scaivault_service::Result;
use scaivault_service::identity::{LiveStatus, PageRequest, Status};

use crate::extract::{Faults, ObjectReader, OneOf, Patch, QueryReader, Text};
use crate::input::Input;
use crate::route::field::{Parsed, scopes};

const DEFAULT_PAGE_SIZE: i64 = 50;
const MAX_PAGE_SIZE: i64 = 200;

const ANY_STATUS: [(&str, Status); 3] =
    [("ACTIVE", Status::Active), ("SUSPENDED", Status::Suspended), ("DELETED", Status::Deleted)];
const LIVE_STATUS: OneOf<LiveStatus> = OneOf(&[("ACTIVE", LiveStatus::Active), ("SUSPENDED", LiveStatus::Suspended)]);

fn page(query: &mut QueryReader<'_>) -> PageRequest {
    PageRequest {
        number: query.integer("page", 1..=i64::MAX).unwrap_or(1),
        size: query.integer("page_size", 1..=MAX_PAGE_SIZE).unwrap_or(DEFAULT_PAGE_SIZE),
    }
}

fn status(query: &mut QueryReader<'_>) -> Option<Status> {
    query.one_of("status", &ANY_STATUS)
}

/// What `GET` and `DELETE` of one thing read: its id, and no parameters.
fn only_id(input: &Input<'_>, name: &str) -> Result<String> {
    let faults = Faults::new();
    input.query(&faults).finish();
    faults.finish()?;
    Ok(input.param(name))
}

/// A name that stands in URLs.
fn url_name() -> Parsed<UrlName, scaivault_domain::name::NameError> {
    Parsed(UrlName::parse)
}

/// Free text about a thing.
fn description() -> Text {
    Text::max(2000)
}

fn allowed_scopes(body: &mut ObjectReader<'_>) -> Patch<ScopeSet> {
    body.patch("allowed_scopes", &scopes(0)).map(|scopes| scopes.into_iter().collect())
}

fn second(time: Timestamp) -> String {
    time.to_rfc3339_seconds()
}

fn opt_second(time: Option<Timestamp>) -> Option<String> {
    time.map(second)
}
