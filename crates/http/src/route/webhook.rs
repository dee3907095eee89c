//! `/v1/webhooks`.

use scaivault_api::webhook as wire;
use scaivault_crypto::SecretString;
use scaivault_domain::path::PathPrefix;
use scaivault_domain::secret::SecretType;
use scaivault_domain::time::Timestamp;
use scaivault_domain::webhook::{AddressRules, DeliveryStatus, MAX_PREVIOUS_SECRET_SECONDS, SECRET_BYTES, TargetUrl};
use scaivault_service::page::Page;
use scaivault_service::webhook::{
    CreateWebhook, DeleteWebhook, DeliveryRecord, FilterChange, Filters, GetWebhook, ListDeliveries, ListWebhooks,
    Redeliver, Redelivered, TestWebhook, Trial, UpdateWebhook, Webhook, WebhookDetails,
};
use scaivault_service::{Code, Error, FaultCode, Result};

use super::subscription::{MAX_EVENTS, patterns};
use crate::extract::json::Node;
use crate::extract::{
    Boolean, Controls, Duration, Faults, List, ObjectReader, Patch, SecretText, Shape, Text, present,
};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
const MAX_TAGS: usize = 50;

const READ_ONLY: [&str; 7] =
    ["id", "status", "previous_secret_expires_at", "created_at", "updated_at", "statistics", "last_delivery"];

const STATUSES: [(&str, DeliveryStatus); 3] =
    [("success", DeliveryStatus::Success), ("failed", DeliveryStatus::Failed), ("pending", DeliveryStatus::Pending)];

/// Where deliveries may go, as far as the text tells; what its name leads to is looked at later.
pub(super) struct Target<'a>(pub(super) &'a AddressRules);

impl Shape for Target<'_> {
    type Out = TargetUrl;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<TargetUrl> {
        let text = Text::max(usize::MAX).read(node, field, faults)?;
        let url = TargetUrl::parse(&text);
        let url = url.map_err(|error| faults.field(field, FaultCode::Format, error.to_string())).ok()?;
        if url.is_plain() && !self.0.may_admit_plain(&url.host()) {
            faults.field(field, FaultCode::Format, "must be an https:// URL");
            return None;
        }
        Some(url)
    }
}

/// What deliveries are signed with.
pub(super) struct SigningSecret;

impl Shape for SigningSecret {
    type Out = SecretString;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<SecretString> {
        let mut text = SecretText(Text::max(usize::MAX).controls(Controls::Any)).read(node, field, faults)?;
        if !SECRET_BYTES.contains(&text.len()) {
            let (min, max) = (SECRET_BYTES.start(), SECRET_BYTES.end());
            faults.field(field, FaultCode::Range, format!("must have between {min} and {max} bytes"));
            return None;
        }
        Some(SecretString::new(std::mem::take(&mut *text)))
    }
}

/// `previous_secret_ttl`, which means something beside a new secret only.
pub(super) fn previous_secret_ttl(reader: &mut ObjectReader<'_>, with_secret: bool) -> Option<i64> {
    let given = reader.has("previous_secret_ttl");
    let seconds = reader.get("previous_secret_ttl", &Duration { positive: false })?.seconds();
    if given && !with_secret {
        reader.fault("previous_secret_ttl", FaultCode::NotAllowed, "can be given with a new secret only");
    }
    if seconds > MAX_PREVIOUS_SECRET_SECONDS {
        reader.fault("previous_secret_ttl", FaultCode::Range, "must be at most 7d");
    }
    Some(seconds)
}

fn events() -> List<Text> {
    List { item: Text::max(usize::MAX), count: 1..=MAX_EVENTS }
}

