//! The one error of the product, free of any transport.
//!
//! Every error carries a [`Code`] (what a client branches on), a public message and public details, and, apart from them,
//! an [`Internal`] text that only the log sees. The two are different types with no conversion between them, so that an
//! internal text can't slip into an answer. The HTTP status of a code stands beside it, because the audit entry names it too;
//! how an error looks on the wire is `http/error.rs`'s alone.

use std::fmt;

use serde_json::{Map, Value};

/// The stable error codes of contract 00 section 5, as far as this server can answer them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    AccessDenied,
    AuthenticationRequired,
    BindingNotFound,
    CredentialNotFound,
    DeliveryNotFound,
    Forbidden,
    GroupNotFound,
    HeadersTooLarge,
    IdentityNotFound,
    InsufficientScope,
    InternalError,
    InvalidConfig,
    InvalidCursor,
    InvalidDuration,
    InvalidGlob,
    InvalidPath,
    InvalidPolicy,
    InvalidRequest,
    InvalidSecretType,
    InvalidState,
    IpNotAllowed,
    LastAdmin,
    LastVersion,
    MethodNotAllowed,
    MfaRequired,
    NameExists,
    NotFound,
    PartnerNotFound,
    PayloadTooLarge,
    PolicyInUse,
    PolicyNotFound,
    RateLimited,
    RequestInProgress,
    ResourceInUse,
    RotationPolicyNotFound,
    SecretExists,
    SecretExpired,
    SecretNotFound,
    SecretPolicyNotFound,
    ServiceUnavailable,
    SubscriptionNotFound,
    TenantAccessDenied,
    TenantNotFound,
    TimeWindowViolation,
    TokenExpired,
    TokenInvalid,
    TokenNotFound,
    TokenRevoked,
    UnsupportedMediaType,
    ValidationError,
    VersionConflict,
    VersionNotFound,
    WebhookNotFound,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthenticationRequired => "authentication_required",
            Self::BindingNotFound => "binding_not_found",
            // The contract has no code of its own for credentials and groups: both are parts of the directory.
            Self::CredentialNotFound | Self::GroupNotFound | Self::IdentityNotFound => "identity_not_found",
            Self::DeliveryNotFound => "delivery_not_found",
            Self::Forbidden => "forbidden",
            Self::HeadersTooLarge => "headers_too_large",
            Self::InsufficientScope => "insufficient_scope",
            Self::InternalError => "internal_error",
            Self::InvalidConfig => "invalid_config",
            Self::InvalidCursor => "invalid_cursor",
            Self::InvalidDuration => "invalid_duration",
            Self::InvalidGlob => "invalid_glob",
            Self::InvalidPath => "invalid_path",
            Self::InvalidPolicy => "invalid_policy",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidSecretType => "invalid_secret_type",
            Self::InvalidState => "invalid_state",
            Self::IpNotAllowed => "ip_not_allowed",
            Self::LastAdmin => "last_admin",
            Self::LastVersion => "last_version",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MfaRequired => "mfa_required",
            Self::NameExists => "name_exists",
            Self::NotFound => "not_found",
            Self::PartnerNotFound => "partner_not_found",
            Self::PayloadTooLarge => "payload_too_large",
            Self::PolicyInUse => "policy_in_use",
            Self::PolicyNotFound => "policy_not_found",
            Self::RateLimited => "rate_limited",
            Self::RequestInProgress => "request_in_progress",
            Self::ResourceInUse => "resource_in_use",
            Self::RotationPolicyNotFound => "rotation_policy_not_found",
            Self::SecretExists => "secret_exists",
            Self::SecretExpired => "secret_expired",
            Self::SecretNotFound => "secret_not_found",
            Self::SecretPolicyNotFound => "secret_policy_not_found",
            Self::ServiceUnavailable => "service_unavailable",
            Self::SubscriptionNotFound => "subscription_not_found",
            Self::TenantAccessDenied => "tenant_access_denied",
            Self::TenantNotFound => "tenant_not_found",
            Self::TimeWindowViolation => "time_window_violation",
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::TokenNotFound => "token_not_found",
            Self::TokenRevoked => "token_revoked",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ValidationError => "validation_error",
            Self::VersionConflict => "version_conflict",
            Self::VersionNotFound => "version_not_found",
            Self::WebhookNotFound => "webhook_not_found",
        }
    }
}

impl Code {
    /// The HTTP status of contract 00 section 5. The audit entry names it too, which is why it stands here and not at a door.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidConfig
            | Self::InvalidCursor
            | Self::InvalidDuration
            | Self::InvalidGlob
            | Self::InvalidPath
            | Self::InvalidPolicy
            | Self::InvalidRequest
            | Self::InvalidSecretType => 400,
            Self::AuthenticationRequired | Self::TokenExpired | Self::TokenInvalid | Self::TokenRevoked => 401,
            Self::AccessDenied
            | Self::Forbidden
            | Self::InsufficientScope
            | Self::IpNotAllowed
            | Self::MfaRequired
            | Self::TenantAccessDenied
            | Self::TimeWindowViolation => 403,
            Self::BindingNotFound
            | Self::CredentialNotFound
            | Self::DeliveryNotFound
            | Self::GroupNotFound
            | Self::IdentityNotFound
            | Self::NotFound
            | Self::PartnerNotFound
            | Self::PolicyNotFound
            | Self::RotationPolicyNotFound
            | Self::SecretNotFound
            | Self::SecretPolicyNotFound
            | Self::SubscriptionNotFound
            | Self::TenantNotFound
            | Self::TokenNotFound
            | Self::VersionNotFound
            | Self::WebhookNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::InvalidState
            | Self::LastAdmin
            | Self::LastVersion
            | Self::NameExists
            | Self::PolicyInUse
            | Self::RequestInProgress
            | Self::ResourceInUse
            | Self::SecretExists
            | Self::VersionConflict => 409,
            Self::SecretExpired => 410,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::ValidationError => 422,
            Self::RateLimited => 429,
            Self::HeadersTooLarge => 431,
            Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
        }
    }
}

