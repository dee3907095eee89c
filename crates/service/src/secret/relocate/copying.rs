//! Copying: a new secret that begins as the other one is.

use std::sync::Arc;

use scaivault_domain::access::{Permit, SecretScope, Target};
use scaivault_domain::action::Action;
use scaivault_domain::event::EventBody;
use scaivault_domain::id::SecretId;
use scaivault_store::WriteTx;
use scaivault_store::secret::{self, SecretRecord};
use scaivault_store::secret_version::{self, VersionRecord};

use super::{Journey, Leg, Relocated};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event::Happening;
use crate::keyring::KeySet;
use crate::operation::{Command, Operation};
use crate::secret::{expired, life, sealing_keys};

/// `POST /v1/secrets/{path}/copy`
pub struct CopySecrets {
    pub journey: Journey,
    /// Else the current version alone, as version 1.
    pub include_versions: bool,
}

impl Operation for CopySecrets {
    type Output = Vec<Relocated>;
    const ACTION: Action = Action::SecretCopy;

    fn action(&self) -> Action {
        if self.journey.recursive { Action::SecretCopyFolder } else { Self::ACTION }
    }

    fn target(&self) -> Target {
        self.journey.target()
    }
}

impl Command for CopySecrets {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Vec<Relocated>> {
        self.journey.travel(Self::ACTION, permit, tx, cx, |tx, cx, scope, leg| self.carry(tx, cx, scope, leg))
    }
}

impl CopySecrets {
    fn carry(&self, tx: &mut WriteTx<'_>, cx: &mut Context<'_>, scope: &SecretScope, leg: &Leg) -> Result<i64> {
        let source = &leg.record;
        // Permission read opens no more here than a read does: at the destination the caller may have the right to end the expiry.
        if let Some(end) = source.expires_at.filter(|_| source.is_expired(cx.now)) {
            return Err(expired(source, end));
        }
        let mut twin = SecretRecord {
            // A value is sealed for its secret, and a secret is its id: two that shared one would share everything.
            id: SecretId::from_ulid(cx.ulid()?).as_str().to_owned(),
            path: leg.to.as_str().to_owned(),
            updated_at: cx.now,
            ..source.clone()
        };
        let twins = Twins { keys: sealing_keys(tx, cx, scope)?, source, id: twin.id.clone(), path: leg.to.as_str() };
        if self.include_versions {
            for (version, removed_at) in secret_version::history(tx, &source.id)? {
                let current = version.version == source.current_version;
                let retired = !current && version.readable_until.is_some_and(|end| end <= cx.now);
                // A retired value is not for those who may only read; its number stays taken.
                match removed_at.or(retired.then_some(cx.now)) {
                    Some(gone) => secret_version::insert_tombstone(tx, &twin.id, &version, gone)?,
                    None => twins.reseal(tx, cx, version.version, &version)?,
                }
            }
        } else {
            let current = secret_version::find(tx, &source.id, source.current_version)?.ok_or_else(no_value)?;
            twin.created_at = current.created_at;
            (twin.current_version, twin.last_version) = (1, 1);
            twins.reseal(tx, cx, current.version, &VersionRecord { version: 1, ..current })?;
        }
        secret::insert(tx, scope, &twin)?;
        life::plan(tx, scope, &twin, cx.now)?;
        let body = EventBody::SecretCreated {
            version: twin.current_version,
            secret_type: twin.secret_type.as_str(),
            created_by: cx.actor().to_owned(),
            tags: twin.metadata.tags.clone(),
            expires_at: twin.expires_at,
        };
        cx.emit(Happening::of_secret(scope, &twin, body));
        Ok(twin.current_version)
    }
}

struct Twins<'a> {
    keys: Arc<KeySet>,
    source: &'a SecretRecord,
    /// Of the copy.
    id: String,
    path: &'a str,
}

impl Twins<'_> {
    /// Opens version `number` of the source and seals it as `version` of the copy. One at a time: a folder of values would not fit
    /// into memory.
    fn reseal(&self, tx: &mut WriteTx<'_>, cx: &Context<'_>, number: i64, version: &VersionRecord) -> Result<()> {
        let sealed = secret_version::value(tx, &self.source.id, number)?.ok_or_else(no_value)?;
        let opened = self.keys.open(&self.source.id, number, &self.source.path, &sealed)?;
        let resealed = self.keys.seal(&self.id, version.version, self.path, opened.expose(), &*cx.vault.entropy)?;
        Ok(secret_version::insert(tx, &self.id, version, &resealed)?)
    }
}

fn no_value() -> Error {
    Error::internal("a stored version has no value")
}
