//! What recipes make (V-1 to V-3, V-9). Key pairs and hashes (V-4, V-5): `pair`.

use std::collections::HashSet;

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{RECIPES, random, sample};

type Class = fn(u8) -> bool;

async fn preview(app: &TestApp, fields: Value) -> Value {
    let answer = app.root().post(&format!("{RECIPES}/preview"), json!({"fields": fields})).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()["data"].clone()
}

#[tokio::test]
async fn v_1_ten_thousand_values_of_the_sample() {
    let app = TestApp::new().await;
    let fields: Vec<Value> = (0..20)
        .map(|n| {
            let mut field = sample();
            field["name"] = json!(format!("f{n}"));
            field
        })
        .collect();
    let mut seen = HashSet::new();
    for _ in 0..500 {
        let data = preview(&app, json!(fields)).await;
        for value in data.as_object().unwrap().values() {
            let value = value.as_str().unwrap();
            let has = |class: fn(&u8) -> bool| value.as_bytes().iter().any(class);
            assert_eq!(value.len(), 24, "{value}");
            assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)), "{value}");
            let classes = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
            assert!(classes && has(|byte| b"-_.~".contains(byte)), "{value}");
            assert!(seen.insert(value.to_owned()), "{value} came twice");
        }
    }
    assert_eq!(seen.len(), 10_000);
}

#[rstest]
#[case::class_not_in_the_charset(json!({"charset": "numeric", "require_upper": true}))]
#[case::too_short_for_its_classes(json!({"length": 3, "charset": "ascii", "require_upper": true, "require_lower": true, "require_digit": true, "require_symbol": true}))]
#[case::symbols_in_alphanumeric(json!({"require_symbol": true}))]
#[case::zero(json!({"length": 0}))]
#[case::too_long(json!({"length": 4097}))]
#[case::custom_without_characters(json!({"charset": "custom"}))]
#[case::custom_of_one(json!({"charset": "custom", "custom_charset": "a"}))]
#[case::custom_of_one_twice(json!({"charset": "custom", "custom_charset": "aa"}))]
#[case::v_9_charset(json!({"charset": "emoji"}))]
#[case::v_9_key(json!({"len": 3}))]
#[case::v_9_type(json!({"length": "24"}))]
#[tokio::test]
async fn v_2_and_v_9_impossible_configurations_are_refused(#[case] config: Value) {
    let app = TestApp::new().await;
    let root = app.root();
    let fields = random(config);
    for answer in [
        root.post(&format!("{RECIPES}/preview"), json!({"fields": fields})).await,
        root.post(RECIPES, json!({"name": "x", "fields": fields})).await,
    ] {
        let answer = answer.expect_error(422, "validation_error");
        assert!(answer.faults().iter().all(|(field, _)| field.starts_with("fields[0]")), "{}", answer.text());
    }
}

#[rstest]
#[case::v_9_generator(json!([{"name": "v", "generator": "magic"}]), "fields[0].generator")]
#[case::v_9_hex_key(json!([{"name": "v", "generator": "hex", "config": {"charset": "hex"}}]), "fields[0].config.charset")]
#[case::v_9_field_key(json!([{"name": "v", "generator": "hex", "cfg": {}}]), "fields[0].cfg")]
#[case::v_9_rsa_bits(json!([{"name": "v", "generator": "rsa_keypair", "config": {"bits": 3072}}]), "fields[0].config.bits")]
#[case::v_9_curve(json!([{"name": "v", "generator": "ec_keypair", "config": {"curve": "P-521"}}]), "fields[0].config.curve")]
#[case::v_9_ssh_bits(json!([{"name": "v", "generator": "ssh_keypair", "config": {"bits": 4096}}]), "fields[0].config.bits")]
#[case::v_9_rounds(json!([{"name": "v", "generator": "bcrypt_hash", "config": {"rounds": 17}}]), "fields[0].config.rounds")]
#[case::same_output(json!([{"name": "a", "generator": "ec_keypair"}, {"name": "a_public", "generator": "hex"}]), "fields[1].name")]
#[case::uuid_version(json!([{"name": "v", "generator": "uuid", "config": {"version": 5}}]), "fields[0].config.version")]
#[case::static_value(json!([{"name": "v", "generator": "static"}]), "fields[0].config.value")]
#[case::no_template(json!([{"name": "v", "generator": "template", "config": {}}]), "fields[0].config.template")]
#[case::v_3_env(json!([{"name": "v", "generator": "template", "config": {"template": "{{env:HOME}}"}}]), "fields[0].config.template")]
#[case::bad_name(json!([{"name": "a b", "generator": "uuid"}]), "fields[0].name")]
#[case::long_name(json!([{"name": "n".repeat(129), "generator": "uuid"}]), "fields[0].name")]
#[case::same_name(json!([{"name": "a", "generator": "uuid"}, {"name": "a", "generator": "hex"}]), "fields[1].name")]
#[case::none(json!([]), "fields")]
#[case::too_many((0..21).map(|n| json!({"name": format!("f{n}"), "generator": "uuid"})).collect(), "fields")]
#[case::no_list(json!({}), "fields")]
#[tokio::test]
async fn v_9_bad_fields_are_named(#[case] fields: Value, #[case] field: &str) {
    let app = TestApp::new().await;
    let answer = app.root().post(&format!("{RECIPES}/preview"), json!({"fields": fields})).await;
    let answer = answer.expect_error(422, "validation_error");
    assert!(answer.faults().iter().any(|(name, _)| name == field), "{}", answer.text());
}

