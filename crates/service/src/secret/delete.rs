//! Deleting: into the trash, for good, or one version (contract 01 section 10).

use scaivault_domain::access::{Permit, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::duration::Span;
use scaivault_domain::event::EventBody;
use scaivault_domain::path::SecretPath;
use scaivault_store::secret::{self, Presence, SecretRecord, Trash};
use scaivault_store::{Change, WriteTx, secret_version};

use super::{IfMatch, life, live, not_found, permitted_path, version_not_found};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::event::Happening;
use crate::operation::{Command, Operation};

/// `DELETE /v1/secrets/{path}`: one route for a secret and for one of its versions.
pub enum Delete {
    Secret(DeleteSecret),
    Version(DeleteVersion),
}

#[derive(Debug, Clone)]
pub enum Deleted {
    Secret(DeletedSecret),
    Version(DeletedVersion),
}

impl Operation for Delete {
    type Output = Deleted;
    const ACTION: Action = Action::SecretDelete;

    fn action(&self) -> Action {
        match self {
            Self::Secret(DeleteSecret { permanent: true, .. })
            | Self::Version(DeleteVersion { permanent: true, .. }) => Action::SecretDestroy,
            Self::Secret(_) | Self::Version(_) => Action::SecretDelete,
        }
    }

    fn target(&self) -> Target {
        let (space, path) = match self {
            Self::Secret(delete) => (delete.space, &delete.path),
            Self::Version(delete) => (delete.space, &delete.path),
        };
        Target::Secret { space, path: path.clone() }
    }
}

impl Command for Delete {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Deleted> {
        match self {
            Self::Secret(delete) => delete.run(permit, tx, cx).map(Deleted::Secret),
            Self::Version(delete) => delete.run(permit, tx, cx).map(Deleted::Version),
        }
    }
}

/// With or without `permanent=true`.
pub struct DeleteSecret {
    pub space: Space,
    pub path: SecretPath,
    pub permanent: bool,
    pub if_match: IfMatch,
}

#[derive(Debug, Clone)]
pub struct DeletedSecret {
    pub path: String,
    /// `None`: gone for good.
    pub trash: Option<Trash>,
}

impl DeleteSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<DeletedSecret> {
        let (path, scope) = (permitted_path(permit)?, permit.secrets());
        cx.note("permanent", self.permanent);
        if self.permanent {
            let record = match secret::look(tx, scope, path, cx.now)? {
                Presence::Live(record) | Presence::Deleted(record, _) => record,
                Presence::Absent => {
                    self.if_match.check(None)?;
                    return Err(not_found(path));
                }
            };
            self.if_match.check(Some(record.current_version))?;
            self.tell(scope, &record, None, tx, cx)?;
            secret::erase(tx, scope, &record.id, &record.path)?;
            life::end(tx, &record)?;
            return Ok(DeletedSecret { path: record.path, trash: None });
        }
        let mut record = live(tx, scope, path, cx.now)?;
        self.if_match.check(Some(record.current_version))?;
        let trash = Trash { deleted_at: cx.now, recoverable_until: cx.now.plus_seconds(retention_seconds(cx)?) };
        record.trash = Some(trash);
        secret::update(tx, scope, &record)?;
        life::plan(tx, scope, &record, cx.now)?;
        self.tell(scope, &record, Some(trash), tx, cx)?;
        Ok(DeletedSecret { path: record.path, trash: Some(trash) })
    }

    fn tell(
        &self,
        scope: &SecretScope,
        record: &SecretRecord,
        trash: Option<Trash>,
        tx: &mut WriteTx<'_>,
        cx: &mut Context<'_>,
    ) -> Result<()> {
        let body = EventBody::SecretDeleted {
            version_count: secret_version::count(tx, &record.id)?,
            deleted_by: cx.actor().to_owned(),
            permanent: self.permanent,
            recoverable_until: trash.map(|trash| trash.recoverable_until),
        };
        cx.emit(Happening::of_secret(scope, record, body));
        Ok(())
    }
}

/// How long a deleted secret can come back: the tenant's setting, else the server's.
fn retention_seconds(cx: &Context<'_>) -> Result<i64> {
    match &cx.settings.soft_delete_retention {
        Some(text) => Ok(Span::parse(text).map_err(Error::internal)?.seconds()),
        None => Ok(cx.vault.settings.secret_retention_seconds),
    }
}

/// With `version=n`.
pub struct DeleteVersion {
    pub space: Space,
    pub path: SecretPath,
    pub version: i64,
    /// The same effect with the rights of a permanent delete.
    pub permanent: bool,
    pub if_match: IfMatch,
}

#[derive(Debug, Clone)]
pub struct DeletedVersion {
    pub path: String,
    pub version: i64,
    pub current_version: i64,
}

impl DeleteVersion {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<DeletedVersion> {
        let (path, scope) = (permitted_path(permit)?, permit.secrets());
        cx.note("permanent", true);
        let mut record = live(tx, scope, path, cx.now)?;
        self.if_match.check(Some(record.current_version))?;
        let stored = secret_version::stored(tx, &record.id)?;
        if !stored.iter().any(|version| version.version == self.version) {
            return Err(version_not_found(path, Some(self.version)));
        }
        cx.note("version", self.version);
        let heir = stored.iter().map(|version| version.version).find(|version| *version != self.version);
        let Some(heir) = heir else {
            let message = "This is the only version; delete the secret instead";
            return Err(Error::new(Code::LastVersion, message));
        };
        secret_version::remove(tx, &record.id, self.version, cx.now)?;
        tx.changed(Change::Erased);
        if record.current_version == self.version {
            record.current_version = heir;
            // The highest that is left becomes readable, also if its grace had ended.
            secret_version::clear_end(tx, &record.id, heir)?;
        }
        secret::update(tx, scope, &record)?;
        let body = EventBody::SecretVersionDeleted {
            version: self.version,
            current_version: record.current_version,
            deleted_by: cx.actor().to_owned(),
        };
        cx.emit(Happening::of_secret(scope, &record, body));
        Ok(DeletedVersion { path: record.path, version: self.version, current_version: record.current_version })
    }
}
