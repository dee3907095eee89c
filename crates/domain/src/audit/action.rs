//! What an audit entry can be about.

use std::fmt;

/// Declares the enum and its wire names in one table, so neither can miss the other.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The `action` of an audit entry (contract 06, section 2).
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum AuditAction {
            $($(#[$doc])* $variant,)+
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in entries and filters.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The action of that name; `None` if there is no such action.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

actions! {
    /// A query of the audit trail itself.
    AuditRead = "audit_read",
    /// A request whose caller could not be established.
    AuthFailure = "auth_failure",
    /// A change of rotation and secret policies, webhooks, engines, roles, issuers and the like.
    ConfigChange = "config_change",
    /// A look at such configuration, at policies, the directory, certificates or leases.
    ConfigRead = "config_read",
    /// A secret copied to another path.
    Copy = "copy",
    /// A secret deleted, recoverably or not.
    Delete = "delete",
    /// A dynamic credential made.
    DynamicGenerate = "dynamic_generate",
    /// A lease prolonged.
    DynamicRenew = "dynamic_renew",
    /// A lease ended.
    DynamicRevoke = "dynamic_revoke",
    /// An audit export ordered.
    ExportCreated = "export_created",
    /// A federation backend synchronised.
    FederationSync = "federation_sync",
    /// A value generated for show, not stored.
    GeneratePreview = "generate_preview",
    /// A change of the directory.
    IdentityChange = "identity_change",
    /// The directory pulled from its source.
    IdentitySync = "identity_sync",
    /// Secrets listed.
    List = "list",
    /// A sign-in, or a step of one.
    Login = "login",
    /// A secret moved to another path.
    Move = "move",
    /// A certificate authority made.
    PkiCaCreate = "pki_ca_create",
    /// A certificate issued with its key.
    PkiIssue = "pki_issue",
    /// A certificate revoked.
    PkiRevoke = "pki_revoke",
    /// A certificate request signed.
    PkiSign = "pki_sign",
    /// A policy bound to an identity.
    PolicyBind = "policy_bind",
    /// A policy made.
    PolicyCreate = "policy_create",
    /// A policy deleted.
    PolicyDelete = "policy_delete",
    /// A policy's binding removed.
    PolicyUnbind = "policy_unbind",
    /// A policy changed.
    PolicyUpdate = "policy_update",
    /// A deleted secret destroyed for good.
    Purge = "purge",
    /// A secret's value read.
    Read = "read",
    /// A deleted secret brought back.
    Restore = "restore",
    /// A secret rotated.
    Rotate = "rotate",
    /// A poll that returned events.
    SubscriptionEvent = "subscription_event",
    /// A use of `/v1/sys`.
    SystemChange = "system_change",
    /// A token made.
    TokenCreate = "token_create",
    /// A token revoked.
    TokenRevoke = "token_revoke",
    /// The final outcome of a webhook delivery.
    WebhookDelivery = "webhook_delivery",
    /// A secret's value or metadata written.
    Write = "write",
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
