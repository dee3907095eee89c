//! `POST /v1/sys/seal` and `POST /v1/sys/unseal`

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use scaivault_crypto::SecretBytes;
use scaivault_domain::access::{Permit, Target};
use scaivault_domain::action::Action;
use scaivault_domain::audit::AuditAction;
use scaivault_domain::rate::RateCategory;
use scaivault_store::WriteTx;

use crate::caller::RequestMeta;
use crate::context::{Context, Notes};
use crate::error::{Error, Result};
use crate::operation::{Command, Operation};
use crate::rate::AddressLimiter;
use crate::seal::SealStatus;
use crate::vault::Vault;

/// Attempts to unseal, per minute and address (contract 12 section 2). Holds also when rate limits are switched off: it is
/// what stands between a guesser and the root key.
const UNSEAL_PER_MINUTE: u32 = 5;

/// Wipes the keys. Providers that hold the key themselves unseal again at the next start.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealServer;

impl Operation for SealServer {
    type Output = SealStatus;
    const ACTION: Action = Action::SystemSeal;

    fn target(&self) -> Target {
        Target::Instance
    }
}

impl Command for SealServer {
    fn run(&self, _permit: &Permit, _tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<SealStatus> {
        // Not here: the transaction may be repeated or fail, and the entry that tells of the sealing comes first.
        cx.after_commit(|vault| vault.seal());
        Ok(cx.vault.seal_status_of(true, true))
    }
}

/// Guards the way to the root key.
pub(crate) struct UnsealGate {
    attempts: AddressLimiter,
    /// One derivation at a time: each takes 256 MiB.
    turn: tokio::sync::Mutex<()>,
}

impl Default for UnsealGate {
    fn default() -> Self {
        Self { attempts: AddressLimiter::new(UNSEAL_PER_MINUTE), turn: tokio::sync::Mutex::new(()) }
    }
}

impl Vault {
    /// `POST /v1/sys/unseal` with a passphrase. A wrong one changes nothing; right or wrong, the attempt stands in the
    /// instance's trail.
    ///
    /// # Errors
    /// `rate_limited` after five attempts a minute from an address, `invalid_request` for what does not unseal, 503 when the
    /// attempt can't be recorded (the server is sealed then).
    pub async fn unseal(self: &Arc<Self>, meta: &RequestMeta, passphrase: SecretBytes) -> Result<SealStatus> {
        let now = self.clock.now();
        let source = meta.source_ip.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let rate = self.unseal_gate.attempts.admit(source, now.as_micros());
        if !rate.allowed {
            self.metrics.rate_limited(RateCategory::System);
            return Err(crate::admit::rate_limited(RateCategory::System, rate.retry_after_seconds));
        }
        let _turn = self.unseal_gate.turn.lock().await;
        if !self.is_sealed() {
            return self.seal_status().await;
        }
        let outcome = self.try_unseal(passphrase).await;
        let fate = outcome.as_ref().map(|()| 200);
        let recorded = match self.blank(meta, AuditAction::SystemChange, &Notes::default(), fate) {
            Ok(draft) => self.record(draft).await,
            Err(error) => Err(error),
        };
        if let Err(error) = recorded {
            self.keyring.seal();
            return Err(error);
        }
        outcome?;
        self.seal_status().await
    }

    /// `{"reset":true}`: forgets shares that were given. No provider here gathers any.
    ///
    /// # Errors
    /// Without the database.
    pub async fn reset_unseal(self: &Arc<Self>) -> Result<SealStatus> {
        self.seal_status().await
    }

    /// What a share answers where no provider takes shares.
    pub fn refuse_share(&self) -> Error {
        Error::new(
            crate::error::Code::InvalidRequest,
            format!("Provider '{}' takes no shares; send {{\"passphrase\":\"...\"}}", self.provider_name()),
        )
        .with("reason", "unseal_failed")
    }
}
