//! Writing a value (contract 01 section 3), and what its options do.

use scaivault_crypto::SecretString;
use scaivault_domain::access::{Permit, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::duration::{Span, SpanList};
use scaivault_domain::event::EventBody;
use scaivault_domain::id::SecretId;
use scaivault_domain::path::SecretPath;
use scaivault_domain::rotation::Trigger;
use scaivault_domain::secret::{
    DEFAULT_MAX_VERSIONS, DEFAULT_NOTIFY_BEFORE, ExpiryChange, Metadata, MetadataPatch, SecretType,
};
use scaivault_domain::time::Timestamp;
use scaivault_store::secret::{self, Presence, RotationAttachment, SecretRecord};
use scaivault_store::{WriteTx, rotation_policy, secret_policy, secret_version};

use super::rotate::{Turn, attached_policy, grace_of, rotate_to, updated};
use super::version::{add_version, check_size, prune};
use super::{IfMatch, deleted, life, permitted_path, version_conflict};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::event::Happening;
use crate::operation::{Command, Operation};

/// A change to what is attached: absent leaves it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Attach {
    Detach,
    #[default]
    Keep,
    To(String),
}

/// `options` of PUT and PATCH; absent fields leave what is.
#[derive(Debug, Clone, Default)]
pub struct OptionsChange {
    /// `Some(None)`: back to the default.
    pub max_versions: Option<Option<i64>>,
    pub expiry: Option<ExpiryChange>,
    pub rotation_policy: Attach,
    pub secret_policy: Attach,
    /// `Some(None)`: back to the default.
    pub notify_before: Option<Option<SpanList>>,
}

/// `PUT /v1/secrets/{path}`
pub struct WriteSecret {
    pub space: Space,
    pub path: SecretPath,
    /// Compact JSON object.
    pub data: SecretString,
    pub secret_type: Option<SecretType>,
    pub metadata: MetadataPatch,
    pub options: OptionsChange,
    pub if_match: IfMatch,
    /// `If-None-Match: *`, or `expected_version: 0`.
    pub create_only: bool,
    /// `options.expected_version` above 0.
    pub expected_version: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct Written {
    pub record: SecretRecord,
    /// `None`: the secret is new.
    pub previous_version: Option<i64>,
    /// Only when the write counts as a rotation.
    pub grace_period_ends: Option<Timestamp>,
}

impl Operation for WriteSecret {
    type Output = Written;
    const ACTION: Action = Action::SecretWrite;

    fn target(&self) -> Target {
        Target::Secret { space: self.space, path: self.path.clone() }
    }
}

impl Command for WriteSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Written> {
        let path = permitted_path(permit)?;
        let scope = permit.secrets();
        check_size(cx, &self.data)?;
        let written = match secret::look(tx, scope, path, cx.now)? {
            Presence::Deleted(_, trash) => return Err(deleted(trash)),
            Presence::Absent => {
                self.check_preconditions(None)?;
                self.create(scope, path, tx, cx)?
            }
            Presence::Live(record) => {
                self.check_preconditions(Some(record.current_version))?;
                self.update(scope, record, tx, cx)?
            }
        };
        if let Some(previous) = written.previous_version {
            cx.note("old_version", previous);
        }
        cx.note("new_version", written.record.current_version);
        Ok(written)
    }
}

impl WriteSecret {
    fn check_preconditions(&self, current: Option<i64>) -> Result<()> {
        self.if_match.check(current)?;
        let expected_holds = self.expected_version.is_none_or(|expected| current == Some(expected));
        let create_holds = !self.create_only || current.is_none();
        if expected_holds && create_holds { Ok(()) } else { Err(version_conflict(current.unwrap_or(0))) }
    }

