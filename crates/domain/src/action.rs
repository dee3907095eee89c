//! The closed table of everything a caller can do.
//!
//! One row an action: which token scopes it needs, what access decides on, under which name it is audited, and which rate
//! bucket it draws from (contract 00 section 3, 01, 02 section 2, 03 section 1, 06 section 2, 12 section 5). Tests walk the
//! table, and the OpenAPI document takes its security from it, so that nothing can be reachable without a row here.

use crate::audit::AuditAction;
use crate::policy::Permission;
use crate::rate::RateCategory;
use crate::scope::Scope;

/// Which scopes of a token open an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeRule {
    /// Any valid token.
    None,
    /// Every one of these.
    All(&'static [Scope]),
    /// One of these.
    Any(&'static [Scope]),
}

/// What is decided after the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRule {
    /// A rule (or a role) must grant one of these on the path; in the partner's namespace members read and partner admins write.
    Path(&'static [Permission]),
    /// Every path is decided on its own: the answer holds only what one of these permissions shows.
    Listing(&'static [Permission]),
    /// Acting in the tenant is enough; what more is needed (a role, ownership) the operation itself decides.
    Tenant,
    /// Role super_admin.
    Instance,
}

#[derive(Debug, Clone, Copy)]
pub struct ActionSpec {
    pub scopes: ScopeRule,
    pub access: AccessRule,
    /// `None`: leaves no entry (contract 06, the list of what is not audited).
    pub audit: Option<AuditAction>,
    /// `None`: draws from no bucket (contract 12 section 5, "unlimited").
    pub rate: Option<RateCategory>,
    pub changes: bool,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident: $scopes:expr, $access:expr, $audit:expr, $rate:ident, $kind:ident;)*) => {
        /// Everything a caller can do; see the module text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $name),* }

        impl Action {
            pub const ALL: &'static [Action] = &[$(Action::$name),*];

            pub const fn spec(self) -> ActionSpec {
                match self {
                    $(Action::$name => ActionSpec {
                        scopes: $scopes, access: $access, audit: $audit, rate: rate!($rate), changes: changes!($kind),
                    }),*
                }
            }
        }
    };
}

macro_rules! rate {
    (Unlimited) => {
        None
    };
    ($category:ident) => {
        Some(RateCategory::$category)
    };
}

macro_rules! changes {
    (query) => {
        false
    };
    (command) => {
        true
    };
}

use AccessRule::{Instance, Listing, Path, Tenant};
use AuditAction as A;
use Permission::{Admin, Delete, List, Read, Rotate, Write};
use ScopeRule::{All, Any, None as NoScope};

const DELETE_OR_ADMIN: &[Permission] = &[Delete, Admin];
const ROTATE_OR_LIST: &[Permission] = &[Rotate, List];
const LIST_OR_READ: &[Permission] = &[List, Read];

