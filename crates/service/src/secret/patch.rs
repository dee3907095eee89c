//! Changing metadata and options without a new version (contract 01 section 4).

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::event::EventBody;
use scaivault_domain::path::SecretPath;
use scaivault_domain::secret::MetadataPatch;
use scaivault_store::WriteTx;
use scaivault_store::secret;

use super::metadata::{SecretOverview, overview};
use super::{IfMatch, OptionsChange, life, live, permitted_path};
use crate::context::Context;
use crate::error::Result;
use crate::event::Happening;
use crate::operation::{Command, Operation};

/// `PATCH /v1/secrets/{path}`
pub struct PatchSecret {
    pub space: Space,
    pub path: SecretPath,
    pub metadata: MetadataPatch,
    pub options: OptionsChange,
    pub if_match: IfMatch,
}

impl Operation for PatchSecret {
    type Output = SecretOverview;
    const ACTION: Action = Action::SecretPatch;

    fn target(&self) -> Target {
        Target::Secret { space: self.space, path: self.path.clone() }
    }
}

impl Command for PatchSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<SecretOverview> {
        let (path, scope) = (permitted_path(permit)?, permit.secrets());
        let mut record = live(tx, scope, path, cx.now)?;
        self.if_match.check(Some(record.current_version))?;
        cx.note("op", "metadata");
        let mut changed = self.metadata.apply(&mut record.metadata);
        changed.extend(self.options.apply(&mut record, scope, tx, cx)?);
        // An empty PATCH changes nothing, not even the time (contract 00 section 6).
        if !changed.is_empty() {
            record.updated_at = cx.now;
            secret::update(tx, scope, &record)?;
            life::plan(tx, scope, &record, cx.now)?;
            let body = EventBody::SecretMetadataUpdated {
                updated_by: cx.actor().to_owned(),
                changed: changed.iter().map(|name| (*name).to_owned()).collect(),
            };
            cx.emit(Happening::of_secret(scope, &record, body));
        }
        cx.note("changed", changed);
        overview(tx, record, cx.now)
    }
}