/// Merged field by field; `null` takes one away, or all of them.
fn filters(reader: Patch<ObjectReader<'_>>) -> FilterChange {
    let mut reader = match reader {
        Patch::Absent => return FilterChange::default(),
        Patch::Null => return FilterChange::none(),
        Patch::Set(reader) => reader,
    };
    let faults = reader.faults();
    let prefix = |text: String| {
        let parsed = PathPrefix::parse(&text);
        faults.take(parsed.map_err(|error| invalid_path(&error).with("field", "filters.path_prefix"))).map(|_| text)
    };
    let secret_type = |text: String| {
        let unknown = || {
            let known: Vec<&str> = SecretType::ALL.iter().map(|one| one.as_str()).collect();
            Error::new(Code::InvalidSecretType, format!("secret_type must be one of {}", known.join(", ")))
                .with("field", "filters.secret_type")
        };
        faults.take(SecretType::parse(&text).ok_or_else(unknown)).map(|known| known.as_str().to_owned())
    };
    let given = reader.patch("path_prefix", &Text::max(usize::MAX)).into_change();
    let path_prefix = given.map(|text| text.and_then(prefix));
    let given = reader.patch("secret_type", &Text::max(64)).into_change();
    let secret_type = given.map(|text| text.and_then(secret_type));
    let tag = Text::chars(1..=64).controls(Controls::None);
    let tags = reader.patch("tags", &List { item: tag, count: 0..=MAX_TAGS }).into_change();
    reader.finish();
    FilterChange { path_prefix, secret_type, tags }
}

