//! Walks every stream of the audit trail, as `GET /v1/audit/verify` does, in bounded memory.

use std::time::{Duration, Instant};

use scaivault_service::audit::{Fault, TrailKeys, verify_chain};
use scaivault_store::audit::{self, Chain};
use scaivault_store::{Inspection, Snapshots as _, StoreResult};

use super::report::Report;
use crate::output;

const SUBJECT: &str = "audit trail";

/// A long trail takes minutes; whoever waits should see it move.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

/// Broken streams that are named; the others are counted.
const NAMED: u64 = 20;

/// `keys`: `None` where the root key does not open or needs an operator; signatures are not checked then.
pub(super) fn check(database: &mut Inspection, keys: Option<&TrailKeys>, report: &mut Report) {
    let walked = walk(database, keys, report);
    if database.was_disturbed() {
        report.retract(SUBJECT);
        report.warning(SUBJECT, "a server was started meanwhile; run scaivault check again");
        return;
    }
    match walked {
        Ok(found) if found.broken == 0 => report.ok(SUBJECT, found.valid(keys.is_some())),
        Ok(found) if found.broken > NAMED => {
            report.fault(SUBJECT, format_args!("{} more streams are invalid", found.broken - NAMED));
        }
        Ok(_) => {}
        Err(error) => report.fault(SUBJECT, format_args!("can't be read: {error}")),
    }
}

#[derive(Default)]
struct Found {
    streams: u64,
    broken: u64,
    entries: u64,
    checkpoints: u64,
}

impl Found {
    fn valid(&self, signatures: bool) -> String {
        let how = if signatures { "and their signatures" } else { "without their signatures, which need the root key" };
        format!("valid; streams: {}, entries: {}, checkpoints: {}, {how}", self.streams, self.entries, self.checkpoints)
    }
}

fn walk(database: &mut Inspection, keys: Option<&TrailKeys>, report: &mut Report) -> StoreResult<Found> {
    let mut found = Found::default();
    let mut told = Instant::now();
    let mut last: Option<Chain> = None;
    while let Some(chain) = database.read(|view| audit::next_trace(view, last.as_ref()))? {
        let named = match chain.name() {
            Some(node) => format!("{} (chain {node})", chain.stream),
            None => chain.stream.clone(),
        };
        let walked = found.entries;
        let mut progress = |seq: i64, end: i64| {
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                output::notice(format_args!(
                    "audit trail: {named} at {seq} of {end}; {walked} entries of other streams done"
                ));
            }
        };
        let verified = verify_chain(database, keys, &chain, &mut progress)?;
        if last.as_ref().is_none_or(|last| last.stream != chain.stream) {
            found.streams += 1;
        }
        found.entries = found.entries.saturating_add(verified.entries);
        found.checkpoints = found.checkpoints.saturating_add(verified.checkpoints_verified);
        if let Some(Fault { seq, fault, .. }) = verified.fault {
            found.broken += 1;
            if found.broken <= NAMED {
                report.fault(SUBJECT, format_args!("{named} is invalid from seq {seq} on: {}", fault.as_str()));
            }
        }
        last = Some(chain);
    }
    Ok(found)
}
