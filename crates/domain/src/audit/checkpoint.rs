//! A signed statement about where a stream stood.

use serde::Deserialize;
use serde::Serialize;

use super::AuditError;
use super::canonical;

/// First line of what is signed. Keeps a checkpoint's signature from being taken for one of any
/// other thing the same key may ever sign.
const CONTEXT: &[u8] = b"scaivault/audit-checkpoint/v1\n";

/// What a checkpoint says; the Ed25519 signature of [`signed_bytes`](Self::signed_bytes) is kept
/// beside it. Fields in RFC 8785 order, as in [`AuditEntry`](super::AuditEntry).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Checkpoint {
    /// The node whose chain it is about; absent on the embedded store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// Hash of entry `seq`, hexadecimal.
    pub hash: String,
    /// Key that signs, as in the JWKS.
    pub key_id: String,
    /// Number of the last entry covered.
    pub seq: i64,
    /// Tenant id, or [`INSTANCE_STREAM`](super::INSTANCE_STREAM).
    pub stream: String,
    /// Time of signing, RFC 3339 with microseconds, UTC.
    pub timestamp: String,
}

impl Checkpoint {
    /// What the signature covers: a context line, then the canonical JSON of the fields that are there.
    ///
    /// # Errors
    /// [`AuditError::Number`] for a `seq` beyond 2^53 - 1.
    pub fn signed_bytes(&self) -> Result<Vec<u8>, AuditError> {
        canonical::check_integer(self.seq)?;
        let mut bytes = CONTEXT.to_vec();
        serde_json::to_writer(&mut bytes, self).map_err(|_| AuditError::Serialise)?;
        Ok(bytes)
    }
}
