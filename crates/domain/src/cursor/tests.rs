use proptest::prelude::*;
use scaivault_crypto::InstanceKey;
use scaivault_crypto::SecretBytes;

use super::*;

const NOW: i64 = 1_780_000_000_000_000;

fn key_of(fill: u8) -> MacKey {
    let instance = InstanceKey::from_bytes(SecretBytes::new(vec![fill; 32])).unwrap();
    MacKey::derive(&instance, mac::CURSOR_LABEL).unwrap()
}

fn key() -> MacKey {
    key_of(1)
}

fn filters(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    pairs.iter().map(|(name, values)| ((*name).to_owned(), values.iter().map(|v| (*v).to_owned()).collect())).collect()
}

fn cursor() -> Cursor {
    Cursor {
        endpoint: "secrets.list".to_owned(),
        tenant: "tnt_a".to_owned(),
        filters: filters(&[("prefix", &["a/"]), ("tag", &["env:prod", "é \"x\""])]),
        position: vec!["a/b".to_owned(), "sec_1".to_owned()],
        issued_at_micros: NOW,
    }
}

fn decode(text: &str) -> Result<Cursor, CursorError> {
    Cursor::decode(text, &key(), "secrets.list", "tnt_a", NOW)
}

/// Anything with a right tag, to see what lies behind the tag.
fn signed(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([bytes, &key().tag(bytes)].concat())
}

#[test]
fn comes_back_as_it_was() {
    let text = cursor().encode(&key());
    assert_eq!(decode(&text), Ok(cursor()));
    assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    let empty = Cursor { filters: BTreeMap::new(), position: vec![], ..cursor() };
    assert_eq!(decode(&empty.encode(&key())), Ok(empty));
}

#[test]
fn room_for_the_longest_walk() {
    // A path of 512 characters as position and as prefix, and twenty tags.
    let long = "p".repeat(512);
    let tags: Vec<String> = (0..20).map(|i| format!("{i}{}", "t".repeat(256))).collect();
    let long = Cursor {
        filters: BTreeMap::from([("prefix".to_owned(), vec![long.clone()]), ("tag".to_owned(), tags)]),
        position: vec![long],
        ..cursor()
    };
    assert_eq!(decode(&long.encode(&key())), Ok(long));
}

#[test]
fn another_list_is_foreign() {
    let text = cursor().encode(&key());
    let foreign = Err(CursorError::Foreign);
    assert_eq!(Cursor::decode(&text, &key(), "secrets.list", "tnt_b", NOW), foreign);
    assert_eq!(Cursor::decode(&text, &key(), "policies.list", "tnt_a", NOW), foreign);
    assert_eq!(Cursor::decode(&text, &key(), "tnt_a", "secrets.list", NOW), foreign);
}

#[test]
fn another_key_is_a_forgery() {
    assert_eq!(decode(&cursor().encode(&key_of(2))), Err(CursorError::Forged));
}

#[test]
fn valid_for_a_day() {
    let text = cursor().encode(&key());
    let at = |now| Cursor::decode(&text, &key(), "secrets.list", "tnt_a", now).map(|_| ());
    let day = 86_400_000_000;
    assert_eq!(at(NOW + day), Ok(()));
    assert_eq!(at(NOW + day + 1), Err(CursorError::Expired));
    assert_eq!(at(NOW - SKEW_MICROS), Ok(()));
    assert_eq!(at(NOW - SKEW_MICROS - 1), Err(CursorError::Expired));
    assert_eq!(at(i64::MAX), Err(CursorError::Expired));
    assert_eq!(at(i64::MIN), Err(CursorError::Expired));
    let odd = Cursor { issued_at_micros: i64::MIN, ..cursor() }.encode(&key());
    assert_eq!(decode(&odd), Err(CursorError::Expired));
}

