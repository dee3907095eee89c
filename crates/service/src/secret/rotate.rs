//! Rotating now: a given value, or one made by a recipe (contract 01 section 11, 04 section 4).

use scaivault_crypto::SecretString;
use scaivault_domain::access::{Permit, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::duration::Span;
use scaivault_domain::event::EventBody;
use scaivault_domain::path::SecretPath;
use scaivault_domain::recipe::{self, Recipe};
use scaivault_domain::rotation::Trigger;
use scaivault_domain::secret::DEFAULT_GRACE_SECONDS;
use scaivault_domain::time::Timestamp;
use scaivault_store::rotation_policy::{self, RotationPolicyRecord};
use scaivault_store::secret::{self, SecretRecord};
use scaivault_store::secret_policy::SecretPolicyRecord;
use scaivault_store::{Database, WriteTx, secret_policy, secret_version};

use super::version::{add_version, check_size, prune};
use super::write::{after, renew_expiry};
use super::{IfMatch, life, live, permitted_path};
use crate::context::{Context, Work};
use crate::error::{Code, Error, FaultCode, Result};
use crate::event::Happening;
use crate::operation::{Command, Operation};
use crate::rotation_policy::history;

/// Where the new value comes from.
pub enum NewValue {
    /// From a recipe, whatever the policy says.
    Generate,
    /// Compact JSON object.
    Given(SecretString),
    /// From a recipe if the attached policy generates; else there has to be a value.
    Unsaid,
}

/// `POST /v1/secrets/{path}/rotate`
pub struct RotateSecret {
    pub space: Space,
    pub path: SecretPath,
    pub value: NewValue,
    pub grace_period: Option<Span>,
    pub reason: Option<String>,
    pub if_match: IfMatch,
}

#[derive(Debug, Clone)]
pub struct Rotated {
    pub record: SecretRecord,
    pub previous_version: i64,
    pub rotated_at: Timestamp,
    pub grace_period_ends: Timestamp,
    pub generated: bool,
}

impl Operation for RotateSecret {
    type Output = Rotated;
    const ACTION: Action = Action::SecretRotate;

    fn target(&self) -> Target {
        Target::Secret { space: self.space, path: self.path.clone() }
    }
}

impl Command for RotateSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Rotated> {
        let (path, scope) = (permitted_path(permit)?, permit.secrets());
        if let Some(reason) = &self.reason {
            cx.note("reason", reason.as_str());
        }
        let mut record = live(tx, scope, path, cx.now)?;
        self.if_match.check(Some(record.current_version))?;
        let policy = attached_policy(tx, &record)?;
        let generates = policy.as_ref().is_some_and(|policy| policy.is_active && policy.auto_generate);
        let made;
        let data = match &self.value {
            NewValue::Given(data) => data,
            NewValue::Unsaid if !generates => return Err(value_needed()),
            NewValue::Generate | NewValue::Unsaid => {
                made = generate(tx, cx, scope, &record, policy.as_ref())?;
                &made
            }
        };
        check_size(cx, data)?;
        let previous_version = record.current_version;
        let grace_seconds = match &self.grace_period {
            Some(span) => span.seconds(),
            None => grace_of(policy.as_ref())?,
        };
        let generated = !matches!(self.value, NewValue::Given(_));
        let reason = self.reason.as_deref();
        let turn = Turn { trigger: Trigger::Manual, policy: policy.as_ref(), grace_seconds, generated, reason };
        renew_expiry(&mut record, cx.now)?;
        let grace_period_ends = rotate_to(tx, cx, scope, &mut record, data, &turn)?.grace_period_ends;
        cx.note("old_version", previous_version);
        cx.note("new_version", record.current_version);
        Ok(Rotated { record, previous_version, rotated_at: cx.now, grace_period_ends, generated })
    }
}

/// One rotation, whoever asked for it.
pub(crate) struct Turn<'a> {
    pub(crate) trigger: Trigger,
    /// The attached one.
    pub(crate) policy: Option<&'a RotationPolicyRecord>,
    pub(crate) grace_seconds: i64,
    pub(crate) generated: bool,
    pub(crate) reason: Option<&'a str>,
}

/// What a rotation came to.
pub(crate) struct Rotation {
    pub(crate) grace_period_ends: Timestamp,
    /// With a policy.
    pub(crate) history_id: Option<String>,
}

