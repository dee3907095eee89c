//! Making, changing and removing rotation policies.

use scaivault_domain::access::Permit;
use scaivault_domain::duration::{Span, SpanList};
use scaivault_domain::id::RotationPolicyId;
use scaivault_store::rotation_policy::{self, RotationPolicyListed, RotationPolicyRecord};
use scaivault_store::{WriteTx, secret_policy};

use super::follow::replan;
use super::schedule::{Schedule, default_grace};
use super::{check_webhooks, counted, existing};
use crate::context::{Context, Outcome};
use crate::error::Result;
use crate::naming::{name_exists, slug_id, unique};
use crate::operation::{Command, tenant_operation};
use crate::secret::write::secret_policy_not_found;

/// What a change of has the secrets of the policy planned anew.
const PLANNED_BY: [&str; 5] = ["interval", "grace_period", "warn_before", "auto_generate", "secret_policy_id"];

/// `POST /v1/rotation/policies`
#[derive(Debug, Clone)]
pub struct CreateRotationPolicy {
    pub name: String,
    pub description: Option<String>,
    pub interval: Span,
    /// `None`: 48 hours, or half the interval when that is shorter.
    pub grace_period: Option<Span>,
    pub warn_before: SpanList,
    pub auto_generate: bool,
    pub secret_policy_id: Option<String>,
    pub webhook_ids: Vec<String>,
}

/// `PATCH /v1/rotation/policies/{id}`; `Some(None)` goes back to the default. A new interval counts from the last rotation of
/// each secret.
#[derive(Debug, Clone, Default)]
pub struct UpdateRotationPolicy {
    pub id: String,
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub interval: Option<Span>,
    pub grace_period: Option<Option<Span>>,
    pub warn_before: Option<SpanList>,
    pub auto_generate: Option<bool>,
    pub secret_policy_id: Option<Option<String>>,
    pub webhook_ids: Option<Vec<String>>,
}

/// `POST /v1/rotation/policies/{id}/enable` and `/disable`; secrets stay attached.
#[derive(Debug, Clone)]
pub struct SetRotationPolicyActive {
    pub id: String,
    pub is_active: bool,
}

/// `DELETE /v1/rotation/policies/{id}`: never refused, secrets are detached.
#[derive(Debug, Clone)]
pub struct DeleteRotationPolicy {
    pub id: String,
}

tenant_operation!(CreateRotationPolicy, RotationPolicyChange, RotationPolicyListed);

impl Command for CreateRotationPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<RotationPolicyListed> {
        let scope = permit.tenant();
        let schedule = Schedule {
            interval: self.interval.clone(),
            grace_period: self.grace_period.clone().unwrap_or_else(|| default_grace(&self.interval)),
            warn_before: self.warn_before.clone(),
        };
        schedule.check()?;
        check_name(tx, permit, &self.name, None)?;
        check_secret_policy(tx, permit, self.secret_policy_id.as_deref())?;
        check_webhooks(tx, permit, &self.webhook_ids)?;
        let id = slug_id(RotationPolicyId::PREFIX, &self.name, cx, |id| {
            rotation_policy::find(tx, scope, id).map(|found| found.is_some())
        })?;
        let mut record = RotationPolicyRecord {
            id,
            name: self.name.clone(),
            description: self.description.clone(),
            interval: String::new(),
            grace_period: String::new(),
            warn_before: String::new(),
            auto_generate: self.auto_generate,
            secret_policy_id: self.secret_policy_id.clone(),
            webhook_ids: self.webhook_ids.clone(),
            is_active: true,
            created_at: cx.now,
            updated_at: cx.now,
        };
        schedule.write_to(&mut record);
        unique(rotation_policy::insert(tx, scope, &record), "name", &self.name)?;
        cx.touched(&*record.id);
        cx.outcome(Outcome::Created);
        Ok(RotationPolicyListed { record, secrets_count: 0 })
    }
}

/// # Errors
/// 409 `name_exists` when a policy other than `own_id` has the name.
fn check_name(tx: &mut WriteTx<'_>, permit: &Permit, name: &str, own_id: Option<&str>) -> Result<()> {
    match rotation_policy::id_of_name(tx, permit.tenant(), name)? {
        Some(id) if own_id != Some(id.as_str()) => Err(name_exists("name", name, &id)),
        Some(_) | None => Ok(()),
    }
}

fn check_secret_policy(tx: &mut WriteTx<'_>, permit: &Permit, id: Option<&str>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    secret_policy::find(tx, permit.tenant(), id)?.map(|_| ()).ok_or_else(|| secret_policy_not_found(id))
}

tenant_operation!(UpdateRotationPolicy, RotationPolicyChange, RotationPolicyListed);

