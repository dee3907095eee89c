//! Several queries in one request (contract 08): the steps of a query for each, one snapshot and one commit for all.

use std::sync::Arc;

use scaivault_domain::access::{Grant, Target};
use scaivault_domain::action::Action;
use scaivault_domain::audit::AuditAction;
use scaivault_domain::time::Timestamp;
use scaivault_store::ReadView;

use crate::admit::Admitted;
use crate::caller::Caller;
use crate::context::{Context, Notes};
use crate::error::{Code, Error, Result};
use crate::event::Happening;
use crate::operation::{Batch, Operation, Part, Query};
use crate::trail::{Draft, Subject, audit_action};
use crate::vault::Vault;
use crate::warm::scope_of;

/// An answer may be as large as this many of the largest secrets (contract 08 section 1).
pub const LARGEST_BATCH_IN_SECRETS: u32 = 32;

/// What became of each part, under the name the caller gave it.
pub type Found<T> = Vec<(String, Result<T>)>;

/// A part that was looked at.
struct Looked<T> {
    name: String,
    audited: Option<AuditAction>,
    target: Option<Target>,
    grant: Option<Grant>,
    notes: Notes,
    result: Result<T>,
}

/// The parts up to the one that ended the call, if one did.
struct Looking<T> {
    parts: Vec<Looked<T>>,
    ended: bool,
}

type OutputOf<B> = <<B as Batch>::Part as Operation>::Output;

impl Vault {
    /// Runs a batch: steps 8 to 10 for each of its parts. The error of a part is what that part comes to, unless it ends the call.
    pub async fn batch<B: Batch>(self: &Arc<Self>, admitted: &Admitted, batch: B) -> Result<Found<OutputOf<B>>> {
        let caller = &admitted.caller;
        let now = self.clock.now();
        let (vault, asking) = (Arc::clone(self), Arc::clone(caller));
        let looking = tokio::task::spawn_blocking(move || {
            let keys = vault.load_keys(&asking, &batch.target(), now);
            vault.learn_who_hears_reads(&scope_of(&asking, &batch.target()));
            let mut cx = Context::new(&vault, &asking, now, keys);
            vault.store.read(|view| look(&batch, view, &mut cx))
        });
        let mut looking = match looking.await {
            Ok(looking) => looking,
            Err(panicked) => return Err(self.refuse(admitted, B::ACTION, None, Error::internal(panicked)).await),
        };
        let drafts = looking.parts.iter().filter_map(|part| self.draft_of(caller, part).transpose());
        let drafts = drafts.collect::<Result<_>>()?;
        let happenings = self.told_of(caller, &mut looking, now);
        self.record_and_tell(caller, drafts, happenings, now).await?;
        if looking.ended {
            let last = looking.parts.into_iter().next_back().and_then(|part| part.result.err());
            return Err(last.unwrap_or_else(|| Error::internal("a batch ended without an error")));
        }
        let mut found = Vec::with_capacity(looking.parts.len());
        let mut values = 0;
        for part in looking.parts {
            match &part.result {
                Err(error) => log_failure(caller, error),
                Ok(_) => {
                    values += 1;
                    self.count_access(caller, &part.notes, now);
                }
            }
            found.push((part.name, part.result));
        }
        if let Some(payer) = B::ACTION.spec().rate.and_then(|category| category.paid_by_value()) {
            self.limiter.charge(&caller.identity().internal_id, payer, values, now.as_micros());
        }
        Ok(found)
    }

    /// Of a call that ended nothing is disclosed, so nothing was read.
    fn told_of<T>(&self, caller: &Caller, looking: &mut Looking<T>, now: Timestamp) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for part in &mut looking.parts {
            match (&part.result, &part.target) {
                (Ok(_), _) if looking.ended => {}
                (Ok(_), _) => happenings.append(&mut part.notes.events),
                (Err(error), Some(target)) => happenings.extend(self.violation(caller, target, error, false, now)),
                (Err(_), None) => {}
            }
        }
        happenings
    }

    fn draft_of<T>(&self, caller: &Caller, part: &Looked<T>) -> Result<Option<Draft>> {
        let Some(audited) = part.audited else { return Ok(None) };
        let subject = Subject::of(audited, part.target.as_ref(), part.grant.as_ref());
        let fate = part.result.as_ref().map(|_| part.notes.outcome.status());
        self.draft(caller, &subject, &part.notes, fate).map(Some)
    }
}

fn look<B: Batch>(batch: &B, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Looking<OutputOf<B>> {
    let limit = cx.vault.settings.max_secret_bytes.saturating_mul(LARGEST_BATCH_IN_SECRETS as usize);
    let (mut size, mut parts, mut ended) = (0_usize, Vec::new(), false);
    for part in batch.parts() {
        let mut looked = look_at(part, B::ACTION, view, cx);
        looked.result = looked.result.and_then(|output| {
            size = size.saturating_add(B::size(&output));
            if size <= limit { Ok(output) } else { Err(too_large(limit)) }
        });
        if let Err(error) = &looked.result {
            // An outage is not about the path: the others would fail by it too, and the call can be repeated.
            let of_all = matches!(error.code(), Code::PayloadTooLarge | Code::ServiceUnavailable);
            ended = of_all || batch.fail_fast();
            if ended && !of_all {
                looked.result = Err(error.clone().with("path", part.name.as_str()));
            }
        }
        parts.push(looked);
        if ended {
            break;
        }
    }
    Looking { parts, ended }
}

/// What [`Vault::query`] does for one, up to its entry.
fn look_at<Q: Query>(
    part: &Part<Q>,
    asked: Action,
    view: &mut ReadView<'_>,
    cx: &mut Context<'_>,
) -> Looked<Q::Output> {
    let name = part.name.clone();
    let query = match &part.query {
        Ok(query) => query,
        Err(error) => {
            let (audited, notes, result) = (audit_action(asked), Notes::default(), Err(error.clone()));
            return Looked { name, audited, target: None, grant: None, notes, result };
        }
    };
    let (audited, target) = (audit_action(query.action()), query.target());
    let permit = cx.permit(query.action(), &target);
    let grant = permit.as_ref().ok().map(|permit| permit.grant().clone());
    let result = permit.and_then(|permit| query.run(&permit, view, cx));
    Looked { name, audited, target: Some(target), grant, notes: std::mem::take(&mut cx.notes), result }
}

fn too_large(limit: usize) -> Error {
    let message = format!("The values together may have at most {limit} bytes; ask for fewer at a time");
    Error::new(Code::PayloadTooLarge, message).with("limit_bytes", limit)
}

/// The door logs the error of a call; that of a part would be lost.
fn log_failure(caller: &Caller, error: &Error) {
    if error.code().status() >= 500 {
        let detail = error.internal_detail().map_or("", |detail| detail.for_log());
        let (request_id, code) = (caller.meta.request_id.as_str(), error.code().as_str());
        tracing::error!(request_id, code, detail, "a part of a batch failed");
    }
}

#[cfg(test)]
mod tests;
