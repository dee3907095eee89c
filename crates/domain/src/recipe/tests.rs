use std::collections::HashMap;

use proptest::prelude::*;
use scaivault_crypto::entropy::SystemEntropy;

use super::*;

mod pair;

const SAMPLE: &str = r#"[{"name":"password","generator":"random","config":{"length":24,"charset":"safe","require_upper":true,
    "require_lower":true,"require_digit":true,"require_symbol":true}}]"#;

fn recipe(text: &str) -> Recipe {
    Recipe::parse(text).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn secret(text: &str) -> SecretString {
    SecretString::new(text.to_owned())
}

/// A recipe of one field named `v`.
fn one(generator: &str, config: &str) -> Result<Recipe, Vec<RecipeFault>> {
    Recipe::parse(&format!(r#"[{{"name":"v","generator":"{generator}","config":{config}}}]"#))
}

/// The faults as `field:kind`.
fn faults(result: Result<Recipe, Vec<RecipeFault>>) -> Vec<String> {
    result.err().unwrap_or_default().iter().map(|fault| format!("{}:{:?}", fault.field, fault.kind)).collect()
}

fn values(recipe: &Recipe) -> Vec<(String, String)> {
    let made = recipe.generate(&SystemEntropy::new(), Timestamp::from_seconds(1_700_000_000)).unwrap();
    made.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect()
}

fn value(generator: &str, config: &str) -> String {
    values(&one(generator, config).unwrap_or_else(|faults| panic!("{faults:?}"))).remove(0).1
}

#[test]
fn v_1_the_sample_recipe_keeps_its_promise_10_000_times() {
    let recipe = recipe(SAMPLE);
    for _ in 0..10_000 {
        let made = values(&recipe);
        let (name, value) = &made[0];
        assert_eq!((name.as_str(), value.len()), ("password", 24));
        assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)), "{value}");
        assert!(value.chars().any(|c| c.is_ascii_uppercase()) && value.chars().any(|c| c.is_ascii_lowercase()));
        assert!(value.chars().any(|c| c.is_ascii_digit()) && value.chars().any(|c| "-_.~".contains(c)));
    }
}

