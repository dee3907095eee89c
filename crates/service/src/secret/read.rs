//! Reading a value (contract 01 section 2).

use std::sync::Arc;

use scaivault_crypto::SecretString;
use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::path::SecretPath;
use scaivault_domain::secret::VersionState;
use scaivault_domain::time::Timestamp;
use scaivault_store::ReadView;
use scaivault_store::secret::SecretRecord;
use scaivault_store::secret_version::{self, SealedValue, VersionAt, VersionRecord};

use super::{expired, live, version_not_found};
use crate::cache::CachedSecret;
use crate::context::{Context, Outcome};
use crate::error::{Error, Result};
use crate::event::reads;
use crate::operation::{Operation, Query};
use crate::vault::Vault;

/// Which version is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The one written last up to this time.
    At(Timestamp),
    Current,
    Number(i64),
}

/// `GET /v1/secrets/{path}`
#[derive(Debug, Clone)]
pub struct ReadSecret {
    pub space: Space,
    pub path: SecretPath,
    pub select: Select,
    /// Also versions whose grace has ended; needs permission admin.
    pub include_retired: bool,
    /// Versions the caller has already (`If-None-Match`); empty for none.
    pub known_versions: Vec<i64>,
    pub any_known: bool,
}

#[derive(Debug)]
pub enum ValueRead {
    /// The caller has this version already.
    NotModified {
        version: i64,
    },
    Value(Box<SecretValue>),
}

/// A secret with the value of one version. The one type of the service that holds a value on its way out.
#[derive(Debug)]
pub struct SecretValue {
    pub record: SecretRecord,
    pub version: VersionRecord,
    pub is_current: bool,
    /// Compact JSON, as it was written.
    pub data: SecretString,
}

impl Operation for ReadSecret {
    type Output = ValueRead;
    const ACTION: Action = Action::SecretRead;

    fn action(&self) -> Action {
        if self.include_retired { Action::SecretReadRetired } else { Action::SecretRead }
    }

    fn target(&self) -> Target {
        Target::Secret { space: self.space, path: self.path.clone() }
    }
}

impl Query for ReadSecret {
    fn cached_answer(&self, permit: &Permit, vault: &Arc<Vault>, cx: &mut Context<'_>) -> Option<Result<ValueRead>> {
        if self.select != Select::Current || cx.caller.meta.fresh {
            return None;
        }
        // Unknown after a start and after listeners changed: the long way asks.
        vault.reads_are_heard(permit.secrets())?;
        let found = vault.secrets.get(permit.secrets().namespace(), self.path.as_str());
        match found {
            Some(cached) => {
                vault.metrics.cache_hit();
                Some(self.disclose(permit, cx, &cached.record, &cached.version, &cached.value))
            }
            None => {
                vault.metrics.cache_miss();
                None
            }
        }
    }

    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<ValueRead> {
        let record = live(view, permit.secrets(), &self.path, cx.now)?;
        if let Some(end) = record.expires_at.filter(|_| record.is_expired(cx.now)) {
            return Err(expired(&record, end));
        }
        let version = self.find_version(view, &record, cx.now)?;
        let value = secret_version::value(view, &record.id, version.version)?
            .ok_or_else(|| Error::internal("a stored version has no value"))?;
        let read = self.disclose(permit, cx, &record, &version, &value);
        if version.version == record.current_version && read.is_ok() {
            let namespace = permit.secrets().namespace();
            cx.vault.secrets.insert(cx.ticket, namespace, Arc::new(CachedSecret { record, version, value }));
        }
        read
    }
}

impl ReadSecret {
    fn find_version(&self, view: &mut ReadView<'_>, record: &SecretRecord, now: Timestamp) -> Result<VersionRecord> {
        let (found, wanted) = match self.select {
            Select::Number(number) => (secret_version::find(view, &record.id, number)?, Some(number)),
            Select::At(at) if at <= now => {
                let found = match secret_version::written_until(view, &record.id, at)? {
                    Some(VersionAt::Stored(version)) => Some(version),
                    // Never an older one: what was true then is gone (contract 01 section 2).
                    Some(VersionAt::Removed) | None => None,
                };
                (found, None)
            }
            Select::At(_) | Select::Current => {
                (secret_version::find(view, &record.id, record.current_version)?, Some(record.current_version))
            }
        };
        let version = found.ok_or_else(|| version_not_found(&self.path, wanted))?;
        let is_current = version.version == record.current_version;
        let retired = VersionState::of(is_current, version.readable_until, now) == VersionState::Retired;
        if retired && !self.include_retired {
            return Err(version_not_found(&self.path, wanted));
        }
        Ok(version)
    }

    fn disclose(
        &self,
        permit: &Permit,
        cx: &mut Context<'_>,
        record: &SecretRecord,
        version: &VersionRecord,
        value: &SealedValue,
    ) -> Result<ValueRead> {
        if let Some(end) = record.expires_at.filter(|_| record.is_expired(cx.now)) {
            return Err(expired(record, end));
        }
        cx.note("version", version.version);
        if self.any_known || self.known_versions.contains(&version.version) {
            cx.note("conditional", true);
            cx.outcome(Outcome::NotModified);
            self.was_read(permit, cx, record, version);
            return Ok(ValueRead::NotModified { version: version.version });
        }
        let plain = cx.secret_keys(permit.secrets())?.open(&record.id, version.version, self.path.as_str(), value)?;
        let text = std::str::from_utf8(plain.expose()).map_err(|_| Error::internal("a value is no text"))?;
        self.was_read(permit, cx, record, version);
        Ok(ValueRead::Value(Box::new(SecretValue {
            record: record.clone(),
            version: version.clone(),
            is_current: version.version == record.current_version,
            data: SecretString::new(text.to_owned()),
        })))
    }

    fn was_read(&self, permit: &Permit, cx: &mut Context<'_>, record: &SecretRecord, version: &VersionRecord) {
        cx.value_was_read(record);
        reads::tell(cx, permit, record, version.version);
    }
}
