//! What happens to secrets and what governs them, as others hear of it (contract 07 sections 1 and 2). Never a value.

mod body;
mod pattern;

pub use body::{EventBody, FailureText};
pub use pattern::{EventPattern, EventPatterns, UnknownEvent};

/// Declares the enum and its wire names in one table, so neither can miss the other.
macro_rules! event_types {
    ($($variant:ident = $name:literal,)+) => {
        /// The `event_type` of an event: the catalogue of contract 07 section 2, and `webhook.disabled`.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum EventType {
            $($variant,)+
        }

        impl EventType {
            /// Every event there is, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in envelopes and patterns.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The event of that name; `None` if there is no such event.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    SecretCreated = "secret.created",
    SecretUpdated = "secret.updated",
    SecretMetadataUpdated = "secret.metadata_updated",
    SecretDeleted = "secret.deleted",
    SecretVersionDeleted = "secret.version_deleted",
    SecretRestored = "secret.restored",
    SecretMoved = "secret.moved",
    SecretRotated = "secret.rotated",
    SecretExpiring = "secret.expiring",
    SecretExpired = "secret.expired",
    SecretAccessed = "secret.accessed",
    PolicyCreated = "policy.created",
    PolicyUpdated = "policy.updated",
    PolicyDeleted = "policy.deleted",
    PolicyBindingCreated = "policy.binding.created",
    PolicyBindingDeleted = "policy.binding.deleted",
    PolicyViolation = "policy.violation",
    RotationDue = "rotation.due",
    RotationOverdue = "rotation.overdue",
    RotationCompleted = "rotation.completed",
    RotationFailed = "rotation.failed",
    CertificateIssued = "certificate.issued",
    CertificateRenewed = "certificate.renewed",
    CertificateRenewalFailed = "certificate.renewal_failed",
    CertificateRevoked = "certificate.revoked",
    CertificateExpiring = "certificate.expiring",
    CertificateExpired = "certificate.expired",
    LeaseCreated = "lease.created",
    LeaseRenewed = "lease.renewed",
    LeaseRevoked = "lease.revoked",
    LeaseExpired = "lease.expired",
    LeaseRevocationFailed = "lease.revocation_failed",
    FederationSyncCompleted = "federation.sync.completed",
    FederationSyncFailed = "federation.sync.failed",
    FederationSyncConflict = "federation.sync.conflict",
    AuditExportCompleted = "audit.export.completed",
    WebhookTest = "webhook.test",
    WebhookDisabled = "webhook.disabled",
}

impl EventType {
    /// `secret` of `secret.rotated`: what `secret.*` asks for.
    pub fn family(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }

    /// Whether a rotation policy's `webhook_ids` hear of it whatever they asked for (contract 07 section 3).
    pub const fn concerns_rotation(self) -> bool {
        matches!(
            self,
            Self::RotationDue
                | Self::RotationOverdue
                | Self::RotationCompleted
                | Self::RotationFailed
                | Self::SecretRotated
        )
    }
}
