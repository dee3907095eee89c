//! `GET /v1/audit/verify` (contract 06 section 4).

use std::sync::Arc;

use scaivault_domain::access::Permit;
use scaivault_domain::audit::ChainFault;
use scaivault_store::ReadView;

use super::filter::StreamChoice;
use super::walk::Walk;
use crate::context::Context;
use crate::error::Result;
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

/// What was found. `from_seq` and `to_seq` are what was really walked: retention may have cut the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    pub stream: String,
    pub from_seq: i64,
    pub to_seq: i64,
    pub entries: u64,
    pub checkpoints_verified: u64,
    pub fault: Option<(i64, ChainFault)>,
}

impl VerifyReport {
    pub fn is_valid(&self) -> bool {
        self.fault.is_none()
    }
}

tenant_operation!(VerifyChain, AuditQuery, VerifyReport);

impl Query for VerifyChain {
    fn run(&self, permit: &Permit, _view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<VerifyReport> {
        cx.vault.verify_audit(&self.stream.resolve(permit)?, self.from_seq, self.to_seq)
    }
}

impl Vault {
    /// Walks a stream and answers the first thing that is wrong with it. Blocks for as long as that takes.
    ///
    /// # Errors
    /// 503 while sealed (signatures can't be checked) or without the database. A broken trail is no error but a report.
    pub fn verify_audit(self: &Arc<Self>, stream: &str, from: Option<i64>, to: Option<i64>) -> Result<VerifyReport> {
        let unsealed = self.keyring.unsealed()?;
        let mut walk = Walk {
            source: &mut self.store.clone(),
            unsealed: Some(&unsealed),
            known: &|| self.growth.last_known(stream),
            stream,
            from,
            to,
        };
        Ok(walk.verify(&mut |_, _| ())?)
    }
}
