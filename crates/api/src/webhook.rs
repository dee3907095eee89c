//! `/v1/webhooks` on the wire (contract 07 section 3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an event must have, beside its name. Only what was asked for is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookFilters {
    /// A plain text: `app/` fits `app/x` and not `apps/x`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_type: Option<String>,
    /// All of them must be on the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// The secret is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    pub id: String,
    pub name: String,
    pub url: String,
    pub events: Vec<String>,
    pub filters: WebhookFilters,
    pub enabled: bool,
    /// `healthy`, `degraded`, `failing` or `disabled`.
    pub status: String,
    /// Until then the secret before this one signs too.
    pub previous_secret_expires_at: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// Answer of GET `/v1/webhooks/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDetails {
    #[serde(flatten)]
    pub webhook: Webhook,
    pub statistics: WebhookStatistics,
    pub last_delivery: Option<LastDelivery>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookStatistics {
    pub deliveries_24h: i64,
    /// Of those that are over, to two decimals; null before the first.
    pub success_rate_24h: Option<f64>,
    pub avg_latency_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastDelivery {
    pub id: String,
    pub timestamp: String,
    pub status: String,
    pub response_code: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    pub webhooks: Vec<Webhook>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// Body of POST `/v1/webhooks`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    pub name: String,
    /// https; at most 2,048 characters, no user info.
    pub url: String,
    /// 16 to 256 bytes, 32 or more advised.
    pub secret: String,
    /// Names, families such as `secret.*`, or `*`; 1 to 50.
    pub events: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<WebhookFilters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Body of PATCH `/v1/webhooks/{id}`: absent is unchanged, `null` goes back to the default.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// With `secret` only: how long the one before it signs too. At most 7d, default 24h, `0s` for not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_ttl: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<WebhookFilters>)]
    pub filters: Option<Option<WebhookFilters>>,
    /// `true` also forgets how it went so far.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<bool>)]
    pub enabled: Option<Option<bool>>,
}

/// Answer of POST `/v1/webhooks/{id}/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookTested {
    pub delivery_id: String,
    /// `success` or `failed`.
    pub status: String,
    /// Null without an answer.
    pub response_code: Option<u16>,
    pub duration_ms: i64,
}

/// One event on its way to one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDelivery {
    pub id: String,
    pub event_id: String,
    pub event_type: String,
    pub timestamp: String,
    /// `success`, `failed` or `pending`.
    pub status: String,
    pub attempts: i64,
    /// Of the newest attempt, as are the two below.
    pub response_code: Option<i64>,
    pub duration_ms: Option<i64>,
    pub error: Option<String>,
    /// While it is pending.
    pub next_attempt_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDeliveryList {
    pub deliveries: Vec<WebhookDelivery>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// Answer of POST `/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Redelivery {
    pub delivery_id: String,
    /// `pending`.
    pub status: String,
}
