//! `/v1/secrets/batch` on the wire (contract 08).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::secret::{SecretDetails, SecretMetadata};

/// Body of a batch read.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRead {
    /// Repeats are folded.
    #[schema(min_items = 1, max_items = 100)]
    pub paths: Vec<String>,
    #[serde(default)]
    pub options: BatchReadOptions,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchReadOptions {
    #[serde(default)]
    pub include_metadata: bool,
    /// The first error is the answer of the whole call.
    #[serde(default)]
    pub fail_fast: bool,
    /// All paths at this version; absent: the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub version: Option<i64>,
}

/// One value of a batch: it neither prints nor clones.
#[derive(Serialize, ToSchema)]
pub struct BatchSecret {
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    pub version: i64,
    pub secret_type: String,
}

/// One value of a batch with `include_metadata`.
#[derive(Serialize, ToSchema)]
pub struct BatchFullSecret {
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    pub version: i64,
    #[serde(flatten)]
    pub details: SecretDetails,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum BatchItem {
    Full(Box<BatchFullSecret>),
    Minimal(BatchSecret),
}

/// What a single request for the path would have been refused with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchError {
    pub code: String,
    pub message: String,
    /// Absent when empty.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
}

/// The answer of a batch read: both maps by path.
#[derive(Serialize, ToSchema)]
pub struct BatchValues {
    pub secrets: BTreeMap<String, BatchItem>,
    pub errors: BTreeMap<String, BatchError>,
    pub success_count: usize,
    pub error_count: usize,
}

/// Body of a batch of metadata.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchMetadata {
    /// Repeats are folded.
    #[schema(min_items = 1, max_items = 100)]
    pub paths: Vec<String>,
    #[serde(default)]
    pub options: BatchMetadataOptions,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchMetadataOptions {
    /// Entries with `*` or `?` stand for the secrets that match them, as far as the caller may list them.
    #[serde(default)]
    pub expand_wildcards: bool,
}

/// The answer of a batch of metadata: both maps by path.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchOverviews {
    pub secrets: BTreeMap<String, SecretMetadata>,
    pub errors: BTreeMap<String, BatchError>,
    pub success_count: usize,
    pub error_count: usize,
    /// More matched than are shown.
    pub truncated: bool,
}
