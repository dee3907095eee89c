//! Authentication of what the server hands out and wants back unaltered.

use std::fmt;

use aws_lc_rs::hkdf;
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::key::InstanceKey;
use crate::key::KEY_LEN;

/// Length of a tag in bytes (HMAC-SHA-256, not truncated).
pub const TAG_LEN: usize = 32;

/// Label of the key for list cursors.
pub const CURSOR_LABEL: &str = "scaivault/cursor/v1";

/// Label of the key for what is remembered of requests with an Idempotency-Key.
pub const IDEMPOTENCY_LABEL: &str = "scaivault/idempotency/v1";

/// Sets our derivations apart from any other use of HKDF with the same key. Not a secret.
const SALT: &[u8] = b"scaivault/instance/v1";

/// The HMAC-SHA-256 of the parts, one behind the other, under a key that was agreed on with somebody else.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; TAG_LEN] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    bytes_of(&context.sign())
}

fn bytes_of(tag: &hmac::Tag) -> [u8; TAG_LEN] {
    let mut out = [0; TAG_LEN];
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// A key for HMAC-SHA-256, derived from the instance key for one named use.
///
/// Derived rather than stored: nothing to wrap, rotate or lose, and a key for one use says nothing
/// about another's.
pub struct MacKey(hmac::Key);

impl MacKey {
    /// HKDF-SHA-256 (RFC 5869) of the instance key with `label` as info. One label a use; all of
    /// them stand in `docs/crypto.md`.
    ///
    /// # Errors
    /// [`CryptoError::Internal`] if the library fails; it has no reason to.
    pub fn derive(instance: &InstanceKey, label: &'static str) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
            .extract(instance.bytes())
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(bytes.as_mut_slice()))
            .map_err(|_| CryptoError::Internal)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice())))
    }

    /// The tag of `message`.
    pub fn tag(&self, message: &[u8]) -> [u8; TAG_LEN] {
        bytes_of(&hmac::sign(&self.0, message))
    }

    /// Whether `tag` is the whole tag of `message`; in constant time.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::SecretBytes;
    use crate::digest::hex;
    use crate::testing::assert_not_impl;

    assert_not_impl!(MacKey: Clone);

    fn key(fill: u8, label: &'static str) -> MacKey {
        let instance = InstanceKey::from_bytes(SecretBytes::new(vec![fill; 32])).unwrap();
        MacKey::derive(&instance, label).unwrap()
    }

    #[test]
    fn verifies_its_own_tag_and_no_other() {
        let key = key(1, CURSOR_LABEL);
        let tag = key.tag(b"message");
        assert!(key.verify(b"message", &tag));
        assert!(!key.verify(b"Message", &tag));
        assert!(!key.verify(b"message", &tag[..31]));
        assert!(!key.verify(b"message", b""));
        for bit in 0..TAG_LEN * 8 {
            let mut flipped = tag;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verify(b"message", &flipped), "bit {bit}");
        }
    }

    #[test]
    fn keys_differ_by_label_and_instance() {
        let tag = key(1, CURSOR_LABEL).tag(b"m");
        assert_eq!(tag, key(1, CURSOR_LABEL).tag(b"m"));
        assert_ne!(tag, key(1, "scaivault/other/v1").tag(b"m"));
        assert_ne!(tag, key(2, CURSOR_LABEL).tag(b"m"));
    }

    /// Computed with Python's hmac module, so that a change of salt, label or hash is noticed.
    #[test]
    fn known_vector() {
        let tag = key(0x0B, CURSOR_LABEL).tag(b"scaivault");
        let expected = "f7f24675513fe59af971c6d5da89514b1ab2e3a7f3b2e7314c4cefa9f9cf0119";
        assert_eq!(hex(&tag), expected);
    }

    /// Test case 2 of RFC 4231.
    #[test]
    fn agreed_keys() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&hmac_sha256(b"Jefe", &[b"what do ya want for nothing?"])), expected);
        assert_eq!(hex(&hmac_sha256(b"Jefe", &[b"what do ya ", b"", b"want for nothing?"])), expected);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", key(1, CURSOR_LABEL)), "MacKey(…)");
    }
}
