//! `scaivault partner-secrets`: as `secrets`, in the room that all tenants of a partner read.

use clap::Subcommand;

use super::secrets::{OF_PARTNER, delete, list, read, write};
use crate::cli::session::Session;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum PartnerSecrets {
    Read(read::Read),
    Write(write::Write),
    List(list::List),
    Delete(delete::Delete),
}

impl PartnerSecrets {
    pub(super) async fn run(self, session: Session) -> Result<(), Failure> {
        match self {
            Self::Read(read) => read.run(OF_PARTNER, &session).await,
            Self::List(list) => list.run(OF_PARTNER, &session).await,
            Self::Write(write) => session.perform(write.plan(OF_PARTNER)?).await,
            Self::Delete(delete) => session.perform(delete.plan(OF_PARTNER)).await,
        }
    }
}