actions! {
    SecretRead: All(&[Scope::SecretsRead]), Path(&[Read]), Some(A::Read), Read, query;
    /// Reading a version whose grace has ended (01 section 2).
    SecretReadRetired: All(&[Scope::SecretsRead]), Path(&[Admin]), Some(A::Read), Read, query;
    SecretWrite: All(&[Scope::SecretsWrite]), Path(&[Write]), Some(A::Write), Write, command;
    SecretPatch: All(&[Scope::SecretsWrite]), Path(&[Write]), Some(A::Write), Write, command;
    SecretDelete: All(&[Scope::SecretsDelete]), Path(&[Delete]), Some(A::Delete), Delete, command;
    SecretDestroy: All(&[Scope::SecretsDelete, Scope::Admin]), Path(&[Admin]), Some(A::Delete), Delete, command;
    SecretRestore: All(&[Scope::SecretsDelete]), Path(&[Delete]), Some(A::Restore), Write, command;
    SecretRotate: All(&[Scope::SecretsRotate]), Path(&[Rotate]), Some(A::Rotate), Write, command;
    SecretMove: All(&[Scope::SecretsWrite, Scope::SecretsDelete]), Path(&[Delete]), Some(A::Move), Write, command;
    /// Every secret below a path; each is decided on its own (01 section 13).
    SecretMoveFolder: All(&[Scope::SecretsWrite, Scope::SecretsDelete]), Listing(&[Delete]), Some(A::Move), Write, command;
    /// What a folder is moved or copied to.
    SecretWriteFolder: All(&[Scope::SecretsWrite]), Listing(&[Write]), Some(A::Write), Write, command;
    SecretCopy: All(&[Scope::SecretsRead, Scope::SecretsWrite]), Path(&[Read]), Some(A::Copy), Write, command;
    SecretCopyFolder: All(&[Scope::SecretsRead, Scope::SecretsWrite]), Listing(&[Read]), Some(A::Copy), Write, command;
    SecretVersions: Any(&[Scope::SecretsList, Scope::SecretsRead]), Path(LIST_OR_READ), Some(A::List), List, query;
    SecretMetadata: Any(&[Scope::SecretsList, Scope::SecretsRead]), Path(LIST_OR_READ), Some(A::List), List, query;
    /// Metadata of what may lie in the trash (01 section 5).
    SecretMetadataDeleted: Any(&[Scope::SecretsList, Scope::SecretsRead]), Path(DELETE_OR_ADMIN), Some(A::List), List, query;
    SecretList: All(&[Scope::SecretsList]), Listing(&[List]), Some(A::List), List, query;
    SecretExpiring: All(&[Scope::SecretsList]), Listing(&[List]), Some(A::List), List, query;
    /// Many values at once; each path is decided on as [`Action::SecretRead`] (08 section 1).
    SecretBatchRead: All(&[Scope::SecretsRead]), Listing(&[Read]), Some(A::Read), BatchRead, query;
    /// Paths that are named are decided on as [`Action::SecretMetadata`]; patterns show what may be listed (08 section 2).
    SecretBatchMetadata: Any(&[Scope::SecretsList, Scope::SecretsRead]), Listing(&[List]), Some(A::List), BatchMetadata, query;

    Whoami: NoScope, Tenant, None, Auth, query;
    TokenIntrospect: All(&[Scope::Admin]), Tenant, Some(A::ConfigRead), Auth, query;
    TokenCreate: NoScope, Tenant, Some(A::TokenCreate), IdentityWrite, command;
    TokenList: NoScope, Tenant, Some(A::ConfigRead), IdentityRead, query;
    TokenGet: NoScope, Tenant, Some(A::ConfigRead), IdentityRead, query;
    TokenRevoke: NoScope, Tenant, Some(A::TokenRevoke), IdentityWrite, command;

    RoleCatalogue: NoScope, Tenant, Some(A::ConfigRead), IdentityRead, query;
    DirectoryRead: All(&[Scope::IdentityRead]), Tenant, Some(A::ConfigRead), IdentityRead, query;
    DirectoryChange: All(&[Scope::IdentityAdmin]), Tenant, Some(A::IdentityChange), IdentityWrite, command;

    PolicyList: All(&[Scope::PoliciesRead]), Tenant, Some(A::ConfigRead), Policy, query;
    PolicyGet: All(&[Scope::PoliciesRead]), Tenant, Some(A::ConfigRead), Policy, query;
    PolicyCreate: All(&[Scope::PoliciesWrite]), Tenant, Some(A::PolicyCreate), Policy, command;
    PolicyUpdate: All(&[Scope::PoliciesWrite]), Tenant, Some(A::PolicyUpdate), Policy, command;
    PolicyDelete: All(&[Scope::PoliciesWrite]), Tenant, Some(A::PolicyDelete), Policy, command;
    BindingList: All(&[Scope::PoliciesRead]), Tenant, Some(A::ConfigRead), Policy, query;
    PolicyBind: All(&[Scope::PoliciesWrite]), Tenant, Some(A::PolicyBind), Policy, command;
    PolicyUnbind: All(&[Scope::PoliciesWrite]), Tenant, Some(A::PolicyUnbind), Policy, command;
    /// A dry run; leaves no trace (03 section 5).
    PolicyTest: All(&[Scope::PoliciesRead]), Tenant, None, PolicyTest, query;

    RotationPolicyRead: All(&[Scope::Admin]), Tenant, Some(A::ConfigRead), Policy, query;
    RotationPolicyChange: All(&[Scope::Admin]), Tenant, Some(A::ConfigChange), Policy, command;
    /// Attaching also needs write on the path (04 section 2).
    RotationAttach: All(&[Scope::Admin]), Path(&[Write]), Some(A::ConfigChange), Policy, command;
    RotationDetach: All(&[Scope::Admin]), Tenant, Some(A::ConfigChange), Policy, command;

    RotationHistory: All(&[Scope::AuditRead]), Tenant, Some(A::ConfigRead), Policy, query;
    /// Which secrets are due; without scope admin those that the caller may rotate or list (04 section 2).
    RotationDue: Any(&[Scope::SecretsRotate, Scope::Admin]), Listing(ROTATE_OR_LIST), Some(A::List), Policy, query;
    /// Every secret of a policy; each is decided on as [`Action::SecretRotate`] (04 section 2).
    RotationRotate: All(&[Scope::SecretsRotate]), Listing(&[Rotate]), Some(A::Rotate), Policy, command;

    SecretPolicyRead: Any(&[Scope::PoliciesRead, Scope::Admin]), Tenant, Some(A::ConfigRead), Policy, query;
    SecretPolicyChange: All(&[Scope::Admin]), Tenant, Some(A::ConfigChange), Policy, command;
    SecretPolicyPreview: Any(&[Scope::SecretsWrite, Scope::Admin]), Tenant, Some(A::GeneratePreview), Policy, query;
    SecretPolicyGenerate: All(&[Scope::SecretsWrite]), Path(&[Write]), Some(A::Write), Write, command;

    WebhookRead: All(&[Scope::Admin]), Tenant, Some(A::ConfigRead), Webhook, query;
    /// Also tests and redeliveries.
    WebhookChange: All(&[Scope::Admin]), Tenant, Some(A::ConfigChange), Webhook, command;
    SubscriptionRead: All(&[Scope::SubscriptionsRead]), Tenant, Some(A::ConfigRead), Subscription, query;
    SubscriptionChange: All(&[Scope::SubscriptionsWrite]), Tenant, Some(A::ConfigChange), Subscription, command;
    /// Leaves an entry only when it returned events (06 section 2).
    SubscriptionPoll: All(&[Scope::SubscriptionsRead]), Tenant, Some(A::SubscriptionEvent), SubscriptionPoll, query;
    /// Comes as often as a poll does, and draws from the same bucket.
    SubscriptionAck: All(&[Scope::SubscriptionsWrite]), Tenant, Some(A::ConfigChange), SubscriptionPoll, command;
    EventStream: All(&[Scope::SubscriptionsRead]), Listing(LIST_OR_READ), Some(A::SubscriptionEvent), SubscriptionPoll, query;

    AuditQuery: All(&[Scope::AuditRead]), Tenant, Some(A::AuditRead), AuditQuery, query;

    HealthDetailed: All(&[Scope::Admin]), Tenant, None, System, query;
    Metrics: All(&[Scope::Admin]), Tenant, None, Unlimited, query;
    SystemSeal: All(&[Scope::Admin]), Instance, Some(A::SystemChange), System, command;
    /// What the server was to do and gave up.
    SystemJobs: All(&[Scope::Admin]), Instance, Some(A::SystemChange), System, query;
    SystemJobRetry: All(&[Scope::Admin]), Instance, Some(A::SystemChange), System, command;
    SystemKeys: All(&[Scope::Admin]), Instance, Some(A::SystemChange), System, query;
}
