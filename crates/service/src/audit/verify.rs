//! `GET /v1/audit/verify` (contract 06 section 4).

use std::sync::Arc;

use scaivault_domain::access::Permit;
use scaivault_domain::audit::ChainFault;
use scaivault_store::ReadView;
use scaivault_store::audit::{self, Chain};

use super::filter::StreamChoice;
use super::walk::Walk;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Query, tenant_operation};
use crate::vault::Vault;

#[derive(Debug, Clone, Default)]
pub struct VerifyChain {
    pub stream: StreamChoice,
    /// From the first by default.
    pub from_seq: Option<i64>,
    /// To the last by default.
    pub to_seq: Option<i64>,
}

/// What was found in all chains of the stream together: `from_seq` is the smallest number that was walked, `to_seq` the largest (retention
/// may have cut the beginning), the others are sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    pub stream: String,
    pub from_seq: i64,
    pub to_seq: i64,
    pub entries: u64,
    pub checkpoints_verified: u64,
    /// The first thing that is wrong, in the first chain by name where something is.
    pub fault: Option<Fault>,
}

/// Where a trail is broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The node whose chain it is; `None` on the embedded store.
    pub chain: Option<String>,
    pub seq: i64,
    pub fault: ChainFault,
}

impl VerifyReport {
    pub fn is_valid(&self) -> bool {
        self.fault.is_none()
    }

    fn add(&mut self, other: Self) {
        self.from_seq = self.from_seq.min(other.from_seq);
        self.to_seq = self.to_seq.max(other.to_seq);
        self.entries = self.entries.saturating_add(other.entries);
        self.checkpoints_verified = self.checkpoints_verified.saturating_add(other.checkpoints_verified);
        self.fault = self.fault.take().or(other.fault);
    }
}

tenant_operation!(VerifyChain, AuditQuery, VerifyReport);

impl Query for VerifyChain {
    fn run(&self, permit: &Permit, _view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<VerifyReport> {
        cx.vault.verify_audit(&self.stream.resolve(permit)?, self.from_seq, self.to_seq)
    }
}

impl Vault {
    /// Walks all chains of a stream and answers the first thing that is wrong. Blocks for as long as that takes.
    ///
    /// # Errors
    /// 503 while sealed (signatures can't be checked) or without the database. A broken trail is no error but a report.
    pub fn verify_audit(self: &Arc<Self>, stream: &str, from: Option<i64>, to: Option<i64>) -> Result<VerifyReport> {
        let unsealed = self.keyring.unsealed()?;
        let chains = self.store.read(|view| audit::chains_of(view, stream))?;
        let mut whole: Option<VerifyReport> = None;
        // A stream that nothing was ever written to is verified as the one empty chain that it is.
        let chains = if chains.is_empty() { vec![Chain::embedded(stream)] } else { chains };
        for chain in &chains {
            let mut walk = Walk {
                source: &mut self.store.clone(),
                unsealed: Some(&unsealed),
                known: &|| self.growth.last_known(chain),
                chain,
                from,
                to,
            };
            let report = walk.verify(&mut |_, _| ())?;
            match &mut whole {
                Some(whole) => whole.add(report),
                None => whole = Some(report),
            }
        }
        whole.ok_or_else(|| Error::internal("no chain was walked"))
    }
}
