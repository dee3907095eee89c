//! What has to happen at a time: durable, taken by one server at a time, done once.
//!
//! A job that only changes the database commits its effect together with its completion, so it happens exactly once. One that acts
//! outside holds a lease meanwhile; a server that dies loses it, and the next one takes over. This file knows no kind of job.

use scaivault_domain::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Param, Row, params};
use crate::tx::{Change, WriteTx};

/// A lease that ends later than this was given by a clock that was ahead, and holds nobody.
const LONGEST_LEASE_SECONDS: i64 = 300;
/// Of the text that says why a job failed.
const ERROR_CHARS: usize = 500;

/// Names a job: there is one of a kind for each subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// A row of $1 kind, $2 subject, $3 tenant, $4 namespace, $5 time, $6 now.
const INSERT: &str = "INSERT INTO job (kind, subject, tenant_id, namespace, run_at, planned_at, plans, claim, failures)
     VALUES ($1, $2, $3, $4, $5, $6, 0, $6, 0)";

/// Plans a job, in place of an earlier plan for the same subject. One that runs at this moment runs again at the new time; one that
/// failed or was given up begins anew.
pub fn plan(tx: &mut WriteTx<'_>, plan: &Plan<'_>, now: Timestamp) -> StoreResult<()> {
    upsert(tx, plan, now, "excluded.run_at", "0", "NULL")
}

/// As [`plan`], but an earlier time that is planned already stays, and so does the pause of a job that failed. One that runs at this
/// moment runs again at the new time or when its lease would be over, whichever is sooner. A job that plans its own next run says so
/// by what it answers, not by this.
pub fn hasten(tx: &mut WriteTx<'_>, plan: &Plan<'_>, now: Timestamp) -> StoreResult<()> {
    let run_at = "CASE WHEN job.died_at IS NOT NULL THEN excluded.run_at
                       WHEN job.failures > 0 THEN job.run_at
                       WHEN job.lease_until > $6 AND job.lease_until < excluded.run_at THEN job.lease_until
                       WHEN job.lease_until > $6 THEN excluded.run_at
                       WHEN job.run_at < excluded.run_at THEN job.run_at
                       ELSE excluded.run_at END";
    let failures = "CASE WHEN job.died_at IS NULL THEN job.failures ELSE 0 END";
    upsert(tx, plan, now, run_at, failures, "CASE WHEN job.died_at IS NULL THEN job.error ELSE NULL END")
}

fn upsert(
    tx: &mut WriteTx<'_>,
    plan: &Plan<'_>,
    now: Timestamp,
    run_at: &str,
    failures: &str,
    error: &str,
) -> StoreResult<()> {
    tx.connection()?.execute(
        &format!(
            "{INSERT} ON CONFLICT (kind, subject) DO UPDATE SET tenant_id = excluded.tenant_id, namespace = excluded.namespace,
               run_at = {run_at}, planned_at = excluded.planned_at, plans = job.plans + 1, failures = {failures}, error = {error},
               died_at = NULL"
        ),
        params![plan.kind, plan.subject, plan.tenant_id, plan.namespace, plan.run_at, now],
    )?;
    tx.changed(Change::Job);
    Ok(())
}

/// Plans a job unless there is one, planned or given up.
pub fn plan_first(tx: &mut WriteTx<'_>, plan: &Plan<'_>, now: Timestamp) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        &format!("{INSERT} ON CONFLICT (kind, subject) DO NOTHING"),
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

/// What was to be done in the name of a deleted tenant for its partner's shared secrets is done in that of another one.
pub fn hand_over(tx: &mut WriteTx<'_>, tenant_id: &str, partner_id: &str) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE job SET tenant_id = COALESCE(
           (SELECT MIN(t.id) FROM tenant t WHERE t.partner_id = $2 AND t.id <> $1 AND t.status <> 'DELETED'), tenant_id)
         WHERE tenant_id = $1 AND namespace = $2",
        params![tenant_id, partner_id],
    )?;
    Ok(())
}

/// Removes a tenant's jobs with the tenant.
pub fn delete_all(tx: &mut WriteTx<'_>, tenant_id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM job WHERE tenant_id = $1", params![tenant_id])?;
    Ok(())
}

/// Nobody works on it, at $2 now with $3 the end of the longest lease that can have been given by then.
const FREE: &str = "(lease_until IS NULL OR lease_until <= $2 OR lease_until > $3)";

fn due_query() -> String {
    format!(
        "SELECT {COLUMNS} FROM job WHERE died_at IS NULL AND kind = $1 AND run_at <= $2 AND {FREE} ORDER BY run_at LIMIT $4"
    )
}

fn next_query() -> String {
    format!("SELECT run_at FROM job WHERE died_at IS NULL AND kind = $1 AND {FREE} ORDER BY run_at LIMIT 1")
}

fn longest_lease(now: Timestamp) -> Timestamp {
    now.plus_seconds(LONGEST_LEASE_SECONDS)
}

