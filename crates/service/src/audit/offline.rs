//! Verifying the trail of a database without a vault on it: `scaivault check`.

use scaivault_crypto::RootKey;
use scaivault_store::audit::Chain;
use scaivault_store::key::WrappedKey;
use scaivault_store::{Snapshots, StoreResult};

use super::verify::VerifyReport;
use super::walk::Walk;
use crate::keyring::{Root, Unsealed};
use crate::metrics::KmsLatency;

/// What it takes to check the signatures of checkpoints.
pub struct TrailKeys(Unsealed);

impl TrailKeys {
    /// `None` if the root key does not open the instance key: it is another database's, or this one was altered.
    pub fn open(root: RootKey, instance_key: WrappedKey) -> Option<Self> {
        Unsealed::open(Root::new(root, KmsLatency::unobserved()), instance_key).ok().map(Self)
    }
}

/// Walks a whole chain and answers the first thing that is wrong with it. Without keys, signatures are not checked; what was
/// signed must fit the chain all the same.
///
/// # Errors
/// The database can't be read. A broken trail is no error but a report.
pub fn verify_chain(
    source: &mut impl Snapshots,
    keys: Option<&TrailKeys>,
    chain: &Chain,
    progress: &mut dyn FnMut(i64, i64),
) -> StoreResult<VerifyReport> {
    let unsealed = keys.map(|keys| &keys.0);
    Walk { source, unsealed, known: &|| 0, chain, from: None, to: None }.verify(progress)
}
