//! The audit chains of a copy, verified as `scaivault check` does.

use scaivault_service::audit::{Fault, TrailKeys, verify_chain};
use scaivault_store::audit::{self, Chain};
use scaivault_store::copy::Verification;
use scaivault_store::key::{self, KeyLevel};
use scaivault_store::{Snapshots as _, StoreResult, instance};

use super::progress::Telling;
use crate::config::Config;
use crate::failure::Failure;
use crate::wiring;

/// Broken chains that are named; one more says that there are others.
const NAMED: usize = 20;

#[derive(Default)]
pub(super) struct Walked {
    pub(super) chains: u64,
    pub(super) entries: u64,
    pub(super) checkpoints: u64,
    /// Chains that do not verify, and where.
    pub(super) broken: Vec<String>,
}

/// What signatures are checked with; `Err` says why there is nothing.
pub(super) fn keys(config: &Config, copy: &mut Verification) -> Result<TrailKeys, String> {
    let found = copy.read(|view| -> StoreResult<_> {
        let newest = key::of_owner(view, KeyLevel::Instance, "instance")?.into_iter().next();
        Ok(instance::find(view)?.zip(newest))
    });
    let (record, wrapped) =
        found.map_err(|error| error.to_string())?.ok_or_else(|| "the database has no instance key".to_owned())?;
    let provider = wiring::provider(&config.kms);
    if record.provider != provider.name() {
        return Err(format!(
            "the instance was initialised with provider '{}', but KMS_PROVIDER is '{}'",
            record.provider,
            provider.name()
        ));
    }
    let root = provider.obtain(record.kdf_salt.as_deref()).map_err(|error| error.to_string())?;
    TrailKeys::open(root, wrapped).ok_or_else(|| "the root key does not open this database".to_owned())
}

pub(super) fn walk(
    copy: &mut Verification,
    keys: Option<&TrailKeys>,
    telling: &mut Telling,
) -> Result<Walked, Failure> {
    let mut walked = Walked::default();
    let mut last: Option<Chain> = None;
    while let Some(chain) = copy.read(|view| audit::next_trace(view, last.as_ref()))? {
        let named = match chain.name() {
            Some(node) => format!("{} (chain {node})", chain.stream),
            None => chain.stream.clone(),
        };
        let before = walked.entries;
        let mut progress = |seq: i64, end: i64| {
            telling.now_and_then(|| {
                format!("audit trail: {named} at {seq} of {end}; {before} entries of other chains done")
            });
        };
        let verified = verify_chain(copy, keys, &chain, &mut progress)?;
        walked.chains = walked.chains.saturating_add(1);
        walked.entries = walked.entries.saturating_add(verified.entries);
        walked.checkpoints = walked.checkpoints.saturating_add(verified.checkpoints_verified);
        if let Some(Fault { seq, fault, .. }) = verified.fault {
            match walked.broken.len() {
                0..NAMED => walked.broken.push(format!("{named} from seq {seq} on: {}", fault.as_str())),
                NAMED => walked.broken.push("and others".to_owned()),
                _ => {}
            }
        }
        last = Some(chain);
    }
    Ok(walked)
}
