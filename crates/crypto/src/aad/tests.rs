use proptest::prelude::*;

use super::*;
use crate::digest::hex;

/// The same choices as [`Aad`], owned and comparable, to generate and to compare by meaning.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    purpose: usize,
    fields: [String; 3],
    version: i64,
}

const PURPOSES: usize = 8;

impl Place {
    fn aad(&self) -> Aad<'_> {
        let [a, b, c] = &self.fields;
        match self.purpose {
            0 => Aad::data_key(a, b, self.version, c),
            1 => Aad::instance_item(a, b),
            2 => Aad::instance_key(),
            3 => Aad::partner_key(a),
            4 => Aad::partner_secrets_key(a),
            5 => Aad::tenant_item(a, b, c),
            6 => Aad::tenant_key(a, b),
            _ => Aad::value(a, b, self.version),
        }
    }

    /// With the fields its purpose ignores cleared, so that equal means equal.
    fn normal(mut self) -> Self {
        let (fields, versioned) = match self.purpose {
            0 => (3, true),
            1 | 6 => (2, false),
            2 => (0, false),
            3 | 4 => (1, false),
            5 => (3, false),
            _ => (2, true),
        };
        for field in &mut self.fields[fields..] {
            field.clear();
        }
        if !versioned {
            self.version = 0;
        }
        self
    }
}

/// Few characters and short lengths, so that two places often nearly agree; NUL and the bytes that
/// begin a length prefix included.
fn place() -> impl Strategy<Value = Place> {
    let field = "[ab\0\u{1}\u{8}/]{0,4}";
    let fields = [field, field, field];
    (0..PURPOSES, fields, prop_oneof![0..3i64, any::<i64>()])
        .prop_map(|(purpose, fields, version)| Place { purpose, fields, version }.normal())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn different_places_encode_differently(a in place(), b in place()) {
        prop_assert_eq!(a == b, a.aad().encode() == b.aad().encode());
    }

    /// Moving bytes from one field to the next is the classic way to fool a mere concatenation.
    #[test]
    fn shifted_borders_encode_differently(text in "[ab]{2,8}", cut in 0..8usize, other in 0..8usize) {
        let (cut, other) = (cut % text.len(), other % text.len());
        let at = |cut: usize| Aad::tenant_key(&text[..cut], &text[cut..]).encode();
        prop_assert_eq!(cut == other, at(cut) == at(other));
    }

    #[test]
    fn never_empty_and_labelled(a in place()) {
        let bytes = a.aad().encode();
        prop_assert!(bytes.len() > 8);
        prop_assert!(bytes[8..].starts_with(b"scaivault/"));
    }
}

#[test]
fn every_purpose_has_its_own_label() {
    let fields = ["x".to_owned(), "x".to_owned(), "x".to_owned()];
    let labels: std::collections::BTreeSet<_> =
        (0..PURPOSES).map(|purpose| Place { purpose, fields: fields.clone(), version: 1 }.aad().label()).collect();
    assert_eq!(labels.len(), PURPOSES);
}

/// Part of the stored format.
#[test]
fn known_encoding() {
    let expected = [
        &[0, 0, 0, 0, 0, 0, 0, 18][..],
        b"scaivault/data-key",
        &[0, 0, 0, 0, 0, 0, 0, 5],
        b"tnt_a",
        &[0, 0, 0, 0, 0, 0, 0, 5],
        b"sec_1",
        &[0, 0, 0, 0, 0, 0, 0, 8],
        &[0, 0, 0, 0, 0, 0, 1, 2],
        &[0, 0, 0, 0, 0, 0, 0, 3],
        b"a/b",
    ]
    .concat();
    assert_eq!(hex(&Aad::data_key("tnt_a", "sec_1", 258, "a/b").encode()), hex(&expected));
}
