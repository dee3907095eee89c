//! The closed table of all jobs: name, who they are in the trail, and what they do.

use super::{Body, Inside, Outside};
use crate::maintenance;
use crate::policy::lapse;
use crate::rotation_policy::{follow, turn};
use crate::secret::expiry;
use crate::webhook;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $identity:literal, $body:ident($run:path);)+
     @tests $($test:ident = $test_name:literal, $test_body:ident($test_run:path);)+) => {
        /// What a job is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum JobKind { $($(#[$doc])* $kind,)+ $(#[cfg(test)] $test,)+ }

        impl JobKind {
            pub(crate) const ALL: &'static [JobKind] = &[$(JobKind::$kind,)+ $(#[cfg(test)] JobKind::$test,)+];

            /// The name in the database.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ $(#[cfg(test)] Self::$test => $test_name,)+ }
            }

            /// Who it is in audit entries, versions and events.
            pub(crate) const fn identity(self) -> &'static str {
                match self { $(Self::$kind => $identity,)+ $(#[cfg(test)] Self::$test => "system:test",)+ }
            }

            pub(crate) fn body(self) -> Body {
                match self {
                    $(Self::$kind => Body::$body($run as $body),)+
                    $(#[cfg(test)] Self::$test => Body::$test_body($test_run as $test_body),)+
                }
            }
        }
    };
}

kinds! {
    PurgeSecrets = "purge", "system:purge", Outside(maintenance::purge);
    DropKeptAnswers = "idempotency", "system:cleanup", Outside(maintenance::drop_kept_answers);
    DropAccessCounts = "access_counts", "system:cleanup", Outside(maintenance::drop_access_counts);
    CutAudit = "audit_retention", "system:cleanup", Outside(maintenance::cut_audit);
    DropEvents = "event_retention", "system:cleanup", Outside(maintenance::drop_events);
    TellExpiry = "secret_expiry", "system:expiry", Inside(expiry::tell);
    LapseBinding = "binding_lapse", "system:policy-lapse", Inside(lapse::tell);
    Rotation = "rotation", "system:rotation-scheduler", Inside(turn::run);
    /// The secrets of a policy that changed.
    RotationReplan = "rotation_replan", "system:rotation-scheduler", Inside(follow::go_on);
    /// Sends what is due to one target.
    Deliver = "webhook", "system:webhooks", Outside(webhook::deliver);
    EndPreviousSecret = "webhook_secret_end", "system:webhooks", Inside(webhook::end_previous_secret);
    DropDeliveries = "delivery_retention", "system:cleanup", Outside(maintenance::drop_deliveries);
    DropRotationHistory = "rotation_history", "system:cleanup", Outside(maintenance::drop_rotation_history);
    // Of no server: for the tests of the runner.
    @tests
    TestInside = "test_inside", Inside(super::tests::inside);
    TestOther = "test_other", Inside(super::tests::inside);
    TestOutside = "test_outside", Outside(super::tests::outside);
}

impl JobKind {
    /// How many of a kind that acts outside run at a time. Each kind has places of its own: one that waits for others (a webhook whose
    /// receiver is silent) keeps no other kind waiting.
    pub(crate) const fn places(self) -> usize {
        64
    }

    /// The server's own housekeeping: one of each, from the first start on.
    pub(crate) const HOUSEKEEPING: &'static [JobKind] = &[
        Self::PurgeSecrets,
        Self::DropKeptAnswers,
        Self::DropAccessCounts,
        Self::CutAudit,
        Self::DropEvents,
        Self::DropDeliveries,
        Self::DropRotationHistory,
    ];
}
