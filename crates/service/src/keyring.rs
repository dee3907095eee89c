//! Unwrapped keys, for as long as they may stay in memory.
//!
//! root key -> instance key; root key -> partner key -> tenant key and the partner's namespace key. Nothing here writes.

mod root;

use std::sync::Arc;

use parking_lot::RwLock;
use scaivault_crypto::envelope::key_id_of;
use scaivault_crypto::{DataKey, Entropy, mac};
use scaivault_crypto::{InstanceKey, KeyId, MacKey, PartnerKey, SecretBytes, SecretVersion, TenantKey};
use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::time::Timestamp;
use scaivault_store::Store;
use scaivault_store::key::{self, KeyLevel, WrappedKey};
use scaivault_store::secret_version::SealedValue;

use crate::cache::GenerationCache;
use crate::error::{Error, Outage, Result};

pub(crate) use root::Root;

/// Owners whose keys are kept unwrapped at a time.
const REMEMBERED_OWNERS: usize = 4096;

/// The keys of one tenant or of one partner's namespace: the newest seals, all of them open.
pub struct KeySet {
    owner: String,
    keys: Vec<(KeyId, TenantKey)>,
    loaded_at: Timestamp,
}

impl KeySet {
    fn sealing(&self) -> Result<&(KeyId, TenantKey)> {
        self.keys.first().ok_or_else(|| Error::internal(format!("{} has no key", self.owner)))
    }

    /// Id of the key that seals now.
    pub(crate) fn sealing_id(&self) -> Result<&str> {
        Ok(self.sealing()?.0.as_str())
    }

    fn opening(&self, blob: &[u8]) -> Result<&TenantKey> {
        let id = key_id_of(blob).map_err(unopenable)?;
        let found = self.keys.iter().find(|(candidate, _)| *candidate == id);
        found
            .map(|(_, key)| key)
            .ok_or_else(|| Error::internal(format!("key {} of {} is not there", id.as_str(), self.owner)))
    }

