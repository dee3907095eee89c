//! The audit trail in parts by time (`audit_entry` is partitioned by `at`): made ahead, and dropped whole when all that is in them was
//! cut. What belongs to no part is in `audit_entry_rest`.
//!
//! Nothing here may keep writers waiting. Locks are asked for only briefly and again later (`lock_timeout`): whoever waits for
//! a strong lock has everybody queue behind, and a reader that holds a weak one (pg_dump) may take hours. All of it can be left out
//! for a while: entries without a part go to the rest, and entries that were cut are not shown, whether they are still there or not.

use std::time::Duration;

use scaivault_domain::time::Timestamp;

use super::link::{Link, lock_key};
use super::shared::Shared;
use crate::audit::parts::{DAY, start_of_day, width_days};
use crate::audit::{AuditPart, AuditParts};
use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection as _, params};

/// How long a change of the parts waits for its lock, and at most keeps others waiting, each time that it is tried.
const LOCK_MILLIS: u32 = 400;
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(700);
/// Attaching a part reads the rest from one end to the other while nobody else may use it: 0.3 s for a million entries in memory. Where
/// it takes longer than this there will be no more parts, and everything goes on without them.
const SCAN_SECONDS: u32 = 4;
/// Rows of the rest that go in one statement, and statements of one run.
const REST_ROWS: i64 = 5000;
const REST_BATCHES: usize = 40;
/// At the start the retention is not known: parts of a day each, until the job makes wider ones behind them.
const FIRST_DAYS: i64 = 3;

/// What a change of the parts came to.
enum Turn<T> {
    Done(T),
    /// Another node is changing them.
    Taken,
}

/// All parts that there are. One that an operator made with other bounds than numbers is none of ours.
pub(super) fn list(link: &mut Link) -> StoreResult<AuditParts> {
    let mut parts = Vec::new();
    link.query(
        "SELECT pg_get_expr(c.relpartbound, c.oid)::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'audit_entry'::regclass",
        &[],
        &mut |row| {
            parts.extend(row.opt_text(0)?.as_deref().and_then(bounds));
            Ok(true)
        },
    )?;
    Ok(AuditParts::new(parts))
}

/// `FOR VALUES FROM ('1') TO ('2')`
fn bounds(text: &str) -> Option<AuditPart> {
    let mut quoted = text.split('\'').skip(1).step_by(2).map(str::parse);
    let mut next = || quoted.next()?.ok().map(Timestamp::from_micros);
    Some(AuditPart { from: next()?, to: next()? })
}

/// `audit_entry_20260501_20260601`
fn name(part: AuditPart) -> String {
    let date = |at: Timestamp| at.to_rfc3339_seconds().get(..10).unwrap_or_default().replace('-', "");
    format!("audit_entry_{}_{}", date(part.from), date(part.to))
}

/// Before this node writes: parts for the days to come, unless there are any. A database that does not let it is no reason not to
/// start.
pub(super) fn make_first(link: &mut Link, schema: &str) {
    let made = link
        .simple(concat!("SELECT ", clock!()))
        .and_then(|now| now.and_then(|text| text.parse().ok()).ok_or_else(|| StoreError::corrupt("no clock")))
        .and_then(|now| {
            let today = start_of_day(Timestamp::from_micros(now));
            make(link, schema, today, today.plus_seconds(FIRST_DAYS * DAY), 1)
        });
    if let Err(error) = made {
        tracing::warn!(%error, "no parts of the audit trail were made; entries without one go to audit_entry_rest");
    }
}

/// Parts for today and two widths ahead. Answers how many were made.
pub(super) fn prepare(shared: &Shared, now: Timestamp, retention_seconds: i64) -> StoreResult<usize> {
    let (today, days) = (start_of_day(now), width_days(retention_seconds));
    let until = today.plus_seconds((2 * days + 1) * DAY);
    let mut link = shared.connect()?;
    // So that the usual case takes no lock at all.
    if list(&mut link)?.missing(today, until, days).is_empty() {
        return Ok(0);
    }
    patiently(shared, &mut link, |link| make(link, &shared.schema, today, until, days))
}

fn make(link: &mut Link, schema: &str, from: Timestamp, until: Timestamp, days: i64) -> StoreResult<usize> {
    let made = in_turn(link, schema, |link| {
        link.simple(&format!("SET LOCAL statement_timeout = '{SCAN_SECONDS}s'"))?;
        let mut made = 0;
        for part in list(link)?.missing(from, until, days) {
            if let Some(part) = behind_the_rest(link, part)? {
                attach(link, part)?;
                made += 1;
            }
        }
        Ok(made)
    })?;
    Ok(match made {
        Turn::Done(made) => made,
        Turn::Taken => 0,
    })
}

/// A part can't begin before entries that are in the rest already; on the day after them it can.
fn behind_the_rest(link: &mut Link, part: AuditPart) -> StoreResult<Option<AuditPart>> {
    let mut newest = None;
    let newest_there = "SELECT MAX(at) FROM audit_entry_rest WHERE at >= $1 AND at < $2";
    link.query(newest_there, params![part.from, part.to], &mut |row| {
        newest = row.opt_time(0)?;
        Ok(false)
    })?;
    let from = newest.map_or(part.from, |newest| start_of_day(newest).plus_seconds(DAY));
    Ok(Some(AuditPart { from, ..part }).filter(|part| part.from < part.to))
}

/// In two steps, not by `CREATE TABLE ... PARTITION OF`: that locks the whole trail against readers and writers, this only
/// `audit_entry_rest`, which is as good as empty and which nobody who writes touches while there is a part for today.
fn attach(link: &mut Link, part: AuditPart) -> StoreResult<()> {
    let (name, from, to) = (name(part), part.from.as_micros(), part.to.as_micros());
    link.batch(&format!(
        "CREATE TABLE {name} (LIKE audit_entry INCLUDING ALL);
         ALTER TABLE audit_entry ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
    ))?;
    tracing::info!(part = name, "made a part of the audit trail");
    Ok(())
}

