use std::collections::BTreeMap;
use std::collections::BTreeSet;

use proptest::prelude::*;
use scaivault_crypto::digest;
use serde_json::Value;
use serde_json::json;

use super::*;

fn entry() -> AuditEntry {
    let text = |s: &str| Some(s.to_owned());
    AuditEntry {
        acting_partner_id: text("ptn_1"),
        acting_tenant_id: text("tnt_home"),
        action: "read".to_owned(),
        chain: text("node-1"),
        duration_ms: 3,
        error_code: text("forbidden"),
        extra_data: BTreeMap::from([
            ("version".to_owned(), json!(7)),
            ("changed".to_owned(), json!(["a", "b"])),
            ("permanent".to_owned(), json!(false)),
            ("reason".to_owned(), json!("line\nbreak \"quoted\" \u{2028} é 🦀 \u{7f}")),
        ]),
        id: "log_01".to_owned(),
        identity_id: text("user:a@x.example"),
        identity_type: text("user"),
        prev_hash: GENESIS_HASH.to_owned(),
        request_id: "req_1".to_owned(),
        resource_id: text("pol_1"),
        secret_path: text("a/b"),
        seq: 1,
        source_ip: text("192.0.2.1"),
        status_code: 403,
        success: false,
        target_tenant_id: text("tnt_a"),
        tenant_id: text("tnt_a"),
        timestamp: "2026-05-01T10:00:00.000001Z".to_owned(),
        token_ref: text("sha256:0b3fd4409938d71a"),
        user_agent: text("curl\t8\u{0}\u{1f}\\"),
    }
}

fn sparse() -> AuditEntry {
    AuditEntry {
        acting_partner_id: None,
        acting_tenant_id: None,
        chain: None,
        error_code: None,
        extra_data: BTreeMap::new(),
        identity_id: None,
        identity_type: None,
        resource_id: None,
        secret_path: None,
        source_ip: None,
        target_tenant_id: None,
        tenant_id: None,
        token_ref: None,
        user_agent: None,
        ..entry()
    }
}

/// RFC 8785, 3.2.2.2, written down a second time straight from its text, to compare with.
fn rfc_8785_string(text: &str) -> Vec<u8> {
    let mut out = vec![b'"'];
    for c in text.chars() {
        match c {
            '\u{8}' => out.extend(b"\\b"),
            '\t' => out.extend(b"\\t"),
            '\n' => out.extend(b"\\n"),
            '\u{c}' => out.extend(b"\\f"),
            '\r' => out.extend(b"\\r"),
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\0'..='\u{1f}' => out.extend(format!("\\u{:04x}", u32::from(c)).bytes()),
            other => out.extend(other.to_string().bytes()),
        }
    }
    out.push(b'"');
    out
}

#[test]
fn serde_json_escapes_every_character_as_rfc_8785_does() {
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        assert_eq!(serde_json::to_vec(&text).unwrap(), rfc_8785_string(&text), "{c:?}");
    }
    // Nor does what stands around it matter.
    let all: String = ('\0'..='\u{2100}').chain('\u{ff00}'..='\u{10100}').collect();
    assert_eq!(serde_json::to_vec(&all).unwrap(), rfc_8785_string(&all));
}

/// ECMAScript prints integers up to 2^53 - 1 in plain decimal; beyond, readers disagree.
#[test]
fn integers_are_plain_decimal_and_safe() {
    let largest = 9_007_199_254_740_991_i64;
    for n in [0, 1, -1, 10, 1_000_000, -largest, largest] {
        let canonical = canonical_json(&json!(n)).unwrap();
        assert_eq!(canonical, n.to_string().into_bytes());
        assert_eq!(serde_json::to_vec(&n).unwrap(), canonical);
    }
    for bad in [json!(largest + 1), json!(-largest - 1), json!(u64::MAX), json!(1.5), json!(1.0)] {
        assert_eq!(canonical_json(&bad), Err(AuditError::Number), "{bad}");
    }
}

