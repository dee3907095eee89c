//! Lets go of audit entries whose time has passed: whole days, oldest first, with a signed anchor for what remains (contract 06
//! section 4).

use std::sync::Arc;

use scaivault_domain::audit::INSTANCE_STREAM;
use scaivault_domain::duration::Span;
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::{self, Chain};
use scaivault_store::{Lane, ReadView, StoreError, StoreResult, checkpoint, tenant};

use crate::audit::{AuditSigner, sign_newest};
use crate::error::{Error, Result};
use crate::keyring::Unsealed;
use crate::vault::Vault;

/// Entries of one transaction: some ten milliseconds during which nobody else writes.
const BATCH: i64 = 5000;
const DAY_SECONDS: i64 = 86_400;

impl Vault {
    /// Cuts one batch off every chain that has something to lose. Answers how many entries went.
    ///
    /// # Errors
    /// While sealed or without the database.
    pub async fn retention_step(self: &Arc<Self>) -> Result<usize> {
        let unsealed = self.keyring.unsealed()?;
        let now = self.clock.now();
        let mut removed: usize = 0;
        for (chain, cut) in self.cuts(now).await? {
            // A stream that was tampered with must not keep the others from being cut.
            match self.cut(chain.clone(), cut, now, &unsealed).await {
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
        Ok(removed)
    }

    async fn cut(self: &Arc<Self>, chain: Chain, cut: i64, now: Timestamp, unsealed: &Arc<Unsealed>) -> Result<usize> {
        let (vault, unsealed) = (Arc::clone(self), Arc::clone(unsealed));
        let (gone, signed) = self
            .store
            .write(Lane::Whole, move |tx| {
                let signer = AuditSigner::obtain(tx, &unsealed, &*vault.entropy, now)?;
                // First what stands, so that the end of the stream can't go the way of its beginning.
                let signed = sign_newest(tx, &signer, &chain, now)?;
                let hash = audit::hash_at(tx, &chain, cut)?
                    .ok_or_else(|| StoreError::corrupt("the entry to cut at is not there; run verify"))?;
                checkpoint::set_anchor(tx, &signer.anchor(&chain, cut, hash, now)?)?;
                checkpoint::drop_until(tx, &chain, cut)?;
                Ok((audit::cut(tx, &chain, cut)?, signed))
            })
            .await?;
        if let Some(record) = signed {
            self.growth.signed(&record.chain, record.seq, now);
            self.publish_checkpoints(vec![record]).await;
        }
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    /// The chains with entries past their time, and the last number to remove now.
    async fn cuts(self: &Arc<Self>, now: Timestamp) -> Result<Vec<(Chain, i64)>> {
        let vault = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            vault.store.read(|view| {
                let mut cuts = Vec::new();
                for chain in audit::chains(view)? {
                    let keep = vault.audit_retention_seconds(view, &chain.stream)?;
                    let end = start_of_day(now.plus_seconds(-keep));
                    let Some(oldest) = audit::oldest(view, &chain)? else { continue };
                    let last = match audit::first_since(view, &chain, end)? {
                        Some(first) => first - 1,
                        None => audit::last_seq(view, &chain)?,
                    };
                    if last >= oldest {
                        cuts.push((chain, last.min(oldest.saturating_add(BATCH - 1))));
                    }
                }
                Ok(cuts)
            })
        })
        .await
        .map_err(Error::internal)?
        .map_err(crate::error::storage)
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

fn start_of_day(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.as_seconds().div_euclid(DAY_SECONDS).saturating_mul(DAY_SECONDS))
}
