//! `GET /v1/audit/summary`

use std::collections::BTreeMap;

use scaivault_domain::access::Permit;
use scaivault_store::ReadView;
use scaivault_store::audit::{self, EntryFilter, Totals};

use super::filter::TimeRange;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Query, tenant_operation};

const DEFAULT_SECONDS: i64 = 30 * 86_400;

#[derive(Debug, Clone)]
pub struct AuditSummary {
    /// Without `from`: the last 30 days.
    pub range: TimeRange,
}

#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub totals: Totals,
    pub by_action: BTreeMap<String, i64>,
}

tenant_operation!(AuditSummary, AuditQuery, Summary);

impl Query for AuditSummary {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Summary> {
        let from = self.range.from.unwrap_or_else(|| cx.now.plus_seconds(-DEFAULT_SECONDS));
        // The default start may lie behind the given end.
        TimeRange::new(Some(from), self.range.to).map_err(|fault| Error::validation(vec![fault]))?;
        let stream = permit.tenant().tenant().as_str();
        let filter = EntryFilter { from: Some(from), to: self.range.to, ..EntryFilter::default() };
        let by_action = audit::by_action(view, stream, &filter)?.into_iter().map(|found| (found.action, found.events));
        Ok(Summary { by_action: by_action.collect(), totals: audit::totals(view, stream, &filter)? })
    }
}
