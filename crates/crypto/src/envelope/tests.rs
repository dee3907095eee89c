use proptest::prelude::*;

use super::*;
use crate::digest::hex;
use crate::entropy::SystemEntropy;
use crate::testing::NoEntropy;
use crate::testing::Replay;

const AT: SecretVersion<'_> = SecretVersion { tenant: "tnt_a", secret_id: "sec_1", version: 7 };
const ITEM: TenantItem<'_> = TenantItem { purpose: "webhook_secret", tenant: "tnt_a", item_id: "wh_1" };
const INSTANCE_ITEM: InstanceItem<'_> = InstanceItem { purpose: "audit_signing_key", item_id: "k_9" };

fn id() -> KeyId {
    KeyId::new("k_01JA").unwrap()
}

fn e() -> SystemEntropy {
    SystemEntropy::new()
}

fn key<K>(make: impl Fn(SecretBytes) -> Result<K, CryptoError>, fill: u8) -> K {
    make(SecretBytes::new(vec![fill; 32])).unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, CryptoError>) {
    assert_eq!(result.unwrap_err(), CryptoError::Unopenable);
}

/// One value sealed through the whole hierarchy and opened from the root key down.
#[test]
fn the_whole_hierarchy() {
    let (root, partner) = (RootKey::generate(&e()).unwrap(), PartnerKey::generate(&e()).unwrap());
    let (tenant, data) = (TenantKey::generate(&e()).unwrap(), DataKey::generate(&e()).unwrap());
    let partner_blob = root.wrap_partner(&id(), &partner, "ptn_1", &e()).unwrap();
    let tenant_blob = partner.wrap_tenant(&id(), &tenant, "tnt_a", "ptn_1", &e()).unwrap();
    let data_blob = tenant.wrap_data_key(&id(), &data, &AT, "a/b", &e()).unwrap();
    let value_blob = data.seal_value(&AT, b"canary", &e()).unwrap();

    let partner = root.unwrap_partner(&partner_blob, "ptn_1").unwrap();
    let tenant = partner.unwrap_tenant(&tenant_blob, "tnt_a", "ptn_1").unwrap();
    let data = tenant.unwrap_data_key(&data_blob, &AT, "a/b").unwrap();
    let value = data.open_value(&AT, &value_blob).unwrap();
    assert_eq!(value.expose(), b"canary");
    assert_eq!(format!("{value:?}"), "SecretBytes(…)");
    assert!(!value_blob.windows(6).any(|w| w == b"canary"));
    assert_eq!(key_id_of(&data_blob).unwrap(), id());
    assert_eq!(key_id_of(&value_blob).unwrap().as_str(), "data");
}

#[test]
fn values_of_any_length() {
    for len in [0, 1, 15, 16, 17, 65_536] {
        let plain = vec![0x5A; len];
        let blob = key(DataKey::from_bytes, 1).seal_value(&AT, &plain, &e()).unwrap();
        assert_eq!(blob.len(), 2 + 4 + 12 + len + 16);
        let opened = key(DataKey::from_bytes, 1).open_value(&AT, &blob).unwrap();
        assert_eq!(opened.expose(), plain);
    }
}

#[test]
fn every_field_of_a_value_counts() {
    let blob = key(DataKey::from_bytes, 1).seal_value(&AT, b"v", &e()).unwrap();
    let data = key(DataKey::from_bytes, 1);
    data.open_value(&AT, &blob).unwrap();
    refused(data.open_value(&SecretVersion { tenant: "tnt_b", ..AT }, &blob));
    refused(data.open_value(&SecretVersion { secret_id: "sec_2", ..AT }, &blob));
    refused(data.open_value(&SecretVersion { version: 8, ..AT }, &blob));
    refused(data.open_value(&SecretVersion { tenant: "sec_1", secret_id: "tnt_a", ..AT }, &blob));
    refused(key(DataKey::from_bytes, 2).open_value(&AT, &blob));
}