/// Makes `data` the secret's value: the one way in which a value is rotated. Older versions get their end, the schedule starts anew,
/// a rotation that is waited for is done, and listeners hear of it.
pub(crate) fn rotate_to(
    tx: &mut WriteTx<'_>,
    work: &mut Work<'_>,
    scope: &SecretScope,
    record: &mut SecretRecord,
    data: &SecretString,
    turn: &Turn<'_>,
) -> Result<Rotation> {
    let (now, previous) = (work.now, record.current_version);
    let grace_period_ends = after(now, turn.grace_seconds)?;
    add_version(tx, work, scope, record, data)?;
    secret_version::end_older(tx, &record.id, record.current_version, grace_period_ends)?;
    record.last_rotated_at = Some(now);
    prune(tx, record, now)?;
    record.updated_at = now;
    secret::update(tx, scope, record)?;
    let history_id = match turn.policy {
        Some(policy) => Some(history::succeeded(tx, work, record, policy, turn.trigger, previous)?),
        None => None,
    };
    life::plan(tx, scope, record, now)?;
    let policy_id = turn.policy.map(|policy| policy.id.clone());
    let rotated = EventBody::SecretRotated {
        old_version: previous,
        new_version: record.current_version,
        rotation_policy_id: policy_id.clone(),
        rotation_policy_name: turn.policy.map(|policy| policy.name.clone()),
        grace_period_ends,
        auto_generated: turn.generated,
        reason: turn.reason.map(str::to_owned),
    };
    let completed = EventBody::RotationCompleted {
        rotation_policy_id: policy_id,
        old_version: previous,
        new_version: record.current_version,
        trigger: turn.trigger.as_str(),
    };
    for body in [updated(record, previous, work.actor(), true), rotated, completed] {
        work.emit(Happening::of_secret(scope, record, body));
    }
    Ok(Rotation { grace_period_ends, history_id })
}

/// Tells of a new version.
pub(crate) fn updated(record: &SecretRecord, previous: i64, by: &str, is_rotation: bool) -> EventBody {
    EventBody::SecretUpdated {
        old_version: previous,
        new_version: record.current_version,
        updated_by: by.to_owned(),
        is_rotation,
    }
}

pub(crate) fn attached_policy(db: &mut impl Database, record: &SecretRecord) -> Result<Option<RotationPolicyRecord>> {
    match &record.rotation {
        Some(attached) => Ok(rotation_policy::find_in(db, &record.policy_tenant_id, &attached.policy_id)?),
        None => Ok(None),
    }
}

/// Grace in seconds of a rotation that names none itself.
pub(crate) fn grace_of(policy: Option<&RotationPolicyRecord>) -> Result<i64> {
    match policy {
        Some(policy) => Ok(Span::parse(&policy.grace_period).map_err(Error::internal)?.seconds()),
        None => Ok(DEFAULT_GRACE_SECONDS),
    }
}

fn value_needed() -> Error {
    Error::field(
        "new_value",
        FaultCode::Required,
        "is required: no active rotation policy with auto_generate is attached (or send \"generate\": true)",
    )
}

/// A new value: the recipe of the secret, else of its rotation policy, else the built-in one, laid over the current data.
pub(crate) fn generate(
    tx: &mut WriteTx<'_>,
    work: &mut Work<'_>,
    scope: &SecretScope,
    record: &SecretRecord,
    policy: Option<&RotationPolicyRecord>,
) -> Result<SecretString> {
    let version = record.current_version;
    let sealed = secret_version::value(tx, &record.id, version)?
        .ok_or_else(|| Error::internal("the current version has no value"))?;
    let current = work.secret_keys(scope)?.open(&record.id, version, &record.path, &sealed)?;
    let current = std::str::from_utf8(current.expose()).map_err(|_| Error::internal("a value is no text"))?;
    let chosen =
        record.secret_policy_id.as_ref().or_else(|| policy.and_then(|policy| policy.secret_policy_id.as_ref()));
    let recipe = match chosen {
        Some(id) => {
            let found = secret_policy::find_in(tx, &record.policy_tenant_id, id)?;
            recipe_of(&found.ok_or_else(|| Error::internal("an attached secret policy is not there"))?)?
        }
        None => recipe::builtin(current).ok_or_else(no_recipe)?,
    };
    work.generated(&record.id, &recipe, current)
}

/// The recipe of a stored secret policy.
///
/// # Errors
/// `invalid_state` for an inactive one.
pub(crate) fn recipe_of(policy: &SecretPolicyRecord) -> Result<Recipe> {
    if !policy.is_active {
        let message = format!("Secret policy '{}' is inactive; activate it first", policy.id);
        return Err(Error::new(Code::InvalidState, message).with("state", "inactive"));
    }
    Recipe::parse(&policy.fields.to_string()).map_err(|_| Error::internal("a stored recipe can't be read"))
}

fn no_recipe() -> Error {
    Error::field(
        "new_value",
        FaultCode::Required,
        "is required: no secret policy is attached, and the built-in recipe does not know which field to generate",
    )
}
