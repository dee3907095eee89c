//! `/v1/audit`

use scaivault_api::audit as wire;
use scaivault_domain::id::IdentityRef;
use scaivault_domain::path::PathPrefix;
use scaivault_domain::time::Timestamp;
use scaivault_service::audit::{
    AuditSummary, CheckpointPage, IdentityHistory, IdentityTrail, ListCheckpoints, LogFilter, LogPage, PathHistory,
    PathTrail, QueryLogs, StoredEntry, StreamChoice, Summary, TimeRange, VerifyChain, VerifyReport, parse_actions,
    parse_actor_type,
};
use scaivault_service::{Code, Error, FaultCode, FieldFault, Result};

use crate::extract::{Faults, QueryReader, Text, present};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

pub(crate) fn logs(input: &Input<'_>) -> Result<QueryLogs> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let stream = stream(&mut query);
    let filter = LogFilter {
        range: range(&mut query, &faults),
        actions: noted(query.raw("action").map(parse_actions), &faults).unwrap_or_default(),
        identity: identity(&mut query),
        identity_type: noted(query.raw("identity_type").map(parse_actor_type), &faults),
        path_prefix: query
            .raw("path_prefix")
            .and_then(|text| faults.take(PathPrefix::parse(text).map_err(|error| invalid_path(&error)))),
        success: query.boolean("success"),
        source_ip: source_ip(&mut query),
        request_id: query.string("request_id", &Text::chars(1..=128)),
    };
    query.finish();
    faults.finish()?;
    Ok(QueryLogs { stream, filter, limit: page.limit, after: page.after })
}

pub(crate) fn log_page(page: LogPage, input: &Input<'_>) -> Result<Reply> {
    let page = walked(page, input)?;
    Ok(Reply::json(&wire::AuditLogs { logs: page.logs, cursor: page.cursor, has_more: page.has_more }))
}

pub(crate) fn path(input: &Input<'_>) -> Result<PathHistory> {
    let faults = Faults::new();
    let path = input.secret_path(&faults);
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let range = range(&mut query, &faults);
    query.finish();
    faults.finish()?;
    Ok(PathHistory { path: present(path)?, range, limit: page.limit, after: page.after })
}

pub(crate) fn path_trail(trail: PathTrail, input: &Input<'_>) -> Result<Reply> {
    let page = walked(trail.page, input)?;
    Ok(Reply::json(&wire::PathTrail {
        secret_path: trail.path.as_str().to_owned(),
        summary_30d: wire::PathSummary {
            reads: trail.summary.reads,
            writes: trail.summary.writes,
            rotations: trail.summary.rotations,
            denied: trail.summary.denied,
            unique_identities: trail.summary.unique_identities,
            last_accessed_at: trail.summary.last_accessed_at.map(Timestamp::to_rfc3339_micros),
        },
        logs: page.logs,
        cursor: page.cursor,
        has_more: page.has_more,
    }))
}

pub(crate) fn identity_history(input: &Input<'_>) -> Result<IdentityHistory> {
    let faults = Faults::new();
    let text = input.param("identity_id");
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let range = range(&mut query, &faults);
    query.finish();
    faults.finish()?;
    let absent = || Error::new(Code::IdentityNotFound, "There is no such identity").with("identity_id", text.as_str());
    let identity = IdentityRef::parse(&text).map_err(|_| absent())?;
    Ok(IdentityHistory { identity, range, limit: page.limit, after: page.after })
}

pub(crate) fn identity_trail(trail: IdentityTrail, input: &Input<'_>) -> Result<Reply> {
    let page = walked(trail.page, input)?;
    Ok(Reply::json(&wire::IdentityTrail {
        identity_id: trail.identity_id,
        summary: wire::IdentitySummary {
            total_events: trail.summary.events,
            denied: trail.summary.denied,
            unique_secrets: trail.summary.unique_paths,
            first_seen: trail.summary.first_at.map(Timestamp::to_rfc3339_micros),
            last_seen: trail.summary.last_at.map(Timestamp::to_rfc3339_micros),
        },
        logs: page.logs,
        cursor: page.cursor,
        has_more: page.has_more,
    }))
}

pub(crate) fn summary(input: &Input<'_>) -> Result<AuditSummary> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let range = range(&mut query, &faults);
    query.finish();
    faults.finish()?;
    Ok(AuditSummary { range })
}

pub(crate) fn summary_view(summary: Summary, _input: &Input<'_>) -> Result<Reply> {
    let totals = summary.totals;
    Ok(Reply::json(&wire::AuditSummary {
        total_events: totals.events,
        successful_events: totals.successful,
        failed_events: totals.events.saturating_sub(totals.successful),
        unique_identities: totals.unique_identities,
        unique_secrets: totals.unique_paths,
        by_action: summary.by_action,
    }))
}

