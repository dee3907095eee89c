//! Rotating the secrets of a policy now (contract 04 section 2).

use scaivault_domain::access::{Grant, Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::id::RotationHistoryId;
use scaivault_domain::path::SecretPath;
use scaivault_domain::rotation::{Fate, Trigger};
use scaivault_store::WriteTx;
use scaivault_store::rotation_history::{self, HistoryItem};
use scaivault_store::rotation_policy::{self, RotationPolicyRecord};
use scaivault_store::secret::SecretRecord;
use serde_json::Value;

use super::{existing, history, turn};
use crate::context::Context;
use crate::error::{Code, Error, FaultCode, Result};
use crate::operation::{Command, Operation};
use crate::secret::not_found;

/// More at once would keep the writer from everybody else for too long.
pub const MOST_ROTATED: usize = 1000;

/// `POST /v1/rotation/policies/{id}/rotate`
#[derive(Debug, Clone)]
pub struct RotatePolicySecrets {
    pub policy_id: String,
    /// At most [`MOST_ROTATED`]; `None`: every attached secret.
    pub paths: Option<Vec<SecretPath>>,
    pub reason: Option<String>,
}

/// What became of each, in path order.
#[derive(Debug, Clone)]
pub struct RotationReport {
    pub items: Vec<HistoryItem>,
}

/// A secret that is to be rotated; without a record it is not attached.
struct Wanted {
    space: Space,
    path: SecretPath,
    record: Option<SecretRecord>,
}

/// Why a secret was not rotated.
struct Refused {
    error: Error,
    grant: Option<Grant>,
    /// What the history holds of it, if it does.
    item: Option<HistoryItem>,
}

impl Refused {
    fn before_anything(error: Error, grant: Option<&Grant>) -> Self {
        Self { error, grant: grant.cloned(), item: None }
    }
}

impl Operation for RotatePolicySecrets {
    type Output = RotationReport;
    const ACTION: Action = Action::RotationRotate;

    fn target(&self) -> Target {
        Target::Listing { space: Space::Tenant, prefix: None }
    }
}

impl Command for RotatePolicySecrets {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<RotationReport> {
        let policy = existing(tx, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        if let Some(reason) = &self.reason {
            cx.note("reason", reason.as_str());
        }
        let mut items = Vec::new();
        for wanted in self.wanted(tx, permit, &policy)? {
            let (path, space) = (wanted.path.clone(), wanted.space);
            let item = match self.rotate(tx, cx, &policy, wanted)? {
                Ok(item) => item,
                Err(refused) => self.note_refused(cx, &policy, &path, space, refused)?,
            };
            items.push(item);
        }
        // Whatever is lacking is made for all of them before the next run.
        if cx.making.lacks_something() {
            return Err(Error::internal("values have to be made first"));
        }
        Ok(RotationReport { items })
    }
}

impl RotatePolicySecrets {
    /// In path order, each once.
    fn wanted(&self, tx: &mut WriteTx<'_>, permit: &Permit, policy: &RotationPolicyRecord) -> Result<Vec<Wanted>> {
        let scope = permit.tenant();
        let own = scope.tenant().as_str();
        let space = |namespace: &str| if namespace == own { Space::Tenant } else { Space::Partner };
        let Some(paths) = &self.paths else {
            let limit = i64::try_from(MOST_ROTATED).unwrap_or(i64::MAX).saturating_add(1);
            let found = rotation_policy::attached(tx, scope, &policy.id, ("", ""), limit)?;
            if found.len() > MOST_ROTATED {
                let message = format!("is required: more than {MOST_ROTATED} secrets are attached; name some of them");
                return Err(Error::field("secret_paths", FaultCode::Required, message));
            }
            let wanted = |(namespace, record): (String, SecretRecord)| {
                let path =
                    SecretPath::parse(&record.path).map_err(|_| Error::internal("a stored path is not valid"))?;
                Ok(Wanted { space: space(&namespace), path, record: Some(record) })
            };
            return found.into_iter().map(wanted).collect();
        };
        let mut paths: Vec<&SecretPath> = paths.iter().collect();
        paths.sort_by(|left, right| left.as_str().cmp(right.as_str()));
        paths.dedup();
        let mut wanted = Vec::with_capacity(paths.len());
        for path in paths {
            let found = rotation_policy::attached_at(tx, scope, &policy.id, path.as_str())?;
            // A path is the tenant's own first.
            let found = found.into_iter().min_by_key(|(namespace, _)| space(namespace) == Space::Partner);
            let (space, record) = match found {
                Some((namespace, record)) => (space(&namespace), Some(record)),
                None => (Space::Tenant, None),
            };
            wanted.push(Wanted { space, path: path.clone(), record });
        }
        Ok(wanted)
    }

    /// The outer error ends the call.
    fn rotate(
        &self,
        tx: &mut WriteTx<'_>,
        cx: &mut Context<'_>,
        policy: &RotationPolicyRecord,
        wanted: Wanted,
    ) -> Result<Result<HistoryItem, Refused>> {
        let target = Target::Secret { space: wanted.space, path: wanted.path.clone() };
        let permit = match cx.permit(Action::SecretRotate, &target) {
            Ok(permit) => permit,
            Err(error) => {
                let told = cx.vault.violation(cx.caller, &target, &error, true, cx.now);
                told.into_iter().for_each(|happening| cx.emit(happening));
                return Ok(Err(Refused::before_anything(error, None)));
            }
        };
        let grant = permit.grant();
        let Some(record) = wanted.record else {
            return Ok(Err(Refused::before_anything(not_found(&wanted.path), Some(grant))));
        };
        if let Err(error) = can_generate(policy) {
            let item = history::failed(tx, cx, &record, policy, Trigger::Manual, &error)?;
            return Ok(Err(Refused { error, grant: Some(grant.clone()), item: Some(item) }));
        }
        let how = (Trigger::Manual, self.reason.as_deref());
        let done = match turn::generate_and_rotate(tx, cx, permit.secrets(), &record, policy, how)? {
            Ok(done) => done,
            // This run comes to nothing, and who only lacks a value has not failed.
            Err(error) if cx.making.lacks_something() => {
                return Ok(Err(Refused::before_anything(error, Some(grant))));
            }
            Err(error) => {
                turn::tell_failure(cx, permit.secrets(), &record, policy, &error, None);
                let item = history::failed(tx, cx, &record, policy, Trigger::Manual, &error)?;
                return Ok(Err(Refused { error, grant: Some(grant.clone()), item: Some(item) }));
            }
        };
        let mut extra = vec![
            ("old_version", Value::from(record.current_version)),
            ("new_version", done.record.current_version.into()),
        ];
        extra.extend(namespace_note(wanted.space));
        cx.note_path(&record.path, Some(grant.clone()), extra, None);
        let id = done.history_id.ok_or_else(|| Error::internal("a rotation under a policy left no history"))?;
        let item = rotation_history::find(tx, &record.policy_tenant_id, &policy.id, &id)?;
        Ok(Ok(item.ok_or_else(|| Error::internal("an item of the history is not there"))?))
    }

    fn note_refused(
        &self,
        cx: &mut Context<'_>,
        policy: &RotationPolicyRecord,
        path: &SecretPath,
        space: Space,
        refused: Refused,
    ) -> Result<HistoryItem> {
        let Refused { error, grant, item } = refused;
        let item = match item {
            Some(item) => item,
            None => HistoryItem {
                id: RotationHistoryId::from_ulid(cx.ulid()?).as_str().to_owned(),
                policy_id: policy.id.clone(),
                path: path.as_str().to_owned(),
                status: Fate::Failed.as_str().to_owned(),
                trigger: Trigger::Manual.as_str().to_owned(),
                old_version: None,
                new_version: None,
                started_at: cx.now,
                completed_at: Some(cx.now),
                error: Some((error.code().as_str().to_owned(), error.sentence())),
            },
        };
        cx.note_path(path.as_str(), grant, namespace_note(space), Some(error));
        Ok(item)
    }
}

/// # Errors
/// Why no value can be made under a policy.
fn can_generate(policy: &RotationPolicyRecord) -> Result<()> {
    if !policy.auto_generate {
        let message = "The policy does not generate values (auto_generate is false); write the new value with PUT";
        return Err(Error::new(Code::ValidationError, message));
    }
    if !policy.is_active {
        let message = format!("Rotation policy '{}' is disabled; enable it first", policy.id);
        return Err(Error::new(Code::InvalidState, message));
    }
    Ok(())
}

fn namespace_note(space: Space) -> Vec<(&'static str, Value)> {
    match space {
        Space::Partner => vec![("namespace", "partner".into())],
        Space::Tenant => Vec::new(),
    }
}