pub(crate) fn list(input: &Input<'_>) -> Result<ListWebhooks> {
    let faults = Faults::new();
    let (query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    query.finish();
    faults.finish()?;
    Ok(ListWebhooks { limit: page.limit, after: page.after })
}

pub(crate) fn create(input: &Input<'_>) -> Result<CreateWebhook> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.require("name", &Text::name());
    let url = body.require("url", &Target(&input.vault.settings().webhook_addresses));
    let secret = body.require("secret", &SigningSecret);
    let events = body.require("events", &events()).and_then(|texts| patterns(texts, "events", &faults));
    let mut filters = Filters::default();
    self::filters(body.patch_nested("filters")).apply(&mut filters);
    let enabled = body.patch("enabled", &Boolean).set().unwrap_or(true);
    previous_secret_ttl(&mut body, false);
    body.finish();
    faults.finish()?;
    Ok(CreateWebhook {
        name: present(name)?,
        url: present(url)?,
        secret: present(secret)?,
        events: present(events)?,
        filters,
        enabled,
        verdict: Ok(()),
    })
}

/// A request that says all it has to say by its address.
fn nothing_else(input: &Input<'_>) -> Result<()> {
    let faults = Faults::new();
    input.query(&faults).finish();
    input.body(&faults).finish();
    faults.finish()
}

pub(crate) fn get(input: &Input<'_>) -> Result<GetWebhook> {
    nothing_else(input)?;
    Ok(GetWebhook { id: input.param("id") })
}

pub(crate) fn patch(input: &Input<'_>) -> Result<UpdateWebhook> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    body.read_only(&READ_ONLY);
    let name = body.get("name", &Text::name());
    let url = body.get("url", &Target(&input.vault.settings().webhook_addresses));
    let with_secret = body.has("secret");
    let secret = body.get("secret", &SigningSecret);
    let previous_secret_ttl_seconds = previous_secret_ttl(&mut body, with_secret);
    let events = body.get("events", &events()).and_then(|texts| patterns(texts, "events", &faults));
    let filters = filters(body.patch_nested("filters"));
    let enabled = body.patch("enabled", &Boolean).into_change().map(|enabled| enabled.unwrap_or(true));
    body.finish();
    faults.finish()?;
    Ok(UpdateWebhook {
        id: input.param("id"),
        name,
        url,
        secret,
        previous_secret_ttl_seconds,
        events,
        filters,
        enabled,
        verdict: Ok(()),
    })
}

pub(crate) fn delete(input: &Input<'_>) -> Result<DeleteWebhook> {
    nothing_else(input)?;
    Ok(DeleteWebhook { id: input.param("id") })
}

pub(crate) fn test(input: &Input<'_>) -> Result<TestWebhook> {
    nothing_else(input)?;
    Ok(TestWebhook::new(input.param("id")))
}

pub(crate) fn deliveries(input: &Input<'_>) -> Result<ListDeliveries> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let status = query.one_of("status", &STATUSES);
    query.finish();
    faults.finish()?;
    Ok(ListDeliveries { webhook_id: input.param("id"), status, limit: page.limit, after: page.after })
}

pub(crate) fn redeliver(input: &Input<'_>) -> Result<Redeliver> {
    nothing_else(input)?;
    Ok(Redeliver { webhook_id: input.param("id"), delivery_id: input.param("delivery_id") })
}

fn view(webhook: &Webhook) -> wire::Webhook {
    let target = &webhook.target;
    wire::Webhook {
        id: target.id.clone(),
        name: webhook.name.clone(),
        url: target.url.clone(),
        events: webhook.events.clone(),
        filters: wire::WebhookFilters {
            path_prefix: webhook.filters.path_prefix.clone(),
            secret_type: webhook.filters.secret_type.clone(),
            tags: webhook.filters.tags.clone(),
        },
        enabled: target.enabled,
        status: target.health.standing(target.enabled).as_str().to_owned(),
        previous_secret_expires_at: target.previous.as_ref().map(|previous| previous.ends_at.to_rfc3339_seconds()),
        created_at: webhook.created_at.to_rfc3339_seconds(),
        updated_at: webhook.updated_at.to_rfc3339_seconds(),
    }
}

pub(crate) fn webhook(webhook: &Webhook) -> Reply {
    Reply::json(&view(webhook))
}

pub(crate) fn page(page: Page<Webhook>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::WebhookList {
        webhooks: page.items.iter().map(view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

pub(crate) fn details(details: WebhookDetails, _input: &Input<'_>) -> Result<Reply> {
    let figures = details.figures;
    let finished = figures.succeeded + figures.failed;
    #[allow(clippy::cast_precision_loss, reason = "shown to two decimals")]
    let rate = (finished > 0).then(|| (figures.succeeded as f64 / finished as f64 * 100.0).round() / 100.0);
    Ok(Reply::json(&wire::WebhookDetails {
        webhook: view(&details.webhook),
        statistics: wire::WebhookStatistics {
            deliveries_24h: figures.deliveries,
            success_rate_24h: rate,
            avg_latency_ms: figures.duration_ms.checked_div(figures.attempted).unwrap_or(0),
        },
        last_delivery: details.last_delivery.map(|last| wire::LastDelivery {
            response_code: last.last.as_ref().and_then(|attempt| attempt.response_code),
            status: last.status.as_str().to_owned(),
            timestamp: last.delivery.created_at.to_rfc3339_seconds(),
            id: last.delivery.id,
        }),
    }))
}

pub(crate) fn tested(trial: &Trial) -> Reply {
    let status = if trial.succeeded { DeliveryStatus::Success } else { DeliveryStatus::Failed };
    Reply::json(&wire::WebhookTested {
        delivery_id: trial.delivery_id.clone(),
        status: status.as_str().to_owned(),
        response_code: trial.response_code,
        duration_ms: trial.duration_ms,
    })
}

fn delivery_view(record: &DeliveryRecord) -> wire::WebhookDelivery {
    let (delivery, last) = (&record.delivery, record.last.as_ref());
    wire::WebhookDelivery {
        id: delivery.id.clone(),
        event_id: delivery.event_id.clone(),
        event_type: delivery.event_type.clone(),
        timestamp: delivery.created_at.to_rfc3339_seconds(),
        status: record.status.as_str().to_owned(),
        attempts: record.attempts,
        response_code: last.and_then(|attempt| attempt.response_code),
        duration_ms: last.map(|attempt| attempt.duration_ms),
        error: last.and_then(|attempt| attempt.error.clone()),
        next_attempt_at: record.next_attempt_at.map(Timestamp::to_rfc3339_seconds),
    }
}

pub(crate) fn delivery_page(page: Page<DeliveryRecord>, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    Ok(Reply::json(&wire::WebhookDeliveryList {
        deliveries: page.items.iter().map(delivery_view).collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

pub(crate) fn redelivered(made: &Redelivered) -> Reply {
    let status = DeliveryStatus::Pending.as_str().to_owned();
    Reply::json(&wire::Redelivery { delivery_id: made.delivery_id.clone(), status })
}