/// What is wrong with one field of a request (contract 00 section 5, 422).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Dotted with `[i]`, or the name of the query parameter or header.
    pub field: String,
    pub code: FaultCode,
    pub message: String,
}

impl FieldFault {
    pub fn new(field: impl Into<String>, code: FaultCode, message: impl Into<String>) -> Self {
        Self { field: field.into(), code, message: message.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    Conflict,
    Format,
    NotAllowed,
    Range,
    Required,
    Type,
    Unknown,
}

impl FaultCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Format => "format",
            Self::NotAllowed => "not_allowed",
            Self::Range => "range",
            Self::Required => "required",
            Self::Type => "type",
            Self::Unknown => "unknown",
        }
    }
}

/// Why the service can't answer now (`details.reason` of 503).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    Audit,
    Kms,
    /// Too many answers wait for clients that do not take them.
    Overloaded,
    Sealed,
    ShuttingDown,
    Storage,
}

impl Outage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Kms => "kms",
            Self::Sealed => "sealed",
            Self::ShuttingDown => "shutting_down",
            // The contract has a closed list of reasons and none for memory.
            Self::Overloaded | Self::Storage => "storage",
        }
    }
}

/// A text for operators. It has no way into a response: nothing but [`Error::internal`] reads it, and only the log calls that.
#[derive(Clone, PartialEq, Eq)]
pub struct Internal(String);

impl Internal {
    pub fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    /// For the log line of a failed request.
    pub fn for_log(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error as callers of the service see it. See the module text for what is public and what is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Error(Box<Body>);

#[derive(Debug, Clone, PartialEq)]
struct Body {
    code: Code,
    message: String,
    details: Map<String, Value>,
    internal: Option<Internal>,
    retry_after_seconds: Option<u64>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Body {
            code,
            message: message.into(),
            details: Map::new(),
            internal: None,
            retry_after_seconds: None,
        }))
    }

    /// 422 with every fault that was found.
    pub fn validation(faults: Vec<FieldFault>) -> Self {
        let fields = faults
            .iter()
            .map(|fault| {
                serde_json::json!({"field": fault.field, "code": fault.code.as_str(), "message": fault.message})
            })
            .collect();
        Self::new(Code::ValidationError, "The request has invalid fields; see details.fields")
            .with("fields", Value::Array(fields))
    }

    /// 422 for one field.
    pub fn field(field: impl Into<String>, code: FaultCode, message: impl Into<String>) -> Self {
        Self::validation(vec![FieldFault::new(field, code, message)])
    }

    /// The message with the first field that is at fault: for places that show no details, such as the history of rotations.
    pub(crate) fn sentence(&self) -> String {
        let fault = self.details().get("fields").and_then(|fields| fields.get(0));
        let text = |key: &str| fault.and_then(|fault| fault.get(key)).and_then(Value::as_str);
        match (text("field"), text("message")) {
            (Some(field), Some(message)) => format!("'{field}' {message}"),
            _ => self.message().to_owned(),
        }
    }

    /// A failure on our side. The client sees a constant text; `text` goes to the log.
    pub fn internal(text: impl fmt::Display) -> Self {
        let mut error =
            Self::new(Code::InternalError, "An internal error occurred; quote the request id to your operator");
        error.0.internal = Some(Internal::new(text));
        error
    }

    /// 503. Sealed servers need an operator, so they are the one outage without `Retry-After`.
    pub fn unavailable(outage: Outage, text: impl fmt::Display) -> Self {
        let message = match outage {
            Outage::Audit => "The audit trail cannot be written; nothing was changed or disclosed",
            Outage::Kms => "The key provider cannot be reached",
            Outage::Overloaded => "Too many answers wait for their clients",
            Outage::Sealed => "The server is sealed; an operator must unseal it (POST /v1/sys/unseal)",
            Outage::ShuttingDown => "The server is shutting down",
            Outage::Storage => "The storage cannot be used at the moment",
        };
        let mut error = Self::new(Code::ServiceUnavailable, message).with("reason", outage.as_str());
        error.0.internal = Some(Internal::new(text));
        error.0.retry_after_seconds = (outage != Outage::Sealed).then_some(5);
        error
    }

    /// Adds a public detail. Never give it a secret value, a token or a key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(key.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    pub fn internal_detail(&self) -> Option<&Internal> {
        self.0.internal.as_ref()
    }

    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.0.retry_after_seconds
    }
}

/// A storage failure as callers see it: 503 for what may pass, 500 for what will not.
pub(crate) fn storage(error: scaivault_store::StoreError) -> Error {
    use scaivault_store::StoreError;
    match error {
        StoreError::Closed => Error::unavailable(Outage::ShuttingDown, error),
        StoreError::Audit(text) => Error::unavailable(Outage::Audit, text),
        StoreError::Conflict(_) | StoreError::Unavailable(_) | StoreError::InUse(_) => {
            Error::unavailable(Outage::Storage, error)
        }
        StoreError::Corrupt(_) | StoreError::Constraint { .. } | StoreError::SchemaTooNew { .. } => {
            Error::internal(error)
        }
    }
}

impl From<scaivault_store::StoreError> for Error {
    fn from(error: scaivault_store::StoreError) -> Self {
        storage(error)
    }
}
