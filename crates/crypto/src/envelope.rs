//! Which key may wrap what. These methods are the only way to seal and open anything.
//!
//! ```text
//! RootKey ── PartnerKey ── TenantKey ── DataKey ── a value
//!   │            └── TenantKey of the partner's own secrets (its namespace)
//!   └── InstanceKey ── items of the installation
//! ```
//!
//! A key of the wrong level has no method for it:
//!
//! ```compile_fail
//! use scaivault_crypto::{CryptoError, RootKey, SecretBytes, SecretVersion};
//! fn shortcut(root: &RootKey, at: &SecretVersion<'_>, blob: &[u8]) -> Result<SecretBytes, CryptoError> {
//!     root.open_value(at, blob)
//! }
//! ```
//!
//! In every method `id` is the stored id of the key that wraps (`self`), not of the one wrapped.
//! Everything that opens fails with [`CryptoError::Unopenable`] whatever is wrong with the blob, its
//! place or the key; everything that seals with [`CryptoError::Entropy`] if there is no randomness.

use crate::aad::Aad;
use crate::aad::InstanceItem;
use crate::aad::SecretVersion;
use crate::aad::TenantItem;
use crate::aead;
use crate::bytes::SecretBytes;
use crate::entropy::Entropy;
use crate::error::CryptoError;
use crate::key::DataKey;
use crate::key::InstanceKey;
use crate::key::KeyId;
use crate::key::PartnerKey;
use crate::key::RootKey;
use crate::key::TenantKey;

/// The key id in value blobs. A data key has no id: it is found wrapped in the same row, and the
/// blob of the wrap names the tenant key.
const DATA_KEY_ID: &str = "data";

/// Which key opens `blob`. Not authenticated until the blob has been opened with that key.
///
/// # Errors
/// [`CryptoError::Unopenable`] if this is no blob of a known format.
pub fn key_id_of(blob: &[u8]) -> Result<KeyId, CryptoError> {
    aead::key_id_of(blob)
}

impl RootKey {
    /// Wraps a partner's key.
    ///
    /// # Errors
    /// As the module says.
    pub fn wrap_partner(
        &self,
        id: &KeyId,
        partner_key: &PartnerKey,
        partner: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        aead::seal(self.bytes(), id, &Aad::partner_key(partner), partner_key.bytes(), entropy)
    }

    /// Unwraps a partner's key.
    ///
    /// # Errors
    /// As the module says.
    pub fn unwrap_partner(&self, blob: &[u8], partner: &str) -> Result<PartnerKey, CryptoError> {
        let bytes = aead::open(self.bytes(), &Aad::partner_key(partner), blob)?;
        PartnerKey::from_bytes(bytes).map_err(unopenable)
    }

    /// Wraps the key of the installation.
    ///
    /// # Errors
    /// As the module says.
    pub fn wrap_instance(
        &self,
        id: &KeyId,
        instance_key: &InstanceKey,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        aead::seal(self.bytes(), id, &Aad::instance_key(), instance_key.bytes(), entropy)
    }

    /// Unwraps the key of the installation. At start this is also the proof that the root key is
    /// the right one.
    ///
    /// # Errors
    /// As the module says.
    pub fn unwrap_instance(&self, blob: &[u8]) -> Result<InstanceKey, CryptoError> {
        let bytes = aead::open(self.bytes(), &Aad::instance_key(), blob)?;
        InstanceKey::from_bytes(bytes).map_err(unopenable)
    }
}

impl PartnerKey {
    /// Wraps the key of one of the partner's tenants.
    ///
    /// # Errors
    /// As the module says.
    pub fn wrap_tenant(
        &self,
        id: &KeyId,
        tenant_key: &TenantKey,
        tenant: &str,
        partner: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        let aad = Aad::tenant_key(tenant, partner);
        aead::seal(self.bytes(), id, &aad, tenant_key.bytes(), entropy)
    }

    /// Unwraps the key of one of the partner's tenants.
    ///
    /// # Errors
    /// As the module says.
    pub fn unwrap_tenant(&self, blob: &[u8], tenant: &str, partner: &str) -> Result<TenantKey, CryptoError> {
        let bytes = aead::open(self.bytes(), &Aad::tenant_key(tenant, partner), blob)?;
        TenantKey::from_bytes(bytes).map_err(unopenable)
    }