/// What is due of a kind and nobody works on, the longest due first.
pub fn due(db: &mut impl Database, kind: &str, now: Timestamp, limit: i64) -> StoreResult<Vec<JobRecord>> {
    db.all(&due_query(), params![kind, now, longest_lease(now), limit], read)
}

/// When the next job of a kind that nobody works on is due, in the past if it is late.
pub fn next_at(db: &mut impl Database, kind: &str, now: Timestamp) -> StoreResult<Option<Timestamp>> {
    db.first(&next_query(), params![kind, now, longest_lease(now)], |row| row.time(0))
}

/// As [`next_at`], of several kinds in one look; in their order.
pub fn next_of_each(db: &mut impl Database, kinds: &[&str], now: Timestamp) -> StoreResult<Vec<Option<Timestamp>>> {
    let Some((first, others)) = kinds.split_first() else { return Ok(Vec::new()) };
    // The first kind where one kind would stand, the others behind the times.
    let mut params = vec![Param::Text(first), now.into(), longest_lease(now).into()];
    params.extend(others.iter().map(|kind| Param::Text(kind)));
    let one = |place: usize| {
        let number = if place == 0 { 1 } else { place + 3 };
        format!("({})", next_query().replace("kind = $1", &format!("kind = ${number}")))
    };
    let sql = format!("SELECT {}", (0..kinds.len()).map(one).collect::<Vec<_>>().join(", "));
    let found = db.first(&sql, &params, |row| (0..kinds.len()).map(|place| row.opt_time(place)).collect())?;
    found.ok_or_else(|| StoreError::corrupt("a look without a row"))
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
            "UPDATE job SET claim = claim + 1, lease_until = $4
             WHERE kind = $1 AND subject = $5 AND claim = $6 AND plans = $7 AND died_at IS NULL AND {FREE}
             RETURNING {COLUMNS}"
        ),
        params![&found.key.kind, now, longest_lease(now), lease_until, &found.key.subject, found.claim, found.plans,],
        read,
    )
}

/// Whether a job that was taken is still this server's. What it does outside the database can't be undone, but what it writes can be
/// kept from being written twice.
pub fn is_held(tx: &mut WriteTx<'_>, taken: &JobRecord) -> StoreResult<bool> {
    let held = "SELECT COUNT(*) FROM job WHERE kind = $1 AND subject = $2 AND claim = $3";
    Ok(tx.number(held, params![&taken.key.kind, &taken.key.subject, taken.claim])? > 0)
}

/// Holds a job that was taken for longer; `false` when it is not this server's any more.
pub fn renew(tx: &mut WriteTx<'_>, taken: &JobRecord, lease_until: Timestamp) -> StoreResult<bool> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET lease_until = $4 WHERE kind = $1 AND subject = $2 AND claim = $3 AND lease_until IS NOT NULL",
        params![&taken.key.kind, &taken.key.subject, taken.claim, lease_until],
    )?;
    Ok(touched > 0)
}

/// The job is done. One that was planned anew since it was taken stays for that.
pub fn complete(tx: &mut WriteTx<'_>, taken: &JobRecord) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        "DELETE FROM job WHERE kind = $1 AND subject = $2 AND claim = $3 AND plans = $4",
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans],
    )?;
    if touched == 0 { done(tx, taken) } else { Ok(()) }
}

/// The job is done for now. One that was planned anew since it was taken keeps that plan.
pub fn again(tx: &mut WriteTx<'_>, taken: &JobRecord, run_at: Timestamp, now: Timestamp) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET run_at = $5, planned_at = $6, lease_until = NULL, failures = 0, error = NULL
         WHERE kind = $1 AND subject = $2 AND claim = $3 AND plans = $4",
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans, run_at, now],
    )?;
    if touched == 0 {
        return done(tx, taken);
    }
    tx.changed(Change::Job);
    Ok(())
}

/// What was planned anew while it ran waits for its next run.
fn done(tx: &mut WriteTx<'_>, taken: &JobRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE job SET failures = 0, error = NULL WHERE kind = $1 AND subject = $2 AND claim = $3",
        params![&taken.key.kind, &taken.key.subject, taken.claim],
    )?;
    release(tx, taken)
}

/// Gives a job that was taken back: whoever looks next may take it.
pub fn release(tx: &mut WriteTx<'_>, taken: &JobRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE job SET lease_until = NULL WHERE kind = $1 AND subject = $2 AND claim = $3",
        params![&taken.key.kind, &taken.key.subject, taken.claim],
    )?;
    tx.changed(Change::Job);
    Ok(())
}

/// Gives a job that was taken back for a while: there was no room for it.
pub fn postpone(tx: &mut WriteTx<'_>, taken: &JobRecord, run_at: Timestamp) -> StoreResult<()> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET run_at = $5, lease_until = NULL WHERE kind = $1 AND subject = $2 AND claim = $3 AND plans = $4",
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans, run_at],
    )?;
    if touched == 0 { release(tx, taken) } else { Ok(()) }
}

