//! Lets go of audit entries whose time has passed: whole days, oldest first, with a signed anchor for what remains (contract 06
//! section 4).
//!
//! Where the trail lies in parts by time, chains that are kept longest are cut where a part ends and not deleted from: once
//! everything in a part is at or below an anchor, the part is dropped as a whole. What is at or below an anchor is neither shown nor
//! verified, whether it is still there or not, so that a crash in between costs nothing and the next run finishes the work.

use std::sync::Arc;

use scaivault_domain::audit::INSTANCE_STREAM;
use scaivault_domain::duration::Span;
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::{self, AuditParts, Chain};
use scaivault_store::{Lane, ReadView, StoreError, StoreResult, checkpoint, tenant};

use crate::audit::{AuditSigner, sign_newest};
use crate::error::{Error, Result};
use crate::keyring::Unsealed;
use crate::vault::Vault;

/// Entries of one transaction: some ten milliseconds during which nobody else writes.
const BATCH: i64 = 5000;
const DAY_SECONDS: i64 = 86_400;

/// One chain has something to lose.
struct Cut {
    chain: Chain,
    /// The last number that goes.
    upto: i64,
    /// Whether the entries are deleted here; else they go with their part.
    delete: bool,
}

/// What is to be cut now.
#[derive(Default)]
struct Plan {
    cuts: Vec<Cut>,
    /// Parts that end at this time or before hold nothing that anybody has to keep.
    before: Option<Timestamp>,
}

impl Vault {
    /// Cuts one batch off every chain that has something to lose, and looks after the parts that the trail lies in. Answers how many
    /// entries or whole parts went.
    ///
    /// # Errors
    /// While sealed or without the database.
    pub async fn retention_step(self: &Arc<Self>) -> Result<usize> {
        let unsealed = self.keyring.unsealed()?;
        let now = self.clock.now();
        let vault = Arc::clone(self);
        let plan = self.beside(move || vault.plan(now)).await?;
        let mut removed: usize = 0;
        for cut in plan.cuts {
            let chain = cut.chain.clone();
            // A stream that was tampered with must not keep the others from being cut.
            match self.cut(cut, now, &unsealed).await {
                Ok(gone) => removed = removed.saturating_add(gone),
                Err(error) => {
                    let detail = error.internal_detail().map(crate::error::Internal::for_log);
                    tracing::error!(
                        stream = chain.stream,
                        chain = chain.node,
                        detail,
                        "audit retention can't cut this chain"
                    );
                }
            }
        }
        if let Some(before) = plan.before {
            let store = self.store.clone();
            let dropped = self.beside(move || store.drop_audit_parts(before)).await?;
            removed = removed.saturating_add(dropped);
        }
        Ok(removed)
    }

