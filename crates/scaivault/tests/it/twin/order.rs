//! Text is sorted by its bytes, whatever the engine, and on PostgreSQL whatever the locale of the database
//! (`scripts/postgres run --locale en_US.UTF-8 -- ...` on a machine that has it).

use scaivault_testkit::{Actor, Engine, TestApp};
use serde_json::json;

const WORDS: &[&str] = &[
    "a", "A", "b", "B", "ab", "aB", "Ab", "AB", "a-b", "a_b", "a.b", "a-c", "a_c", "a.c", "a1", "a10", "a2", "0", "1",
    "10", "2", "-", "_", ".a", "Z", "z", "Za", "zA", "a--b", "a__b", "a..b", "-a", "_a", "ab-", "ab_",
];
/// Names may be more than ASCII: as bytes, and never folded or composed.
const NAMES: &[&str] =
    &["\u{e9}", "e\u{301}", "e", "f", "\u{c9}", "E", "\u{df}", "ss", "\u{1f511}", "\u{fffd}", "a b", "a  b", "\u{5d0}"];

/// Walks with pages that are cut anywhere.
async fn walk(root: &Actor<'_>, target: &str, items: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mark = if target.contains('?') { '&' } else { '?' };
    let mut page = format!("{target}{mark}limit=3");
    loop {
        let answer = root.get(&page).await.expect(200).json();
        for item in answer[items].as_array().unwrap() {
            found.push(item[name].as_str().unwrap().to_owned());
        }
        let Some(cursor) = answer["cursor"].as_str() else { return found };
        page = format!("{target}{mark}limit=3&cursor={cursor}");
    }
}

async fn check(app: &TestApp) {
    let root = app.root();
    let mut paths: Vec<String> = WORDS.iter().map(|word| (*word).to_owned()).collect();
    paths.extend(WORDS.iter().flat_map(|word| [format!("a/{word}"), format!("{word}/a"), format!("A/{word}/a")]));
    for path in &paths {
        let body =
            json!({"data": {}, "options": {"expires_at": "2026-06-01T00:00:00Z"}, "metadata": {"tags": ["all"]}});
        let answer = root.put(&format!("/v1/secrets/{path}"), body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
    }
    paths.sort();
    paths.dedup();
    for target in [
        "/v1/secrets",
        "/v1/secrets?tag=all",
        "/v1/secrets?sort=updated_at",
        "/v1/secrets/expiring?days=60",
        "/v1/secrets?q=ALL",
    ] {
        assert_eq!(walk(&root, target, "secrets", "path").await, paths, "{target}");
    }
    for prefix in ["a", "A", "a/", "a-", "a_", "a.", "_", "-", "Z"] {
        let expected: Vec<&String> = paths.iter().filter(|path| path.starts_with(prefix)).collect();
        assert_eq!(
            walk(&root, &format!("/v1/secrets?prefix={prefix}"), "secrets", "path").await.iter().collect::<Vec<_>>(),
            expected
        );
    }
    names(&root).await;
}

async fn names(root: &Actor<'_>) {
    let mut names: Vec<&str> = WORDS.iter().chain(NAMES).copied().collect();
    names.sort_unstable();
    for name in names.iter().rev() {
        let rule = json!([{"path_pattern": "**", "permissions": ["read"]}]);
        root.post("/v1/policies", json!({"name": name, "rules": rule})).await.expect(201);
        root.post("/v1/rotation/policies", json!({"name": format!("r{name}"), "interval": "1d"})).await.expect(201);
        let fields = json!([{"name": "p", "generator": "uuid"}]);
        root.post("/v1/secret-policies", json!({"name": format!("s{name}"), "fields": fields})).await.expect(201);
        let url = "https://hooks.example/x";
        let hook = json!({"name": name, "url": url, "secret": "0123456789abcdef", "events": ["*"], "enabled": false});
        root.post("/v1/webhooks", hook).await.expect(201);
    }
    assert_eq!(walk(root, "/v1/policies", "policies", "name").await, names);
    assert_eq!(walk(root, "/v1/webhooks", "webhooks", "name").await, names);
    let with = |letter: &str| names.iter().map(|name| format!("{letter}{name}")).collect::<Vec<_>>();
    assert_eq!(walk(root, "/v1/rotation/policies", "data", "name").await, with("r"));
    assert_eq!(walk(root, "/v1/secret-policies", "secret_policies", "name").await, with("s"));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_sorted_by_bytes() {
    let mut engines = vec![Engine::Sqlite];
    if super::two_engines() {
        engines.push(Engine::Postgres);
    }
    for engine in engines {
        check(&TestApp::builder().engine(engine).start().await).await;
    }
}
