use super::*;
use crate::digest::hex;
use crate::entropy::SystemEntropy;
use crate::testing::NoEntropy;

const CHEAP: PassphraseCost = PassphraseCost::INSECURE_FOR_TESTS;

fn bytes(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

fn text(text: &str) -> SecretString {
    SecretString::new(text.to_owned())
}

/// Checked with the reference implementation (Python's `argon2-cffi`, `low_level.hash_secret_raw`).
#[test]
fn known_vector() {
    let key = root_key_from_passphrase(&bytes("correct horse"), b"0123456789abcdef", CHEAP).unwrap();
    assert_eq!(hex(key.bytes()), "32364fd7ed54f4951b0d6bc3bed2f212c66235738a114c5f8ba3b6a1ee3abb10");
}

#[test]
fn every_input_counts() {
    let derive =
        |passphrase, salt: &[u8], cost| *root_key_from_passphrase(&bytes(passphrase), salt, cost).unwrap().bytes();
    let key = derive("passphrase", &[1; 16], CHEAP);
    assert_eq!(key, derive("passphrase", &[1; 16], CHEAP));
    assert_ne!(key, derive("passphrasE", &[1; 16], CHEAP));
    assert_ne!(key, derive("passphrase", &[2; 16], CHEAP));
    assert_ne!(key, derive("passphrase", &[1; 16], PassphraseCost { passes: 2, ..CHEAP }));
    assert_ne!(key, derive("passphrase", &[1; 16], PassphraseCost { memory_kib: 65, ..CHEAP }));
}

#[test]
fn production_cost_is_the_contract_s() {
    let expected = PassphraseCost { memory_kib: 262_144, passes: 3, lanes: 4 };
    assert_eq!(PassphraseCost::PRODUCTION, expected);
}

#[test]
fn bad_salt_and_cost_are_refused() {
    let derive = |salt: &[u8], cost| root_key_from_passphrase(&bytes("p"), salt, cost).unwrap_err();
    assert_eq!(derive(&[0; 15], CHEAP), CryptoError::InvalidSalt);
    assert_eq!(derive(&[0; 16], PassphraseCost { lanes: 0, ..CHEAP }), CryptoError::InvalidCost);
    assert_eq!(derive(&[0; 16], PassphraseCost { memory_kib: 7, ..CHEAP }), CryptoError::InvalidCost);
}

#[test]
fn passwords() {
    let stored = hash_password(&text("correct horse"), &SystemEntropy::new()).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert!(!stored.contains("correct"));
    assert_eq!(verify_password(&text("correct horse"), &stored), Ok(true));
    assert_eq!(verify_password(&text("correct horsE"), &stored), Ok(false));
    assert_eq!(verify_password(&text(""), &stored), Ok(false));
    let again = hash_password(&text("correct horse"), &SystemEntropy::new()).unwrap();
    assert_ne!(stored, again, "salted");
    let dry = hash_password(&text("x"), &NoEntropy);
    assert_eq!(dry, Err(CryptoError::Entropy));
    verify_no_password(&text("anything"));
}

/// Made by Python's `argon2-cffi` with other parameters: hashes from elsewhere can be taken over.
#[test]
fn foreign_password_hash() {
    let stored =
        concat!("$argon2id$v=19$m=128,t=1,p=2$CD4A", "fVsrD0JnmVYn2fn4Gg$kgay6sFk/AHMhnxpEfjVmQ1/sP8GL9ROXS5y2xfJQ8s",);
    assert_eq!(verify_password(&text("correct horse"), stored), Ok(true));
    assert_eq!(verify_password(&text("wrong"), stored), Ok(false));
}

#[test]
fn bad_password_hashes_are_refused() {
    let salt_and_hash = "c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let of = |head: &str| format!("{head}${salt_and_hash}");
    assert_eq!(verify_password(&text("x"), &of("$argon2id$v=19$m=64,t=1,p=1")), Ok(false));
    for bad in [
        String::new(),
        "plain".to_owned(),
        of("$argon2i$v=19$m=64,t=1,p=1"),
        of("$argon2id$v=16$m=64,t=1,p=1"),
        of("$argon2id$m=64,t=1,p=1"),
        of("$argon2id$v=19$m=4194304,t=1,p=1"),
        of("$argon2id$v=19$m=64,t=4000000,p=1"),
        of("$argon2id$v=19$m=0,t=0,p=0"),
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA".to_owned(),
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
    ] {
        let verdict = verify_password(&text("x"), &bad);
        assert_eq!(verdict, Err(CryptoError::InvalidPasswordHash), "{bad}");
    }
}
