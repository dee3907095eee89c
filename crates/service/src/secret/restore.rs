//! Undoing a soft delete (contract 01 section 10).

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::event::EventBody;
use scaivault_domain::path::SecretPath;
use scaivault_store::WriteTx;
use scaivault_store::secret::{self, Presence};

use super::metadata::{SecretOverview, overview};
use super::{life, not_found, permitted_path};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::event::Happening;
use crate::operation::{Command, Operation};

/// `POST /v1/secrets/{path}/restore`: everything returns as it was.
pub struct RestoreSecret {
    pub space: Space,
    pub path: SecretPath,
}

impl Operation for RestoreSecret {
    type Output = SecretOverview;
    const ACTION: Action = Action::SecretRestore;

    fn target(&self) -> Target {
        Target::Secret { space: self.space, path: self.path.clone() }
    }
}

impl Command for RestoreSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<SecretOverview> {
        let (path, scope) = (permitted_path(permit)?, permit.secrets());
        let mut record = match secret::look(tx, scope, path, cx.now)? {
            Presence::Deleted(record, _) => record,
            Presence::Absent => return Err(not_found(path)),
            Presence::Live(_) => {
                return Err(Error::new(Code::SecretExists, "The secret is not deleted; there is nothing to restore")
                    .with("recoverable_until", serde_json::Value::Null));
            }
        };
        record.trash = None;
        secret::update(tx, scope, &record)?;
        life::plan(tx, scope, &record, cx.now)?;
        let body = EventBody::SecretRestored { version: record.current_version, restored_by: cx.actor().to_owned() };
        cx.emit(Happening::of_secret(scope, &record, body));
        cx.note("version", record.current_version);
        overview(tx, record, cx.now)
    }
}
