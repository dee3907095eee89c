//! The root key, and how long its work takes: with a provider elsewhere each use is a call over the network.

use scaivault_crypto::{CryptoError, Entropy, InstanceKey, KeyId, PartnerKey, RootKey};

use crate::metrics::{KmsLatency, KmsOperation};

pub(crate) struct Root {
    key: RootKey,
    latency: KmsLatency,
}

impl Root {
    pub(crate) fn new(key: RootKey, latency: KmsLatency) -> Self {
        Self { key, latency }
    }

    pub(crate) fn latency(&self) -> &KmsLatency {
        &self.latency
    }

    pub(super) fn wrap_instance(
        &self,
        id: &KeyId,
        key: &InstanceKey,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        self.latency.time(KmsOperation::Encrypt, || self.key.wrap_instance(id, key, entropy))
    }

    pub(super) fn unwrap_instance(&self, blob: &[u8]) -> Result<InstanceKey, CryptoError> {
        self.latency.time(KmsOperation::Decrypt, || self.key.unwrap_instance(blob))
    }

    pub(super) fn wrap_partner(
        &self,
        id: &KeyId,
        key: &PartnerKey,
        partner: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        self.latency.time(KmsOperation::Encrypt, || self.key.wrap_partner(id, key, partner, entropy))
    }

    pub(super) fn unwrap_partner(&self, blob: &[u8], partner: &str) -> Result<PartnerKey, CryptoError> {
        self.latency.time(KmsOperation::Decrypt, || self.key.unwrap_partner(blob, partner))
    }
}