    fn create(
        &self,
        scope: &SecretScope,
        path: &SecretPath,
        tx: &mut WriteTx<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Written> {
        let mut metadata = Metadata::default();
        self.metadata.apply(&mut metadata);
        let mut record = SecretRecord {
            id: SecretId::from_ulid(cx.ulid()?).as_str().to_owned(),
            path: path.as_str().to_owned(),
            secret_type: self.secret_type.unwrap_or(SecretType::Kv),
            metadata,
            current_version: 0,
            last_version: 0,
            max_versions: default_max_versions(cx),
            expires_in: None,
            expires_at: None,
            notify_before: DEFAULT_NOTIFY_BEFORE.to_owned(),
            policy_tenant_id: scope.owner().tenant().as_str().to_owned(),
            rotation: None,
            last_rotated_at: None,
            secret_policy_id: None,
            created_at: cx.now,
            updated_at: cx.now,
            trash: None,
        };
        self.options.apply(&mut record, scope, tx, cx)?;
        add_version(tx, cx, scope, &mut record, &self.data)?;
        if record.rotation.is_some() {
            record.last_rotated_at = Some(cx.now);
        }
        secret::insert(tx, scope, &record)?;
        life::plan(tx, scope, &record, cx.now)?;
        let body = EventBody::SecretCreated {
            version: record.current_version,
            secret_type: record.secret_type.as_str(),
            created_by: cx.actor().to_owned(),
            tags: record.metadata.tags.clone(),
            expires_at: record.expires_at,
        };
        cx.emit(Happening::of_secret(scope, &record, body));
        cx.outcome(Outcome::Created);
        Ok(Written { record, previous_version: None, grace_period_ends: None })
    }

    fn update(
        &self,
        scope: &SecretScope,
        mut record: SecretRecord,
        tx: &mut WriteTx<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Written> {
        let previous = record.current_version;
        let attached_before =
            record.rotation.clone().map(|attached| (record.policy_tenant_id.clone(), attached.policy_id));
        if let Some(secret_type) = self.secret_type {
            record.secret_type = secret_type;
        }
        self.metadata.apply(&mut record.metadata);
        let gave_expiry = self.options.expiry.is_some();
        self.options.apply(&mut record, scope, tx, cx)?;
        if !gave_expiry {
            renew_expiry(&mut record, cx.now)?;
        }
        let attached = record.rotation.as_ref().map(|attached| attached.policy_id.as_str());
        let stays = attached_before
            .as_ref()
            .is_some_and(|(tenant, policy)| *tenant == record.policy_tenant_id && Some(policy.as_str()) == attached);
        // The PUT that attaches a policy starts its clock; every later one under an active policy is a rotation.
        let policy = if stays { attached_policy(tx, &record)?.filter(|policy| policy.is_active) } else { None };
        if let Some(policy) = policy {
            let grace_seconds = grace_of(Some(&policy))?;
            let turn =
                Turn { trigger: Trigger::Write, policy: Some(&policy), grace_seconds, generated: false, reason: None };
            let ends = rotate_to(tx, cx, scope, &mut record, &self.data, &turn)?.grace_period_ends;
            cx.note("is_rotation", true);
            return Ok(Written { record, previous_version: Some(previous), grace_period_ends: Some(ends) });
        }
        add_version(tx, cx, scope, &mut record, &self.data)?;
        if record.rotation.is_some() && !stays {
            record.last_rotated_at = Some(cx.now);
        }
        prune(tx, &record, cx.now)?;
        record.updated_at = cx.now;
        secret::update(tx, scope, &record)?;
        life::plan(tx, scope, &record, cx.now)?;
        let body = updated(&record, previous, cx.actor(), false);
        cx.emit(Happening::of_secret(scope, &record, body));
        Ok(Written { record, previous_version: Some(previous), grace_period_ends: None })
    }
}

impl OptionsChange {
    /// Lays the options over `record` and answers the names of those that were given.
    pub(crate) fn apply(
        &self,
        record: &mut SecretRecord,
        scope: &SecretScope,
        tx: &mut WriteTx<'_>,
        cx: &Context<'_>,
    ) -> Result<Vec<&'static str>> {
        let mut changed = Vec::new();
        if let Some(max_versions) = self.max_versions {
            record.max_versions = max_versions.unwrap_or_else(|| default_max_versions(cx));
            changed.push("options.max_versions");
        }
        if let Some(expiry) = &self.expiry {
            apply_expiry(expiry, record, cx.now)?;
            changed.push("options.expires_at");
        }
        if let Some(notify_before) = &self.notify_before {
            record.notify_before =
                notify_before.as_ref().map_or_else(|| DEFAULT_NOTIFY_BEFORE.to_owned(), ToString::to_string);
            changed.push("options.notify_before");
        }
        if self.rotation_policy != Attach::Keep {
            attach_rotation(&self.rotation_policy, record, scope, tx, cx)?;
            changed.push("options.rotation_policy_id");
        }
        match &self.secret_policy {
            Attach::Keep => {}
            Attach::Detach => {
                record.secret_policy_id = None;
                changed.push("options.secret_policy_id");
            }
            Attach::To(id) => {
                secret_policy::find(tx, scope.owner(), id)?.ok_or_else(|| secret_policy_not_found(id))?;
                adopt_policy_tenant(record, scope);
                record.secret_policy_id = Some(id.clone());
                changed.push("options.secret_policy_id");
            }
        }
        Ok(changed)
    }
}

fn apply_expiry(expiry: &ExpiryChange, record: &mut SecretRecord, now: Timestamp) -> Result<()> {
    match expiry {
        ExpiryChange::At(at) => {
            record.expires_at = Some(*at);
            record.expires_in = None;
        }
        ExpiryChange::In(span) => {
            record.expires_at = Some(after(now, span.seconds())?);
            record.expires_in = Some(span.as_str().to_owned());
        }
        ExpiryChange::Never => {
            record.expires_at = None;
            record.expires_in = None;
        }
    }
    Ok(())
}

/// A write without an expiry of its own: a remembered duration renews, a time that has passed is cleared (contract 01 section 6).
pub(crate) fn renew_expiry(record: &mut SecretRecord, now: Timestamp) -> Result<()> {
    if let Some(remembered) = &record.expires_in {
        let span = Span::parse(remembered).map_err(|_| Error::internal("a remembered duration can't be read"))?;
        record.expires_at = Some(after(now, span.seconds())?);
    } else if record.is_expired(now) {
        record.expires_at = None;
    }
    Ok(())
}

pub(crate) fn after(now: Timestamp, seconds: i64) -> Result<Timestamp> {
    now.checked_add_seconds(seconds)
        .ok_or_else(|| Error::new(Code::InvalidDuration, "The duration reaches beyond the year 9999"))
}

/// Attaches, moves or detaches a rotation policy; attaching counts from the time of the current version (contract 04 section 2).
pub(crate) fn attach_rotation(
    change: &Attach,
    record: &mut SecretRecord,
    scope: &SecretScope,
    tx: &mut WriteTx<'_>,
    cx: &Context<'_>,
) -> Result<()> {
    let Attach::To(id) = change else {
        record.rotation = None;
        return Ok(());
    };
    rotation_policy::find(tx, scope.owner(), id)?.ok_or_else(|| rotation_policy_not_found(id))?;
    let same_tenant = record.policy_tenant_id == scope.owner().tenant().as_str();
    if same_tenant && record.rotation.as_ref().is_some_and(|attached| attached.policy_id == *id) {
        return Ok(());
    }
    adopt_policy_tenant(record, scope);
    record.rotation =
        Some(RotationAttachment { policy_id: id.clone(), assigned_at: cx.now, assigned_by: cx.actor().to_owned() });
    let current = secret_version::find(tx, &record.id, record.current_version)?;
    // Not from a time that is still to come: the clock may have been set back since.
    record.last_rotated_at = current.map(|version| version.created_at.min(cx.now));
    Ok(())
}

/// The policies of a shared secret are those of the tenant that attached the last one; what another tenant attached goes.
fn adopt_policy_tenant(record: &mut SecretRecord, scope: &SecretScope) {
    let tenant = scope.owner().tenant().as_str();
    if record.policy_tenant_id != tenant {
        record.policy_tenant_id = tenant.to_owned();
        record.rotation = None;
        record.secret_policy_id = None;
    }
}

fn default_max_versions(cx: &Context<'_>) -> i64 {
    cx.settings.default_max_versions.unwrap_or(DEFAULT_MAX_VERSIONS)
}

pub(crate) fn rotation_policy_not_found(id: &str) -> Error {
    Error::new(Code::RotationPolicyNotFound, format!("Rotation policy '{id}' not found")).with("id", id)
}

pub(crate) fn secret_policy_not_found(id: &str) -> Error {
    Error::new(Code::SecretPolicyNotFound, format!("Secret policy '{id}' not found")).with("id", id)
}
