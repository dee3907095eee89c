//! What an operation or a job may use besides its transaction, and what it leaves for the audit entry and the listeners.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use scaivault_domain::access::{Grant, Permit, SecretScope, Target, TenantScope};
use scaivault_domain::action::Action;
use scaivault_domain::id;
use scaivault_domain::secret::SecretType;
use scaivault_domain::time::Timestamp;
use scaivault_store::secret::SecretRecord;
use scaivault_store::tenant::TenantSettings;
use serde_json::Value;

use crate::cache::Ticket;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::event::Happening;
use crate::job::OwnEntry;
use crate::keyring::KeySet;
use crate::making::Making;
use crate::vault::Vault;
use crate::warm::WarmKeys;

/// The largest integer that every reader of JSON reads alike (RFC 8785).
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;
/// More than any id or path has: what a client sent in the place of one is cut.
const RESOURCE_ID_CHARS: usize = 512;

/// How an operation ended well. The doors turn it into their own words; the audit entry holds the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    Created,
    /// Taken in hand; it happens after the answer.
    Accepted,
    #[default]
    Done,
    /// Done, and there is nothing to say.
    Empty,
    NotModified,
}

impl Outcome {
    /// The HTTP status that the audit entry names (contract 06 section 1).
    pub fn status(self) -> u16 {
        match self {
            Self::Created => 201,
            Self::Accepted => 202,
            Self::Done => 200,
            Self::Empty => 204,
            Self::NotModified => 304,
        }
    }
}

/// An effect on the server itself. A plain function: it can't carry anything out of a transaction that may be repeated.
pub(crate) type AfterCommit = fn(&Vault);

/// What an operation says about itself for the audit entry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    pub(crate) extra: BTreeMap<String, Value>,
    pub(crate) resource_id: Option<String>,
    /// The tenant whose directory a route of the instance touches: its auditors see the entry.
    pub(crate) target_tenant: Option<String>,
    pub(crate) outcome: Outcome,
    /// The secret whose value was read, for the access statistics.
    pub(crate) read_secret: Option<(String, SecretType)>,
    /// What is to happen once the change is durable.
    pub(crate) after_commit: Option<AfterCommit>,
    /// What a command did to several paths: an entry for each, instead of one for all.
    pub(crate) paths: Vec<PathNotes>,
    /// What listeners hear of, in the order in which it happened.
    pub(crate) events: Vec<Happening>,
    /// What a job of the server leaves in the trail.
    pub(crate) entries: Vec<OwnEntry>,
    /// A query that shows nothing leaves no entry if it goes well.
    pub(crate) unrecorded: bool,
}

/// What the entry of one path says beside what all of them say.
#[derive(Debug, Clone)]
pub(crate) struct PathNotes {
    pub(crate) path: String,
    /// What opened it, if something did.
    pub(crate) grant: Option<Grant>,
    pub(crate) extra: BTreeMap<String, Value>,
    pub(crate) failed: Option<Error>,
}

/// What both requests and the server's own jobs work with.
pub struct Work<'a> {
    /// The time of this request or job; every time that it writes is this one.
    pub now: Timestamp,
    pub vault: &'a Arc<Vault>,
    /// Of the tenant it takes effect in.
    pub(crate) settings: &'a TenantSettings,
    actor: &'a str,
    pub(crate) notes: Notes,
    /// The values that take too long to be made in here; see [`Work::generated`].
    pub(crate) making: Making,
    keys: WarmKeys,
}

/// What a request works with: [`Work`], and who asked.
pub struct Context<'a> {
    work: Work<'a>,
    pub caller: &'a Caller,
    /// Older than the operation's snapshot, however much it reads from it.
    pub(crate) ticket: Ticket,
}

impl<'a> Deref for Context<'a> {
    type Target = Work<'a>;

    fn deref(&self) -> &Work<'a> {
        &self.work
    }
}

impl<'a> DerefMut for Context<'a> {
    fn deref_mut(&mut self) -> &mut Work<'a> {
        &mut self.work
    }
}

impl<'a> Context<'a> {
    pub(crate) fn new(vault: &'a Arc<Vault>, caller: &'a Caller, now: Timestamp, keys: WarmKeys) -> Self {
        let ticket = vault.secrets.ticket();
        let work = Work::new(vault, &caller.identity().identity_id, &caller.settings, now, keys);
        Self { work, caller, ticket }
    }

