//! What becomes of jobs that fail: tried again after a pause, longer each time, and given up in the end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use scaivault_domain::time::Timestamp;
use scaivault_store::job::{self, JobRecord};
use scaivault_store::{StoreError, StoreResult, WriteTx};

use crate::error::{Code, Error, Internal, Result};
use crate::trail::unrecorded;
use crate::vault::Vault;

/// Tries before a job is given up: more than a day with the pauses of [`pause_after`].
pub(super) const MOST_FAILURES: i64 = 30;
const LONGEST_PAUSE_SECONDS: i64 = 3600;
/// Where something it needs is away (the key provider, the disk): ten days, with shorter pauses, because nothing is wrong with the job.
pub(super) const MOST_OUTAGES: i64 = 2880;
const LONGEST_OUTAGE_PAUSE_SECONDS: i64 = 300;

/// In place of words that are meant for a client.
pub(super) const SEE_THE_LOG: &str = "An internal error occurred; the log says which, under this kind and subject";

impl Vault {
    /// Puts a failed job off, longer each time, and gives it up in the end.
    pub(super) fn failed(
        &self,
        tx: &mut WriteTx<'_>,
        taken: &JobRecord,
        error: &Error,
        now: Timestamp,
    ) -> StoreResult<()> {
        let detail = error.internal_detail().map(Internal::for_log);
        let (kind, subject, code) = (taken.key.kind.as_str(), taken.key.subject.as_str(), error.code().as_str());
        // What an operator may read: the public words. The internal ones are in the log, under the same job.
        let message = if error.code() == Code::InternalError { SEE_THE_LOG } else { error.message() };
        let text = format!("{code}: {message}");
        let is_outage = error.code() == Code::ServiceUnavailable;
        let failures = taken.failures.saturating_add(1);
        if failures >= if is_outage { MOST_OUTAGES } else { MOST_FAILURES } {
            tracing::error!(kind, subject, code, detail, failures, "a job is given up; see GET /v1/sys/jobs");
            return job::bury(tx, taken, &text, now);
        }
        // In an outage all jobs fail, each again and again.
        if !is_outage || failures.unsigned_abs().is_power_of_two() {
            tracing::warn!(kind, subject, code, detail, failures, "a job failed; it is tried again");
        }
        let longest = if is_outage { LONGEST_OUTAGE_PAUSE_SECONDS } else { LONGEST_PAUSE_SECONDS };
        let pause = self.scattered(pause_after(taken.failures).min(longest)).map_err(unrecorded)?;
        job::retry(tx, taken, Timestamp::from_micros(now.as_micros().saturating_add(pause)), &text, now)
    }

    /// Microseconds: `seconds`, a tenth more or less, so that what failed together does not come back together.
    pub(crate) fn scattered(&self, seconds: i64) -> Result<i64> {
        let mut random = [0; 2];
        self.entropy.fill(&mut random).map_err(Error::internal)?;
        // 90 % and up to 20 % of it more, in 65536 steps.
        let share = i64::from(u16::from_be_bytes(random));
        let micros = seconds.saturating_mul(1_000_000);
        Ok(micros / 10 * 9 + micros / 5 / 65_536 * share)
    }
}

/// 10 s, 40 s, 160 s ... an hour.
pub(crate) fn pause_after(failures: i64) -> i64 {
    let doubled = u32::try_from(failures.clamp(0, 8)).unwrap_or(8);
    10_i64.saturating_mul(4_i64.saturating_pow(doubled)).min(LONGEST_PAUSE_SECONDS)
}

/// Runs `work` so that a panic in it is an error of its own: on the writer it would take everybody else's changes with it.
pub(crate) fn caught<T, E: From<StoreError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::corrupt("the server's own work panicked").into()))
}
