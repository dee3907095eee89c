//! What has to happen at a time: durable, taken by one server at a time, done once.
//!
//! A job that only changes the database commits its effect together with its completion, so it happens exactly once. One that acts
//! outside holds a lease meanwhile; a server that dies loses it, and the next one takes over. This file knows no kind of job.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Param, Row, params};
use crate::tx::{Change, WriteTx};

/// Names a job: there is one of a kind for each subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobKey {
    pub kind: String,
    /// The id of what it is about.
    pub subject: String,
}

/// A job as it was found. `claim` and `plans` tell whether it is still the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    pub key: JobKey,
    /// Whose settings hold; empty for the server's own housekeeping.
    pub tenant_id: String,
    /// Whose secrets it touches: the tenant's id, or its partner's.
    pub namespace: String,
    pub run_at: Timestamp,
    pub plans: i64,
    pub claim: i64,
    /// In a row.
    pub failures: i64,
}

/// A job that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadJob {
    pub key: JobKey,
    pub tenant_id: String,
    pub failures: i64,
    pub error: String,
    pub died_at: Timestamp,
}

/// A new plan.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    pub kind: &'a str,
    pub subject: &'a str,
    pub tenant_id: &'a str,
    pub namespace: &'a str,
    pub run_at: Timestamp,
}

const COLUMNS: &str = "kind, subject, tenant_id, namespace, run_at, plans, claim, failures";

fn read(row: &dyn Row) -> StoreResult<JobRecord> {
    Ok(JobRecord {
        key: JobKey { kind: row.text(0)?, subject: row.text(1)? },
        tenant_id: row.text(2)?,
        namespace: row.text(3)?,
        run_at: row.time(4)?,
        plans: row.int(5)?,
        claim: row.int(6)?,
        failures: row.int(7)?,
    })
}

/// Plans a job, in place of an earlier plan for the same subject. One that runs at this moment runs again at the new time.
pub fn plan(tx: &mut WriteTx<'_>, plan: &Plan<'_>, now: Timestamp) -> StoreResult<()> {
    upsert(tx, plan, now, "excluded.run_at")
}

/// As [`plan`], but an earlier time that is planned already stays.
pub fn hasten(tx: &mut WriteTx<'_>, plan: &Plan<'_>, now: Timestamp) -> StoreResult<()> {
    upsert(tx, plan, now, "CASE WHEN job.run_at < excluded.run_at THEN job.run_at ELSE excluded.run_at END")
}

fn upsert(tx: &mut WriteTx<'_>, plan: &Plan<'_>, now: Timestamp, run_at: &str) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!(
            "INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
             VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0)
             ON CONFLICT (kind, subject) DO UPDATE SET tenant_id = excluded.tenant_id, namespace = excluded.namespace,
               run_at = {run_at}, planned_at = excluded.planned_at, plans = job.plans + 1, failures = 0, error = NULL, died_at = NULL"
        ),
        params![plan.kind, plan.subject, plan.tenant_id, plan.namespace, plan.run_at, now],
    )?;
    tx.changed(Change::Job);
    Ok(())
}

/// Plans a job unless there is one, planned or given up.
pub fn plan_first(tx: &mut WriteTx<'_>, plan: &Plan<'_>, now: Timestamp) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        "INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0) ON CONFLICT (kind, subject) DO NOTHING",
        params![plan.kind, plan.subject, plan.tenant_id, plan.namespace, plan.run_at, now],
    )?;
    if touched > 0 {
        tx.changed(Change::Job);
    }
    Ok(())
}

/// There is nothing left to do for the subject.
pub fn cancel(tx: &mut WriteTx<'_>, kind: &str, subject: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM job WHERE kind = $1 AND subject = $2", params![kind, subject])?;
    Ok(())
}

/// Removes a tenant's jobs with the tenant.
pub fn delete_all(tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM job WHERE tenant_id = $1", params![tenant_id])?;
    Ok(())
}

