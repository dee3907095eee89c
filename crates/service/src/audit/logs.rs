//! `GET /v1/audit/logs`

use scaivault_domain::access::Permit;
use scaivault_store::audit::{self, EntryFilter, StoredEntry};
use scaivault_store::{Database, ReadView};

use super::filter::{LogFilter, StreamChoice};
use super::merge::Positions;
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Query, tenant_operation};

#[derive(Debug, Clone)]
pub struct QueryLogs {
    pub stream: StreamChoice,
    pub filter: LogFilter,
    pub limit: usize,
    /// Position of the last entry of the page before, as [`LogPage::next`] gave it.
    pub after: Option<Vec<String>>,
}

/// Entries, newest first.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    pub entries: Vec<StoredEntry>,
    pub next: Option<Vec<String>>,
}

tenant_operation!(QueryLogs, AuditQuery, LogPage);

impl Query for QueryLogs {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<LogPage> {
        let stream = self.stream.resolve(permit)?;
        let page = match self.filter.resolve(view, permit.tenant())? {
            Some(filter) => page(view, &stream, &filter, self.after.as_deref(), self.limit)?,
            None => LogPage::default(),
        };
        cx.note("returned", page.entries.len());
        Ok(page)
    }
}

/// One page of a walk towards the past. It is bound to numbers, so entries written meanwhile never disturb it.
pub(super) fn page(
    db: &mut impl Database,
    stream: &str,
    filter: &EntryFilter,
    after: Option<&[String]>,
    limit: usize,
) -> Result<LogPage> {
    let positions = Positions::of(db, stream, after)?;
    let (entries, next) = positions.page(
        limit,
        |chain, before, limit| audit::query(db, chain, filter, before, limit),
        |stored| (stored.at.as_micros(), stored.entry.seq),
    )?;
    Ok(LogPage { entries, next })
}