#[test]
fn every_field_of_a_data_key_counts() {
    let tenant = key(TenantKey::from_bytes, 1);
    let blob = tenant.wrap_data_key(&id(), &key(DataKey::from_bytes, 9), &AT, "a/b", &e()).unwrap();
    assert_eq!(tenant.unwrap_data_key(&blob, &AT, "a/b").unwrap().bytes(), &[9; 32]);
    refused(tenant.unwrap_data_key(&blob, &AT, "a/c"));
    refused(tenant.unwrap_data_key(&blob, &SecretVersion { tenant: "tnt_b", ..AT }, "a/b"));
    refused(tenant.unwrap_data_key(&blob, &SecretVersion { secret_id: "sec_2", ..AT }, "a/b"));
    refused(tenant.unwrap_data_key(&blob, &SecretVersion { version: 6, ..AT }, "a/b"));
    refused(key(TenantKey::from_bytes, 2).unwrap_data_key(&blob, &AT, "a/b"));
}

#[test]
fn every_field_of_the_upper_keys_counts() {
    let (root, partner) = (key(RootKey::from_bytes, 1), key(PartnerKey::from_bytes, 2));
    let tenant = key(TenantKey::from_bytes, 3);

    let blob = root.wrap_partner(&id(), &partner, "ptn_1", &e()).unwrap();
    assert_eq!(root.unwrap_partner(&blob, "ptn_1").unwrap().bytes(), &[2; 32]);
    refused(root.unwrap_partner(&blob, "ptn_2"));
    refused(key(RootKey::from_bytes, 9).unwrap_partner(&blob, "ptn_1"));
    // A partner key put where the instance key should stand.
    refused(root.unwrap_instance(&blob));

    let blob = partner.wrap_tenant(&id(), &tenant, "tnt_a", "ptn_1", &e()).unwrap();
    assert_eq!(partner.unwrap_tenant(&blob, "tnt_a", "ptn_1").unwrap().bytes(), &[3; 32]);
    refused(partner.unwrap_tenant(&blob, "tnt_b", "ptn_1"));
    refused(partner.unwrap_tenant(&blob, "tnt_a", "ptn_2"));
    refused(partner.unwrap_tenant(&blob, "ptn_1", "tnt_a"));
    refused(partner.unwrap_namespace(&blob, "ptn_1"));

    let blob = partner.wrap_namespace(&id(), &tenant, "ptn_1", &e()).unwrap();
    assert_eq!(partner.unwrap_namespace(&blob, "ptn_1").unwrap().bytes(), &[3; 32]);
    refused(partner.unwrap_namespace(&blob, "ptn_2"));
    refused(partner.unwrap_tenant(&blob, "ptn_1", "ptn_1"));

    let blob = root.wrap_instance(&id(), &key(InstanceKey::from_bytes, 4), &e()).unwrap();
    assert_eq!(root.unwrap_instance(&blob).unwrap().bytes(), &[4; 32]);
    refused(key(RootKey::from_bytes, 9).unwrap_instance(&blob));
    refused(root.unwrap_partner(&blob, ""));
}

#[test]
fn every_field_of_an_item_counts() {
    let tenant = key(TenantKey::from_bytes, 1);
    let blob = tenant.seal_item(&id(), &ITEM, b"hook", &e()).unwrap();
    assert_eq!(tenant.open_item(&ITEM, &blob).unwrap().expose(), b"hook");
    refused(tenant.open_item(&TenantItem { purpose: "kept_answer", ..ITEM }, &blob));
    refused(tenant.open_item(&TenantItem { tenant: "tnt_b", ..ITEM }, &blob));
    refused(tenant.open_item(&TenantItem { item_id: "wh_2", ..ITEM }, &blob));
    refused(key(TenantKey::from_bytes, 2).open_item(&ITEM, &blob));

    let instance = key(InstanceKey::from_bytes, 1);
    let blob = instance.seal_item(&id(), &INSTANCE_ITEM, b"seed", &e()).unwrap();
    assert_eq!(instance.open_item(&INSTANCE_ITEM, &blob).unwrap().expose(), b"seed");
    refused(instance.open_item(&InstanceItem { purpose: "jwt_key", ..INSTANCE_ITEM }, &blob));
    refused(instance.open_item(&InstanceItem { item_id: "k_8", ..INSTANCE_ITEM }, &blob));
    // The same bytes as a key of another level do not help: the purposes differ.
    refused(tenant.open_item(&ITEM, &blob));
}

