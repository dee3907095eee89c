//! How audit entries come about: one for each request that touches a resource, allowed or denied.

use std::sync::Arc;

use scaivault_domain::access::{Grant, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::audit::{AuditAction, AuditEntry};
use scaivault_domain::id::{AuditEntryId, IdentityType};
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::{self, Chain, INSTANCE_STREAM};
use scaivault_store::{Lane, StoreError, StoreResult, WriteTx};
use serde_json::Value;

use crate::caller::{Caller, RequestMeta};
use crate::context::{Notes, PathNotes};
use crate::error::{Error, Result};
use crate::event::{Happening, Origin};
use crate::job::OwnEntry;
use crate::metrics::Stopwatch;
use crate::vault::Vault;

/// Longest part of a user agent that is kept (contract 06 section 1).
const USER_AGENT_CHARS: usize = 256;

/// An entry without its place in the chain.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) stream: String,
    pub(crate) entry: AuditEntry,
    pub(crate) at: Timestamp,
}

impl Draft {
    /// Appends the entry; what it records must not happen when this fails.
    pub(crate) fn append(self, tx: &mut WriteTx<'_>) -> StoreResult<()> {
        audit::append(tx, &self.stream, self.at, self.entry).map_err(|error| StoreError::Audit(error.to_string()))
    }
}

/// The part of an entry that is known before the operation runs.
pub(crate) struct Subject<'a> {
    pub(crate) action: AuditAction,
    pub(crate) secret_path: Option<String>,
    pub(crate) space: Option<Space>,
    pub(crate) grant: Option<&'a Grant>,
}

impl<'a> Subject<'a> {
    pub(crate) fn of(action: AuditAction, target: Option<&Target>, grant: Option<&'a Grant>) -> Self {
        let (secret_path, space) = match target {
            Some(Target::Secret { space, path }) => (Some(path.as_str().to_owned()), Some(*space)),
            Some(Target::Listing { space, prefix }) => (prefix.clone(), Some(*space)),
            Some(Target::Instance | Target::Tenant) | None => (None, None),
        };
        Self { action, secret_path, space, grant }
    }
}

impl Vault {
    /// The entry of a command, or one for each path it says something of. Where the whole failed these are no more: it did nothing to any.
    pub(crate) fn drafts(
        &self,
        caller: &Caller,
        subject: &Subject<'_>,
        notes: &Notes,
        fate: Result<u16, &Error>,
    ) -> Result<Vec<Draft>> {
        if fate.is_err() || notes.paths.is_empty() {
            return Ok(vec![self.draft(caller, subject, notes, fate)?]);
        }
        let of_path = |path: &PathNotes| {
            let subject = Subject { secret_path: Some(path.path.clone()), grant: path.grant.as_ref(), ..*subject };
            let mut extra = notes.extra.clone();
            extra.extend(path.extra.clone());
            let notes = Notes {
                extra,
                resource_id: notes.resource_id.clone(),
                target_tenant: notes.target_tenant.clone(),
                ..Notes::default()
            };
            self.draft(caller, &subject, &notes, path.failed.as_ref().map_or(fate, Err))
        };
        notes.paths.iter().map(of_path).collect()
    }

    pub(crate) fn draft(
        &self,
        caller: &Caller,
        subject: &Subject<'_>,
        notes: &Notes,
        fate: Result<u16, &Error>,
    ) -> Result<Draft> {
        let mut draft = self.blank(&caller.meta, subject.action, notes, fate)?;
        let identity = caller.identity();
        let entry = &mut draft.entry;
        let target = notes.target_tenant.as_deref().unwrap_or(caller.standing.tenant.as_str());
        draft.stream = target.to_owned();
        entry.tenant_id = Some(draft.stream.clone());
        entry.target_tenant_id = Some(draft.stream.clone());
        entry.acting_tenant_id = Some(identity.tenant.as_str().to_owned());
        entry.acting_partner_id = Some(identity.partner.as_str().to_owned());
        entry.identity_type = Some(identity.identity_type.as_str().to_owned());
        entry.identity_id = Some(identity.identity_id.clone());
        entry.token_ref = Some(caller.session.token.token_ref.clone());
        entry.secret_path.clone_from(&subject.secret_path);
        if subject.space == Some(Space::Partner) {
            entry.extra_data.insert("namespace".to_owned(), "partner".into());
        }
        let granted_by = match subject.grant {
            Some(Grant::Policy(id)) => Some(format!("policy:{id}")),
            Some(Grant::Role(role)) => Some(format!("role:{}", role.as_str())),
            Some(Grant::Member) | None => None,
        };
        if let Some(granted_by) = granted_by {
            entry.extra_data.insert("granted_by".to_owned(), granted_by.into());
        }
        Ok(draft)
    }

