//! Rotating now: a given value, or one made by a recipe (contract 01 section 11, 04 section 4).

use scaivault_crypto::SecretString;
use scaivault_domain::access::{Permit, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::duration::Span;
use scaivault_domain::path::SecretPath;
use scaivault_domain::recipe::{self, Recipe};
use scaivault_domain::time::Timestamp;
use scaivault_store::rotation_policy::RotationPolicyRecord;
use scaivault_store::secret::{self, SecretRecord};
use scaivault_store::secret_policy::SecretPolicyRecord;
use scaivault_store::{WriteTx, secret_policy, secret_version};

use super::write::{add_version, attached_policy, check_size, grace_of, prune, renew_expiry, start_grace};
use super::{IfMatch, live, permitted_path};
use crate::context::Context;
use crate::error::{Code, Error, FaultCode, Result};
use crate::operation::{Command, Operation};

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
        renew_expiry(&mut record, cx.now)?;
        add_version(tx, cx, scope, &mut record, data)?;
        let grace = match &self.grace_period {
            Some(span) => span.seconds(),
            None => grace_of(policy.as_ref())?,
        };
        let grace_period_ends = start_grace(tx, &mut record, cx.now, grace)?;
        prune(tx, &record, cx.now)?;
        record.updated_at = cx.now;
        secret::update(tx, scope, &record)?;
        cx.note("old_version", previous_version);
        cx.note("new_version", record.current_version);
        Ok(Rotated {
            record,
            previous_version,
            rotated_at: cx.now,
            grace_period_ends,
            generated: !matches!(self.value, NewValue::Given(_)),
        })
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
    cx: &mut Context<'_>,
    scope: &SecretScope,
    record: &SecretRecord,
    policy: Option<&RotationPolicyRecord>,
) -> Result<SecretString> {
    let version = record.current_version;
    let sealed = secret_version::value(tx, &record.id, version)?
        .ok_or_else(|| Error::internal("the current version has no value"))?;
    let current = cx.secret_keys(scope)?.open(&record.id, version, &record.path, &sealed)?;
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
    cx.generated(&recipe, current)
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
