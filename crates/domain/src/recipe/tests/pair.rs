//! Generators with two outputs. That the two belong together: V-4, V-5 in the integration tests.

use super::*;

/// What a recipe of one field makes, by name.
fn made(name: &str, generator: &str, config: &str) -> Vec<(String, String)> {
    values(&recipe(&format!(r#"[{{"name":"{name}","generator":"{generator}","config":{config}}}]"#)))
}

fn names(made: &[(String, String)]) -> Vec<&str> {
    made.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn v_4_the_second_output_has_its_default_name() {
    assert_eq!(names(&made("private_key", "ec_keypair", "{}")), ["private_key", "public_key"]);
    assert_eq!(names(&made("key", "ssh_keypair", "{}")), ["key", "key_public"]);
    assert_eq!(names(&made("key", "ec_keypair", r#"{"public_field":"pub"}"#)), ["key", "pub"]);
    assert_eq!(names(&made("pw", "bcrypt_hash", r#"{"rounds":4}"#)), ["pw", "pw_hash"]);
    assert_eq!(names(&made("private_key", "bcrypt_hash", r#"{"rounds":4,"hash_field":"h"}"#)), ["private_key", "h"]);
}

#[test]
fn v_4_each_kind_has_its_form() {
    for (generator, config, private, public) in [
        ("rsa_keypair", "{}", "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PUBLIC KEY-----\n"),
        ("ec_keypair", r#"{"curve":"P-384"}"#, "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PUBLIC KEY-----\n"),
        ("ssh_keypair", r#"{"comment":"c"}"#, "-----BEGIN OPENSSH PRIVATE KEY-----\n", "ssh-ed25519 AAAA"),
    ] {
        let made = made("k", generator, config);
        assert!(made[0].1.starts_with(private) && made[1].1.starts_with(public), "{generator}");
    }
}

#[test]
fn v_5_a_password_has_its_length_and_rounds() {
    let made = made("pw", "bcrypt_hash", r#"{"length":72,"rounds":5}"#);
    assert!(made[0].1.len() == 72 && made[0].1.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(made[1].1.starts_with("$2b$05$") && made[1].1.len() == 60);
}

#[test]
fn v_9_bad_settings_are_named() {
    for (generator, config, expected) in [
        ("rsa_keypair", r#"{"bits":1024}"#, "bits:Range"),
        ("rsa_keypair", r#"{"bits":"2048"}"#, "bits:Type"),
        ("rsa_keypair", r#"{"curve":"P-256"}"#, "curve:Unknown"),
        ("rsa_keypair", r#"{"hash_field":"h"}"#, "hash_field:Unknown"),
        ("ec_keypair", r#"{"curve":"P-521"}"#, "curve:Format"),
        ("ec_keypair", r#"{"public_field":"a b"}"#, "public_field:Format"),
        ("ec_keypair", r#"{"public_field":"v"}"#, "public_field:Conflict"),
        ("ssh_keypair", r#"{"key_type":"dsa"}"#, "key_type:Format"),
        ("ssh_keypair", r#"{"comment":"a\nb"}"#, "comment:Format"),
        ("ssh_keypair", r#"{"bits":4096}"#, "bits:Unknown"),
        ("bcrypt_hash", r#"{"length":73}"#, "length:Range"),
        ("bcrypt_hash", r#"{"length":0}"#, "length:Range"),
        ("bcrypt_hash", r#"{"rounds":3}"#, "rounds:Range"),
        ("bcrypt_hash", r#"{"rounds":17}"#, "rounds:Range"),
        ("bcrypt_hash", r#"{"hash_field":""}"#, "hash_field:Format"),
        ("bcrypt_hash", r#"{"charset":"hex"}"#, "charset:Unknown"),
    ] {
        assert_eq!(faults(one(generator, config)), [format!("fields[0].config.{expected}")], "{generator} {config}");
    }
    let all = r#"{"key_type":"dsa","comment":7,"public_field":7,"x":1}"#;
    assert_eq!(
        faults(one("ssh_keypair", all)),
        ["comment:Type", "key_type:Format", "public_field:Type", "x:Unknown"]
            .map(|at| format!("fields[0].config.{at}"))
    );
}

#[test]
fn no_two_outputs_have_one_name() {
    let faults = |text: &str| faults(Recipe::parse(text));
    let taken = r#"[{"name":"key_public","generator":"uuid"},{"name":"key","generator":"ec_keypair"}]"#;
    assert_eq!(faults(taken), ["fields[1].config.public_field:Conflict"]);
    let taken = r#"[{"name":"pw","generator":"bcrypt_hash"},{"name":"pw_hash","generator":"uuid"}]"#;
    assert_eq!(faults(taken), ["fields[1].name:Conflict"]);
    // The default of the second name is too long; one has to be given.
    let long = "k".repeat(128);
    let field = |config: &str| format!(r#"[{{"name":"{long}","generator":"ec_keypair","config":{config}}}]"#);
    assert_eq!(faults(&field("{}")), ["fields[0].config.public_field:Format"]);
    assert!(faults(&field(r#"{"public_field":"p"}"#)).is_empty());
}

#[test]
fn stored_pairs_are_read_back() {
    let first = recipe(
        r#"[{"name":"a","generator":"rsa_keypair","config":{"bits":4096}},{"name":"b","generator":"rsa_keypair"},
        {"name":"c","generator":"ec_keypair","config":{"curve":"P-384"}},{"name":"d","generator":"ssh_keypair"},
        {"name":"e","generator":"ssh_keypair","config":{"key_type":"rsa","comment":"c","public_field":"f"}},
        {"name":"private_key","generator":"ec_keypair"},{"name":"pw","generator":"bcrypt_hash"}]"#,
    );
    let stored = first.to_json();
    assert_eq!(recipe(&stored.to_string()), first);
    assert_eq!(stored[1]["config"], json!({"bits": 2048, "public_field": "b_public"}));
    assert_eq!(stored[3]["config"], json!({"key_type": "ed25519", "comment": "", "public_field": "d_public"}));
    assert_eq!(stored[5]["config"], json!({"curve": "P-256", "public_field": "public_key"}));
    assert_eq!(stored[6]["config"], json!({"length": 32, "rounds": 12, "hash_field": "pw_hash"}));
    assert_eq!(first.outputs().count(), 14);
}

#[test]
fn what_is_slow_is_known() {
    let slow = |generator, config| one(generator, config).is_ok_and(|recipe| recipe.is_slow());
    assert!(slow("rsa_keypair", "{}") && slow("ssh_keypair", r#"{"key_type":"rsa"}"#) && slow("bcrypt_hash", "{}"));
    assert!(!slow("ec_keypair", "{}") && !slow("ssh_keypair", "{}") && !slow("random", "{}"));
}