    /// Wraps the key of the partner's own secrets, which does for the partner's namespace what a
    /// tenant key does for a tenant.
    ///
    /// # Errors
    /// As the module says.
    pub fn wrap_namespace(
        &self,
        id: &KeyId,
        namespace_key: &TenantKey,
        partner: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        let aad = Aad::partner_secrets_key(partner);
        aead::seal(self.bytes(), id, &aad, namespace_key.bytes(), entropy)
    }

    /// Unwraps the key of the partner's own secrets.
    ///
    /// # Errors
    /// As the module says.
    pub fn unwrap_namespace(&self, blob: &[u8], partner: &str) -> Result<TenantKey, CryptoError> {
        let bytes = aead::open(self.bytes(), &Aad::partner_secrets_key(partner), blob)?;
        TenantKey::from_bytes(bytes).map_err(unopenable)
    }
}

impl TenantKey {
    /// Wraps the data key of one version of the secret now at `path`.
    ///
    /// # Errors
    /// As the module says.
    pub fn wrap_data_key(
        &self,
        id: &KeyId,
        data_key: &DataKey,
        at: &SecretVersion<'_>,
        path: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        let aad = Aad::DataKey { at: *at, path };
        aead::seal(self.bytes(), id, &aad, data_key.bytes(), entropy)
    }

    /// Unwraps the data key of one version of the secret now at `path`.
    ///
    /// # Errors
    /// As the module says.
    pub fn unwrap_data_key(&self, blob: &[u8], at: &SecretVersion<'_>, path: &str) -> Result<DataKey, CryptoError> {
        let bytes = aead::open(self.bytes(), &Aad::DataKey { at: *at, path }, blob)?;
        DataKey::from_bytes(bytes).map_err(unopenable)
    }

    /// Seals another secret of the tenant.
    ///
    /// # Errors
    /// As the module says.
    pub fn seal_item(
        &self,
        id: &KeyId,
        item: &TenantItem<'_>,
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        aead::seal(self.bytes(), id, &Aad::TenantItem(*item), plaintext, entropy)
    }

    /// Opens another secret of the tenant.
    ///
    /// # Errors
    /// As the module says.
    pub fn open_item(&self, item: &TenantItem<'_>, blob: &[u8]) -> Result<SecretBytes, CryptoError> {
        aead::open(self.bytes(), &Aad::TenantItem(*item), blob)
    }
}

impl DataKey {
    /// Seals the value of one version. Consumes the key, since a data key encrypts one value only;
    /// wrap it first.
    ///
    /// # Errors
    /// As the module says.
    pub fn seal_value(
        self,
        at: &SecretVersion<'_>,
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        let id = KeyId::new(DATA_KEY_ID)?;
        aead::seal(self.bytes(), &id, &Aad::Value(*at), plaintext, entropy)
    }

    /// Opens the value of one version.
    ///
    /// # Errors
    /// As the module says.
    pub fn open_value(&self, at: &SecretVersion<'_>, blob: &[u8]) -> Result<SecretBytes, CryptoError> {
        aead::open(self.bytes(), &Aad::Value(*at), blob)
    }
}

impl InstanceKey {
    /// Seals a secret of the installation.
    ///
    /// # Errors
    /// As the module says.
    pub fn seal_item(
        &self,
        id: &KeyId,
        item: &InstanceItem<'_>,
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        aead::seal(self.bytes(), id, &Aad::InstanceItem(*item), plaintext, entropy)
    }

    /// Opens a secret of the installation.
    ///
    /// # Errors
    /// As the module says.
    pub fn open_item(&self, item: &InstanceItem<'_>, blob: &[u8]) -> Result<SecretBytes, CryptoError> {
        aead::open(self.bytes(), &Aad::InstanceItem(*item), blob)
    }
}

/// An authenticated blob of the wrong length inside is still only a blob that does not open.
fn unopenable(_: CryptoError) -> CryptoError {
    CryptoError::Unopenable
}

#[cfg(test)]
mod tests;
