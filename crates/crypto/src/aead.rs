//! The blob: how anything sealed looks in the database.
//!
//! ```text
//! format 0x01 | n = length of key id | key id, n bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes
//! ```
//!
//! Format, length and key id are authenticated: they stand in front of the associated data. They say
//! their own length, so no header and associated data run into another pair's.

use aws_lc_rs::aead;
use zeroize::Zeroizing;

use crate::aad::Aad;
use crate::bytes::SecretBytes;
use crate::entropy::Entropy;
use crate::error::CryptoError;
use crate::key::KEY_LEN;
use crate::key::KeyId;

/// AES-256-GCM with the layout above. Another algorithm or layout gets another number.
const FORMAT: u8 = 0x01;
const NONCE_LEN: usize = aead::NONCE_LEN;
const TAG_LEN: usize = 16;

/// Encrypts `plaintext` under `key` with a fresh random nonce.
pub(crate) fn seal(
    key: &[u8; KEY_LEN],
    key_id: &KeyId,
    aad: &Aad<'_>,
    plaintext: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, CryptoError> {
    let id = key_id.as_str().as_bytes();
    let header_len = 2 + id.len();
    let body_at = header_len + NONCE_LEN;
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce)?;

    // The exact capacity, because growing would leave an unwiped copy of the plaintext behind; wiped
    // itself, because an early return would free it unencrypted.
    let mut blob = Zeroizing::new(Vec::with_capacity(body_at + plaintext.len() + TAG_LEN));
    blob.push(FORMAT);
    blob.push(u8::try_from(id.len()).map_err(|_| CryptoError::InvalidKeyId)?);
    blob.extend_from_slice(id);
    let bound = bind(&blob, aad);
    blob.extend_from_slice(&nonce);
    blob.extend_from_slice(plaintext);

    let (_, body) = blob.split_at_mut_checked(body_at).ok_or(CryptoError::Internal)?;
    let tag = cipher(key)?
        .seal_in_place_separate_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(&bound), body)
        .map_err(|_| CryptoError::Internal)?;
    blob.extend_from_slice(tag.as_ref());
    Ok(std::mem::take(&mut *blob))
}

/// Decrypts a blob made by [`seal`] with the same key and associated data.
pub(crate) fn open(key: &[u8; KEY_LEN], aad: &Aad<'_>, blob: &[u8]) -> Result<SecretBytes, CryptoError> {
    let parts = Parts::of(blob)?;
    let mut body = Zeroizing::new(parts.body.to_vec());
    let len = cipher(key)?
        .open_in_place(
            aead::Nonce::assume_unique_for_key(parts.nonce),
            aead::Aad::from(bind(parts.header, aad)),
            &mut body,
        )
        .map_err(|_| CryptoError::Unopenable)?
        .len();
    body.truncate(len);
    Ok(SecretBytes::from_zeroizing(body))
}

/// The id in the header of `blob`. Not yet authenticated: good to look a key up, not to trust.
pub(crate) fn key_id_of(blob: &[u8]) -> Result<KeyId, CryptoError> {
    let id = Parts::of(blob)?.key_id;
    let id = std::str::from_utf8(id).map_err(|_| CryptoError::Unopenable)?;
    KeyId::new(id).map_err(|_| CryptoError::Unopenable)
}

struct Parts<'a> {
    header: &'a [u8],
    key_id: &'a [u8],
    nonce: [u8; NONCE_LEN],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(blob: &'a [u8]) -> Result<Self, CryptoError> {
        let split = || {
            let [FORMAT, id_len, ..] = blob else {
                return None;
            };
            let (header, rest) = blob.split_at_checked(2 + usize::from(*id_len))?;
            let (_, key_id) = header.split_at_checked(2)?;
            let (nonce, body) = rest.split_first_chunk()?;
            (body.len() >= TAG_LEN).then_some(Self { header, key_id, nonce: *nonce, body })
        };
        split().ok_or(CryptoError::Unopenable)
    }
}

fn bind(header: &[u8], aad: &Aad<'_>) -> Vec<u8> {
    let mut bound = header.to_vec();
    bound.append(&mut aad.encode());
    bound
}

// "Less safe" is aws-lc-rs's word for "the caller sees to the nonces"; the argument why random ones
// do is in docs/crypto.md. The expanded key is wiped by AWS-LC when it is dropped.
fn cipher(key: &[u8; KEY_LEN]) -> Result<aead::LessSafeKey, CryptoError> {
    aead::UnboundKey::new(&aead::AES_256_GCM, key).map(aead::LessSafeKey::new).map_err(|_| CryptoError::Internal)
}