    /// An entry of what the server did on its own account. A partner's shared secrets are nobody's: theirs go to the instance's stream
    /// unless the tenant whose policy was at work can be named.
    pub(crate) fn own_draft(
        &self,
        origin: &Origin<'_>,
        scope: &SecretScope,
        own: &OwnEntry,
        at: Timestamp,
    ) -> Result<Draft> {
        let meta = RequestMeta {
            request_id: origin.request_id.to_owned(),
            client_request_id: None,
            source_ip: None,
            user_agent: None,
            started: at,
            fresh: false,
        };
        let notes = Notes { extra: own.extra.clone(), resource_id: own.resource_id.clone(), ..Notes::default() };
        let fate = own.failed.as_ref().map_or(Ok(200), Err);
        let mut draft = self.blank(&meta, own.action, &notes, fate)?;
        let entry = &mut draft.entry;
        entry.identity_type = Some(IdentityType::System.as_str().to_owned());
        entry.identity_id = Some(origin.identity_id.to_owned());
        entry.secret_path.clone_from(&own.secret_path);
        entry.acting_partner_id = Some(origin.partner_id.to_owned());
        if scope.space() == Space::Partner {
            entry.extra_data.insert("namespace".to_owned(), "partner".into());
        }
        if !origin.tenant_id.is_empty() {
            entry.tenant_id = Some(origin.tenant_id.to_owned());
            entry.target_tenant_id = Some(origin.tenant_id.to_owned());
            draft.stream = origin.tenant_id.to_owned();
        }
        Ok(draft)
    }

    /// An entry of the instance stream, of nobody known.
    pub(crate) fn blank(
        &self,
        meta: &RequestMeta,
        action: AuditAction,
        notes: &Notes,
        fate: Result<u16, &Error>,
    ) -> Result<Draft> {
        let at = self.clock.now();
        let mut extra_data = notes.extra.clone();
        if let Some(id) = &meta.client_request_id {
            extra_data.insert("client_request_id".to_owned(), Value::from(id.clone()));
        }
        if let Err(error) = fate
            && let Some(failed) = error.details().get("failed_condition")
        {
            extra_data.insert("failed_condition".to_owned(), failed.clone());
        }
        let status = fate.unwrap_or_else(|error| error.code().status());
        let entry = AuditEntry {
            acting_partner_id: None,
            acting_tenant_id: None,
            chain: None,
            action: action.as_str().to_owned(),
            duration_ms: at.micros_since(meta.started).max(0) / 1000,
            error_code: fate.err().map(|error| error.code().as_str().to_owned()),
            extra_data,
            id: AuditEntryId::from_ulid(self.ulid(at)?).as_str().to_owned(),
            identity_id: None,
            identity_type: None,
            prev_hash: String::new(),
            request_id: meta.request_id.clone(),
            resource_id: notes.resource_id.clone(),
            secret_path: None,
            seq: 0,
            source_ip: meta.source_ip.map(|ip| ip.to_canonical().to_string()),
            status_code: i64::from(status),
            success: status < 400,
            target_tenant_id: None,
            tenant_id: None,
            timestamp: at.to_rfc3339_micros(),
            token_ref: None,
            user_agent: meta.user_agent.as_ref().map(|agent| agent.chars().take(USER_AGENT_CHARS).collect()),
        };
        Ok(Draft { stream: INSTANCE_STREAM.to_owned(), entry, at })
    }

    /// Makes the entry durable. The caller discloses nothing until this answered.
    pub(crate) async fn record(&self, draft: Draft) -> Result<()> {
        self.record_all(vec![draft]).await
    }

    /// Makes the entries durable: all or none.
    pub(crate) async fn record_all(&self, drafts: Vec<Draft>) -> Result<()> {
        self.write_entries(Lane::Beside, move |tx| append_all(tx, &drafts)).await
    }

    /// Makes the entries of a request durable, and what is told of it: all or none.
    pub(crate) async fn record_and_tell(
        self: &Arc<Self>,
        caller: &Arc<Caller>,
        drafts: Vec<Draft>,
        happenings: Vec<Happening>,
        now: Timestamp,
    ) -> Result<()> {
        // Most reads are of no interest to anybody.
        if happenings.is_empty() {
            return self.record_all(drafts).await;
        }
        let (vault, asking) = (Arc::clone(self), Arc::clone(caller));
        // Telling is a write like any other.
        let lane = Lane::Tenant(caller.tenant_id().as_str().to_owned());
        let written = self.write_entries(lane, move |tx| {
            vault.append_events(tx, &Origin::of(&asking), &happenings, now)?;
            append_all(tx, &drafts)
        });
        written.await.inspect_err(|_| self.violations.forget(&caller.meta.request_id))
    }

    async fn write_entries<F>(&self, lane: Lane, work: F) -> Result<()>
    where
        F: FnMut(&mut WriteTx<'_>) -> StoreResult<()> + Send + 'static,
    {
        let stopwatch = Stopwatch::start();
        match self.store.write(lane, work).await {
            Ok(()) => {
                self.metrics.committed(stopwatch.elapsed());
                Ok(())
            }
            Err(StoreError::Closed) => Err(StoreError::Closed.into()),
            Err(error) => {
                self.metrics.audit_failed();
                Err(Error::unavailable(crate::error::Outage::Audit, error))
            }
        }
    }

    /// Tells of a durable entry whoever keeps count: the log file, the figures, the checkpoint job.
    pub(crate) fn published(&self, entry: &AuditEntry) {
        self.mirror.push(entry);
        self.metrics.audited(entry);
        self.growth.appended(Chain::of(entry), entry.seq);
    }
}

fn append_all(tx: &mut WriteTx<'_>, drafts: &[Draft]) -> StoreResult<()> {
    drafts.iter().try_for_each(|draft| draft.clone().append(tx))
}

/// Which audit action a refused request is recorded under, before its options were read.
pub(crate) fn audit_action(action: Action) -> Option<AuditAction> {
    action.spec().audit
}

/// What can't be recorded must not happen: an error on the way to an entry ends the transaction.
pub(crate) fn unrecorded(error: Error) -> StoreError {
    StoreError::Audit(format!("{error:?}"))
}
