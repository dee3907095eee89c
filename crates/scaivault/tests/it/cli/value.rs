//! Values byte for byte: in, out, and as the API says them.

use serde_json::Value;

use super::Bench;

#[test]
fn x_2_a_field_is_printed_bare() {
    let bench = Bench::start();
    let data = r#"{"text":"line\nä\"","object":{"b":1.0,"a":[1e400]},"null":null,"number":12345678901234567890}"#;
    bench.cli().words("secrets write a --json-file -").input(data).ok();
    let field = |name: &str| bench.cli().words("secrets read a --field").arg(name).ok();
    assert_eq!(field("text"), "line\nä\"");
    assert_eq!(field("object"), r#"{"b":1.0,"a":[1e400]}"#);
    assert_eq!(field("number"), "12345678901234567890");
    assert_eq!(field("null"), "null");
    let missing = bench.cli().words("secrets read a --field nope").fails(4);
    assert!(missing.contains("field_not_found") && missing.contains("text, object"), "{missing}");
    bench.cli().words("secrets read a --field text --json").fails(5);
}

#[test]
fn x_3_json_is_the_answer_of_the_api() {
    let bench = Bench::start();
    bench.cli().words("secrets write a/b --json-file - --tag t").input(r#"{"n": 1e400, "z": 1.0}"#).ok();
    bench.ok("secrets write a/c k=v");
    for (line, target) in [
        ("secrets read a/b", "/v1/secrets/a/b"),
        ("secrets list --prefix a/ --tag t", "/v1/secrets?prefix=a%2F&tag=t"),
        ("secrets versions a/b", "/v1/secrets/a/b/versions"),
        ("auth whoami", "/v1/auth/whoami"),
        ("policies list", "/v1/policies"),
    ] {
        let printed = bench.cli().words(line).arg("--json").ok();
        assert_eq!(printed.as_bytes(), bench.body(target), "{line}");
    }
    // All pages: an answer a line.
    let pages = bench.cli().words("secrets list --limit 1 --all --json").ok();
    let pages: Vec<Value> = pages.lines().map(|page| serde_json::from_str(page).unwrap()).collect();
    let paths: Vec<&Value> = pages.iter().map(|page| &page["secrets"][0]["path"]).collect();
    assert_eq!(paths, ["a/b", "a/c"]);
}

#[test]
fn x_6_a_file_is_taken_byte_for_byte() {
    let bench = Bench::start();
    let text = "\r\n -----BEGIN \u{1F511}\u{0}\t-----\n\n";
    let file = bench.file("value", text);
    bench.cli().words("secrets write a/b q=-").arg(format!("p=@{}", file.display())).input("from stdin\n").ok();
    assert_eq!(bench.ok("secrets read a/b --field p"), text);
    assert_eq!(bench.ok("secrets read a/b --field q"), "from stdin\n");

    let binary = bench.file("binary", b"\xff\xfe");
    let refused = bench.cli().words("secrets write a/b").arg(format!("p=@{}", binary.display())).fails(5);
    assert!(refused.contains("is not UTF-8"), "{refused}");
    bench.cli().words("secrets write a/b p=-").input(b"\xc3").fails(5);
    bench.cli().words("secrets write a/b --json-file -").input(b"{\"a\":\"\xc3\"}").fails(5);
    bench.cli().words("secrets write a/b p=- q=-").input("x").fails(5);
    bench.cli().words("secrets write a/b p=@/nonexistent").fails(5);
    assert_eq!(bench.json("secrets metadata a/b")["current_version"], 1);
}
