//! Everything about a secret but its value (contract 01 section 5).

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::path::SecretPath;
use scaivault_domain::time::Timestamp;
use scaivault_store::access_count::{self, AccessStatistics};
use scaivault_store::rotation_policy::RotationPolicyRecord;
use scaivault_store::secret::{self, Presence, SecretRecord};
use scaivault_store::{Database, ReadView, rotation_policy, rotation_state, secret_version};

use super::not_found;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Operation, Query};
use crate::rotation_policy::follow;

/// `GET /v1/secrets/metadata/{path}`
pub struct ReadMetadata {
    pub space: Space,
    pub path: SecretPath,
    /// Also what lies in the trash; needs permission delete or admin.
    pub include_deleted: bool,
}

#[derive(Debug, Clone)]
pub struct SecretOverview {
    pub record: SecretRecord,
    pub version_count: i64,
    pub access: AccessStatistics,
    pub rotation: Option<RotationStatus>,
}

/// Where a secret stands in its rotation schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationStatus {
    pub policy_id: String,
    pub next_rotation: Option<Timestamp>,
    pub last_rotated_at: Option<Timestamp>,
    pub status: &'static str,
}

impl Operation for ReadMetadata {
    type Output = SecretOverview;
    const ACTION: Action = Action::SecretMetadata;

    fn action(&self) -> Action {
        if self.include_deleted { Action::SecretMetadataDeleted } else { Action::SecretMetadata }
    }

    fn target(&self) -> Target {
        Target::Secret { space: self.space, path: self.path.clone() }
    }
}

impl Query for ReadMetadata {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<SecretOverview> {
        cx.note("op", "metadata");
        let record = match secret::look(view, permit.secrets(), &self.path, cx.now)? {
            Presence::Live(record) => record,
            Presence::Deleted(record, _) if self.include_deleted => record,
            Presence::Absent | Presence::Deleted(..) => return Err(not_found(&self.path)),
        };
        overview(view, record, cx.now)
    }
}

/// Gathers what metadata answers say beside the record itself.
pub(crate) fn overview(db: &mut impl Database, record: SecretRecord, now: Timestamp) -> Result<SecretOverview> {
    let version_count = secret_version::count(db, &record.id)?;
    let access = access_count::of(db, &record.id, now)?;
    let rotation = match &record.rotation {
        None => None,
        Some(attached) => rotation_policy::find_in(db, &record.policy_tenant_id, &attached.policy_id)?
            .map(|policy| rotation_status(db, &policy, &record, now))
            .transpose()?,
    };
    Ok(SecretOverview { record, version_count, access, rotation })
}

/// When a policy will rotate a secret next, and whether that is late (contract 04 section 3).
fn rotation_status(
    db: &mut impl Database,
    policy: &RotationPolicyRecord,
    record: &SecretRecord,
    now: Timestamp,
) -> Result<RotationStatus> {
    let timetable = follow::timetable(policy)?;
    let state = rotation_state::find(db, &record.id)?;
    let progress = follow::progress(&timetable, state.as_ref(), record, now);
    Ok(RotationStatus {
        policy_id: policy.id.clone(),
        next_rotation: record.last_rotated_at.map(|_| progress.due_at),
        last_rotated_at: record.last_rotated_at,
        status: timetable.status(&progress, policy.is_active, now).as_str(),
    })
}
