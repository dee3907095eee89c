//! Making, changing and removing secret policies.

use scaivault_domain::access::Permit;
use scaivault_domain::id::SecretPolicyId;
use scaivault_domain::recipe::Recipe;
use scaivault_store::WriteTx;
use scaivault_store::secret_policy::{self, SecretPolicyRecord};

use super::{PolicyType, existing};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::naming::{name_exists, slug_id, unique};
use crate::operation::{Command, tenant_operation};

/// `POST /v1/secret-policies`
#[derive(Debug, Clone)]
pub struct CreateSecretPolicy {
    pub name: String,
    pub description: Option<String>,
    pub policy_type: PolicyType,
    pub recipe: Recipe,
    pub is_active: bool,
}

/// `PUT` and `PATCH /v1/secret-policies/{id}`: PUT gives every field.
#[derive(Debug, Clone, Default)]
pub struct UpdateSecretPolicy {
    pub id: String,
    pub name: Option<String>,
    /// `Some(None)` clears it.
    pub description: Option<Option<String>>,
    pub policy_type: Option<PolicyType>,
    pub recipe: Option<Recipe>,
    pub is_active: Option<bool>,
}

/// `DELETE /v1/secret-policies/{id}`
#[derive(Debug, Clone)]
pub struct DeleteSecretPolicy {
    pub id: String,
    /// Takes it off the secrets and rotation policies that use it.
    pub force: bool,
}

tenant_operation!(CreateSecretPolicy, SecretPolicyChange, SecretPolicyRecord);

impl Command for CreateSecretPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<SecretPolicyRecord> {
        let scope = permit.tenant();
        if let Some(id) = secret_policy::id_of_name(tx, scope, &self.name)? {
            return Err(name_exists("name", &self.name, &id));
        }
        let id = slug_id(SecretPolicyId::PREFIX, &self.name, cx, |id| {
            secret_policy::find(tx, scope, id).map(|found| found.is_some())
        })?;
        let record = SecretPolicyRecord {
            id,
            name: self.name.clone(),
            description: self.description.clone(),
            policy_type: self.policy_type.as_str().to_owned(),
            fields: self.recipe.to_json(),
            is_active: self.is_active,
            created_at: cx.now,
            updated_at: cx.now,
        };
        unique(secret_policy::insert(tx, scope, &record), "name", &self.name)?;
        cx.touched(&*record.id);
        cx.outcome(Outcome::Created);
        Ok(record)
    }
}

tenant_operation!(UpdateSecretPolicy, SecretPolicyChange, SecretPolicyRecord);

impl Command for UpdateSecretPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<SecretPolicyRecord> {
        let mut record = existing(tx, permit, &self.id)?;
        cx.touched(&*record.id);
        if let Some(name) = &self.name
            && let Some(id) = secret_policy::id_of_name(tx, permit.tenant(), name)?.filter(|id| *id != record.id)
        {
            return Err(name_exists("name", name, &id));
        }
        let changed = self.apply(&mut record);
        // An empty PATCH changes nothing, not even the time (contract 00 section 6).
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(secret_policy::update(tx, permit.tenant(), &record), "name", &record.name)?;
        }
        cx.note("changed", changed);
        Ok(record)
    }
}

impl UpdateSecretPolicy {
    /// Lays the fields over `record` and answers the names of those that were given.
    fn apply(&self, record: &mut SecretPolicyRecord) -> Vec<&'static str> {
        let mut changed = Vec::new();
        if let Some(name) = &self.name {
            record.name.clone_from(name);
            changed.push("name");
        }
        if let Some(description) = &self.description {
            record.description.clone_from(description);
            changed.push("description");
        }
        if let Some(policy_type) = self.policy_type {
            record.policy_type = policy_type.as_str().to_owned();
            changed.push("policy_type");
        }
        if let Some(recipe) = &self.recipe {
            record.fields = recipe.to_json();
            changed.push("fields");
        }
        if let Some(is_active) = self.is_active {
            record.is_active = is_active;
            changed.push("is_active");
        }
        changed
    }
}

tenant_operation!(DeleteSecretPolicy, SecretPolicyChange, ());

impl Command for DeleteSecretPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        let record = existing(tx, permit, &self.id)?;
        cx.touched(&*record.id);
        let count = secret_policy::count_uses(tx, permit.tenant(), &record.id, cx.now)?;
        if count > 0 && !self.force {
            let message = format!(
                "{count} secrets or rotation policies use this policy; detach them, or delete it with force=true"
            );
            return Err(Error::new(Code::PolicyInUse, message).with("count", count));
        }
        secret_policy::delete(tx, permit.tenant(), &record.id)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}
