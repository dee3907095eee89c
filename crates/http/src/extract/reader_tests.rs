use scaivault_service::error::{Code, Error};

use super::super::*;
use super::*;

fn read<T>(body: &str, read: impl FnOnce(&mut ObjectReader<'_>) -> T) -> (T, Result<(), Error>) {
    let json = Json::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
    let faults = Faults::new();
    let mut reader = ObjectReader::new(&json, &faults);
    let value = read(&mut reader);
    reader.finish();
    (value, faults.finish())
}

/// The faults as `field:code`.
fn faults(result: Result<(), Error>) -> Vec<String> {
    let Err(error) = result else { return Vec::new() };
    assert_eq!(error.code(), Code::ValidationError, "{error:?}");
    let fields = error.details()["fields"].as_array().unwrap();
    fields
        .iter()
        .map(|fault| format!("{}:{}", fault["field"].as_str().unwrap(), fault["code"].as_str().unwrap()))
        .collect()
}

#[test]
fn c_5_missing_and_unknown_fields_are_both_named() {
    let (_, result) = read(r#"{"dta":{}}"#, |body| body.require("data", &Raw));
    assert_eq!(faults(result), ["data:required", "dta:unknown"]);
}

#[test]
fn all_faults_of_all_levels_come_at_once() {
    let body = r#"{"data":[],"secret_type":5,"metadata":{"tags":["a",1,"b\n"],"custom":{"k":1,"":"x"},"own":"x"},
        "options":{"max_versions":101,"expected_version":"5","x":1},"version":3,"flag":"true"}"#;
    let (_, result) = read(body, |body| {
        body.require("data", &Raw);
        body.get("secret_type", &Text::max(32));
        body.get("flag", &Boolean);
        body.read_only(&["version", "path"]);
        let mut metadata = body.nested("metadata");
        metadata.patch("tags", &List { item: Text::chars(1..=64).controls(Controls::None), count: 0..=50 });
        metadata.patch("custom", &TextMap { keys: Text::chars(1..=128), values: Text::max(1024), max_entries: 64 });
        let mut options = body.nested("options");
        options.get("max_versions", &Integer(1..=100));
        options.get("expected_version", &Integer(0..=i64::MAX));
    });
    assert_eq!(
        faults(result),
        [
            "data:type",
            "secret_type:type",
            "flag:type",
            "version:not_allowed",
            "metadata.tags[1]:type",
            "metadata.tags[2]:format",
            "metadata.custom.k:type",
            "metadata.custom[1]:range",
            "options.max_versions:range",
            "options.expected_version:type",
            "options.x:unknown",
            "metadata.own:unknown",
        ]
    );
}

#[test]
fn integers_are_written_as_integers() {
    for (text, code) in [
        ("\"5\"", "type"),
        ("5.0", "type"),
        ("5e0", "type"),
        ("null", "type"),
        ("[]", "type"),
        ("101", "range"),
        ("0", "range"),
        ("-1", "range"),
        ("99999999999999999999", "range"),
    ] {
        let (_, result) = read(&format!("{{\"n\":{text}}}"), |body| body.get("n", &Integer(1..=100)));
        assert_eq!(faults(result), [format!("n:{code}")], "{text}");
    }
    assert_eq!(read("{\"n\":100}", |body| body.get("n", &Integer(1..=100))).0, Some(100));
}

#[test]
fn absent_null_and_a_value_are_three_things() {
    let (got, result) = read(r#"{"a":null,"b":"x","n":null,"o":{}}"#, |body| {
        let texts = ["a", "b", "c"].map(|field| body.patch(field, &Text::max(9)));
        let nested = ["n", "o", "p"].map(|field| body.patch_nested(field).map(drop));
        (texts, nested)
    });
    assert!(result.is_ok());
    assert!(got.0 == [Patch::Null, Patch::Set("x".to_owned()), Patch::Absent]);
    assert!(got.1 == [Patch::Null, Patch::Set(()), Patch::Absent]);
}