/// The job failed and is tried again. A plan that was made since it was taken holds all the same; one that was only hastened rests.
pub fn retry(
    tx: &mut WriteTx<'_>,
    taken: &JobRecord,
    run_at: Timestamp,
    error: &str,
    now: Timestamp,
) -> StoreResult<()> {
    let error = shortened(error);
    let touched = tx.connection()?.execute(
        &format!(
            "UPDATE job SET run_at = $5, planned_at = $6, lease_until = NULL, failures = failures + 1, error = $7
             WHERE kind = $1 AND subject = $2 AND claim = $3 AND {NOT_PLANNED_ANEW}"
        ),
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans, run_at, now, &error],
    )?;
    if touched == 0 { failed_before_plan(tx, taken, &error) } else { Ok(()) }
}

/// The job is given up, until an operator has it tried again. A plan that was made since it was taken holds all the same.
pub fn bury(tx: &mut WriteTx<'_>, taken: &JobRecord, error: &str, now: Timestamp) -> StoreResult<()> {
    let error = shortened(error);
    let touched = tx.connection()?.execute(
        &format!(
            "UPDATE job SET died_at = $5, lease_until = NULL, failures = failures + 1, error = $6
             WHERE kind = $1 AND subject = $2 AND claim = $3 AND {NOT_PLANNED_ANEW}"
        ),
        params![&taken.key.kind, &taken.key.subject, taken.claim, taken.plans, now, &error],
    )?;
    if touched == 0 { failed_before_plan(tx, taken, &error) } else { Ok(()) }
}

/// A new plan begins without failures; hastening keeps them, so that what always fails is not tried at the pace of its hastening.
const NOT_PLANNED_ANEW: &str = "(plans = $4 OR failures > 0)";

fn failed_before_plan(tx: &mut WriteTx<'_>, taken: &JobRecord, error: &str) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE job SET failures = failures + 1, error = $4 WHERE kind = $1 AND subject = $2 AND claim = $3",
        params![&taken.key.kind, &taken.key.subject, taken.claim, error],
    )?;
    release(tx, taken)
}

fn shortened(error: &str) -> String {
    error.chars().take(ERROR_CHARS).collect()
}

/// What was given up, the newest first.
pub fn dead(db: &mut impl Database, limit: i64) -> StoreResult<Vec<DeadJob>> {
    db.all(DEAD, params![limit], |row| {
        Ok(DeadJob {
            key: JobKey { kind: row.text(0)?, subject: row.text(1)? },
            tenant_id: row.text(2)?,
            failures: row.int(3)?,
            error: row.text(4)?,
            died_at: row.time(5)?,
        })
    })
}

const DEAD: &str =
    "SELECT kind, subject, tenant_id, failures, COALESCE(error, ''), died_at FROM job WHERE died_at IS NOT NULL
     ORDER BY died_at DESC, kind, subject LIMIT $1";

/// Has a job that was given up tried again now; `false` when there is none.
pub fn revive(tx: &mut WriteTx<'_>, key: &JobKey, now: Timestamp) -> StoreResult<bool> {
    let touched = tx.connection()?.execute(
        "UPDATE job SET died_at = NULL, run_at = $3, planned_at = $3, failures = 0
         WHERE kind = $1 AND subject = $2 AND died_at IS NOT NULL",
        params![&key.kind, &key.subject, now],
    )?;
    if touched > 0 {
        tx.changed(Change::Job);
    }
    Ok(touched > 0)
}

/// Has a batch of what was planned at a time that is still to come looked at now: the clock was wrong when it was planned. Answers
/// how many.
pub fn recall(tx: &mut WriteTx<'_>, now: Timestamp, limit: i64) -> StoreResult<u64> {
    let touched = tx.connection()?.execute(RECALL, params![now, limit])?;
    if touched > 0 {
        tx.changed(Change::Job);
    }
    Ok(touched)
}

/// A lease stays: what runs at this moment runs to its end first. Those of a clock that was ahead hold nobody, see [`FREE`].
const RECALL: &str = "UPDATE job SET run_at = $1, planned_at = $1, plans = plans + 1 WHERE (kind, subject) IN (
       SELECT kind, subject FROM job WHERE planned_at > $1 AND died_at IS NULL LIMIT $2)";

/// How many jobs are planned, due or not.
pub fn count_waiting(db: &mut impl Database) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM job WHERE died_at IS NULL", &[])
}

/// How many were given up.
pub fn count_dead(db: &mut impl Database) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM job WHERE died_at IS NOT NULL", &[])
}

/// Living jobs of a kind that are due, whether or not somebody works on them.
pub fn count_due(db: &mut impl Database, kind: &str, now: Timestamp) -> StoreResult<i64> {
    db.number("SELECT COUNT(*) FROM job WHERE died_at IS NULL AND kind = $1 AND run_at <= $2", params![kind, now])
}

#[cfg(test)]
mod tests;
