//! `scaivault secrets`

pub(super) mod delete;
mod diff;
pub(super) mod list;
mod metadata;
mod place;
pub(super) mod read;
mod rotate;
pub(super) mod write;

use clap::Subcommand;

use crate::cli::session::Session;
use crate::failure::Failure;

/// Whose secrets: the rooms have the same routes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space(&'static str);

pub(super) const OWN: Space = Space("/v1/secrets");
pub(super) const OF_PARTNER: Space = Space("/v1/partner/secrets");

impl Space {
    pub(super) const fn address(self) -> &'static str {
        self.0
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    Read(read::Read),
    Write(write::Write),
    List(list::List),
    Delete(delete::Delete),
    Restore(delete::Restore),
    Metadata(metadata::Metadata),
    Versions(metadata::Versions),
    Patch(metadata::Patch),
    Rotate(rotate::Rotate),
    Expiring(list::Expiring),
    Move(place::Move),
    Copy(place::Copy),
    Diff(diff::Diff),
}

impl Secrets {
    pub(super) async fn run(self, session: Session) -> Result<(), Failure> {
        let plan = match self {
            Self::Read(read) => return read.run(OWN, &session).await,
            Self::List(list) => return list.run(OWN, &session).await,
            Self::Diff(diff) => return diff.run(&session).await,
            Self::Write(write) => write.plan(OWN)?,
            Self::Delete(delete) => delete.plan(OWN),
            Self::Restore(restore) => restore.plan(),
            Self::Metadata(metadata) => metadata.plan(),
            Self::Versions(versions) => versions.plan(),
            Self::Patch(patch) => patch.plan()?,
            Self::Rotate(rotate) => rotate.plan()?,
            Self::Expiring(expiring) => expiring.plan(),
            Self::Move(moving) => moving.plan(),
            Self::Copy(copy) => copy.plan(),
        };
        session.perform(plan).await
    }
}