impl Command for UpdateRotationPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<RotationPolicyListed> {
        let mut record = existing(tx, permit, &self.id)?;
        cx.touched(&*record.id);
        let changed = self.apply(&mut record)?;
        check_name(tx, permit, &record.name, Some(&record.id))?;
        check_secret_policy(tx, permit, self.secret_policy_id.as_ref().and_then(|id| id.as_deref()))?;
        check_webhooks(tx, permit, self.webhook_ids.as_deref().unwrap_or_default())?;
        // An empty PATCH changes nothing, not even the time (contract 00 section 6).
        if !changed.is_empty() {
            record.updated_at = cx.now;
            unique(rotation_policy::update(tx, permit.tenant(), &record), "name", &record.name)?;
            if changed.iter().any(|field| PLANNED_BY.contains(field)) {
                replan(tx, permit.tenant(), &record.id, cx.now)?;
            }
        }
        cx.note("changed", changed);
        counted(tx, permit, record)
    }
}

impl UpdateRotationPolicy {
    /// Lays the fields over `record` and answers the names of those that were given.
    fn apply(&self, record: &mut RotationPolicyRecord) -> Result<Vec<&'static str>> {
        let mut changed = self.apply_schedule(record)?;
        if let Some(name) = &self.name {
            record.name.clone_from(name);
            changed.push("name");
        }
        if let Some(description) = &self.description {
            record.description.clone_from(description);
            changed.push("description");
        }
        if let Some(auto_generate) = self.auto_generate {
            record.auto_generate = auto_generate;
            changed.push("auto_generate");
        }
        if let Some(secret_policy_id) = &self.secret_policy_id {
            record.secret_policy_id.clone_from(secret_policy_id);
            changed.push("secret_policy_id");
        }
        if let Some(webhook_ids) = &self.webhook_ids {
            record.webhook_ids.clone_from(webhook_ids);
            changed.push("webhook_ids");
        }
        Ok(changed)
    }

    fn apply_schedule(&self, record: &mut RotationPolicyRecord) -> Result<Vec<&'static str>> {
        let mut changed = Vec::new();
        let mut schedule = Schedule::of(record)?;
        if let Some(interval) = &self.interval {
            schedule.set_interval(interval.clone());
            changed.push("interval");
        }
        if let Some(grace_period) = &self.grace_period {
            schedule.grace_period = grace_period.clone().unwrap_or_else(|| default_grace(&schedule.interval));
            changed.push("grace_period");
        }
        if let Some(warn_before) = &self.warn_before {
            schedule.warn_before = warn_before.clone();
            changed.push("warn_before");
        }
        if !changed.is_empty() {
            schedule.check()?;
            schedule.write_to(record);
        }
        Ok(changed)
    }
}

tenant_operation!(SetRotationPolicyActive, RotationPolicyChange, RotationPolicyListed);

impl Command for SetRotationPolicyActive {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<RotationPolicyListed> {
        let mut record = existing(tx, permit, &self.id)?;
        cx.touched(&*record.id);
        let mut changed = Vec::new();
        if record.is_active != self.is_active {
            record.is_active = self.is_active;
            record.updated_at = cx.now;
            rotation_policy::update(tx, permit.tenant(), &record)?;
            replan(tx, permit.tenant(), &record.id, cx.now)?;
            changed.push("is_active");
        }
        cx.note("changed", changed);
        counted(tx, permit, record)
    }
}

tenant_operation!(DeleteRotationPolicy, RotationPolicyChange, ());

impl Command for DeleteRotationPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        let record = existing(tx, permit, &self.id)?;
        cx.touched(&*record.id);
        rotation_policy::delete(tx, permit.tenant(), &record.id)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use scaivault_domain::time::Timestamp;

    use super::*;

    fn record() -> RotationPolicyRecord {
        RotationPolicyRecord {
            id: "rot_quarterly".to_owned(),
            name: "quarterly".to_owned(),
            description: None,
            interval: "90d".to_owned(),
            grace_period: "48h".to_owned(),
            warn_before: "7d,1d".to_owned(),
            auto_generate: false,
            secret_policy_id: None,
            webhook_ids: Vec::new(),
            is_active: true,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn an_empty_patch_changes_nothing() {
        let mut patched = record();
        assert!(UpdateRotationPolicy::default().apply(&mut patched).unwrap().is_empty());
        assert_eq!(patched, record());
    }

    #[test]
    fn null_goes_back_to_the_default() {
        let mut patched = RotationPolicyRecord { grace_period: "1h".to_owned(), ..record() };
        let patch = UpdateRotationPolicy {
            grace_period: Some(None),
            warn_before: Some(SpanList::default()),
            ..UpdateRotationPolicy::default()
        };
        assert_eq!(patch.apply(&mut patched).unwrap(), ["grace_period", "warn_before"]);
        assert_eq!((patched.grace_period.as_str(), patched.warn_before.as_str()), ("48h", ""));
    }

    #[test]
    fn durations_are_checked_against_what_is_stored() {
        let patch = |interval: &str| UpdateRotationPolicy {
            interval: Some(Span::parse(interval).unwrap()),
            ..UpdateRotationPolicy::default()
        };
        assert_eq!(patch("30d").apply(&mut record()).unwrap(), ["interval"]);
        let error = patch("7d").apply(&mut record()).unwrap_err();
        assert_eq!(error.details()["fields"][0]["field"], "warn_before");
    }
}