#[test]
fn structures_in_arrays_are_named_by_their_place() {
    let (_, result) = read(r#"{"rules":[{"effect":"allow"},{"efect":1},5]}"#, |body| {
        for mut rule in body.objects("rules", 1..=20).unwrap() {
            rule.require("effect", &OneOf(&[("allow", true), ("deny", false)]));
        }
    });
    assert_eq!(
        faults(result),
        ["rules[2]:type", "rules[1].effect:required", "rules[1].efect:unknown", "rules[2].effect:required"]
    );
    let (_, result) = read(r#"{"rules":[]}"#, |body| body.objects("rules", 1..=20).is_none());
    assert_eq!(faults(result), ["rules:range"]);
    let (value, result) = read(r#"{"e":"deny","f":"x"}"#, |body| {
        ["e", "f"].map(|name| body.get(name, &OneOf(&[("allow", true), ("deny", false)])))
    });
    assert_eq!((value, faults(result)), ([Some(false), None], vec!["f:format".to_owned()]));
}

#[test]
fn texts_follow_their_rules() {
    for (text, rule, code) in [
        ("", Text::name(), "range"),
        (" a", Text::name(), "format"),
        ("a\\n", Text::name(), "format"),
        ("éé", Text::max(1), "range"),
        ("\\u0000", Text::max(9), "format"),
    ] {
        let (_, result) = read(&format!("{{\"t\":\"{text}\"}}"), |body| body.get("t", &rule));
        assert_eq!(faults(result), [format!("t:{code}")], "{text}");
    }
    let (text, _) = read(r#"{"t":"\u0000","s":"é\n"}"#, |body| {
        (body.get("t", &SecretText(Text::max(1).controls(Controls::Any))), body.get("s", &Text::max(2)))
    });
    assert_eq!(text.0.unwrap().as_str(), "\0");
    assert_eq!(text.1.as_deref(), Some("é\n"));
}

#[test]
fn durations_have_a_code_of_their_own_behind_the_422_faults() {
    let one = |body: &mut ObjectReader<'_>| body.get("d", &Duration { positive: true });
    let (_, result) = read(r#"{"d":"1.5h"}"#, one);
    let error = result.unwrap_err();
    assert_eq!(error.code(), Code::InvalidDuration);
    assert_eq!((&error.details()["field"], &error.details()["value"]), (&"d".into(), &"1.5h".into()));
    assert_eq!(faults(read(r#"{"d":90}"#, one).1), ["d:type"]);
    assert_eq!(faults(read(r#"{"d":"0s"}"#, one).1), ["d:range"]);
    assert_eq!(faults(read(r#"{"d":"1.5h","x":1}"#, one).1), ["x:unknown"]);
    let list = |body: &mut ObjectReader<'_>| body.get("d", &DurationList { max: 2 });
    assert_eq!(read(r#"{"d":["1d","7d"]}"#, list).0.unwrap().to_string(), "7d,1d");
    assert_eq!(read(r#"{"d":"1d,7d"}"#, list).0.unwrap().to_string(), "7d,1d");
    assert_eq!(faults(read(r#"{"d":"3d,2d,1d"}"#, list).1), ["d:range"]);
    assert_eq!(faults(read(r#"{"d":["3d",5]}"#, list).1), ["d[1]:type"]);
    assert_eq!(read(r#"{"d":"1d, 2d"}"#, list).1.unwrap_err().details()["field"], "d[1]");
}

#[test]
fn a_flood_of_unknown_fields_makes_a_short_answer() {
    let body: Vec<String> = (0..5000).map(|i| format!("\"{i}{}\":0", "x".repeat(300))).collect();
    let (_, result) = read(&format!("{{{}}}", body.join(",")), |_| ());
    let names = faults(result);
    assert_eq!(names.len(), 100);
    assert!(names.iter().all(|name| name.len() < 150));
}
