//! `GET /v1/audit/logs`

use scaivault_domain::access::Permit;
use scaivault_store::audit::{self, EntryFilter, StoredEntry};
use scaivault_store::{Database, ReadView};

use super::filter::{LogFilter, StreamChoice};
use crate::context::Context;
use crate::error::{Error, Result};
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
    let before = after.map(seq_of).transpose()?;
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut entries = audit::query(db, stream, filter, before, one_more)?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|last| vec![last.entry.seq.to_string()]);
    Ok(LogPage { entries, next })
}

pub(super) fn seq_of(position: &[String]) -> Result<i64> {
    match position {
        [seq] => seq.parse().map_err(|_| Error::internal("a genuine cursor with a bad number")),
        _ => Err(Error::internal("a genuine cursor with an unknown position")),
    }
}
