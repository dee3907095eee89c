//! Checkpoints: the list for auditors, and the job that makes them.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scaivault_domain::access::Permit;
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::{self, Chain};
use scaivault_store::checkpoint::{self, CheckpointRecord};
use scaivault_store::{Lane, ReadView, StoreResult, WriteTx};
use serde::Serialize;

use super::filter::StreamChoice;
use super::merge::Positions;
use super::signing::AuditSigner;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Query, tenant_operation};
use crate::vault::Vault;

/// Chains signed in one transaction.
const BATCH: usize = 100;

/// A checkpoint as the outside sees it, in answers and in `AUDIT_CHECKPOINT_FILE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedCheckpoint {
    /// The node whose chain it is about; absent on the embedded store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    pub stream: String,
    pub seq: i64,
    /// Hexadecimal.
    pub hash: String,
    /// In microseconds: the signature covers it as it stands here.
    pub timestamp: String,
    pub key_id: String,
    /// Base64.
    pub signature: String,
}

impl From<CheckpointRecord> for SignedCheckpoint {
    fn from(record: CheckpointRecord) -> Self {
        Self {
            chain: record.chain.name(),
            stream: record.chain.stream,
            seq: record.seq,
            hash: hex::encode(record.hash),
            timestamp: record.at.to_rfc3339_micros(),
            key_id: record.key_id,
            signature: STANDARD.encode(record.signature),
        }
    }
}

/// `GET /v1/audit/checkpoints`
#[derive(Debug, Clone)]
pub struct ListCheckpoints {
    pub stream: StreamChoice,
    pub limit: usize,
    pub after: Option<Vec<String>>,
}

/// Checkpoints, newest first.
#[derive(Debug, Clone)]
pub struct CheckpointPage {
    pub checkpoints: Vec<SignedCheckpoint>,
    pub next: Option<Vec<String>>,
}

tenant_operation!(ListCheckpoints, AuditQuery, CheckpointPage);

impl Query for ListCheckpoints {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<CheckpointPage> {
        let stream = self.stream.resolve(permit)?;
        let positions = Positions::of(view, &stream, self.after.as_deref())?;
        let (found, next) = positions.page(
            self.limit,
            |chain, before, limit| checkpoint::list(view, chain, before, limit),
            |record| (record.at.as_micros(), record.seq),
        )?;
        cx.note("returned", found.len());
        Ok(CheckpointPage { checkpoints: found.into_iter().map(Into::into).collect(), next })
    }
}

/// Signs where `chain` stands, if that is not signed yet. What is signed is read from the database, as an auditor would.
pub(crate) fn sign_newest(
    tx: &mut WriteTx<'_>,
    signer: &AuditSigner,
    chain: &Chain,
    now: Timestamp,
) -> StoreResult<Option<CheckpointRecord>> {
    let Some((seq, hash)) = audit::newest(tx, chain)? else { return Ok(None) };
    if checkpoint::newest(tx, chain)?.is_some_and(|last| last.seq >= seq) {
        return Ok(None);
    }
    let record = signer.checkpoint(chain, seq, hash, now)?;
    Ok(checkpoint::insert(tx, &record)?.then_some(record))
}

impl Vault {
    /// Signs every chain whose checkpoint is due (contract 06 section 4); `all`: every chain with unsigned entries, as before
    /// the server stops. Answers how many were signed.
    ///
    /// # Errors
    /// 503 while sealed or when nothing can be written; what is due stays due.
    pub async fn write_checkpoints(self: &Arc<Self>, all: bool) -> Result<usize> {
        let unsealed = self.keyring.unsealed()?;
        if self.growth.needs_reconciliation() {
            self.reconcile_growth().await?;
        }
        let now = self.clock.now();
        let due = self.growth.due(now, all);
        let mut count: usize = 0;
        for batch in due.chunks(BATCH) {
            let (vault, unsealed, batch) = (Arc::clone(self), Arc::clone(&unsealed), batch.to_vec());
            let signed = self
                .store
                .write(Lane::Upkeep, move |tx| {
                    let signer = AuditSigner::obtain(tx, &unsealed, &*vault.entropy, now)?;
                    let mut signed = Vec::new();
                    for (chain, known) in &batch {
                        let standing = audit::last_seq(tx, chain)?;
                        let cut = checkpoint::anchor(tx, chain)?.map_or(0, |anchor| anchor.seq);
                        // A signature under less than was written would turn a removal into the truth.
                        let outcome = if standing.max(cut) < *known {
                            Signing::Shortened { standing }
                        } else {
                            Signing::Upto(standing.max(cut), sign_newest(tx, &signer, chain, now)?)
                        };
                        signed.push((chain.clone(), outcome));
                    }
                    Ok(signed)
                })
                .await?;
            let mut records = Vec::new();
            for (chain, outcome) in signed {
                match outcome {
                    Signing::Shortened { standing } => {
                        tracing::error!(
                            stream = chain.stream,
                            chain = chain.node,
                            standing,
                            "the audit trail is shorter than it was; no checkpoint is made. Run verify"
                        );
                        self.growth.postpone(&chain, now);
                    }
                    Signing::Upto(seq, record) => {
                        self.growth.signed(&chain, seq, now);
                        records.extend(record);
                    }
                }
            }
            count = count.saturating_add(records.len());
            self.publish_checkpoints(records).await;
        }
        Ok(count)
    }

    /// Takes over from the database how far the chains are and how far they are signed: at the start, and now and then for
    /// entries whose request was cut off before it was counted.
    pub(crate) async fn reconcile_growth(self: &Arc<Self>) -> Result<()> {
        let vault = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            vault.store.read(|view| {
                let mut found = Vec::new();
                for chain in audit::chains(view)? {
                    let last = audit::last_seq(view, &chain)?;
                    let newest = checkpoint::newest(view, &chain)?;
                    if let Some(newest) = &newest {
                        vault.growth.saw_checkpoint(newest.at);
                    }
                    found.push((chain, last, newest.map_or(0, |newest| newest.seq)));
                }
                vault.growth.reconcile(found);
                Ok(())
            })
        })
        .await
        .map_err(Error::internal)?
        .map_err(crate::error::storage)
    }

    /// Appends to `AUDIT_CHECKPOINT_FILE`. A copy: its failure is logged and stops nothing.
    pub(crate) async fn publish_checkpoints(self: &Arc<Self>, records: Vec<CheckpointRecord>) {
        let Some(path) = self.settings.audit_checkpoint_file.clone().filter(|_| !records.is_empty()) else { return };
        let written = tokio::task::spawn_blocking(move || append_lines(&path, records)).await;
        if let Err(error) = written.map_err(std::io::Error::other).and_then(|inner| inner) {
            tracing::error!(%error, "AUDIT_CHECKPOINT_FILE can't be written; the checkpoints in the database are whole");
        }
    }
}

enum Signing {
    Shortened { standing: i64 },
    Upto(i64, Option<CheckpointRecord>),
}

fn append_lines(path: &Path, records: Vec<CheckpointRecord>) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, &SignedCheckpoint::from(record))?;
        lines.push(b'\n');
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&lines)?;
    file.sync_data()
}