    /// Seals a value under a data key of its own, wrapped for this secret, version and path.
    pub fn seal(
        &self,
        secret_id: &str,
        version: i64,
        path: &str,
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<SealedValue> {
        let (id, tenant_key) = self.sealing()?;
        let at = SecretVersion { tenant: &self.owner, secret_id, version };
        let data_key = DataKey::generate(entropy).map_err(Error::internal)?;
        Ok(SealedValue {
            data_key: tenant_key.wrap_data_key(id, &data_key, &at, path, entropy).map_err(Error::internal)?,
            ciphertext: data_key.seal_value(&at, plaintext, entropy).map_err(Error::internal)?,
        })
    }

    /// Opens a value. A row that was moved to another tenant, secret, version or path does not open.
    pub fn open(&self, secret_id: &str, version: i64, path: &str, sealed: &SealedValue) -> Result<SecretBytes> {
        let at = SecretVersion { tenant: &self.owner, secret_id, version };
        let data_key =
            self.opening(&sealed.data_key)?.unwrap_data_key(&sealed.data_key, &at, path).map_err(unopenable)?;
        data_key.open_value(&at, &sealed.ciphertext).map_err(unopenable)
    }

    /// Wraps the data key of a version for another path of the same secret. The value stays as it is, unopened.
    pub fn rewrap(
        &self,
        secret_id: &str,
        version: i64,
        from: &str,
        to: &str,
        data_key: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>> {
        let (id, tenant_key) = self.sealing()?;
        let at = SecretVersion { tenant: &self.owner, secret_id, version };
        let opened = self.opening(data_key)?.unwrap_data_key(data_key, &at, from).map_err(unopenable)?;
        tenant_key.wrap_data_key(id, &opened, &at, to, entropy).map_err(Error::internal)
    }

    /// Seals something else that belongs to the tenant; `purpose` and `item_id` are part of what it is sealed with.
    pub fn seal_item(&self, purpose: &str, item_id: &str, plaintext: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>> {
        let (id, tenant_key) = self.sealing()?;
        let item = scaivault_crypto::TenantItem { purpose, tenant: &self.owner, item_id };
        tenant_key.seal_item(id, &item, plaintext, entropy).map_err(Error::internal)
    }

    pub fn open_item(&self, purpose: &str, item_id: &str, blob: &[u8]) -> Result<SecretBytes> {
        let item = scaivault_crypto::TenantItem { purpose, tenant: &self.owner, item_id };
        self.opening(blob)?.open_item(&item, blob).map_err(unopenable)
    }
}

fn unopenable(error: scaivault_crypto::CryptoError) -> Error {
    Error::internal(format!("stored data can't be decrypted: {error}"))
}

/// What is there only while the server is unsealed.
pub(crate) struct Unsealed {
    root: Root,
    pub(crate) instance: InstanceKey,
    pub(crate) instance_key_id: KeyId,
    pub(crate) cursor_key: MacKey,
    pub(crate) idempotency_key: MacKey,
}

pub(crate) struct Keyring {
    unsealed: RwLock<Option<Arc<Unsealed>>>,
    sets: GenerationCache<(KeyLevel, String), Arc<KeySet>>,
    ttl_seconds: i64,
}

impl Keyring {
    pub(crate) fn new(store: &Store, ttl_seconds: i64) -> Self {
        Self { unsealed: RwLock::new(None), sets: GenerationCache::new(store, REMEMBERED_OWNERS), ttl_seconds }
    }

    pub(crate) fn unsealed(&self) -> Result<Arc<Unsealed>> {
        self.unsealed.read().clone().ok_or_else(|| Error::unavailable(Outage::Sealed, "sealed"))
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.unsealed.read().is_none()
    }

    /// Opens the instance key with `root`. A wrong root key opens nothing, and nothing changes.
    pub(crate) fn unseal(&self, store: &Store, root: Root) -> Result<(), String> {
        let wrapped = store
            .read(|view| key::of_owner(view, KeyLevel::Instance, INSTANCE_OWNER))
            .map_err(|error| error.to_string())?
            .into_iter()
            .next()
            .ok_or("the database has no instance key")?;
        *self.unsealed.write() = Some(Arc::new(Unsealed::open(root, wrapped)?));
        Ok(())
    }

    pub(crate) fn seal(&self) {
        *self.unsealed.write() = None;
        self.sets.clear();
    }

    pub(crate) fn forget(&self) {
        self.sets.clear();
    }

    /// The keys for a namespace of secrets.
    pub(crate) fn for_secrets(&self, store: &Store, scope: &SecretScope, now: Timestamp) -> Result<Arc<KeySet>> {
        match scope.space() {
            Space::Tenant => self.for_tenant(store, scope.owner(), now),
            Space::Partner => self.get(store, KeyLevel::Namespace, scope.owner(), now),
        }
    }

    pub(crate) fn for_tenant(&self, store: &Store, scope: &TenantScope, now: Timestamp) -> Result<Arc<KeySet>> {
        self.get(store, KeyLevel::Tenant, scope, now)
    }

    /// As [`Self::for_secrets`], from memory only: never blocks.
    pub(crate) fn cached_for_secrets(&self, scope: &SecretScope, now: Timestamp) -> Option<Arc<KeySet>> {
        match scope.space() {
            Space::Tenant => self.cached_for_tenant(scope.owner(), now),
            Space::Partner => self.cached(KeyLevel::Namespace, scope.owner().partner().as_str(), now),
        }
    }

    pub(crate) fn cached_for_tenant(&self, scope: &TenantScope, now: Timestamp) -> Option<Arc<KeySet>> {
        self.cached(KeyLevel::Tenant, scope.tenant().as_str(), now)
    }

    fn cached(&self, level: KeyLevel, owner: &str, now: Timestamp) -> Option<Arc<KeySet>> {
        let set = self.sets.get(&(level, owner.to_owned()))?;
        (!self.is_sealed() && now < set.loaded_at.plus_seconds(self.ttl_seconds)).then_some(set)
    }

    fn get(&self, store: &Store, level: KeyLevel, scope: &TenantScope, now: Timestamp) -> Result<Arc<KeySet>> {
        let owner = if level == KeyLevel::Tenant { scope.tenant().as_str() } else { scope.partner().as_str() };
        let unsealed = self.unsealed()?;
        if self.ttl_seconds == 0 {
            return load(store, &unsealed, level, owner, scope, now);
        }
        let key = (level, owner.to_owned());
        if let Some(set) = self.sets.get(&key) {
            if now < set.loaded_at.plus_seconds(self.ttl_seconds) {
                return Ok(set);
            }
            self.sets.clear();
        }
        self.sets.get_or_load(key, |_| load(store, &unsealed, level, owner, scope, now))
    }
}

/// Owner of the one instance key.
pub(crate) const INSTANCE_OWNER: &str = "instance";

fn load(
    store: &Store,
    unsealed: &Unsealed,
    level: KeyLevel,
    owner: &str,
    scope: &TenantScope,
    now: Timestamp,
) -> Result<Arc<KeySet>> {
    let partner_id = scope.partner().as_str();
    let (partners, wrapped): (Vec<WrappedKey>, Vec<WrappedKey>) = store
        .read(|view| Ok((key::of_owner(view, KeyLevel::Partner, partner_id)?, key::of_owner(view, level, owner)?)))
        .map_err(crate::error::storage)?;
    let partner_keys = partners
        .into_iter()
        .map(|partner| {
            Ok((partner.key_id, unsealed.root.unwrap_partner(&partner.wrapped, partner_id).map_err(unopenable)?))
        })
        .collect::<Result<Vec<(String, PartnerKey)>>>()?;
    let keys = wrapped
        .into_iter()
        .map(|one| {
            let by = key_id_of(&one.wrapped).map_err(unopenable)?;
            let partner_key = partner_keys
                .iter()
                .find(|(id, _)| id == by.as_str())
                .map(|(_, key)| key)
                .ok_or_else(|| Error::internal(format!("partner key {} is not there", by.as_str())))?;
            let opened = match level {
                KeyLevel::Namespace => partner_key.unwrap_namespace(&one.wrapped, owner),
                KeyLevel::Instance | KeyLevel::Partner | KeyLevel::Tenant => {
                    partner_key.unwrap_tenant(&one.wrapped, owner, partner_id)
                }
            };
            Ok((KeyId::new(one.key_id).map_err(Error::internal)?, opened.map_err(unopenable)?))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(KeySet { owner: owner.to_owned(), keys, loaded_at: now }))
}

/// Makes and wraps the keys of new partners and tenants.
pub(crate) mod mint {
    use super::*;
    use scaivault_domain::id;

    fn key_id(now: Timestamp, entropy: &dyn Entropy) -> Result<KeyId> {
        let mut random = [0; 10];
        entropy.fill(&mut random).map_err(Error::internal)?;
        KeyId::new(format!("k_{}", id::ulid(now, random))).map_err(Error::internal)
    }

    fn wrapped(id: &KeyId, level: KeyLevel, owner: &str, blob: Vec<u8>, now: Timestamp) -> WrappedKey {
        WrappedKey { key_id: id.as_str().to_owned(), level, owner_id: owner.to_owned(), wrapped: blob, created_at: now }
    }

    /// The instance key, wrapped by the root key.
    pub(crate) fn instance(root: &Root, now: Timestamp, entropy: &dyn Entropy) -> Result<WrappedKey> {
        let id = key_id(now, entropy)?;
        let key = InstanceKey::generate(entropy).map_err(Error::internal)?;
        let blob = root.wrap_instance(&id, &key, entropy).map_err(Error::internal)?;
        Ok(wrapped(&id, KeyLevel::Instance, INSTANCE_OWNER, blob, now))
    }

    /// A partner's own key and that of its shared secrets.
    pub(crate) fn partner(
        root: &Root,
        partner_id: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<[WrappedKey; 2]> {
        let (id, namespace_id) = (key_id(now, entropy)?, key_id(now, entropy)?);
        let key = PartnerKey::generate(entropy).map_err(Error::internal)?;
        let namespace = TenantKey::generate(entropy).map_err(Error::internal)?;
        // A wrapped key names the key that wrapped it in its header, which is how it is found again.
        let blob = root.wrap_partner(&id, &key, partner_id, entropy).map_err(Error::internal)?;
        let namespace_blob = key.wrap_namespace(&id, &namespace, partner_id, entropy).map_err(Error::internal)?;
        Ok([
            wrapped(&id, KeyLevel::Partner, partner_id, blob, now),
            wrapped(&namespace_id, KeyLevel::Namespace, partner_id, namespace_blob, now),
        ])
    }

    /// A tenant's key under its partner's newest one.
    pub(crate) fn tenant(
        root: &Root,
        partner_key: &WrappedKey,
        tenant_id: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<WrappedKey> {
        let by = KeyId::new(partner_key.key_id.clone()).map_err(Error::internal)?;
        let opened = root.unwrap_partner(&partner_key.wrapped, &partner_key.owner_id).map_err(unopenable)?;
        let key = TenantKey::generate(entropy).map_err(Error::internal)?;
        let blob = opened.wrap_tenant(&by, &key, tenant_id, &partner_key.owner_id, entropy).map_err(Error::internal)?;
        let id = key_id(now, entropy)?;
        Ok(wrapped(&id, KeyLevel::Tenant, tenant_id, blob, now))
    }
}

impl Unsealed {
    pub(crate) fn open(root: Root, wrapped: WrappedKey) -> Result<Self, String> {
        let instance = root.unwrap_instance(&wrapped.wrapped).map_err(
            |_| "the root key does not open this database: it is another one's, or the database was altered",
        )?;
        let derive = |label| MacKey::derive(&instance, label).map_err(|error| error.to_string());
        let (cursor_key, idempotency_key) = (derive(mac::CURSOR_LABEL)?, derive(mac::IDEMPOTENCY_LABEL)?);
        let instance_key_id = KeyId::new(wrapped.key_id).map_err(|error| error.to_string())?;
        Ok(Self { root, instance, instance_key_id, cursor_key, idempotency_key })
    }

    pub(crate) fn root(&self) -> &Root {
        &self.root
    }
}
