//! Telling of an expiry: warnings ahead of it, and once that it has come (contract 01 section 6). Nothing is deleted by it.

use scaivault_domain::access::SecretScope;
use scaivault_domain::duration::SpanList;
use scaivault_domain::event::EventBody;
use scaivault_domain::expiry::{self, Notice, Settled};
use scaivault_domain::time::Timestamp;
use scaivault_store::secret::{self, SecretRecord};
use scaivault_store::{WriteTx, secret_expiry};

use crate::context::Work;
use crate::error::{Error, Result};
use crate::event::Happening;
use crate::job::{self, Job, JobKind, Next};

/// Has the job look when there is something to tell. While a secret is in the trash it rests; what was told stays told.
pub(super) fn plan(tx: &mut WriteTx<'_>, scope: &SecretScope, record: &SecretRecord, now: Timestamp) -> Result<()> {
    let known = secret_expiry::find(tx, &record.id)?;
    let Some(expires_at) = record.expires_at else {
        // Most secrets never had one: that costs a look and no write.
        if known.is_some() {
            secret_expiry::remove(tx, &record.id)?;
            job::cancel(tx, JobKind::TellExpiry, &record.id)?;
        }
        return Ok(());
    };
    let until = expiry::settled_until(known.as_ref(), expires_at, &record.notify_before, now);
    let settled = Settled { expires_at, notify_before: record.notify_before.clone(), until };
    if known.as_ref() != Some(&settled) {
        secret_expiry::put(tx, &record.id, &settled)?;
    }
    let look = expiry::look(expires_at, &warnings(record)?, until, now);
    let due = if look.notice.is_some() { Some(now) } else { look.next };
    match due.filter(|_| record.trash.is_none()) {
        Some(at) => job::plan(tx, JobKind::TellExpiry, &record.id, scope, at, now)?,
        None => job::cancel(tx, JobKind::TellExpiry, &record.id)?,
    }
    Ok(())
}

/// The job of one secret.
pub(crate) fn tell(job: &Job, tx: &mut WriteTx<'_>, work: &mut Work<'_>) -> Result<Next> {
    let found = secret::by_id(tx, &job.scope, job.subject())?.filter(|record| record.trash.is_none());
    let Some((record, expires_at)) = found.and_then(|record| record.expires_at.map(|end| (record, end))) else {
        return Ok(Next::Never);
    };
    let known = secret_expiry::find(tx, &record.id)?;
    let until = expiry::settled_until(known.as_ref(), expires_at, &record.notify_before, work.now);
    let look = expiry::look(expires_at, &warnings(&record)?, until, work.now);
    if let Some(notice) = look.notice {
        let body = match notice {
            Notice::Expiring(threshold) => EventBody::SecretExpiring {
                expires_at,
                days_remaining: expiry::days_remaining(work.now, expires_at),
                threshold: threshold.as_str().to_owned(),
            },
            Notice::Expired => EventBody::SecretExpired { expires_at, version: record.current_version },
        };
        let settled = Settled { expires_at, notify_before: record.notify_before.clone(), until: work.now };
        secret_expiry::put(tx, &record.id, &settled)?;
        work.emit(Happening::of_secret(&job.scope, &record, body));
    }
    Ok(look.next.map_or(Next::Never, Next::At))
}

fn warnings(record: &SecretRecord) -> Result<SpanList> {
    SpanList::parse(&record.notify_before, usize::MAX).map_err(Error::internal)
}
