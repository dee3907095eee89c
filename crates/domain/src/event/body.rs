//! The `data` of each event, by the catalogue's fields.

use serde::Serialize;

use super::EventType;
use crate::time::Timestamp;

/// What an event says. Serialises as its `data`; optional fields are null unless the catalogue says that they are absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventBody {
    SecretCreated {
        version: i64,
        secret_type: &'static str,
        created_by: String,
        tags: Vec<String>,
        expires_at: Option<Timestamp>,
    },
    SecretUpdated {
        old_version: i64,
        new_version: i64,
        updated_by: String,
        is_rotation: bool,
    },
    SecretMetadataUpdated {
        updated_by: String,
        /// Names of the fields.
        changed: Vec<String>,
    },
    SecretDeleted {
        version_count: i64,
        deleted_by: String,
        permanent: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        recoverable_until: Option<Timestamp>,
    },
    SecretVersionDeleted {
        version: i64,
        current_version: i64,
        deleted_by: String,
    },
    SecretRestored {
        version: i64,
        restored_by: String,
    },
    SecretMoved {
        from: String,
        to: String,
        version: i64,
        moved_by: String,
    },
    SecretRotated {
        old_version: i64,
        new_version: i64,
        rotation_policy_id: Option<String>,
        rotation_policy_name: Option<String>,
        grace_period_ends: Timestamp,
        auto_generated: bool,
        reason: Option<String>,
    },
    SecretExpiring {
        expires_at: Timestamp,
        days_remaining: i64,
        threshold: String,
    },
    SecretExpired {
        expires_at: Timestamp,
        version: i64,
    },
    SecretAccessed {
        version: i64,
        accessed_by: String,
    },
    PolicyCreated {
        policy_id: String,
        policy_name: String,
        changed_by: String,
    },
    PolicyUpdated {
        policy_id: String,
        policy_name: String,
        changed_by: String,
    },
    PolicyDeleted {
        policy_id: String,
        policy_name: String,
        changed_by: String,
    },
    PolicyBindingCreated {
        policy_id: String,
        binding_id: String,
        identity_type: String,
        bound_identity_id: String,
        expires_at: Option<Timestamp>,
    },
    PolicyBindingDeleted {
        policy_id: String,
        binding_id: String,
        identity_type: String,
        bound_identity_id: String,
        expires_at: Option<Timestamp>,
    },
    PolicyViolation {
        permission: &'static str,
        code: &'static str,
        source_ip: Option<String>,
    },
    RotationDue {
        rotation_policy_id: String,
        rotation_policy_name: String,
        /// `7d`; `0s` at the due time.
        threshold: String,
        /// The same once more, under the name that the user's page has for it.
        warn_before: String,
        due_now: bool,
        due_at: Timestamp,
        current_version: i64,
    },
    RotationOverdue {
        rotation_policy_id: String,
        due_at: Timestamp,
        overdue_since: Timestamp,
    },
    RotationCompleted {
        rotation_policy_id: Option<String>,
        old_version: i64,
        new_version: i64,
        /// `scheduled`, `manual` or `write`.
        trigger: &'static str,
    },
    RotationFailed {
        rotation_policy_id: String,
        error: FailureText,
        next_attempt_at: Option<Timestamp>,
    },
    WebhookTest {
        message: String,
    },
    /// The server gave a webhook up; beyond the catalogue.
    WebhookDisabled {
        webhook_id: String,
        webhook_name: String,
        /// `gone` (the receiver answered 410) or `failing` (nothing arrived for three days).
        reason: &'static str,
    },
}

/// Why something failed, as the API would say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureText {
    pub code: String,
    pub message: String,
}

impl EventBody {
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::SecretCreated { .. } => EventType::SecretCreated,
            Self::SecretUpdated { .. } => EventType::SecretUpdated,
            Self::SecretMetadataUpdated { .. } => EventType::SecretMetadataUpdated,
            Self::SecretDeleted { .. } => EventType::SecretDeleted,
            Self::SecretVersionDeleted { .. } => EventType::SecretVersionDeleted,
            Self::SecretRestored { .. } => EventType::SecretRestored,
            Self::SecretMoved { .. } => EventType::SecretMoved,
            Self::SecretRotated { .. } => EventType::SecretRotated,
            Self::SecretExpiring { .. } => EventType::SecretExpiring,
            Self::SecretExpired { .. } => EventType::SecretExpired,
            Self::SecretAccessed { .. } => EventType::SecretAccessed,
            Self::PolicyCreated { .. } => EventType::PolicyCreated,
            Self::PolicyUpdated { .. } => EventType::PolicyUpdated,
            Self::PolicyDeleted { .. } => EventType::PolicyDeleted,
            Self::PolicyBindingCreated { .. } => EventType::PolicyBindingCreated,
            Self::PolicyBindingDeleted { .. } => EventType::PolicyBindingDeleted,
            Self::PolicyViolation { .. } => EventType::PolicyViolation,
            Self::RotationDue { .. } => EventType::RotationDue,
            Self::RotationOverdue { .. } => EventType::RotationOverdue,
            Self::RotationCompleted { .. } => EventType::RotationCompleted,
            Self::RotationFailed { .. } => EventType::RotationFailed,
            Self::WebhookTest { .. } => EventType::WebhookTest,
            Self::WebhookDisabled { .. } => EventType::WebhookDisabled,
        }
    }

    /// Which rotation policy it concerns, so that the policy's own webhooks hear of it.
    pub fn rotation_policy(&self) -> Option<&str> {
        match self {
            Self::SecretRotated { rotation_policy_id, .. } | Self::RotationCompleted { rotation_policy_id, .. } => {
                rotation_policy_id.as_deref()
            }
            Self::RotationDue { rotation_policy_id, .. }
            | Self::RotationOverdue { rotation_policy_id, .. }
            | Self::RotationFailed { rotation_policy_id, .. } => Some(rotation_policy_id),
            _ => None,
        }
    }
}