#[tokio::test]
async fn v_3_a_template_fits_its_pattern() {
    let app = TestApp::new().await;
    let template = "db-{{random:8}}-{{uuid}}";
    let fields = json!([{"name": "v", "generator": "template", "config": {"template": template}},
        {"name": "w", "generator": "template", "config": {"template": "{{hex:6}}/{{timestamp}} {{random:1}}"}}]);
    let data = preview(&app, fields).await;
    let value = data["v"].as_str().unwrap();
    let (random, uuid) = value.strip_prefix("db-").unwrap().split_at(8);
    assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{value}");
    let uuid = uuid.strip_prefix('-').unwrap();
    assert!(uuid.len() == 36 && uuid.bytes().all(|byte| b"0123456789abcdef-".contains(&byte)), "{value}");
    let second = data["w"].as_str().unwrap();
    assert_eq!(&second[6..18], "/1777629600 ", "{second}");
}

#[tokio::test]
async fn every_charset_draws_from_its_characters() {
    let app = TestApp::new().await;
    let table: [(&str, Class); 9] = [
        ("alphanumeric", |c| c.is_ascii_alphanumeric()),
        ("alpha", |c| c.is_ascii_alphabetic()),
        ("numeric", |c| c.is_ascii_digit()),
        ("lower", |c| c.is_ascii_lowercase()),
        ("upper", |c| c.is_ascii_uppercase()),
        ("hex", |c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)),
        ("safe", |c| c.is_ascii_alphanumeric() || b"-_.~".contains(&c)),
        ("symbols", |c| c.is_ascii_punctuation()),
        ("ascii", |c| c.is_ascii_graphic()),
    ];
    for (charset, belongs) in table {
        let data = preview(&app, random(json!({"charset": charset, "length": 4096}))).await;
        let drawn: HashSet<u8> = data["v"].as_str().unwrap().bytes().collect();
        let expected: HashSet<u8> = (0..128).filter(|byte| belongs(*byte)).collect();
        assert_eq!(drawn, expected, "{charset}");
    }
    let data = preview(&app, random(json!({"charset": "custom", "custom_charset": "äx", "length": 50}))).await;
    let value = data["v"].as_str().unwrap();
    assert!(value.chars().count() == 50 && value.chars().all(|c| "äx".contains(c)), "{value}");
}

#[tokio::test]
async fn simple_generators_and_their_defaults() {
    let app = TestApp::new().await;
    let fields = json!([
        {"name": "default", "generator": "random"},
        {"name": "nonce", "generator": "hex"},
        {"name": "short", "generator": "hex", "config": {"length": 1}},
        {"name": "old", "generator": "uuid"},
        {"name": "new", "generator": "uuid", "config": {"version": 7}},
        {"name": "fixed", "generator": "static", "config": {"value": "literal"}},
    ]);
    let data = preview(&app, fields).await;
    let text = |name: &str| data[name].as_str().unwrap();
    assert_eq!(data.as_object().unwrap().len(), 6);
    assert!(text("default").len() == 32 && text("default").bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(text("nonce").len() == 32 && text("nonce").bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
    assert_eq!((text("short").len(), text("fixed")), (1, "literal"));
    assert_eq!((text("old").as_bytes()[14], text("new").as_bytes()[14]), (b'4', b'7'));
}

#[tokio::test]
async fn previews_store_nothing_and_are_audited() {
    let app = TestApp::new().await;
    let root = app.root();
    root.post(RECIPES, json!({"name": "DB", "fields": [sample()]})).await.expect(201);
    let saved = root.post_empty(&format!("{RECIPES}/sp_db/preview")).await.expect(200);
    assert_eq!(saved.header("cache-control"), Some("no-store"));
    assert_eq!(saved.json()["data"]["password"].as_str().unwrap().len(), 24);
    let value = saved.json()["data"]["password"].as_str().unwrap().to_owned();
    let logs = root.get("/v1/audit/logs?action=generate_preview").await.expect(200);
    assert_eq!(logs.json()["logs"].as_array().unwrap().len(), 1);
    assert!(!logs.text().contains(&value));
    assert_eq!(root.get("/v1/secrets").await.expect(200).json()["total_count"], 0);
    root.post_empty(&format!("{RECIPES}/sp_none/preview")).await.expect_error(404, "secret_policy_not_found");
}

#[rstest]
#[case(&["policies:read"], false)]
#[case(&["secrets:write"], false)]
#[case(&["policies:read", "secrets:write"], true)]
#[case(&["admin"], true)]
#[tokio::test]
async fn previews_need_both_to_read_and_to_write(#[case] scopes: &[&str], #[case] allowed: bool) {
    let app = TestApp::new().await;
    app.root().post(RECIPES, json!({"name": "DB", "fields": [sample()]})).await.expect(201);
    let mia = app.user("mia", scopes, &[]).await;
    for answer in [
        mia.post_empty(&format!("{RECIPES}/sp_db/preview")).await,
        mia.post(&format!("{RECIPES}/preview"), json!({"fields": [sample()]})).await,
    ] {
        if allowed {
            answer.expect(200);
        } else {
            answer.expect_error(403, "insufficient_scope");
        }
    }
}
