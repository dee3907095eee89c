//! Which secrets a rotation policy serves.

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::duration::Span;
use scaivault_domain::path::SecretPath;
use scaivault_domain::role::Role;
use scaivault_domain::time::Timestamp;
use scaivault_store::rotation_policy::{self, AssignmentRecord, RotationPolicyRecord};
use scaivault_store::{ReadView, WriteTx, secret};

use super::{existing, follow};
use crate::context::{Context, Outcome};
use crate::error::{Error, Result};
use crate::operation::{Command, Operation, Query, tenant_operation};
use crate::page::{Page, one_more};
use crate::secret::write::{Attach, attach_rotation};
use crate::secret::{life, live, not_found, permitted_path};

/// `GET /v1/rotation/policies/{id}/secrets`, by path.
#[derive(Debug, Clone)]
pub struct ListAssignments {
    pub policy_id: String,
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

/// `POST /v1/rotation/policies/{id}/secrets`; also needs permission write on the path.
#[derive(Debug, Clone)]
pub struct AttachSecret {
    pub policy_id: String,
    pub path: SecretPath,
}

/// `DELETE /v1/rotation/policies/{id}/secrets/{secret_path}`
#[derive(Debug, Clone)]
pub struct DetachSecret {
    pub policy_id: String,
    pub path: SecretPath,
}

/// A secret under a policy and where it stands in the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub policy_id: String,
    pub secret_path: String,
    pub assigned_at: Timestamp,
    pub assigned_by: String,
    pub last_rotated_at: Option<Timestamp>,
    pub next_rotation: Option<Timestamp>,
}

impl Assignment {
    fn of(policy: &RotationPolicyRecord, record: AssignmentRecord) -> Result<Self> {
        let interval = Span::parse(&policy.interval).map_err(Error::internal)?;
        Ok(Self {
            policy_id: policy.id.clone(),
            secret_path: record.path,
            assigned_at: record.assigned_at,
            assigned_by: record.assigned_by,
            last_rotated_at: record.last_rotated_at,
            next_rotation: record.last_rotated_at.map(|last| last.plus_seconds(interval.seconds())),
        })
    }
}

tenant_operation!(ListAssignments, RotationPolicyRead, Page<Assignment>);

impl Query for ListAssignments {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<Assignment>> {
        let policy = existing(view, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let after = match self.after.as_deref() {
            None => None,
            Some([path, namespace]) => Some((path.as_str(), namespace.as_str())),
            Some(_) => return Err(Error::internal("a genuine cursor with an unknown position")),
        };
        let found = rotation_policy::assignments(view, permit.tenant(), &policy.id, after, one_more(self.limit))?;
        let found = Page::cut(found, self.limit, |last| vec![last.path.clone(), last.namespace.clone()]);
        let items =
            found.items.into_iter().map(|record| Assignment::of(&policy, record)).collect::<Result<Vec<_>>>()?;
        cx.note("returned", items.len());
        Ok(Page { items, next: found.next })
    }
}

impl Operation for AttachSecret {
    type Output = Assignment;
    const ACTION: Action = Action::RotationAttach;

    fn target(&self) -> Target {
        Target::Secret { space: Space::Tenant, path: self.path.clone() }
    }
}

impl Command for AttachSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Assignment> {
        let policy = existing(tx, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let scope = permit.secrets();
        let mut record = live(tx, scope, permitted_path(permit)?, cx.now)?;
        let before = record.rotation.clone();
        attach_rotation(&Attach::To(policy.id.clone()), &mut record, scope, tx, cx)?;
        if record.rotation != before {
            secret::update(tx, scope, &record)?;
            life::plan(tx, scope, &record, cx.now)?;
            cx.outcome(Outcome::Created);
        }
        let attached = record.rotation.ok_or_else(|| Error::internal("a policy was attached and is not there"))?;
        let assignment = AssignmentRecord {
            namespace: scope.namespace().to_owned(),
            path: record.path,
            assigned_at: attached.assigned_at,
            assigned_by: attached.assigned_by,
            last_rotated_at: record.last_rotated_at,
        };
        Assignment::of(&policy, assignment)
    }
}

impl Operation for DetachSecret {
    type Output = ();
    const ACTION: Action = Action::RotationDetach;

    /// Names the secret for the audit entry; no permission on the path is asked for.
    fn target(&self) -> Target {
        Target::Secret { space: Space::Tenant, path: self.path.clone() }
    }
}

impl Command for DetachSecret {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        let policy = existing(tx, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let scope = permit.tenant();
        let mut namespaces = vec![scope.tenant().as_str()];
        // A path is the tenant's own first. Shared secrets are for the partner's admins to change.
        if matches!(permit.administers(), Some(Role::PartnerAdmin | Role::SuperAdmin)) {
            namespaces.push(scope.partner().as_str());
        }
        for namespace in namespaces {
            if let Some(id) = rotation_policy::detach(tx, scope, &policy.id, namespace, self.path.as_str())? {
                follow::detached(tx, &id, cx.now)?;
                if namespace == scope.partner().as_str() {
                    cx.note("namespace", "partner");
                }
                cx.outcome(Outcome::Empty);
                return Ok(());
            }
        }
        Err(not_found(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_rotation_counts_from_the_last() {
        let policy = RotationPolicyRecord {
            id: "rot_a".to_owned(),
            name: "a".to_owned(),
            description: None,
            interval: "90d".to_owned(),
            grace_period: "48h".to_owned(),
            warn_before: String::new(),
            auto_generate: false,
            secret_policy_id: None,
            webhook_ids: Vec::new(),
            is_active: true,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        };
        let record = |last_rotated_at| AssignmentRecord {
            namespace: "tnt_a".to_owned(),
            path: "a/b".to_owned(),
            assigned_at: Timestamp::from_seconds(10),
            assigned_by: "user:a@b.example".to_owned(),
            last_rotated_at,
        };
        let next = |last| Assignment::of(&policy, record(last)).unwrap().next_rotation;
        assert_eq!(next(Some(Timestamp::from_seconds(5))), Some(Timestamp::from_seconds(5 + 7_776_000)));
        assert_eq!(next(None), None);
    }
}