#[test]
fn v_2_impossible_requirements_are_refused() {
    assert_eq!(
        faults(one("random", r#"{"charset":"numeric","require_upper":true}"#)),
        ["fields[0].config.require_upper:Range"]
    );
    let four = r#"{"length":3,"charset":"ascii","require_upper":true,"require_lower":true,"require_digit":true,"require_symbol":true}"#;
    assert_eq!(faults(one("random", four)), ["fields[0].config.length:Range"]);
    assert!(one("random", &four.replace('3', "4")).is_ok());
}

#[test]
fn v_3_templates_know_four_placeholders() {
    let made = value("template", r#"{"template":"db-{{random:8}}-{{uuid}}"}"#);
    let parts: Vec<&str> = made.splitn(3, '-').collect();
    assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("db", 8, 36), "{made}");
    assert!(parts[1].chars().all(|c| c.is_ascii_alphanumeric()));
    assert!(parts[2].chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c)));
    assert_eq!(value("template", r#"{"template":"}} {{timestamp}}{"}"#), "}} 1700000000{");
    assert_eq!(value("template", r#"{"template":"{{hex:5}}"}"#).len(), 5);
    for bad in [
        "{{env:HOME}}",
        "{{",
        "{{uuid",
        "{{uuid:1}}",
        "{{random}}",
        "{{random:0}}",
        "{{random:+1}}",
        "{{hex:4097}}",
        "{{ uuid }}",
        "{{}}",
    ] {
        assert_eq!(
            faults(one("template", &format!(r#"{{"template":"{bad}"}}"#))),
            ["fields[0].config.template:Format"],
            "{bad}"
        );
    }
    assert_eq!(faults(one("template", "{}")), ["fields[0].config.template:Required"]);
    assert_eq!(
        faults(one("template", &format!(r#"{{"template":"{}"}}"#, "x".repeat(4097)))),
        ["fields[0].config.template:Format"]
    );
}

#[test]
fn v_9_what_is_unknown_is_named() {
    let faults = |text: &str| faults(Recipe::parse(text));
    let bad = Recipe::parse(r#"[{"name":"v","generator":"dsa_keypair"}]"#).unwrap_err();
    assert_eq!(
        bad[0].message,
        "must be one of random, hex, uuid, template, rsa_keypair, ec_keypair, ssh_keypair, bcrypt_hash, static"
    );
    assert_eq!(
        faults(
            r#"[{"name":"a b","generator":"random","config":{"charset":"latin","size":3,"length":"5"},"x":1},
            {"generator":"uuid","config":{"version":5}},{"name":"s","generator":"static"},7,
            {"name":"d","generator":"hex","config":{"length":0}},{"name":"d","generator":"hex","config":null}]"#
        ),
        [
            "fields[0].name:Format",
            "fields[0].x:Unknown",
            "fields[0].config.length:Type",
            "fields[0].config.charset:Format",
            "fields[0].config.size:Unknown",
            "fields[1].name:Required",
            "fields[1].config.version:Range",
            "fields[2].config.value:Required",
            "fields[3]:Type",
            "fields[4].config.length:Range",
            "fields[5].config:Type",
        ]
    );
    assert_eq!(
        faults(r#"[{"name":"d","generator":"hex"},{"name":"d","generator":"uuid"}]"#),
        ["fields[1].name:Conflict"]
    );
    for bad in ["{}", "5", "[1e400]", ""] {
        assert_eq!(faults(bad), ["fields:Type"], "{bad}");
    }
    assert_eq!(faults("[]"), ["fields:Range"]);
    assert_eq!(faults(&format!("[{}]", vec!["{}"; 21].join(","))), ["fields:Range"]);
}

#[test]
fn custom_charsets_count_distinct_characters() {
    let made = value("random", r#"{"length":400,"charset":"custom","custom_charset":"ééab"}"#);
    assert_eq!(made.chars().count(), 400);
    let mut counts: HashMap<char, u32> = HashMap::new();
    made.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|count| (80..190).contains(count)), "é is as likely as the others: {counts:?}");
    for (config, fault) in [
        (r#"{"charset":"custom"}"#, "Required"),
        (r#"{"charset":"custom","custom_charset":"aa"}"#, "Range"),
        (r#"{"custom_charset":"ab"}"#, "Conflict"),
    ] {
        assert_eq!(faults(one("random", config)), [format!("fields[0].config.custom_charset:{fault}")]);
    }
}

#[test]
fn uuids_have_their_version() {
    assert_eq!(value("uuid", "{}").as_bytes()[14], b'4');
    let seven = value("uuid", r#"{"version":7}"#);
    assert_eq!(seven.as_bytes()[14], b'7');
    assert_eq!(u64::from_str_radix(&seven.replace('-', "")[..12], 16).unwrap(), 1_700_000_000_000);
}

#[test]
fn named_charsets_have_their_sizes() {
    let sizes = Charset::NAMED.map(|set| set.characters().len());
    assert_eq!(sizes, [62, 52, 10, 26, 26, 16, 66, 32, 94]);
}

#[test]
fn the_stored_form_is_read_back() {
    let text = r#"[{"name":"a","generator":"random","config":{"charset":"custom","custom_charset":"ab1","require_digit":true}},
        {"name":"b","generator":"hex"},{"name":"c","generator":"uuid","config":{"version":7}},{"name":"u","generator":"uuid"},
        {"name":"d","generator":"template","config":{"template":"x{{uuid}}"}},{"name":"e","generator":"static","config":{"value":""}}]"#;
    let first = recipe(text);
    let stored = first.to_json();
    assert_eq!(recipe(&stored.to_string()), first);
    assert_eq!(stored[1], json!({"name": "b", "generator": "hex", "config": {"length": 32}}));
    assert_eq!(recipe(SAMPLE).to_json(), serde_json::from_str::<Value>(SAMPLE).unwrap());
    assert!(!format!("{first:?}").contains("{{uuid}}"));
}

#[test]
fn the_built_in_recipe_picks_one_field() {
    for (data, field) in [
        (r#"{"whatever":"x"}"#, Some("whatever")),
        (r#"{"n":1e400,"whatever":"x"}"#, Some("whatever")),
        (r#"{"username":"u","password":"old"}"#, Some("password")),
        (r#"{"username":"u","password":"x","token":"y"}"#, None),
        (r#"{"a":"u","b":"x"}"#, None),
        (r#"{"token":5}"#, Some("token")),
        ("{}", None),
        ("[]", None),
    ] {
        let recipe = builtin(data);
        assert_eq!(recipe.as_ref().map(|recipe| recipe.fields()[0].name.as_str()), field, "{data}");
        if let Some(recipe) = recipe {
            let value = &values(&recipe)[0].1;
            assert!(value.len() == 32 && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)));
        }
    }
}

#[test]
fn v_6_overlaid_data_keeps_all_else() {
    let new = [("password", "n\"1"), ("extra", "é")].map(|(name, value)| (name.to_owned(), secret(value)));
    assert_eq!(
        overlay(r#"{"z":1.50,"password":"old","big":12345678901234567890,"o":{"b":1e400,"a":[ ]}}"#, &new).unwrap(),
        r#"{"z":1.50,"password":"n\"1","big":12345678901234567890,"o":{"b":1e400,"a":[ ]},"extra":"é"}"#
    );
    assert_eq!(overlay(r#"{"p\u0061ssword":1}"#, &new[..1]).unwrap(), r#"{"password":"n\"1"}"#);
    assert_eq!(overlay("{}", &[]).unwrap(), "{}");
    assert_eq!(overlay("{}", &new[..1]).unwrap(), r#"{"password":"n\"1"}"#);
    assert_eq!(overlay("[]", &new), None);
}

proptest! {
    #[test]
    fn random_values_meet_their_recipe(length in 4u32..200, set in 0..9usize, upper: bool, lower: bool, digit: bool, symbol: bool) {
        let charset = Charset::NAMED[set].clone();
        let characters = charset.characters();
        let require = Classes { upper, lower, digit, symbol };
        let possible = require.demanded().iter().all(|(_, is_of)| characters.iter().any(|&c| is_of(c)));
        let random = Random::new(length, charset, require);
        prop_assert_eq!(random.is_ok(), possible);
        if let Ok(random) = random {
            let value = random.generate(&SystemEntropy::new()).unwrap();
            prop_assert_eq!(value.chars().count(), length as usize);
            prop_assert!(value.chars().all(|c| characters.contains(&c)));
            for (_, is_of) in require.demanded() {
                prop_assert!(value.chars().any(is_of));
            }
        }
    }

    #[test]
    fn templates_fill_to_their_length(random in 1u32..300, hex in 1u32..300, text in "[a-z}-]{0,20}") {
        let template = Template::parse(&format!("{text}{{{{random:{random}}}}}-{{{{hex:{hex}}}}}")).unwrap();
        let made = template.fill(&SystemEntropy::new(), Timestamp::UNIX_EPOCH).unwrap();
        prop_assert_eq!(made.len(), text.len() + (random + hex) as usize + 1);
        prop_assert!(made.starts_with(&text));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}", name in "\\PC{0,9}") {
        let _ = Recipe::parse(&text);
        let _ = Template::parse(&text);
        let _ = overlay(&text, &[(name, secret(&text))]);
    }
}