/// What is due of some kinds and nobody works on, the longest due first.
pub fn due(db: &mut impl Database, kinds: &[&str], now: Timestamp, limit: i64) -> StoreResult<Vec<JobRecord>> {
    let mut values = vec![Param::from(now), Param::from(limit)];
    values.extend(kinds.iter().map(|kind| Param::from(*kind)));
    let places = (3..=values.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    db.all(
        &format!(
            "SELECT {COLUMNS} FROM job WHERE died_at IS NULL AND run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
               AND kind IN ({places}) ORDER BY run_at LIMIT $2"
        ),
        &values,
        read,
    )
}

/// When the next job that nobody works on is due, in the past if it is late.
pub fn next_at(db: &mut impl Database, now: Timestamp) -> StoreResult<Option<Timestamp>> {
    db.first(
        "SELECT run_at FROM job WHERE died_at IS NULL AND (lease_until IS NULL OR lease_until <= $1) ORDER BY run_at LIMIT 1",
        params![now],
        |row| row.time(0),
    )
}

/// Takes a job as it was found, for as long as `lease_until` says. `None` when it changed meanwhile or another server has it.
pub fn take(
    tx: &mut WriteTx<'_>,
    found: &JobRecord,
    now: Timestamp,
    lease_until: Timestamp,
) -> StoreResult<Option<JobRecord>> {
    tx.first(
        &format!(
            "UPDATE job SET claim = claim + 1, lease_until = $6
             WHERE kind = $1 AND subject = $2 AND claim = $3 AND plans = $4 AND died_at IS NULL
               AND (lease_until IS NULL OR lease_until <= $5)
             RETURNING {COLUMNS}"
        ),
        params![&found.key.kind, &found.key.subject, found.claim, found.plans, now, lease_until],
        read,
    )
}

/// Whether a job that was taken is still this server's. What it does outside the database can't be undone, but what it writes can be
/// kept from being written twice.
pub fn is_held(tx: &mut WriteTx<'_>, taken: &JobRecord) -> StoreResult<bool> {
    let held = "SELECT COUNT(*) FROM job WHERE kind = $1 AND subject = $2 AND claim = $3";
    Ok(tx.number(held, params![&taken.key.kind, &taken.key.subject, taken.claim])? > 0)
}

/// The job is done. One that was planned anew since it was taken stays for that.
pub fn complete(tx: &mut WriteTx<'_>, taken: &JobRecord) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        "DELETE FROM job WHERE kind = $1 AND subject = $2 AND claim = $3 AND plans = $4",
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans],
    )?;
    if touched == 0 { release(tx, taken) } else { Ok(()) }
}

/// The job is done for now. One that was planned anew since it was taken keeps that plan.
pub fn again(tx: &mut WriteTx<'_>, taken: &JobRecord, run_at: Timestamp, now: Timestamp) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET run_at = $5, planned_at = $6, lease_until = NULL, failures = 0, error = NULL
         WHERE kind = $1 AND subject = $2 AND claim = $3 AND plans = $4",
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans, run_at, now],
    )?;
    if touched == 0 {
        return release(tx, taken);
    }
    tx.changed(Change::Job);
    Ok(())
}

fn release(tx: &mut WriteTx<'_>, taken: &JobRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE job SET lease_until = NULL WHERE kind = $1 AND subject = $2 AND claim = $3",
        params![&taken.key.kind, &taken.key.subject, taken.claim],
    )?;
    tx.changed(Change::Job);
    Ok(())
}

/// The job failed and is tried again.
pub fn retry(
    tx: &mut WriteTx<'_>,
    taken: &JobRecord,
    run_at: Timestamp,
    error: &str,
    now: Timestamp,
) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET run_at = $5, planned_at = $6, lease_until = NULL, failures = failures + 1, error = $7
         WHERE kind = $1 AND subject = $2 AND claim = $3 AND plans = $4",
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans, run_at, now, error],
    )?;
    if touched == 0 { release(tx, taken) } else { Ok(()) }
}

/// The job is given up, until an operator has it tried again.
pub fn bury(tx: &mut WriteTx<'_>, taken: &JobRecord, error: &str, now: Timestamp) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE job SET died_at = $4, lease_until = NULL, failures = failures + 1, error = $5
         WHERE kind = $1 AND subject = $2 AND claim = $3",
        params![&taken.key.kind, &taken.key.subject, taken.claim, now, error],
    )?;
    Ok(())
}

/// What was given up, the newest first.
pub fn dead(db: &mut impl Database, limit: i64) -> StoreResult<Vec<DeadJob>> {
    db.all(
        "SELECT kind, subject, tenant_id, failures, COALESCE(error, ''), died_at FROM job WHERE died_at IS NOT NULL
         ORDER BY died_at DESC, kind, subject LIMIT $1",
        params![limit],
        |row| {
            Ok(DeadJob {
                key: JobKey { kind: row.text(0)?, subject: row.text(1)? },
                tenant_id: row.text(2)?,
                failures: row.int(3)?,
                error: row.text(4)?,
                died_at: row.time(5)?,
            })
        },
    )
}

/// Has a job that was given up tried again now; `false` when there is none.
pub fn revive(tx: &mut WriteTx<'_>, key: &JobKey, now: Timestamp) -> StoreResult<bool> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET died_at = NULL, run_at = $3, planned_at = $3, failures = 0
         WHERE kind = $1 AND subject = $2 AND died_at IS NOT NULL",
        params![&key.kind, &key.subject, now],
    )?;
    tx.changed(Change::Job);
    Ok(touched > 0)
}

/// Has a batch of what was planned at a time that is still to come looked at now: the clock was wrong when it was planned. Answers
/// how many.
pub fn recall(tx: &mut WriteTx<'_>, now: Timestamp, limit: i64) -> StoreResult<u64> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET run_at = $1, planned_at = $1, lease_until = NULL, plans = plans + 1 WHERE (kind, subject) IN (
           SELECT kind, subject FROM job WHERE planned_at > $1 AND died_at IS NULL LIMIT $2)",
        params![now, limit],
    )?;
    tx.changed(Change::Job);
    Ok(touched)
}

/// Living jobs of a kind that are due.
pub fn count_due(db: &mut impl Database, kind: &str, now: Timestamp) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM job WHERE died_at IS NULL AND run_at <= $2 AND kind = $1", params![kind, now])
}
