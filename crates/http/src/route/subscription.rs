//! `/v1/subscriptions`.

use std::sync::Arc;
use std::time::Duration;

use scaivault_api::subscription as wire;
use scaivault_domain::event::EventPatterns;
use scaivault_domain::glob::Glob;
use scaivault_domain::id::EventId;
use scaivault_domain::secret::SecretType;
use scaivault_domain::webhook::AddressRules;
use scaivault_service::event::Interest;
use scaivault_service::page::Page;
use scaivault_service::subscription::{
    AcknowledgeEvents, Acknowledged, CreateSubscription, DeleteSubscription, Delivery, DeliveryChange, DeliveryChoice,
    DeliveryKind, GetSubscription, ListSubscriptions, PollSubscription, Subscription, UpdateSubscription,
};
use scaivault_service::{Admitted, Code, Error, FaultCode, Result, Vault};
use serde_json::value::RawValue;

use super::webhook::{SigningSecret, Target, previous_secret_ttl};
use crate::extract::{Boolean, Controls, Faults, Integer, List, ObjectReader, OneOf, Patch, Text, present};
use crate::input::Input;
use crate::reply::Reply;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
pub(super) const MAX_PATHS: usize = 100;
pub(super) const MAX_EVENTS: usize = 50;
const MAX_TAGS: usize = 50;
const BUFFER_SIZES: std::ops::RangeInclusive<i64> = 1..=100_000;
const DEFAULT_BUFFER_SIZE: i64 = 1000;
const DEFAULT_TIMEOUT_SECONDS: i64 = 30;
const MAX_TIMEOUT_SECONDS: i64 = 60;
const DEFAULT_EVENTS: i64 = 100;
const MAX_POLLED: i64 = 1000;
const EVENT_ID_CHARS: usize = 128;

const READ_ONLY: [&str; 5] = ["id", "status", "identity_id", "created_at", "updated_at"];

const KINDS: OneOf<DeliveryKind> = OneOf(&[("polling", DeliveryKind::Polling), ("webhook", DeliveryKind::Webhook)]);

