//! The versions of a secret (contract 01 section 7).

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::path::SecretPath;
use scaivault_domain::secret::VersionState;
use scaivault_store::ReadView;
use scaivault_store::secret_version::{self, VersionRecord};

use super::live;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Operation, Query};

/// `GET /v1/secrets/{path}/versions`
pub struct ListVersions {
    pub space: Space,
    pub path: SecretPath,
}

#[derive(Debug, Clone)]
pub struct VersionList {
    pub path: String,
    /// Newest first, all that are stored.
    pub versions: Vec<VersionEntry>,
}

#[derive(Debug, Clone)]
pub struct VersionEntry {
    pub version: VersionRecord,
    pub state: VersionState,
}

impl Operation for ListVersions {
    type Output = VersionList;
    const ACTION: Action = Action::SecretVersions;

    fn target(&self) -> Target {
        Target::Secret { space: self.space, path: self.path.clone() }
    }
}

impl Query for ListVersions {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<VersionList> {
        cx.note("op", "versions");
        let record = live(view, permit.secrets(), &self.path, cx.now)?;
        let versions = secret_version::stored(view, &record.id)?
            .into_iter()
            .map(|version| {
                let is_current = version.version == record.current_version;
                VersionEntry { state: VersionState::of(is_current, version.readable_until, cx.now), version }
            })
            .collect();
        Ok(VersionList { path: record.path, versions })
    }
}
