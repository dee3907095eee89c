//! The closed table of all jobs: name, who they are in the trail, and what they do.

use super::{Body, Inside, Outside};
use crate::maintenance;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $identity:literal, $body:ident($run:path);)+) => {
        /// What a job is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum JobKind { $($(#[$doc])* $kind,)+ }

        impl JobKind {
            pub(crate) const ALL: &'static [JobKind] = &[$(JobKind::$kind,)+];

            /// The name in the database.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// Who it is in audit entries, versions and events.
            pub(crate) const fn identity(self) -> &'static str {
                match self { $(Self::$kind => $identity,)+ }
            }

            pub(crate) fn body(self) -> Body {
                match self { $(Self::$kind => Body::$body($run as $body),)+ }
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
}

impl JobKind {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// Of the jobs that run inside a transaction, or of the others. A newer server on the same database may know more kinds; they are
    /// not this one's to run.
    pub(crate) fn names(inside: bool) -> Vec<&'static str> {
        let wanted = |kind: &&JobKind| matches!(kind.body(), Body::Inside(_)) == inside;
        Self::ALL.iter().filter(wanted).map(|kind| kind.as_str()).collect()
    }

    /// The server's own housekeeping: one of each, from the first start on.
    pub(crate) const HOUSEKEEPING: &'static [JobKind] =
        &[Self::PurgeSecrets, Self::DropKeptAnswers, Self::DropAccessCounts, Self::CutAudit, Self::DropEvents];
}
