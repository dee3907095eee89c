//! Ed25519 signatures (RFC 8032): audit checkpoints and the server's own tokens.

use std::fmt;

use aws_lc_rs::signature;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use zeroize::Zeroizing;

use crate::bytes::SecretBytes;
use crate::entropy::Entropy;
use crate::error::CryptoError;

/// Length of a seed, that is of the private key, in bytes.
pub const SEED_LEN: usize = 32;
/// Length of a public key in bytes.
pub const PUBLIC_KEY_LEN: usize = 32;
/// Length of a signature in bytes.
pub const SIGNATURE_LEN: usize = 64;

/// A private signing key. Wiped when dropped; stored only as its seed, sealed by the instance key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    // Boxed for the same reason as the symmetric keys: moves must not leave copies.
    seed: Box<Zeroizing<[u8; SEED_LEN]>>,
}

impl SigningKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`] if there is no randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, CryptoError> {
        let mut seed = Box::new(Zeroizing::new([0; SEED_LEN]));
        entropy.fill(seed.as_mut_slice())?;
        Self::new(seed)
    }

    /// The key with this seed.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] unless there are [`SEED_LEN`] bytes.
    pub fn from_seed(bytes: &SecretBytes) -> Result<Self, CryptoError> {
        if bytes.len() != SEED_LEN {
            return Err(CryptoError::InvalidKey);
        }
        let mut seed = Box::new(Zeroizing::new([0; SEED_LEN]));
        seed.copy_from_slice(bytes.expose());
        Self::new(seed)
    }

    fn new(seed: Box<Zeroizing<[u8; SEED_LEN]>>) -> Result<Self, CryptoError> {
        // "Unchecked" because no public key is given to check against: it is derived.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| CryptoError::InvalidKey)?;
        Ok(Self { pair, seed })
    }

    /// The seed, to be sealed and stored.
    pub fn seed(&self) -> SecretBytes {
        SecretBytes::new(self.seed.to_vec())
    }

    /// Signs `message`. Deterministic, so it needs no randomness.
    ///
    /// # Errors
    /// [`CryptoError::Internal`] if the library fails; it has no reason to.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LEN], CryptoError> {
        let signature = self.pair.try_sign(message).map_err(|_| CryptoError::Internal)?;
        signature.as_ref().try_into().map_err(|_| CryptoError::Internal)
    }

    /// The public half.
    ///
    /// # Errors
    /// [`CryptoError::Internal`] if the library fails; it has no reason to.
    pub fn public(&self) -> Result<VerifyingKey, CryptoError> {
        let bytes = self.pair.public_key().as_ref();
        bytes.try_into().map(VerifyingKey).map_err(|_| CryptoError::Internal)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// A public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifyingKey(pub [u8; PUBLIC_KEY_LEN]);

impl VerifyingKey {
    /// Whether `signature` is this key's signature of `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        signature::UnparsedPublicKey::new(&signature::ED25519, self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::hex;
    use crate::entropy::SystemEntropy;
    use crate::testing::NoEntropy;
    use crate::testing::assert_not_impl;

    assert_not_impl!(SigningKey: Clone);
    assert_not_impl!(SigningKey: PartialEq);

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    /// RFC 8032, 7.1, tests 1 and 2.
    #[test]
    fn rfc_8032_vectors() {
        let vectors = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
        ];
        for (seed, public, message, signature) in vectors {
            let key = SigningKey::from_seed(&SecretBytes::new(unhex(seed))).unwrap();
            assert_eq!(hex(&key.public().unwrap().0), public);
            assert_eq!(hex(&key.sign(&unhex(message)).unwrap()), signature);
            assert!(key.public().unwrap().verify(&unhex(message), &unhex(signature)));
        }
    }

    #[test]
    fn survives_storage() {
        let key = SigningKey::generate(&SystemEntropy::new()).unwrap();
        let back = SigningKey::from_seed(&key.seed()).unwrap();
        assert_eq!(key.public(), back.public());
        assert_eq!(key.sign(b"m"), back.sign(b"m"));
    }

    #[test]
    fn altered_signatures_fail() {
        let key = SigningKey::generate(&SystemEntropy::new()).unwrap();
        let public = key.public().unwrap();
        let signature = key.sign(b"message").unwrap();
        assert!(public.verify(b"message", &signature));
        assert!(!public.verify(b"messagE", &signature));
        assert!(!public.verify(b"message", &signature[..63]));
        for bit in 0..SIGNATURE_LEN * 8 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!public.verify(b"message", &flipped), "bit {bit}");
        }
        let other = SigningKey::generate(&SystemEntropy::new()).unwrap();
        assert!(!other.public().unwrap().verify(b"message", &signature));
    }

    #[test]
    fn refuses_bad_input() {
        assert_eq!(SigningKey::generate(&NoEntropy).unwrap_err(), CryptoError::Entropy);
        for len in [0, 31, 33, 64] {
            let seed = SecretBytes::new(vec![1; len]);
            assert_eq!(SigningKey::from_seed(&seed).unwrap_err(), CryptoError::InvalidKey);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let key = SigningKey::generate(&SystemEntropy::new()).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
        assert_eq!(format!("{key:#?}"), "SigningKey(…)");
    }
}