pub(crate) fn list(input: &Input<'_>) -> Result<ListSubscriptions> {
    let faults = Faults::new();
    let (query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    query.finish();
    faults.finish()?;
    Ok(ListSubscriptions { limit: page.limit, after: page.after })
}

fn texts(most: usize) -> List<Text> {
    List { item: Text::max(usize::MAX), count: 1..=most }
}

/// # Errors
/// 400 `invalid_glob`, noted.
pub(super) fn globs(texts: &[String], faults: &Faults) -> Option<Vec<Glob>> {
    let parse = |text: &String| {
        let parsed = Glob::parse(text).map_err(|error| {
            let shown: String = text.chars().take(128).collect();
            Error::new(Code::InvalidGlob, format!("The pattern is not a valid glob: {}", error.reason))
                .with("pattern", shown)
                .with("reason", error.reason)
        });
        faults.take(parsed)
    };
    texts.iter().map(parse).collect()
}

/// # Errors
/// 422 for a name that no event has, noted.
pub(super) fn patterns(texts: Vec<String>, field: &str, faults: &Faults) -> Option<EventPatterns> {
    let unknown = |index: usize| {
        let message = "names no event; use a name such as secret.rotated, a family such as secret.*, or *";
        faults.field(format!("{field}[{index}]"), FaultCode::Format, message);
    };
    EventPatterns::parse(texts).map_err(unknown).ok()
}

fn secret_type(text: &str, faults: &Faults) -> Option<SecretType> {
    let unknown = || {
        let known: Vec<&str> = SecretType::ALL.iter().map(|one| one.as_str()).collect();
        Error::new(Code::InvalidSecretType, format!("secret_type must be one of {}", known.join(", ")))
            .with("field", "filters.secret_type")
    };
    faults.take(SecretType::parse(text).ok_or_else(unknown))
}

/// `filters`, as changes: a type that is to be cleared, tags that are.
#[derive(Default)]
struct Filters {
    secret_type: Option<Option<String>>,
    tags: Option<Vec<String>>,
}

fn filters(reader: Patch<ObjectReader<'_>>) -> Filters {
    let mut reader = match reader {
        Patch::Absent => return Filters::default(),
        Patch::Null => return Filters { secret_type: Some(None), tags: Some(Vec::new()) },
        Patch::Set(reader) => reader,
    };
    let wanted = reader.patch("secret_type", &Text::max(64)).into_change();
    let tag = Text::chars(1..=64).controls(Controls::None);
    let tags = reader.patch("tags", &List { item: tag, count: 0..=MAX_TAGS }).into_change();
    let secret_type = wanted.map(|wanted| {
        let known = wanted.and_then(|text| secret_type(&text, reader.faults()));
        known.map(|known| known.as_str().to_owned())
    });
    reader.finish();
    Filters { secret_type, tags: tags.map(Option::unwrap_or_default) }
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateSubscription> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.require("name", &Text::name());
    let paths = body.require("paths", &texts(MAX_PATHS)).and_then(|texts| globs(&texts, &faults));
    let events = body.require("events", &texts(MAX_EVENTS)).and_then(|texts| patterns(texts, "events", &faults));
    let filters = filters(body.patch_nested("filters"));
    let delivery = new_delivery(body.nested("delivery"), &input.vault.settings().webhook_addresses);
    let enabled = body.patch("enabled", &Boolean).set().unwrap_or(true);
    body.finish();
    faults.finish()?;
    let interest = Interest {
        paths: present(paths)?,
        events: present(events)?,
        secret_type: filters.secret_type.flatten(),
        tags: filters.tags.unwrap_or_default(),
    };
    Ok(CreateSubscription { name: present(name)?, interest, delivery: present(delivery)?, enabled, verdict: Ok(()) })
}

fn new_delivery(mut reader: ObjectReader<'_>, rules: &AddressRules) -> Option<DeliveryChoice> {
    let delivery = match reader.require("type", &KINDS) {
        Some(DeliveryKind::Polling) => {
            let buffer_size = reader.get("buffer_size", &Integer(BUFFER_SIZES)).unwrap_or(DEFAULT_BUFFER_SIZE);
            not_for(&mut reader, &["url", "secret"], "is for delivery by webhook only");
            Some(DeliveryChoice::Polling { buffer_size })
        }
        Some(DeliveryKind::Webhook) => {
            let url = reader.require("url", &Target(rules));
            let secret = reader.require("secret", &SigningSecret);
            not_for(&mut reader, &["buffer_size"], "is for polling only");
            url.zip(secret).map(|(url, secret)| DeliveryChoice::Webhook { url, secret })
        }
        None => {
            // Of which kind the others are is not known.
            for field in ["buffer_size", "url", "secret"] {
                reader.raw(field);
            }
            None
        }
    };
    reader.finish();
    delivery
}

fn not_for(reader: &mut ObjectReader<'_>, fields: &[&str], message: &str) {
    for field in fields {
        if reader.raw(field).is_some() {
            reader.fault(field, FaultCode::NotAllowed, message);
        }
    }
}

/// A request that says all it has to say by its address.
fn nothing_else(input: &Input<'_>) -> Result<()> {
    let faults = Faults::new();
    input.query(&faults).finish();
    input.body(&faults).finish();
    faults.finish()
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetSubscription> {
    nothing_else(input)?;
    Ok(GetSubscription { id: input.param("id") })
}

pub(crate) fn patch(input: &Input<'_>) -> Result<UpdateSubscription> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.get("name", &Text::name());
    let paths = body.get("paths", &texts(MAX_PATHS)).and_then(|texts| globs(&texts, &faults));
    let events = body.get("events", &texts(MAX_EVENTS)).and_then(|texts| patterns(texts, "events", &faults));
    let filters = filters(body.patch_nested("filters"));
    let delivery = delivery_change(body.nested("delivery"), &input.vault.settings().webhook_addresses);
    let enabled = body.patch("enabled", &Boolean).into_change().map(|enabled| enabled.unwrap_or(true));
    body.finish();
    faults.finish()?;
    Ok(UpdateSubscription {
        id: input.param("id"),
        name,
        paths,
        events,
        secret_type: filters.secret_type,
        tags: filters.tags,
        enabled,
        delivery,
        verdict: Ok(()),
    })
}

fn delivery_change(mut reader: ObjectReader<'_>, rules: &AddressRules) -> DeliveryChange {
    let with_secret = reader.has("secret");
    let change = DeliveryChange {
        kind: reader.get("type", &KINDS),
        buffer_size: reader.get("buffer_size", &Integer(BUFFER_SIZES)),
        url: reader.get("url", &Target(rules)),
        secret: reader.get("secret", &SigningSecret),
        previous_secret_ttl_seconds: previous_secret_ttl(&mut reader, with_secret),
    };
    reader.finish();
    change
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteSubscription> {
    nothing_else(input)?;
    Ok(DeleteSubscription { id: input.param("id") })
}

pub(crate) fn poll(input: &Input<'_>) -> Result<PollSubscription> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let timeout = query.integer("timeout", 0..=MAX_TIMEOUT_SECONDS).unwrap_or(DEFAULT_TIMEOUT_SECONDS);
    let max_events = query.integer("max_events", 1..=MAX_POLLED).unwrap_or(DEFAULT_EVENTS);
    let since_event_id = query.raw("since_event_id").and_then(|text| event_id(text, "since_event_id", &faults));
    query.finish();
    faults.finish()?;
    Ok(PollSubscription {
        id: input.param("id"),
        since_event_id,
        max_events: usize::try_from(max_events).unwrap_or(1),
        timeout: Duration::from_secs(timeout.unsigned_abs()),
    })
}

/// What an event's id looks like; whether there is such an event is another matter.
pub(super) fn event_id(text: &str, field: &str, faults: &Faults) -> Option<String> {
    let note = |error: scaivault_domain::id::IdError| faults.field(field, FaultCode::Format, error.to_string());
    EventId::parse(text).map_err(note).ok().map(|id| id.as_str().to_owned())
}

pub(crate) async fn polled(vault: Arc<Vault>, admitted: Admitted, poll: PollSubscription) -> Result<Reply> {
    let polled = vault.poll(&admitted, poll).await?.output;
    let events = polled.events.into_iter().map(RawValue::from_string).collect::<std::result::Result<_, _>>();
    Ok(Reply::json(&wire::PolledEvents {
        events: events.map_err(Error::internal)?,
        has_more: polled.has_more,
        dropped: Some(polled.dropped).filter(|dropped| *dropped > 0),
        gap: polled.gap,
    }))
}

pub(crate) fn acknowledge(input: &Input<'_>) -> Result<AcknowledgeEvents> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let ids = List { item: Text::chars(1..=EVENT_ID_CHARS), count: 1..=1000 };
    let event_ids = body.require("event_ids", &ids);
    body.finish();
    faults.finish()?;
    Ok(AcknowledgeEvents { id: input.param("id"), event_ids: present(event_ids)? })
}

pub(crate) fn acknowledged(done: &Acknowledged) -> Reply {
    Reply::json(&wire::Acknowledged { acknowledged: done.0 })
}

fn view(found: &Subscription) -> wire::Subscription {
    let record = &found.record;
    let buffer_size = match record.delivery {
        Delivery::Polling { buffer_size } => Some(buffer_size),
        Delivery::Webhook => None,
    };
    wire::Subscription {
        id: record.id.clone(),
        name: record.name.clone(),
        status: found.status().as_str().to_owned(),
        identity_id: found.identity_id.clone(),
        paths: record.paths.clone(),
        events: record.events.clone(),
        filters: wire::SubscriptionFilters {
            secret_type: record.secret_type.clone(),
            tags: Some(record.tags.clone()).filter(|tags| !tags.is_empty()),
        },
        delivery: wire::SubscriptionDelivery {
            delivery_type: if buffer_size.is_some() { "polling" } else { "webhook" }.to_owned(),
            buffer_size,
            url: found.target.as_ref().map(|target| target.url.clone()),
            previous_secret_expires_at: found
                .target
                .as_ref()
                .map(|target| target.previous.as_ref().map(|previous| previous.ends_at.to_rfc3339_seconds())),
        },
        enabled: record.enabled,
        created_at: record.created_at.to_rfc3339_seconds(),
        updated_at: record.updated_at.to_rfc3339_seconds(),
    }
}

pub(crate) fn subscription(found: &Subscription) -> Reply {
    Reply::json(&view(found))
}

pub(crate) fn subscription_of(found: Subscription, _input: &Input<'_>) -> Result<Reply> {
    Ok(subscription(&found))
}

pub(crate) fn page(page: Page<Subscription>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::SubscriptionList {
        subscriptions: page.items.iter().map(view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}
