use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::entropy::SystemEntropy;
use crate::testing::NoEntropy;
use crate::testing::Replay;
use crate::testing::assert_not_impl;

assert_not_impl!(OpaqueToken: Clone);
assert_not_impl!(OpaqueToken: PartialEq);
assert_not_impl!(OpaqueToken: fmt::Display);
assert_not_impl!(TokenHash: fmt::Display);

const OF_COUNTING_BYTES: &str = "skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP";

fn of_bytes(kind: TokenKind, bytes: [u8; 32]) -> OpaqueToken {
    OpaqueToken::generate(kind, &Replay::new(&bytes)).unwrap()
}

fn counting() -> [u8; 32] {
    std::array::from_fn(|i| u8::try_from(i).unwrap())
}

#[track_caller]
fn refused(text: &str) {
    assert_eq!(OpaqueToken::parse(text).unwrap_err(), CryptoError::InvalidToken, "{text:?}");
}

/// Contract 02, section 1.
#[test]
fn contract_vectors() {
    let zeros = of_bytes(TokenKind::Personal, [0; 32]);
    assert_eq!(zeros.expose(), "skt_00000000000000000000000000000000000000000002CZclj");
    let counting = of_bytes(TokenKind::Personal, counting());
    assert_eq!(counting.expose(), OF_COUNTING_BYTES);
}

#[test]
fn the_largest_number_is_the_last_token() {
    let largest = of_bytes(TokenKind::Personal, [0xFF; 32]);
    assert_eq!(&largest.expose()[4..47], LARGEST_BODY);
    OpaqueToken::parse(largest.expose()).unwrap();
    // One more would not fit 32 bytes, whatever its checksum.
    let beyond = LARGEST_BODY.replace("Xp1", "Xp2");
    let sum = checksum(beyond.as_bytes());
    refused(&format!("skt_{beyond}{}", std::str::from_utf8(sum.as_slice()).unwrap()));
}

#[test]
fn every_kind_comes_back() {
    for kind in TokenKind::ALL {
        let made = OpaqueToken::generate(kind, &SystemEntropy::new()).unwrap();
        assert_eq!(made.expose().len(), 53);
        assert!(made.expose().starts_with(kind.prefix()));
        let parsed = OpaqueToken::parse(made.expose()).unwrap();
        assert_eq!(parsed.kind(), kind);
        assert_eq!(parsed.hash(), made.hash());
    }
}

#[test]
fn every_changed_character_is_refused() {
    let good = OF_COUNTING_BYTES;
    // A CRC-32 finds every error burst of up to 32 bits, hence every single wrong character.
    for at in 0..good.len() {
        for other in BASE62.iter().map(|b| char::from(*b)).chain(['_', '-', ' ', '\0', 'é']) {
            let mut text = good.to_owned();
            text.replace_range(at..=at, &other.to_string());
            // `skt_`, `skr_` and `sks_` differ in one character and share their checksum.
            let is_kind = TokenKind::ALL.iter().any(|kind| text.starts_with(kind.prefix()));
            if text != good && !(at < 4 && is_kind) {
                refused(&text);
            }
        }
    }
}

#[test]
fn every_other_shape_is_refused() {
    for bad in [
        "",
        "skt_",
        "skx_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP",
        "SKT_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP",
        " skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP",
        "skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP\n",
        "skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7h",
        "eyJhbGciOiJFZERTQSJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        refused(bad);
    }
}

#[test]
fn hash_and_reference_are_of_the_whole_string() {
    let token = OpaqueToken::parse(OF_COUNTING_BYTES).unwrap();
    assert_eq!(token.hash().as_bytes(), &digest::sha256(OF_COUNTING_BYTES.as_bytes()));
    let expected = format!("sha256:{}", &digest::hex(token.hash().as_bytes())[..16]);
    assert_eq!(token.token_ref(), expected);
    assert_eq!(token_ref_of(OF_COUNTING_BYTES), expected);
    assert_eq!(token_ref_of("abc"), "sha256:ba7816bf8f01cfea");
}

#[test]
fn hashes_compare_and_index() {
    let (a, b) = (digest::sha256(b"a"), digest::sha256(b"b"));
    let of = |bytes: &[u8]| TokenHash::from_slice(bytes).unwrap();
    assert_eq!(of(&a), of(&a));
    assert_ne!(of(&a), of(&b));
    assert_eq!(HashSet::from([of(&a), of(&b), of(&a)]).len(), 2);
    assert_eq!(TokenHash::from_slice(&a[1..]), Err(CryptoError::InvalidKey));
}

#[test]
fn debug_shows_neither_token_nor_hash() {
    let token = OpaqueToken::parse(OF_COUNTING_BYTES).unwrap();
    assert_eq!(format!("{token:?}"), "OpaqueToken(skt_…)");
    assert_eq!(format!("{token:#?}"), "OpaqueToken(skt_…)");
    let hash = digest::hex(token.hash().as_bytes());
    assert_eq!(format!("{:?}", token.hash()), format!("TokenHash(sha256:{})", &hash[..16]));
}

#[test]
fn without_randomness_there_is_no_token() {
    let made = OpaqueToken::generate(TokenKind::Refresh, &NoEntropy);
    assert_eq!(made.unwrap_err(), CryptoError::Entropy);
}

proptest! {
    #[test]
    fn whatever_is_made_parses(bytes: [u8; 32], kind in 0..3usize) {
        let made = of_bytes(TokenKind::ALL[kind], bytes);
        let parsed = OpaqueToken::parse(made.expose()).unwrap();
        prop_assert_eq!(parsed.expose(), made.expose());
        prop_assert!(made.expose()[4..].bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn different_numbers_make_different_tokens(a: [u8; 32], b: [u8; 32]) {
        let token = |bytes| of_bytes(TokenKind::Personal, bytes);
        prop_assert_eq!(a.cmp(&b), token(a).expose()[..47].cmp(&token(b).expose()[..47]));
    }

    #[test]
    fn arbitrary_text_neither_parses_nor_crashes(text in "(skt_)?.{0,60}") {
        prop_assert!(OpaqueToken::parse(&text).is_err());
    }
}
