//! `/v1/auth` on the wire (contract 02 sections 1 to 3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// `user:<email>` or `sa:<name>`.
    pub identity_id: String,
    /// `user`, `service_account` or `system`.
    pub identity_type: String,
    pub display_name: Option<String>,
    /// The home tenant.
    pub tenant_id: String,
    pub partner_id: String,
    /// Of the token, as far as the identity may hold them now.
    pub scopes: Vec<String>,
    /// `group:<name>`, direct and through nesting.
    pub groups: Vec<String>,
    pub roles: Vec<String>,
    /// Null without a second factor.
    pub mfa_verified_at: Option<String>,
    pub token_expires_at: String,
    /// Where this request takes effect.
    pub acting_tenant_id: String,
    /// Names the token in audit entries.
    pub token_ref: String,
}

/// Body of POST `/v1/auth/introspect`. Holds a token: it neither prints nor clones.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspect {
    pub token: String,
}

/// `{"active":false}` and nothing else for everything that is not usable or not the caller's to know of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Introspection {
    pub active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<String>,
}

/// Body of POST `/v1/auth/tokens`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    pub name: String,
    /// At most those of the calling token.
    pub scopes: Vec<String>,
    /// Absent: the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// A duration; default 90d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
    /// CIDR; empty: from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_ranges: Vec<String>,
}

/// A token without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub identity_id: String,
    pub tenant_id: String,
    pub scopes: Vec<String>,
    pub ip_ranges: Vec<String>,
    pub created_at: String,
    pub expires_at: String,
    pub last_used_at: Option<String>,
    /// Only in lists with `include_inactive`, on what was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    pub token_ref: String,
}

/// A new token, whose text is shown this once: it neither prints nor clones.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TokenCreated {
    #[serde(flatten)]
    pub record: Token,
    pub token: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    pub tokens: Vec<Token>,
    pub cursor: Option<String>,
    pub has_more: bool,
}
