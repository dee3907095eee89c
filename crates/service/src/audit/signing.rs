//! The key that signs checkpoints and anchors: made at first need, sealed by the instance key, never kept unwrapped.

use std::collections::HashMap;

use scaivault_crypto::{Entropy, InstanceItem, KeyId, SigningKey, VerifyingKey};
use scaivault_domain::audit::Checkpoint;
use scaivault_domain::id;
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::Chain;
use scaivault_store::checkpoint::{self, CheckpointRecord, SigningKeyRecord};
use scaivault_store::{Database, StoreError, StoreResult, WriteTx};

use crate::keyring::Unsealed;
use crate::metrics::{KmsLatency, KmsOperation};

/// In the table of signing keys, and in what the seed is sealed with.
const PURPOSE: &str = "audit";
const ITEM_PURPOSE: &str = "audit_signing_key";

/// Signs for one transaction. Unwrapping it costs tens of microseconds; keeping it would mean one more thing to wipe.
pub(crate) struct AuditSigner {
    key_id: String,
    key: SigningKey,
    latency: KmsLatency,
}

impl AuditSigner {
    /// The newest key; makes one where there is none.
    pub(crate) fn obtain(
        tx: &mut WriteTx<'_>,
        unsealed: &Unsealed,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> StoreResult<Self> {
        let latency = unsealed.root().latency().clone();
        if let Some(record) = checkpoint::signing_keys(tx, PURPOSE)?.first() {
            let key =
                open(unsealed, record).ok_or_else(|| StoreError::corrupt("the audit signing key does not open"))?;
            return Ok(Self { key_id: record.key_id.clone(), key, latency });
        }
        let failed =
            |error: scaivault_crypto::CryptoError| StoreError::Unavailable(format!("audit signing key: {error}"));
        let mut random = [0; 10];
        entropy.fill(&mut random).map_err(failed)?;
        let key_id = format!("k_{}", id::ulid(now, random));
        let key = SigningKey::generate(entropy).map_err(failed)?;
        let item = InstanceItem { purpose: ITEM_PURPOSE, item_id: &key_id };
        let wrapped = unsealed
            .instance
            .seal_item(&unsealed.instance_key_id, &item, key.seed().expose(), entropy)
            .map_err(failed)?;
        let public_key = key.public().map_err(failed)?.0.to_vec();
        let record = SigningKeyRecord { key_id: key_id.clone(), public_key, wrapped, created_at: now };
        checkpoint::insert_signing_key(tx, PURPOSE, &record)?;
        tracing::info!(key_id, "made a key to sign audit checkpoints");
        Ok(Self { key_id, key, latency })
    }

    /// Signs that entry `seq` of `chain` has `hash`.
    pub(crate) fn checkpoint(
        &self,
        chain: &Chain,
        seq: i64,
        hash: [u8; 32],
        at: Timestamp,
    ) -> StoreResult<CheckpointRecord> {
        self.sign(chain, &chain.stream, seq, hash, at)
    }

    /// Signs that retention removed `chain` up to `seq`.
    pub(crate) fn anchor(
        &self,
        chain: &Chain,
        seq: i64,
        hash: [u8; 32],
        at: Timestamp,
    ) -> StoreResult<CheckpointRecord> {
        self.sign(chain, &anchor_of(&chain.stream), seq, hash, at)
    }

    fn sign(
        &self,
        chain: &Chain,
        signed_as: &str,
        seq: i64,
        hash: [u8; 32],
        at: Timestamp,
    ) -> StoreResult<CheckpointRecord> {
        let mut record = CheckpointRecord {
            chain: chain.clone(),
            seq,
            hash,
            at,
            key_id: self.key_id.clone(),
            signature: Vec::new(),
        };
        let bytes = statement(&record, signed_as).signed_bytes().map_err(StoreError::corrupt)?;
        let signed = self.latency.time(KmsOperation::Sign, || self.key.sign(&bytes));
        record.signature = signed.map_err(StoreError::corrupt)?.to_vec();
        Ok(record)
    }
}

/// What an anchor is signed as. Were it the stream's own name, anyone with the database could pass off a checkpoint as an
/// anchor and remove everything before it unnoticed. No stream has a colon in its name.
pub(crate) fn anchor_of(stream: &str) -> String {
    format!("anchor:{stream}")
}

fn statement(record: &CheckpointRecord, signed_as: &str) -> Checkpoint {
    Checkpoint {
        chain: record.chain.name(),
        hash: hex::encode(record.hash),
        key_id: record.key_id.clone(),
        seq: record.seq,
        stream: signed_as.to_owned(),
        timestamp: record.at.to_rfc3339_micros(),
    }
}

fn open(unsealed: &Unsealed, record: &SigningKeyRecord) -> Option<SigningKey> {
    let by = scaivault_crypto::envelope::key_id_of(&record.wrapped).ok();
    if by.as_ref().map(KeyId::as_str) != Some(unsealed.instance_key_id.as_str()) {
        return None;
    }
    let item = InstanceItem { purpose: ITEM_PURPOSE, item_id: &record.key_id };
    let seed = unsealed.instance.open_item(&item, &record.wrapped).ok()?;
    SigningKey::from_seed(&seed).ok()
}

/// The keys whose signatures count.
///
/// Derived from the sealed seeds, not taken from the public column: who can write the database could put a key of their own
/// there, but can't seal one.
///
/// Without the root key there are none, and signatures say nothing; what was signed must fit the chain all the same.
pub(crate) struct TrustedKeys(Option<HashMap<String, VerifyingKey>>);

impl TrustedKeys {
    pub(crate) fn load(db: &mut impl Database, unsealed: Option<&Unsealed>) -> StoreResult<Self> {
        let Some(unsealed) = unsealed else { return Ok(Self(None)) };
        let keys = checkpoint::signing_keys(db, PURPOSE)?
            .into_iter()
            .filter_map(|record| Some((record.key_id.clone(), open(unsealed, &record)?.public().ok()?)));
        Ok(Self(Some(keys.collect())))
    }

    pub(crate) fn vouch_for(&self, record: &CheckpointRecord) -> bool {
        self.verify(record, &record.chain.stream)
    }

    pub(crate) fn vouch_for_anchor(&self, record: &CheckpointRecord) -> bool {
        self.verify(record, &anchor_of(&record.chain.stream))
    }

    fn verify(&self, record: &CheckpointRecord, signed_as: &str) -> bool {
        let Some(keys) = &self.0 else { return true };
        let Some(key) = keys.get(&record.key_id) else { return false };
        statement(record, signed_as).signed_bytes().is_ok_and(|bytes| key.verify(&bytes, &record.signature))
    }
}
