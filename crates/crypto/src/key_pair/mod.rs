//! Key pairs as text for other systems to use; the server's own keys are elsewhere.
//!
//! RSA and EC keys draw from the process-wide generator of aws-lc-rs, the one behind `SystemEntropy`: the library takes no other.

mod der;
mod openssh;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING};
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _};
use pem_rfc7468::LineEnding;

use crate::bytes::SecretString;
use crate::error::CryptoError;

pub use openssh::{ssh_ed25519, ssh_rsa_4096};

/// Both halves, as text.
#[derive(Debug)]
pub struct KeyPair {
    pub private: SecretString,
    pub public: SecretString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaBits {
    Bits2048,
    Bits4096,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    P256,
    P384,
}

/// A new RSA pair: PKCS#8 PEM and SPKI PEM. Takes seconds for 4096 bits.
///
/// # Errors
/// [`CryptoError::Internal`] if the library fails; it has no reason to.
pub fn rsa(bits: RsaBits) -> Result<KeyPair, CryptoError> {
    let pair = rsa_pair(bits)?;
    let private: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| CryptoError::Internal)?;
    let public: PublicKeyX509Der<'static> = pair.public_key().as_der().map_err(|_| CryptoError::Internal)?;
    pems(private.as_ref(), public.as_ref())
}

/// A new EC pair: PKCS#8 PEM and SPKI PEM.
///
/// # Errors
/// [`CryptoError::Internal`] if the library fails; it has no reason to.
pub fn ec(curve: Curve) -> Result<KeyPair, CryptoError> {
    let algorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
    };
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| CryptoError::Internal)?;
    let private = pair.to_pkcs8v1().map_err(|_| CryptoError::Internal)?;
    let public: PublicKeyX509Der<'static> = pair.public_key().as_der().map_err(|_| CryptoError::Internal)?;
    pems(private.as_ref(), public.as_ref())
}

fn rsa_pair(bits: RsaBits) -> Result<aws_lc_rs::rsa::KeyPair, CryptoError> {
    let size = match bits {
        RsaBits::Bits2048 => KeySize::Rsa2048,
        RsaBits::Bits4096 => KeySize::Rsa4096,
    };
    aws_lc_rs::rsa::KeyPair::generate(size).map_err(|_| CryptoError::Internal)
}

fn pems(pkcs8: &[u8], spki: &[u8]) -> Result<KeyPair, CryptoError> {
    Ok(KeyPair { private: pem("PRIVATE KEY", pkcs8)?, public: pem("PUBLIC KEY", spki)? })
}

/// Lines of 64 characters, each ended, also the last: OpenSSH refuses a private key without that.
fn pem(label: &'static str, bytes: &[u8]) -> Result<SecretString, CryptoError> {
    pem_rfc7468::encode_string(label, LineEnding::LF, bytes).map(SecretString::new).map_err(|_| CryptoError::Internal)
}

#[cfg(test)]
mod tests;
