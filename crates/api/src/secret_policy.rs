//! `/v1/secret-policies` on the wire (contract 05).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// How one field of a new value is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeField {
    pub name: String,
    /// `random`, `hex`, `uuid`, `template` or `static`.
    pub generator: String,
    /// Settings of the generator.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub config: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SecretPolicy {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// `password`, `api_key`, `oauth_client`, `ssh_key` or `custom`; a hint that binds nothing.
    pub policy_type: String,
    pub fields: Vec<RecipeField>,
    pub is_active: bool,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SecretPolicyList {
    pub secret_policies: Vec<SecretPolicy>,
    pub cursor: Option<String>,
    pub has_more: bool,
}

/// Body of POST and PUT: what is left out takes its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecretPolicy {
    pub name: String,
    pub fields: Vec<RecipeField>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// Body of PATCH: absent is unchanged, `null` goes back to the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretPolicyPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Replaces the recipe whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<RecipeField>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<String>)]
    pub policy_type: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]
    #[schema(value_type = Option<bool>)]
    pub is_active: Option<Option<bool>>,
}

/// Body of POST `/v1/secret-policies/preview`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsavedRecipe {
    pub fields: Vec<RecipeField>,
}

/// What a recipe made this time. Holds values: it neither prints nor clones.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct RecipePreview {
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

/// Body of POST `/v1/secret-policies/{id}/generate`. `metadata` and `options` are those of PUT `/v1/secrets/{path}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub options: Option<serde_json::Map<String, serde_json::Value>>,
}
