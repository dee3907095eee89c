//! Making, changing and removing policies.

use std::sync::Arc;

use scaivault_domain::access::Permit;
use scaivault_domain::event::EventBody;
use scaivault_domain::id::PolicyId;
use scaivault_domain::policy::Rule;
use scaivault_store::policy::{self, PolicyRecord};
use scaivault_store::{WriteTx, binding};

use super::{PolicyDetail, PolicyScope, changeable, lapse, may_change_partner_policies};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::event::Happening;
use crate::naming::{name_exists, unique};
use crate::operation::{Command, tenant_operation};

/// `POST /v1/policies`
#[derive(Debug, Clone)]
pub struct CreatePolicy {
    pub name: String,
    pub description: Option<String>,
    pub rules: Arc<[Rule]>,
    pub scope: PolicyScope,
    pub is_active: bool,
}

/// `PUT` and `PATCH /v1/policies/{id}`: PUT gives every field. Bindings stay.
#[derive(Debug, Clone, Default)]
pub struct UpdatePolicy {
    pub id: String,
    pub name: Option<String>,
    /// `Some(None)` clears it.
    pub description: Option<Option<String>>,
    pub rules: Option<Arc<[Rule]>>,
    pub is_active: Option<bool>,
}

/// `DELETE /v1/policies/{id}`
#[derive(Debug, Clone)]
pub struct DeletePolicy {
    pub id: String,
    /// Removes the bindings too.
    pub force: bool,
}

tenant_operation!(CreatePolicy, PolicyCreate, PolicyDetail);

impl Command for CreatePolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<PolicyDetail> {
        if self.scope == PolicyScope::Partner {
            may_change_partner_policies(permit)?;
        }
        let owner_id = self.scope.owner(permit).to_owned();
        if let Some(id) = policy::id_of_name(tx, &owner_id, &self.name)? {
            return Err(name_exists("name", &self.name, &id));
        }
        let record = PolicyRecord {
            id: PolicyId::from_ulid(cx.ulid()?).as_str().to_owned(),
            owner_id,
            scope: self.scope.as_str().to_owned(),
            name: self.name.clone(),
            description: self.description.clone(),
            is_active: self.is_active,
            rules: rules_json(&self.rules)?,
            created_at: cx.now,
            updated_at: cx.now,
        };
        unique(policy::insert(tx, &record), "name", &self.name)?;
        cx.touched(&*record.id);
        let body = EventBody::PolicyCreated {
            policy_id: record.id.clone(),
            policy_name: record.name.clone(),
            changed_by: cx.actor().to_owned(),
        };
        cx.emit(Happening::new(body));
        cx.outcome(Outcome::Created);
        Ok(PolicyDetail { record, rules: Arc::clone(&self.rules), bindings: Vec::new() })
    }
}

tenant_operation!(UpdatePolicy, PolicyUpdate, PolicyDetail);

impl Command for UpdatePolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<PolicyDetail> {
        let mut record = changeable(tx, permit, &self.id)?;
        cx.touched(&*record.id);
        if let Some(name) = &self.name
            && let Some(id) = policy::id_of_name(tx, &record.owner_id, name)?.filter(|id| *id != record.id)
        {
            return Err(name_exists("name", name, &id));
        }
        let changed = self.apply(&mut record)?;
        // An empty PATCH changes nothing, not even the time (contract 00 section 6).
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(policy::update(tx, &record), "name", &record.name)?;
            let body = EventBody::PolicyUpdated {
                policy_id: record.id.clone(),
                policy_name: record.name.clone(),
                changed_by: cx.actor().to_owned(),
            };
            cx.emit(Happening::new(body));
        }
        cx.note("changed", changed);
        PolicyDetail::of(tx, permit, record)
    }
}

impl UpdatePolicy {
    /// Lays the fields over `record` and answers the names of those that were given.
    fn apply(&self, record: &mut PolicyRecord) -> Result<Vec<&'static str>> {
        let mut changed = Vec::new();
        if let Some(name) = &self.name {
            record.name.clone_from(name);
            changed.push("name");
        }
        if let Some(description) = &self.description {
            record.description.clone_from(description);
            changed.push("description");
        }
        if let Some(rules) = &self.rules {
            record.rules = rules_json(rules)?;
            changed.push("rules");
        }
        if let Some(is_active) = self.is_active {
            record.is_active = is_active;
            changed.push("is_active");
        }
        Ok(changed)
    }
}

tenant_operation!(DeletePolicy, PolicyDelete, ());

impl Command for DeletePolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        let record = changeable(tx, permit, &self.id)?;
        cx.touched(&*record.id);
        let count = binding::count(tx, &record.id)?;
        if count > 0 && !self.force {
            let message = format!("The policy has {count} bindings; remove them, or delete it with force=true");
            return Err(Error::new(Code::PolicyInUse, message).with("count", count));
        }
        for bound in binding::of_policy(tx, &record.id)? {
            lapse::removed(tx, cx, bound)?;
        }
        policy::delete(tx, &record.id)?;
        let body = EventBody::PolicyDeleted {
            policy_id: record.id,
            policy_name: record.name,
            changed_by: cx.actor().to_owned(),
        };
        cx.emit(Happening::new(body));
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}

fn rules_json(rules: &[Rule]) -> Result<serde_json::Value> {
    serde_json::to_value(rules).map_err(Error::internal)
}
