//! Generating straight into a path (contract 05 section 4): PUT with a value that only the server has seen.

use scaivault_crypto::SecretString;
use scaivault_domain::access::{Permit, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::path::SecretPath;
use scaivault_domain::recipe::Recipe;
use scaivault_domain::secret::{MetadataPatch, SecretType};
use scaivault_store::secret::{self, Presence, SecretRecord};
use scaivault_store::{WriteTx, secret_version};

use super::existing;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Command, Operation};
use crate::secret::rotate::recipe_of;
use crate::secret::{IfMatch, OptionsChange, WriteSecret, Written, deleted, permitted_path};

/// `POST /v1/secret-policies/{id}/generate`
#[derive(Debug, Clone)]
pub struct GenerateSecret {
    pub policy_id: String,
    pub path: SecretPath,
    pub secret_type: Option<SecretType>,
    pub metadata: MetadataPatch,
    pub options: OptionsChange,
    /// `options.expected_version` 0.
    pub create_only: bool,
    /// `options.expected_version` above 0.
    pub expected_version: Option<i64>,
}

impl Operation for GenerateSecret {
    type Output = Written;
    const ACTION: Action = Action::SecretPolicyGenerate;

    fn target(&self) -> Target {
        Target::Secret { space: Space::Tenant, path: self.path.clone() }
    }
}

impl Command for GenerateSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Written> {
        let policy = existing(tx, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let recipe = recipe_of(&policy)?;
        let data = match secret::look(tx, permit.secrets(), permitted_path(permit)?, cx.now)? {
            Presence::Deleted(_, trash) => return Err(deleted(trash)),
            Presence::Absent => cx.generated(self.path.as_str(), &recipe, "{}")?,
            Presence::Live(record) => over_current(tx, cx, permit.secrets(), &record, &recipe)?,
        };
        let write = WriteSecret {
            space: Space::Tenant,
            path: self.path.clone(),
            data,
            secret_type: self.secret_type,
            metadata: self.metadata.clone(),
            options: self.options.clone(),
            if_match: IfMatch::Anything,
            create_only: self.create_only,
            expected_version: self.expected_version,
        };
        write.run(permit, tx, cx)
    }
}

/// The generated fields laid over the current value; the caller needs no right to read it and does not get to see it.
fn over_current(
    tx: &mut WriteTx<'_>,
    cx: &mut Context<'_>,
    scope: &SecretScope,
    record: &SecretRecord,
    recipe: &Recipe,
) -> Result<SecretString> {
    let version = record.current_version;
    let sealed = secret_version::value(tx, &record.id, version)?
        .ok_or_else(|| Error::internal("the current version has no value"))?;
    let current = cx.secret_keys(scope)?.open(&record.id, version, &record.path, &sealed)?;
    let current = std::str::from_utf8(current.expose()).map_err(|_| Error::internal("a value is no text"))?;
    cx.generated(&record.path, recipe, current)
}