/// Drops the parts that end at `before` or earlier and hold nothing but entries at or below the anchors of their chains, and removes
/// such entries from the rest. Answers how many parts and rows went. What can't be locked now goes another time.
pub(super) fn drop_cut(shared: &Shared, before: Timestamp) -> StoreResult<usize> {
    let mut link = shared.connect()?;
    let mut gone = 0;
    let parts = list(&mut link)?;
    for part in parts.iter().filter(|part| part.to <= before) {
        let dropped = patiently(shared, &mut link, |link| {
            Ok(match in_turn(link, &shared.schema, |link| drop_part(link, *part))? {
                Turn::Done(dropped) => Some(dropped),
                Turn::Taken => None,
            })
        });
        match dropped {
            Ok(Some(dropped)) => gone += usize::from(dropped),
            Ok(None) => return Ok(gone),
            Err(error) => {
                tracing::info!(%error, part = name(*part), "a part of the audit trail is in use; it is dropped another time");
                return Ok(gone);
            }
        }
    }
    for _ in 0..REST_BATCHES {
        // At or below an anchor nothing is ever read or changed, so this stands in nobody's way.
        let removed = link.execute(
            "DELETE FROM audit_entry_rest WHERE ctid = ANY (ARRAY(
               SELECT r.ctid FROM audit_anchor a JOIN audit_entry_rest r ON r.stream = a.stream AND r.chain = a.chain AND r.seq <= a.seq
               LIMIT $1))",
            params![REST_ROWS],
        )?;
        gone = gone.saturating_add(usize::try_from(removed).unwrap_or(usize::MAX));
        if removed < REST_ROWS.unsigned_abs() {
            break;
        }
    }
    Ok(gone)
}

/// First the part against late writers, which are hardly any, then a look at what is in it, and only then, for a moment, the trail:
/// `DETACH ... CONCURRENTLY`, which would not need that, is not to be had beside a default partition.
fn drop_part(link: &mut Link, part: AuditPart) -> StoreResult<bool> {
    let name = name(part);
    // An operator's own part has a name of its own, and is the operator's to drop.
    if link.simple(&format!("SELECT to_regclass('{name}')"))?.is_none() {
        return Ok(false);
    }
    link.batch(&format!("LOCK TABLE {name} IN SHARE MODE"))?;
    // Chain after chain by its key: however many entries there are, they are not read.
    let kept = link.simple(&format!(
        "WITH RECURSIVE found (stream, chain) AS (
           (SELECT stream, chain FROM {name} ORDER BY stream, chain LIMIT 1)
           UNION ALL
           SELECT n.stream, n.chain FROM found f CROSS JOIN LATERAL
             (SELECT p.stream, p.chain FROM {name} p WHERE (p.stream, p.chain) > (f.stream, f.chain)
              ORDER BY p.stream, p.chain LIMIT 1) n)
         SELECT f.stream FROM found f
         WHERE (SELECT p.seq FROM {name} p WHERE p.stream = f.stream AND p.chain = f.chain ORDER BY p.seq DESC LIMIT 1)
               > COALESCE((SELECT a.seq FROM audit_anchor a WHERE a.stream = f.stream AND a.chain = f.chain), 0)
         LIMIT 1"
    ))?;
    if kept.is_some() {
        return Ok(false);
    }
    link.batch(&format!("LOCK TABLE ONLY audit_entry IN ACCESS EXCLUSIVE MODE; DROP TABLE {name}"))?;
    tracing::info!(part = name, "dropped a part of the audit trail; its time has passed");
    Ok(true)
}

/// One transaction that changes the parts, one node at a time.
fn in_turn<T>(link: &mut Link, schema: &str, change: impl FnOnce(&mut Link) -> StoreResult<T>) -> StoreResult<Turn<T>> {
    let turn = lock_key(schema, "parts");
    let run = || -> StoreResult<Turn<T>> {
        let taken = link.simple(&format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '{LOCK_MILLIS}ms';
             SELECT pg_try_advisory_xact_lock({turn})"
        ))?;
        if taken.as_deref() != Some("t") {
            link.batch("ROLLBACK")?;
            return Ok(Turn::Taken);
        }
        let output = change(link)?;
        link.batch("COMMIT")?;
        Ok(Turn::Done(output))
    };
    let outcome = run();
    if outcome.is_err() && !link.is_broken() {
        link.batch("ROLLBACK")?;
    }
    outcome
}

/// Tries a few times, for somebody who was in the way for a moment.
fn patiently<T>(
    shared: &Shared,
    link: &mut Link,
    mut change: impl FnMut(&mut Link) -> StoreResult<T>,
) -> StoreResult<T> {
    let mut attempt = 1;
    loop {
        match change(link) {
            Err(error) if was_locked(&error) && attempt < ATTEMPTS && !shared.is_closing() => {
                attempt += 1;
                shared.pause(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn was_locked(error: &StoreError) -> bool {
    match error {
        StoreError::Conflict(_) => true,
        StoreError::Unavailable(text) => text.ends_with("(55P03)"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_and_names_tell_them() {
        let part = bounds("FOR VALUES FROM ('1777593600000000') TO ('1780272000000000')").unwrap();
        assert_eq!(name(part), "audit_entry_20260501_20260601");
        for other in ["DEFAULT", "FOR VALUES FROM (MINVALUE) TO ('5')", "FOR VALUES FROM ('x') TO ('5')"] {
            assert_eq!(bounds(other), None, "{other}");
        }
    }
}
