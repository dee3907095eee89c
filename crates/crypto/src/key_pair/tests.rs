//! Text that other programs read is read by them in `crates/scaivault/tests/it/recipe/pair.rs`.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::*;

use super::KeyPair;
use super::*;
use crate::entropy::SystemEntropy;
use crate::testing::{NoEntropy, Replay};

/// The bytes of a PEM whose label is `label`.
fn bytes(pem: &SecretString, label: &str) -> Vec<u8> {
    assert!(pem.expose().ends_with("-----\n"), "the last line is ended");
    let (found, bytes) = pem_rfc7468::decode_vec(pem.expose().as_bytes()).unwrap();
    assert_eq!(found, label);
    bytes
}

#[test]
fn rsa_halves_belong_together() {
    for (bits, len) in [(RsaBits::Bits2048, 256), (RsaBits::Bits4096, 512)] {
        let pair = rsa(bits).unwrap();
        let key = RsaKeyPair::from_pkcs8(&bytes(&pair.private, "PRIVATE KEY")).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"m", &mut signature).unwrap();
        assert_eq!(signature.len(), len);
        let public = bytes(&pair.public, "PUBLIC KEY");
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        assert!(public.verify(b"m", &signature).is_ok() && public.verify(b"n", &signature).is_err());
    }
}

#[test]
fn ec_halves_belong_together() {
    let curves = [
        (Curve::P256, &ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_ASN1),
        (Curve::P384, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1),
    ];
    for (curve, signing, verifying) in curves {
        let (pair, other) = (ec(curve).unwrap(), ec(curve).unwrap());
        let key = EcdsaKeyPair::from_pkcs8(signing, &bytes(&pair.private, "PRIVATE KEY")).unwrap();
        let signature = key.sign(&SystemRandom::new(), b"m").unwrap();
        let verify = |pair: &KeyPair| {
            UnparsedPublicKey::new(verifying, bytes(&pair.public, "PUBLIC KEY")).verify(b"m", signature.as_ref())
        };
        assert!(verify(&pair).is_ok() && verify(&other).is_err());
    }
}

#[test]
fn an_ssh_pair_is_made_of_its_seed() {
    let seed_and_check = [&[7; 32][..], &[1, 2, 3, 4]].concat();
    let pair = ssh_ed25519("mia@firm.example", &Replay::new(&seed_and_check)).unwrap();
    let file = bytes(&pair.private, "OPENSSH PRIVATE KEY");
    assert!(file.starts_with(b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01"));
    assert!(
        file.windows(32).any(|part| part == [7; 32]) && file.windows(8).any(|part| part == [1, 2, 3, 4, 1, 2, 3, 4])
    );
    let public = pair.public.expose();
    assert!(public.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI") && public.ends_with(" mia@firm.example"));
    let bare = ssh_ed25519("", &Replay::new(&seed_and_check)).unwrap();
    assert_eq!(public.strip_suffix(" mia@firm.example"), Some(bare.public.expose()));
}

#[test]
fn a_comment_is_one_line() {
    for comment in ["a\nssh-ed25519 AAAA", "\r", "\0"] {
        assert_eq!(ssh_ed25519(comment, &SystemEntropy::new()).unwrap_err(), CryptoError::InvalidKey);
    }
    assert_eq!(ssh_ed25519("", &NoEntropy).unwrap_err(), CryptoError::Entropy);
}

#[test]
fn debug_shows_nothing() {
    let pair = ssh_ed25519("", &SystemEntropy::new()).unwrap();
    assert_eq!(format!("{pair:?}"), "KeyPair { private: SecretString(…), public: SecretString(…) }");
}