/// A wrap must hold a key, not just anything the same key has sealed.
#[test]
fn an_item_is_no_data_key() {
    let tenant = key(TenantKey::from_bytes, 1);
    let blob = tenant.seal_item(&id(), &ITEM, &[0; 32], &e()).unwrap();
    refused(tenant.unwrap_data_key(&blob, &AT, "a/b"));

    let short = aead::seal(&[1; 32], &id(), &Aad::DataKey { at: AT, path: "a" }, &[0; 31], &e());
    refused(tenant.unwrap_data_key(&short.unwrap(), &AT, "a"));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let tenant = key(TenantKey::from_bytes, 1);
    let blob = tenant.seal_item(&id(), &ITEM, b"some plaintext", &e()).unwrap();
    for bit in 0..blob.len() * 8 {
        let mut flipped = blob.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(tenant.open_item(&ITEM, &flipped));
    }
}

#[test]
fn every_truncation_and_extension_is_noticed() {
    let tenant = key(TenantKey::from_bytes, 1);
    let blob = tenant.seal_item(&id(), &ITEM, b"some plaintext", &e()).unwrap();
    for len in 0..blob.len() {
        refused(tenant.open_item(&ITEM, &blob[..len]));
        refused(tenant.open_item(&ITEM, &blob[blob.len() - len..]));
    }
    refused(tenant.open_item(&ITEM, &[&blob[..], &[0]].concat()));
}

/// The id in the header is authenticated: another key's id of the same length is refused even though
/// the key, nonce and ciphertext are right.
#[test]
fn a_renamed_key_is_noticed() {
    let tenant = key(TenantKey::from_bytes, 1);
    let blob = tenant.seal_item(&id(), &ITEM, b"x", &e()).unwrap();
    let mut renamed = blob.clone();
    renamed[2..8].copy_from_slice(b"k_01JB");
    assert_eq!(key_id_of(&renamed).unwrap().as_str(), "k_01JB");
    refused(tenant.open_item(&ITEM, &renamed));
}

#[test]
fn key_id_of_refuses_what_is_no_blob() {
    let no_body = [&[1, 2][..], b"id", &[0; 12 + 15]].concat();
    let bad_id = [&[1, 2][..], b"i/", &[0; 12 + 16]].concat();
    let no_id = [&[1, 0][..], &[0; 12 + 16]].concat();
    let other_format = [&[2, 2][..], b"id", &[0; 12 + 16]].concat();
    for bad in [&[][..], &[1], &[1, 255], &no_body, &bad_id, &no_id, &other_format] {
        refused(key_id_of(bad));
    }
}

/// Fixed nonce and key, checked against an independent AES-256-GCM (Python's `cryptography`).
#[test]
fn known_blob() {
    let nonce = Replay::new(&[0x0A; 12]);
    let blob = key(DataKey::from_bytes, 0x42).seal_value(&AT, b"scaivault", &nonce).unwrap();
    let expected =
        concat!("0104646174610a0a0a0a0a0a0a0a0a0a0a0a", "7c4a217cecc48292ae099a5c3bfb3f3d2331ec3ab1b5631cd6",);
    assert_eq!(hex(&blob), expected);
}

#[test]
fn nonces_are_fresh() {
    let tenant = key(TenantKey::from_bytes, 1);
    let seal = || tenant.seal_item(&id(), &ITEM, b"same", &e()).unwrap();
    assert_ne!(seal()[8..20], seal()[8..20]);
}

#[test]
fn without_randomness_nothing_is_sealed() {
    let tenant = key(TenantKey::from_bytes, 1);
    let sealed = tenant.seal_item(&id(), &ITEM, b"x", &NoEntropy);
    assert_eq!(sealed.unwrap_err(), CryptoError::Entropy);
}

proptest! {
    #[test]
    fn arbitrary_bytes_neither_open_nor_crash(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        refused(key(TenantKey::from_bytes, 1).open_item(&ITEM, &bytes));
        if let Err(error) = key_id_of(&bytes) {
            prop_assert_eq!(error, CryptoError::Unopenable);
        }
    }

    #[test]
    fn whatever_is_sealed_opens(plain in prop::collection::vec(any::<u8>(), 0..300), tenant in ".{0,20}") {
        let at = SecretVersion { tenant: &tenant, ..AT };
        let blob = key(DataKey::from_bytes, 1).seal_value(&at, &plain, &e()).unwrap();
        let opened = key(DataKey::from_bytes, 1).open_value(&at, &blob).unwrap();
        prop_assert_eq!(opened.expose(), plain.as_slice());
    }
}
