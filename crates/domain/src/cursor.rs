//! List cursors: where a walk stands, given to the client and back, unforgeable.
//!
//! ```text
//! base64url, no padding, of:  version 0x01 | JSON of the cursor | HMAC-SHA-256 of both, 32 bytes
//! ```
//!
//! Contract 00, section 6. Authenticated but not encrypted: a cursor may hold only what the client was
//! shown, so its position is that of an item *returned*, never of one skipped for lack of rights.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scaivault_crypto::MacKey;
use scaivault_crypto::mac;
use serde::Deserialize;
use serde::Serialize;

const VERSION: u8 = 0x01;
const VALID_MICROS: i64 = 24 * 3600 * 1_000_000;
/// How far the clock of the node that made the cursor may be ahead of ours.
const SKEW_MICROS: i64 = 60 * 1_000_000;
/// Longest text that is looked at, in bytes. Far more than the longest path with all filters needs,
/// far less than what would make hashing it worth an attacker's while.
const MAX_TEXT_LEN: usize = 16 * 1024;

/// Why a cursor is not accepted. For logs: the client gets one answer, 400 `invalid_cursor`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CursorError {
    /// Issued more than 24 hours ago.
    #[error("cursor has expired")]
    Expired,
    /// Genuine, but of another tenant or endpoint, or used with another filter value.
    #[error("cursor belongs to another list")]
    Foreign,
    /// Not made with this installation's key, or altered since.
    #[error("cursor is not authentic")]
    Forged,
    /// No cursor at all.
    #[error("cursor is malformed")]
    Malformed,
    /// Longer than any cursor of ours.
    #[error("cursor is too long")]
    TooLong,
}

/// Where a walk over a list stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Name of the list, e.g. `secrets.list`.
    #[serde(rename = "e")]
    pub endpoint: String,
    /// The acting tenant.
    #[serde(rename = "t")]
    pub tenant: String,
    /// Filters of the walk, by query parameter.
    #[serde(rename = "f")]
    pub filters: BTreeMap<String, Vec<String>>,
    /// Sort key of the last item returned.
    #[serde(rename = "p")]
    pub position: Vec<String>,
    /// Time of issue, microseconds since 1970 UTC.
    #[serde(rename = "i")]
    pub issued_at_micros: i64,
}

impl Cursor {
    /// The text for the client.
    pub fn encode(&self, key: &MacKey) -> String {
        // Strings and an integer always serialise; if they ever did not, the empty payload would
        // only make a cursor that does not decode.
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = Vec::with_capacity(1 + payload.len() + mac::TAG_LEN);
        bytes.push(VERSION);
        bytes.extend_from_slice(&payload);
        let tag = key.tag(&bytes);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor back for the list `endpoint` of `tenant` at time `now_micros`.
    ///
    /// # Errors
    /// [`CursorError`] for anything but an unaltered, fresh cursor of that very list. Nothing of the
    /// content is looked at before it is authenticated.
    pub fn decode(
        text: &str,
        key: &MacKey,
        endpoint: &str,
        tenant: &str,
        now_micros: i64,
    ) -> Result<Self, CursorError> {
        if text.len() > MAX_TEXT_LEN {
            return Err(CursorError::TooLong);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        let (signed, tag) = bytes.split_last_chunk::<{ mac::TAG_LEN }>().ok_or(CursorError::Malformed)?;
        if !key.verify(signed, tag) {
            return Err(CursorError::Forged);
        }
        let [VERSION, payload @ ..] = signed else {
            return Err(CursorError::Malformed);
        };
        let cursor: Self = serde_json::from_slice(payload).map_err(|_| CursorError::Malformed)?;
        if cursor.endpoint != endpoint || cursor.tenant != tenant {
            return Err(CursorError::Foreign);
        }
        let age = now_micros.saturating_sub(cursor.issued_at_micros);
        if !(-SKEW_MICROS..=VALID_MICROS).contains(&age) {
            return Err(CursorError::Expired);
        }
        Ok(cursor)
    }

    /// Checks the filters of a follow-up request: each one given must have the value the walk began
    /// with; those left out are taken from the cursor, so [`filters`](Self::filters) is what counts.
    ///
    /// # Errors
    /// [`CursorError::Foreign`] if one is new or differs.
    pub fn check_filters(&self, given: &BTreeMap<String, Vec<String>>) -> Result<(), CursorError> {
        let same = given.iter().all(|(name, value)| self.filters.get(name) == Some(value));
        if same { Ok(()) } else { Err(CursorError::Foreign) }
    }
}

#[cfg(test)]
mod tests;