    async fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> StoreResult<T> + Send + 'static) -> Result<T> {
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map_err(crate::error::storage)
    }

    async fn cut(self: &Arc<Self>, cut: Cut, now: Timestamp, unsealed: &Arc<Unsealed>) -> Result<usize> {
        let (vault, unsealed) = (Arc::clone(self), Arc::clone(unsealed));
        let (gone, signed) = self
            .store
            .write(Lane::Whole, move |tx| {
                let Cut { chain, upto, delete } = &cut;
                let mut signed = None;
                // An anchor only ever moves on: parts that were dropped rest on it.
                if checkpoint::anchor(tx, chain)?.is_none_or(|anchor| anchor.seq < *upto) {
                    let signer = AuditSigner::obtain(tx, &unsealed, &*vault.entropy, now)?;
                    // First what stands, so that the end of the stream can't go the way of its beginning.
                    signed = sign_newest(tx, &signer, chain, now)?;
                    let hash = audit::hash_at(tx, chain, *upto)?
                        .ok_or_else(|| StoreError::corrupt("the entry to cut at is not there; run verify"))?;
                    checkpoint::set_anchor(tx, &signer.anchor(chain, *upto, hash, now)?)?;
                    checkpoint::drop_until(tx, chain, *upto)?;
                }
                Ok((if *delete { audit::cut(tx, chain, *upto)? } else { 0 }, signed))
            })
            .await?;
        if let Some(record) = signed {
            self.growth.signed(&record.chain, record.seq, now);
            self.publish_checkpoints(vec![record]).await;
        }
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    /// The chains with entries past their time, and the last number to remove now.
    fn plan(&self, now: Timestamp) -> StoreResult<Plan> {
        if let Err(error) = self.store.prepare_audit_parts(now, self.settings.audit_retention_seconds) {
            tracing::warn!(%error, "no parts of the audit trail were made; it is tried again within the hour");
        }
        let parts = self.store.audit_parts()?;
        self.store.read(|view| {
            let mut chains = Vec::new();
            for chain in audit::chains(view)? {
                let keep = self.audit_retention_seconds(view, &chain.stream)?;
                chains.push((chain, keep));
            }
            let longest = chains.iter().map(|(_, keep)| *keep).max();
            let mut plan = Plan::default();
            for (chain, keep) in chains {
                let end = start_of_day(now.plus_seconds(-keep));
                let cut = match &parts {
                    Some(parts) if Some(keep) == longest => cut_at_a_boundary(view, &chain, end, parts)?,
                    _ => cut_a_batch(view, &chain, end)?,
                };
                plan.cuts.extend(cut.map(|(upto, delete)| Cut { chain, upto, delete }));
            }
            plan.before = longest.filter(|_| parts.is_some()).map(|keep| start_of_day(now.plus_seconds(-keep)));
            Ok(plan)
        })
    }

    /// The tenant's own, else the server's. A setting that can't be read keeps everything: nothing is lost by waiting.
    fn audit_retention_seconds(&self, view: &mut ReadView<'_>, stream: &str) -> StoreResult<i64> {
        if stream == INSTANCE_STREAM {
            return Ok(self.settings.audit_retention_seconds);
        }
        let own = tenant::find(view, stream)?.and_then(|record| record.settings.audit_retention);
        Ok(match own.as_deref().map(Span::parse) {
            None => self.settings.audit_retention_seconds,
            Some(Ok(span)) => span.seconds(),
            Some(Err(_)) => {
                tracing::error!(stream, "the tenant's audit_retention can't be read; nothing of it is removed");
                i64::MAX
            }
        })
    }
}

/// Entry by entry, all that is older than `end`, or a batch of it.
fn cut_a_batch(view: &mut ReadView<'_>, chain: &Chain, end: Timestamp) -> StoreResult<Option<(i64, bool)>> {
    let Some(oldest) = audit::oldest(view, chain)? else { return Ok(None) };
    let last = last_past(view, chain, end)?;
    Ok((last >= oldest).then(|| (last.min(oldest.saturating_add(BATCH - 1)), true)))
}

/// Up to the newest end of a part that is no later than `end`.
///
/// Numbers follow the commits and times the requests, so that what belongs before the boundary goes on for a while behind the first
/// entry that does not. All of it goes if that costs nothing of `end` or later: it would keep its part from being dropped.
fn cut_at_a_boundary(
    view: &mut ReadView<'_>,
    chain: &Chain,
    end: Timestamp,
    parts: &AuditParts,
) -> StoreResult<Option<(i64, bool)>> {
    let Some(last) = audit::last_before(view, chain, parts.boundary(end))? else { return Ok(None) };
    let last = last.min(last_past(view, chain, end)?);
    let cut = checkpoint::anchor(view, chain)?.map_or(0, |anchor| anchor.seq);
    Ok((last > cut).then_some((last, false)))
}

/// The last entry before the first one, in order of numbers, of `end` or later.
fn last_past(view: &mut ReadView<'_>, chain: &Chain, end: Timestamp) -> StoreResult<i64> {
    match audit::first_since(view, chain, end)? {
        Some(first) => Ok(first - 1),
        None => audit::last_seq(view, chain),
    }
}

fn start_of_day(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.as_seconds().div_euclid(DAY_SECONDS).saturating_mul(DAY_SECONDS))
}