#[test]
fn keys_are_sorted_as_utf_16() {
    // In UTF-8 U+FB33 sorts before U+1F602, in UTF-16 after it (the example of RFC 8785, 3.2.3).
    let value: Value =
        serde_json::from_str(r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#).unwrap();
    let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
    assert_eq!(String::from_utf8(canonical_json(&value).unwrap()).unwrap(), expected);
}

#[test]
fn nested_values_are_canonical_too() {
    let value = json!({"b": [{"z": null, "a": true}, []], "a": {}});
    assert_eq!(canonical_json(&value).unwrap(), br#"{"a":{},"b":[{"a":true,"z":null},[]]}"#);
}

/// Contract 06, section 4.
#[test]
fn contract_vector() {
    let raw = format!(
        r#"{{"action":"read","id":"log_1","prev_hash":"{GENESIS_HASH}","secret_path":"a/b","seq":1,"success":true,"tenant_id":"tnt_a","timestamp":"2026-05-01T10:00:00.000001Z"}}"#
    );
    let expected = "5d2d9a5c54360b1d789c660a9b8859bd6f855f7bff93fede5540df23f6e62231";
    assert_eq!(digest::hex(&digest::sha256(raw.as_bytes())), expected);

    let mut value: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(canonical_json(&value).unwrap(), raw.as_bytes());
    // As exported: with its hash, and with null fields.
    value["hash"] = json!(expected);
    value["error_code"] = Value::Null;
    assert_eq!(digest::hex(&hash_of_exported(&value).unwrap()), expected);
    assert_eq!(hash_of_exported(&json!([])), Err(AuditError::Serialise));
}

/// The declaration order of the fields is what makes serde_json's output canonical.
#[test]
fn an_entry_serialises_canonically() {
    for entry in [entry(), sparse()] {
        let direct = entry.canonical_json().unwrap();
        let value: Value = serde_json::from_slice(&direct).unwrap();
        assert_eq!(direct, canonical_json(&value).unwrap());
        assert_eq!(entry.hash().unwrap(), digest::sha256(&direct));
        assert_eq!(entry.hash().unwrap(), hash_of_exported(&value).unwrap());
        assert_eq!(serde_json::from_slice::<AuditEntry>(&direct).unwrap(), entry);
    }
}

#[test]
fn absent_fields_are_left_out() {
    let expected = format!(
        r#"{{"action":"read","duration_ms":3,"extra_data":{{}},"id":"log_01","prev_hash":"{GENESIS_HASH}","request_id":"req_1","seq":1,"status_code":403,"success":false,"timestamp":"2026-05-01T10:00:00.000001Z"}}"#
    );
    assert_eq!(String::from_utf8(sparse().canonical_json().unwrap()).unwrap(), expected);
}

#[test]
fn every_field_changes_the_hash() {
    let whole = serde_json::to_value(entry()).unwrap();
    let fields = whole.as_object().unwrap();
    assert_eq!(fields.len(), 23);
    let mut hashes = BTreeSet::from([hash_of_exported(&whole).unwrap()]);
    for name in fields.keys() {
        let mut changed = fields.clone();
        changed.insert(name.clone(), json!("changed"));
        assert!(hashes.insert(hash_of_exported(&Value::Object(changed)).unwrap()), "{name}");
    }
}

#[test]
fn what_has_no_canonical_form_is_refused() {
    let with = |key: &str, value: Value| {
        let mut entry = sparse();
        entry.extra_data.insert(key.to_owned(), value);
        entry.canonical_json().unwrap_err()
    };
    assert_eq!(with("n", json!(1.5)), AuditError::Number);
    assert_eq!(with("n", json!(1_i64 << 53)), AuditError::Number);
    assert_eq!(with("n", Value::Null), AuditError::ExtraType);
    assert_eq!(with("n", json!({})), AuditError::ExtraType);
    assert_eq!(with("n", json!(["a", 1])), AuditError::ExtraType);
    assert_eq!(with("", json!(1)), AuditError::ExtraKey);
    assert_eq!(with("é", json!(1)), AuditError::ExtraKey);
    assert_eq!(with("a b", json!(1)), AuditError::ExtraKey);
    let far = AuditEntry { seq: 1 << 53, ..sparse() };
    assert_eq!(far.canonical_json(), Err(AuditError::Number));
}

#[test]
fn a_stored_entry_with_an_unknown_field_is_not_silently_cut() {
    let mut value = serde_json::to_value(entry()).unwrap();
    value["surprise"] = json!(1);
    assert!(serde_json::from_value::<AuditEntry>(value).is_err());
}

#[test]
fn actions_are_those_of_the_contract() {
    let names = "read write delete list rotate policy_create policy_update policy_delete \
        policy_bind policy_unbind pki_issue pki_sign pki_revoke pki_ca_create dynamic_generate \
        dynamic_renew dynamic_revoke webhook_delivery subscription_event federation_sync \
        identity_sync export_created restore move copy purge auth_failure token_create \
        token_revoke login identity_change config_change config_read generate_preview \
        audit_read system_change";
    let contract: BTreeSet<&str> = names.split_whitespace().collect();
    let ours: BTreeSet<&str> = AuditAction::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(ours, contract);
    assert_eq!(AuditAction::ALL.len(), contract.len());
    for action in AuditAction::ALL {
        assert_eq!(AuditAction::parse(action.as_str()), Some(*action));
        assert_eq!(action.to_string(), action.as_str());
    }
    for bad in ["", "foo", "Read", "read "] {
        assert_eq!(AuditAction::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn a_checkpoint_is_signed_as_canonical_json() {
    let checkpoint = Checkpoint {
        chain: None,
        hash: "ab".repeat(32),
        key_id: "k_1".to_owned(),
        seq: 1_000,
        stream: "tnt_a".to_owned(),
        timestamp: "2026-05-01T10:00:00.000001Z".to_owned(),
    };
    let bytes = checkpoint.signed_bytes().unwrap();
    let json = bytes.strip_prefix(b"scaivault/audit-checkpoint/v1\n").unwrap();
    let value: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(json, canonical_json(&value).unwrap());
    assert_eq!(value.as_object().unwrap().len(), 5);

    for changed in [
        Checkpoint { chain: Some("node-1".to_owned()), ..checkpoint.clone() },
        Checkpoint { hash: "cd".repeat(32), ..checkpoint.clone() },
        Checkpoint { key_id: "k_2".to_owned(), ..checkpoint.clone() },
        Checkpoint { seq: 999, ..checkpoint.clone() },
        Checkpoint { stream: INSTANCE_STREAM.to_owned(), ..checkpoint.clone() },
        Checkpoint { timestamp: "2026-05-01T10:00:00.000002Z".to_owned(), ..checkpoint.clone() },
    ] {
        assert_ne!(changed.signed_bytes().unwrap(), bytes);
    }
    let far = Checkpoint { seq: i64::MAX, ..checkpoint };
    assert_eq!(far.signed_bytes(), Err(AuditError::Number));
}

fn extra_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991..=9_007_199_254_740_991_i64).prop_map(Value::from),
        prop::collection::vec(any::<String>(), 0..3).prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn any_entry_serialises_canonically(
        extra_data in prop::collection::btree_map("[!-~]{1,6}", extra_value(), 0..6),
        user_agent in any::<Option<String>>(),
        secret_path in any::<Option<String>>(),
    ) {
        let entry = AuditEntry { extra_data, user_agent, secret_path, ..entry() };
        let direct = entry.canonical_json().unwrap();
        let value: Value = serde_json::from_slice(&direct).unwrap();
        prop_assert_eq!(&direct, &canonical_json(&value).unwrap());
        prop_assert_eq!(entry.hash().unwrap(), hash_of_exported(&value).unwrap());
    }
}