/// Exhaustive, which for a text this short beats any sample: each bit of the bytes, each character
/// of the text by each other one.
#[test]
fn every_change_is_noticed() {
    let text = cursor().encode(&key());
    let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let flipped = URL_SAFE_NO_PAD.encode(flipped);
        assert_eq!(decode(&flipped), Err(CursorError::Forged), "bit {bit}");
    }
    for at in 0..text.len() {
        for other in (0..128u8).map(char::from).chain(['é', '\u{ff0d}']) {
            let mut changed = text.clone();
            changed.replace_range(at..=at, &other.to_string());
            assert!(changed == text || decode(&changed).is_err(), "{other:?} at {at}");
        }
    }
    for len in 0..text.len() {
        assert!(decode(&text[..len]).is_err(), "first {len}");
        assert!(decode(&text[text.len() - len..]).is_err(), "last {len}");
    }
}

#[test]
fn one_cursor_has_one_spelling() {
    let text = cursor().encode(&key());
    for other in [format!("{text}="), format!("{text}=="), format!(" {text}"), format!("{text}\n")] {
        assert_eq!(decode(&other), Err(CursorError::Malformed), "{other:?}");
    }
}

#[test]
fn what_is_no_cursor_is_malformed() {
    for bad in ["", "A", "AAAA", "....", "null", "é"] {
        assert_eq!(decode(bad), Err(CursorError::Malformed), "{bad:?}");
    }
    let json = serde_json::to_vec(&cursor()).unwrap();
    let other_version = [&[2][..], &json].concat();
    let more_fields = b"\x01{\"e\":\"secrets.list\",\"t\":\"tnt_a\",\"f\":{},\"p\":[],\"i\":0,\"x\":1}";
    for bad in [&b""[..], &[1], b"\x01null", b"\x01{}", &other_version, more_fields] {
        assert_eq!(decode(&signed(bad)), Err(CursorError::Malformed), "{bad:?}");
    }
    let genuine = signed(&[&[1][..], &json].concat());
    assert_eq!(decode(&genuine), Ok(cursor()), "so `signed` signs rightly");
}

#[test]
fn too_long_is_refused_before_any_work() {
    assert_eq!(decode(&"A".repeat(MAX_TEXT_LEN + 1)), Err(CursorError::TooLong));
    assert_ne!(decode(&"A".repeat(MAX_TEXT_LEN)), Err(CursorError::TooLong));
}

#[test]
fn filters_may_be_left_out_but_not_changed() {
    let cursor = cursor();
    for good in [
        filters(&[]),
        filters(&[("prefix", &["a/"])]),
        filters(&[("prefix", &["a/"]), ("tag", &["env:prod", "é \"x\""])]),
    ] {
        assert_eq!(cursor.check_filters(&good), Ok(()), "{good:?}");
    }
    for bad in [
        filters(&[("prefix", &["b/"])]),
        filters(&[("prefix", &[])]),
        filters(&[("tag", &["env:prod"])]),
        filters(&[("prefix", &["a/"]), ("status", &["active"])]),
    ] {
        assert_eq!(cursor.check_filters(&bad), Err(CursorError::Foreign), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn any_content_comes_back(
        filters in prop::collection::btree_map(".{0,8}", prop::collection::vec(".{0,20}", 0..3), 0..4),
        position in prop::collection::vec(".{0,40}", 0..4),
        endpoint in ".{0,10}",
        tenant in ".{0,10}",
    ) {
        let cursor = Cursor { endpoint, tenant, filters, position, issued_at_micros: NOW };
        let text = cursor.encode(&key());
        let back = Cursor::decode(&text, &key(), &cursor.endpoint, &cursor.tenant, NOW);
        prop_assert_eq!(back, Ok(cursor));
    }

    #[test]
    fn any_flipped_bit_is_noticed(position in ".{0,60}", bit in any::<prop::sample::Index>()) {
        let text = Cursor { position: vec![position], ..cursor() }.encode(&key());
        let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(decode(&URL_SAFE_NO_PAD.encode(bytes)), Err(CursorError::Forged));
    }

    #[test]
    fn any_text_is_refused(text in "[A-Za-z0-9_-]{0,200}") {
        prop_assert!(decode(&text).is_err());
    }
}