    /// Decides on a part of what was asked for, as if it had been asked for alone.
    ///
    /// # Errors
    /// The refusal as the caller is told.
    pub(crate) fn permit(&self, action: Action, target: &Target) -> Result<Permit> {
        self.vault.permit(self.caller, action, target, self.now)
    }

    /// What is left when it is over.
    pub(crate) fn into_notes(self) -> (Notes, Making) {
        (self.work.notes, self.work.making)
    }
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        vault: &'a Arc<Vault>,
        actor: &'a str,
        settings: &'a TenantSettings,
        now: Timestamp,
        keys: WarmKeys,
    ) -> Self {
        Self { now, vault, settings, actor, notes: Notes::default(), making: Making::default(), keys }
    }

    /// Has listeners hear of it once it is durable; a command that fails has done nothing worth hearing.
    pub(crate) fn emit(&mut self, happening: Happening) {
        self.notes.events.push(happening);
    }

    /// Leaves an entry of the server's own doing.
    pub(crate) fn leave_entry(&mut self, entry: OwnEntry) {
        self.notes.entries.push(entry);
    }

    /// Adds to `extra_data` of the audit entry. Strings, integers, booleans and lists of strings only; never a value or a key.
    pub fn note(&mut self, key: &str, value: impl Into<Value>) {
        let value = match value.into() {
            // Beyond this the canonical form of the entry would not be the same everywhere, and the entry could not be written.
            Value::Number(number) if number.as_i64().is_none_or(|number| number.abs() > MAX_SAFE_INTEGER) => {
                Value::String(number.to_string())
            }
            value => value,
        };
        self.notes.extra.insert(key.to_owned(), value);
    }

    /// Has a command leave an entry for this path, instead of one for all it did; `failed` where it did nothing to this one. A command
    /// that is refused as a whole still leaves one.
    pub(crate) fn note_path<'k>(
        &mut self,
        path: &str,
        grant: Option<Grant>,
        extra: impl IntoIterator<Item = (&'k str, Value)>,
        failed: Option<Error>,
    ) {
        let extra = extra.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        self.notes.paths.push(PathNotes { path: path.to_owned(), grant, extra, failed });
    }

    /// Names the policy, token, user ... that was touched.
    pub fn touched(&mut self, id: impl Into<String>) {
        self.notes.resource_id = Some(id.into().chars().take(RESOURCE_ID_CHARS).collect());
    }

    /// Names the tenant that a route of the instance (the directory's) takes effect in.
    pub(crate) fn concerns(&mut self, tenant_id: &str) {
        self.notes.target_tenant = Some(tenant_id.to_owned());
    }

    /// Has a query leave no entry, for it shows nothing: only where the contract says so. A refused one still leaves one.
    pub(crate) fn nothing_to_record(&mut self) {
        self.notes.unrecorded = true;
    }

    pub fn outcome(&mut self, outcome: Outcome) {
        self.notes.outcome = outcome;
    }

    /// Takes back [`Self::concerns`].
    pub(crate) fn concerns_nobody_else(&mut self) {
        self.notes.target_tenant = None;
    }

    pub(crate) fn value_was_read(&mut self, record: &SecretRecord) {
        self.notes.read_secret = Some((record.id.clone(), record.secret_type));
    }

    /// Has `effect` happen after a command's change and its audit entry are durable, and only then. Means nothing in a query.
    pub(crate) fn after_commit(&mut self, effect: AfterCommit) {
        self.notes.after_commit = Some(effect);
    }

    /// `user:mia@firm.example`: what `created_by` and the like hold.
    pub fn actor(&self) -> &str {
        self.actor
    }

    pub fn secret_keys(&self, scope: &SecretScope) -> Result<Arc<KeySet>> {
        match self.keys.secrets(scope) {
            Some(keys) => keys,
            None => self.vault.keyring.for_secrets(&self.vault.store, scope, self.now),
        }
    }

    pub fn tenant_keys(&self, scope: &TenantScope) -> Result<Arc<KeySet>> {
        match self.keys.tenant(scope) {
            Some(keys) => keys,
            None => self.vault.keyring.for_tenant(&self.vault.store, scope, self.now),
        }
    }

    /// A new ULID; put it behind a prefix with `SomeId::from_ulid`.
    pub fn ulid(&self) -> Result<id::Ulid> {
        self.vault.ulid(self.now)
    }

    /// Four random characters, to tell apart ids that are slugs of one name.
    pub fn four_chars(&self) -> Result<String> {
        let mut random = [0; 4];
        self.vault.entropy.fill(&mut random).map_err(Error::internal)?;
        Ok(id::four_chars(random))
    }
}