pub(crate) fn verify(input: &Input<'_>) -> Result<VerifyChain> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let stream = stream(&mut query);
    let from_seq = query.integer("from_seq", 1..=MAX_SEQ);
    let to_seq = query.integer("to_seq", 1..=MAX_SEQ);
    if let (Some(from), Some(to)) = (from_seq, to_seq)
        && to < from
    {
        query.fault("to_seq", FaultCode::Range, "must not be less than from_seq");
    }
    query.finish();
    faults.finish()?;
    Ok(VerifyChain { stream, from_seq, to_seq })
}

/// Numbers beyond it have no canonical form (contract 06 section 4).
const MAX_SEQ: i64 = (1 << 53) - 1;

pub(crate) fn verify_report(report: VerifyReport, _input: &Input<'_>) -> Result<Reply> {
    Ok(Reply::json(&wire::VerifyReport {
        valid: report.is_valid(),
        stream: report.stream,
        from_seq: report.from_seq,
        to_seq: report.to_seq,
        entries: report.entries,
        checkpoints_verified: report.checkpoints_verified,
        first_invalid_seq: report.fault.as_ref().map(|fault| fault.seq),
        reason: report.fault.as_ref().map(|fault| fault.fault.as_str().to_owned()),
        chain: report.fault.and_then(|fault| fault.chain),
    }))
}

pub(crate) fn checkpoints(input: &Input<'_>) -> Result<ListCheckpoints> {
    let faults = Faults::new();
    let (mut query, page) = input.list(&faults, DEFAULT_LIMIT, MAX_LIMIT);
    let stream = stream(&mut query);
    query.finish();
    faults.finish()?;
    Ok(ListCheckpoints { stream, limit: page.limit, after: page.after })
}

pub(crate) fn checkpoint_page(page: CheckpointPage, input: &Input<'_>) -> Result<Reply> {
    let has_more = page.next.is_some();
    let checkpoints = page.checkpoints.into_iter().map(|checkpoint| wire::Checkpoint {
        stream: checkpoint.stream,
        chain: checkpoint.chain,
        seq: checkpoint.seq,
        hash: checkpoint.hash,
        timestamp: checkpoint.timestamp,
        key_id: checkpoint.key_id,
        signature: checkpoint.signature,
    });
    Ok(Reply::json(&wire::Checkpoints {
        checkpoints: checkpoints.collect(),
        cursor: input.next_cursor(page.next)?,
        has_more,
    }))
}

fn stream(query: &mut QueryReader<'_>) -> StreamChoice {
    query.one_of("stream", &[("system", StreamChoice::Instance)]).unwrap_or_default()
}

fn range(query: &mut QueryReader<'_>, faults: &Faults) -> TimeRange {
    let (from, to) = (query.time("from"), query.time("to"));
    noted(Some(TimeRange::new(from, to)), faults).unwrap_or_default()
}

fn identity(query: &mut QueryReader<'_>) -> Option<IdentityRef> {
    let text = query.raw("identity_id")?;
    let parsed = IdentityRef::parse(text);
    if let Err(error) = &parsed {
        query.fault("identity_id", FaultCode::Format, &error.to_string());
    }
    parsed.ok()
}

fn source_ip(query: &mut QueryReader<'_>) -> Option<std::net::IpAddr> {
    let text = query.raw("source_ip")?;
    let parsed = text.parse();
    if parsed.is_err() {
        query.fault("source_ip", FaultCode::Format, "must be an IP address");
    }
    parsed.ok()
}

fn noted<T>(parsed: Option<Result<T, FieldFault>>, faults: &Faults) -> Option<T> {
    parsed?.map_err(|fault| faults.field(fault.field, fault.code, fault.message)).ok()
}

struct Walked {
    logs: Vec<wire::AuditEntry>,
    cursor: Option<String>,
    has_more: bool,
}

fn walked(page: LogPage, input: &Input<'_>) -> Result<Walked> {
    let has_more = page.next.is_some();
    Ok(Walked { logs: page.entries.into_iter().map(entry).collect(), cursor: input.next_cursor(page.next)?, has_more })
}

fn entry(stored: StoredEntry) -> wire::AuditEntry {
    let entry = stored.entry;
    wire::AuditEntry {
        id: entry.id,
        timestamp: entry.timestamp,
        action: entry.action,
        identity_type: entry.identity_type,
        identity_id: entry.identity_id,
        secret_path: entry.secret_path,
        source_ip: entry.source_ip,
        user_agent: entry.user_agent,
        success: entry.success,
        duration_ms: entry.duration_ms,
        request_id: entry.request_id,
        extra_data: entry.extra_data,
        acting_partner_id: entry.acting_partner_id,
        target_tenant_id: entry.target_tenant_id,
        tenant_id: entry.tenant_id,
        acting_tenant_id: entry.acting_tenant_id,
        status_code: entry.status_code,
        error_code: entry.error_code,
        resource_id: entry.resource_id,
        token_ref: entry.token_ref,
        chain: entry.chain,
        seq: entry.seq,
        prev_hash: entry.prev_hash,
        hash: scaivault_crypto::digest::hex(&stored.hash),
    }
}
