//! The form in which an event leaves the server (contract 07 section 1).

use scaivault_store::event::EventRecord;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};

#[derive(Serialize)]
struct Envelope<'a> {
    event_id: &'a str,
    event_type: &'a str,
    timestamp: String,
    tenant_id: &'a str,
    partner_id: &'a str,
    identity_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    data: &'a RawValue,
    request_id: &'a str,
}

/// Compact JSON: the body of a delivery, an item of a poll, the `data` of a stream.
///
/// # Errors
/// For a row that was damaged.
pub(crate) fn envelope(record: &EventRecord) -> Result<String> {
    let event = &record.event;
    let data: &RawValue = serde_json::from_str(&event.data).map_err(Error::internal)?;
    let envelope = Envelope {
        event_id: &record.id,
        event_type: &event.event_type,
        timestamp: event.at.to_rfc3339_micros(),
        tenant_id: &event.tenant_id,
        partner_id: &event.partner_id,
        identity_id: &event.identity_id,
        path: event.path.as_deref(),
        data,
        request_id: &event.request_id,
    };
    serde_json::to_string(&envelope).map_err(Error::internal)
}
