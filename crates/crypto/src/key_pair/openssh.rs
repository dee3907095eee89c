//! Key pairs as OpenSSH writes them: `openssh-key-v1` (PROTOCOL.key) without a passphrase, and the line of `authorized_keys`.
//!
//! Own code, because it is a page: ADR 4 says what was weighed.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{KeyPair, RsaBits, der, pem, rsa_pair};
use crate::bytes::SecretString;
use crate::entropy::Entropy;
use crate::error::CryptoError;
use crate::sign::SigningKey;

/// More than the parts of an RSA 4096 key take in the private section: see [`Blob`].
const ROOM: usize = 8192;
/// The private section is filled up to the block of a cipher; 8 when there is none.
const BLOCK: usize = 8;

/// A new Ed25519 pair. The comment has no line break in it.
///
/// # Errors
/// [`CryptoError::Entropy`] as [`Entropy::fill`], [`CryptoError::InvalidKey`] for a comment with control characters.
pub fn ssh_ed25519(comment: &str, entropy: &dyn Entropy) -> Result<KeyPair, CryptoError> {
    let key = SigningKey::generate(entropy)?;
    let (seed, public) = (key.seed(), key.public()?.0);
    let both = Zeroizing::new([seed.expose(), &public].concat());
    pair("ssh-ed25519", &[&public], &[&public, &both], comment, entropy)
}

/// A new RSA pair of 4096 bits. The comment has no line break in it. Takes seconds.
///
/// # Errors
/// As [`ssh_ed25519`].
pub fn ssh_rsa_4096(comment: &str, entropy: &dyn Entropy) -> Result<KeyPair, CryptoError> {
    let key: Pkcs8V1Der<'static> = rsa_pair(RsaBits::Bits4096)?.as_der().map_err(|_| CryptoError::Internal)?;
    let key = der::rsa_numbers(key.as_ref())?;
    let private = [key.modulus, key.public_exponent, key.private_exponent, key.coefficient, key.prime1, key.prime2];
    pair("ssh-rsa", &[key.public_exponent, key.modulus], &private, comment, entropy)
}

fn pair(
    kind: &str,
    public: &[&[u8]],
    private: &[&[u8]],
    comment: &str,
    entropy: &dyn Entropy,
) -> Result<KeyPair, CryptoError> {
    // A line break would begin another line of `authorized_keys`, that is another key.
    if comment.chars().any(char::is_control) {
        return Err(CryptoError::InvalidKey);
    }
    let mut public_blob = Blob::default();
    public_blob.string(kind.as_bytes());
    public.iter().for_each(|part| public_blob.string(part));

    // Twice the same number: whoever decrypts sees whether the passphrase was right.
    let mut check = [0; 4];
    entropy.fill(&mut check)?;
    let mut section = Blob::with_room(ROOM + comment.len());
    section.raw(&[check, check].concat());
    section.string(kind.as_bytes());
    private.iter().for_each(|part| section.string(part));
    section.string(comment.as_bytes());
    let missing = section.0.len().next_multiple_of(BLOCK) - section.0.len();
    section.raw([1, 2, 3, 4, 5, 6, 7].get(..missing).unwrap_or_default());

    let mut file = Blob::with_room(2 * ROOM + comment.len());
    file.raw(b"openssh-key-v1\0");
    file.string(b"none"); // cipher
    file.string(b"none"); // key derivation
    file.string(b""); // its options
    file.number(1); // keys
    file.string(&public_blob.0);
    file.string(&section.0);

    let encoded = STANDARD.encode(&*public_blob.0);
    let line = if comment.is_empty() { format!("{kind} {encoded}") } else { format!("{kind} {encoded} {comment}") };
    Ok(KeyPair { private: pem("OPENSSH PRIVATE KEY", &file.0)?, public: SecretString::new(line) })
}

/// Bytes in the encoding of RFC 4251, 5. Has its room from the start: a buffer that grows leaves a copy behind.
#[derive(Default)]
struct Blob(Zeroizing<Vec<u8>>);

impl Blob {
    fn with_room(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u32) {
        self.raw(&number.to_be_bytes());
    }

    /// Also an `mpint`, whose content [`der`] already has in the right form. No part of a key is near 4 GiB.
    fn string(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.raw(bytes);
    }
}
