//! `/v1/subscriptions` on the wire (contract 07 section 5).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// What the secret of an event must be. Only what was asked for is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionFilters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_type: Option<String>,
    /// All of them must be on the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// How events reach the owner. The secret of a webhook is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionDelivery {
    /// `webhook` or `polling`.
    #[serde(rename = "type")]
    pub delivery_type: String,
    /// Polling only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_size: Option<i64>,
    /// Webhook only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Webhook only; null unless the secret was changed a short time ago.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub previous_secret_expires_at: Option<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subscription {
    pub id: String,
    pub name: String,
    /// `active`, `paused` or `failing`.
    pub status: String,
    /// The owner.
    pub identity_id: String,
    pub paths: Vec<String>,
    pub events: Vec<String>,
    pub filters: SubscriptionFilters,
    pub delivery: SubscriptionDelivery,
    pub enabled: bool,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionList {
    pub subscriptions: Vec<Subscription>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// `delivery` of POST `/v1/subscriptions`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscriptionDelivery {
    /// `webhook` or `polling`; it stays.
    #[serde(rename = "type")]
    pub delivery_type: String,
    /// Polling only; 1 to 100,000, default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_size: Option<i64>,
    /// Webhook only, and required there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Webhook only, and required there; 16 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Body of POST `/v1/subscriptions`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    pub name: String,
    /// Globs; 1 to 100.
    pub paths: Vec<String>,
    /// Names, `secret.*` or `*`; 1 to 50.
    pub events: Vec<String>,
    pub delivery: NewSubscriptionDelivery,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<SubscriptionFilters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// `delivery` of PATCH `/v1/subscriptions/{id}`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionDeliveryPatch {
    /// Only what it is already.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub delivery_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_size: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How long the secret before signs too; with `secret` only, default 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_ttl: Option<String>,
}

/// Body of PATCH `/v1/subscriptions/{id}`: absent is unchanged.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<SubscriptionDeliveryPatch>,
    /// `null`, also of a field in it, takes the filter away.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<SubscriptionFilters>)]
    pub filters: Option<Option<SubscriptionFilters>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<bool>)]
    pub enabled: Option<Option<bool>>,
}

/// What happened (contract 07 section 1).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Event {
    pub event_id: String,
    pub event_type: String,
    pub timestamp: String,
    pub tenant_id: String,
    pub partner_id: String,
    pub identity_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// By event; never a value.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    pub request_id: String,
}

/// The answer of a poll.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PolledEvents {
    /// Oldest first.
    #[schema(value_type = Vec<Event>)]
    pub events: Vec<Box<RawValue>>,
    pub has_more: bool,
    /// Absent when 0: events that were pushed out of the full buffer since something was last acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<i64>,
    /// Only when true: `since_event_id` is not held any more, and these are from the oldest held on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
}

/// Body of POST `/v1/subscriptions/{id}/ack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// 1 to 1000.
    pub event_ids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acknowledged {
    pub acknowledged: i64,
}
