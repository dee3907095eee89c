//! One entry of the trail.

use std::collections::BTreeMap;

use scaivault_crypto::digest;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::AuditError;
use super::canonical;

/// One entry (contract 06, section 1), without its own hash.
///
/// The fields stand in the order RFC 8785 sorts their names and absent ones are left out, so what
/// serde_json writes *is* the canonical form and the hot path sorts nothing. A new field goes to
/// its sorted place; a test checks that.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// The partner in whose name a request for another tenant was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting_partner_id: Option<String>,
    /// Home tenant of the acting identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting_tenant_id: Option<String>,
    /// Name of an [`AuditAction`](super::AuditAction). Text, so that an entry of a newer server
    /// still verifies.
    pub action: String,
    /// The node whose chain this is; absent on the embedded store, where a stream is one chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// Milliseconds from the arrival of the request to the writing of the entry.
    pub duration_ms: i64,
    /// Code of the error answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Details by action. Keys are ASCII names the server chose; values strings, safe integers,
    /// booleans or arrays of strings.
    pub extra_data: BTreeMap<String, Value>,
    /// `log_` and a ULID.
    pub id: String,
    /// The acting identity; absent before authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// `user`, `service_account` or `system`; absent before authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_type: Option<String>,
    /// Hash of the entry before, hexadecimal; [`GENESIS_HASH`](super::GENESIS_HASH) in the first.
    pub prev_hash: String,
    /// The response's `X-Request-ID`.
    pub request_id: String,
    /// Id of the policy, webhook or other resource touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Path of the secret, or prefix of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_path: Option<String>,
    /// Number in the chain, from 1 and without gap.
    pub seq: i64,
    /// Address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// HTTP status of the answer.
    pub status_code: i64,
    /// Whether the status is below 400.
    pub success: bool,
    /// The tenant whose resources were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_tenant_id: Option<String>,
    /// The stream's tenant; absent in the instance stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Time of writing, RFC 3339 with microseconds, UTC.
    pub timestamp: String,
    /// Name of the token used, never the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_ref: Option<String>,
    /// The client's `User-Agent`, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl AuditEntry {
    /// The bytes the hash covers: canonical JSON (RFC 8785) of the entry.
    ///
    /// # Errors
    /// If a number or `extra_data` has no canonical form; see [`AuditError`].
    pub fn canonical_json(&self) -> Result<Vec<u8>, AuditError> {
        self.check()?;
        serde_json::to_vec(self).map_err(|_| AuditError::Serialise)
    }

    /// Whether the entry has a canonical form, so that it can be chained later without a doubt.
    ///
    /// # Errors
    /// As [`canonical_json`](Self::canonical_json).
    pub fn check(&self) -> Result<(), AuditError> {
        for number in [self.duration_ms, self.seq, self.status_code] {
            canonical::check_integer(number)?;
        }
        self.extra_data.iter().try_for_each(|(key, value)| check_extra(key, value))
    }

    /// SHA-256 of [`canonical_json`](Self::canonical_json).
    ///
    /// # Errors
    /// As [`canonical_json`](Self::canonical_json).
    pub fn hash(&self) -> Result<[u8; digest::SHA256_LEN], AuditError> {
        Ok(digest::sha256(&self.canonical_json()?))
    }
}

fn check_extra(key: &str, value: &Value) -> Result<(), AuditError> {
    // ASCII, because only there do UTF-8 and UTF-16, which RFC 8785 sorts by, agree on the order.
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(AuditError::ExtraKey);
    }
    match value {
        Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => canonical::check_number(number),
        Value::Array(items) if items.iter().all(Value::is_string) => Ok(()),
        Value::Array(_) | Value::Null | Value::Object(_) => Err(AuditError::ExtraType),
    }
}
