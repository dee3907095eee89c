//! The trail of one path and of one identity.

use scaivault_domain::access::{Permit, Target};
use scaivault_domain::action::Action;
use scaivault_domain::audit::AuditAction;
use scaivault_domain::id::IdentityRef;
use scaivault_domain::path::SecretPath;
use scaivault_domain::time::Timestamp;
use scaivault_store::ReadView;
use scaivault_store::audit::{self, EntryFilter, Totals};

use super::filter::{TimeRange, public_id};
use super::logs::{LogPage, page};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::operation::{Operation, Query, tenant_operation};

const SUMMARY_SECONDS: i64 = 30 * 86_400;

/// `GET /v1/audit/secrets/{path}`: also of paths where nothing is, or never was.
#[derive(Debug, Clone)]
pub struct PathHistory {
    pub path: SecretPath,
    pub range: TimeRange,
    pub limit: usize,
    pub after: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub struct PathTrail {
    pub path: SecretPath,
    pub summary: PathSummary,
    pub page: LogPage,
}

/// The last 30 days of a path, whatever range the page is of. Reads, writes and rotations are those that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathSummary {
    pub reads: i64,
    pub writes: i64,
    pub rotations: i64,
    pub denied: i64,
    pub unique_identities: i64,
    pub last_accessed_at: Option<Timestamp>,
}

impl Operation for PathHistory {
    type Output = PathTrail;
    const ACTION: Action = Action::AuditQuery;

    // Not the path: whoever looks at its trail would stand in it.
    fn target(&self) -> Target {
        Target::Tenant
    }
}

impl Query for PathHistory {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<PathTrail> {
        let stream = permit.tenant().tenant().as_str();
        let path = Some(self.path.as_str().to_owned());
        let recent = EntryFilter {
            from: Some(cx.now.plus_seconds(-SUMMARY_SECONDS)),
            path: path.clone(),
            ..EntryFilter::default()
        };
        let filter = EntryFilter { from: self.range.from, to: self.range.to, path, ..EntryFilter::default() };
        let totals = audit::totals(view, stream, &recent)?;
        let mut summary = PathSummary {
            denied: totals.denied,
            unique_identities: totals.unique_identities,
            ..PathSummary::default()
        };
        for found in audit::by_action(view, stream, &recent)? {
            match AuditAction::parse(&found.action) {
                Some(AuditAction::Read) => {
                    (summary.reads, summary.last_accessed_at) = (found.successful, found.last_success_at);
                }
                Some(AuditAction::Write) => summary.writes = found.successful,
                Some(AuditAction::Rotate) => summary.rotations = found.successful,
                _ => {}
            }
        }
        let page = page(view, stream, &filter, self.after.as_deref(), self.limit)?;
        cx.note("returned", page.entries.len());
        cx.touched(self.path.as_str());
        Ok(PathTrail { path: self.path.clone(), summary, page })
    }
}

/// `GET /v1/audit/identities/{identity_id}`: either form of the id, of deleted identities too.
#[derive(Debug, Clone)]
pub struct IdentityHistory {
    pub identity: IdentityRef,
    pub range: TimeRange,
    pub limit: usize,
    pub after: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub struct IdentityTrail {
    /// `user:<email>` and the like.
    pub identity_id: String,
    /// Of the asked range.
    pub summary: Totals,
    pub page: LogPage,
}

tenant_operation!(IdentityHistory, AuditQuery, IdentityTrail);

impl Query for IdentityHistory {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<IdentityTrail> {
        let identity_id = public_id(view, permit.tenant(), &self.identity)?.ok_or_else(|| {
            let id = self.identity.to_string();
            Error::new(Code::IdentityNotFound, format!("Identity '{id}' not found")).with("identity_id", id)
        })?;
        let stream = permit.tenant().tenant().as_str();
        let filter = EntryFilter {
            from: self.range.from,
            to: self.range.to,
            identity_id: Some(identity_id.clone()),
            ..EntryFilter::default()
        };
        let summary = audit::totals(view, stream, &filter)?;
        let page = page(view, stream, &filter, self.after.as_deref(), self.limit)?;
        cx.note("returned", page.entries.len());
        cx.touched(identity_id.as_str());
        Ok(IdentityTrail { identity_id, summary, page })
    }
}
