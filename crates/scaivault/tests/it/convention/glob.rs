//! Contract 00 section 9, as a policy's pattern decides over real requests. The matcher has tests of its own beside it.

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::json;

#[rstest]
#[case::g_1("app/db", &["app/db"], &["app/db/password"])]
#[case::g_2("app/db/*", &["app/db/password", "app/db/user"], &["app/db/primary/password", "app/db"])]
#[case::g_3("app/**", &["app/db", "app/db/password"], &["other/app/db", "app"])]
#[case::g_4("**/ssl/*", &["app/ssl/cert", "service/ssl/key"], &["ssl/cert"])]
#[case::g_5(
    "environments/production/**",
    &["environments/production/salesforce/api-key"],
    &["environments/production", "environments/staging/x"]
)]
#[case::g_6("secrets/*.key", &["secrets/tls.key", "secrets/.key"], &["secrets/key", "secrets/a/b.key"])]
#[case::g_7("integrations/salesforce/oauth", &["integrations/salesforce/oauth"], &["integrations/salesforce/oauth2"])]
#[case::g_8("**", &["a", "a/b/c"], &[])]
#[case::g_9("*", &["app"], &["app/db"])]
#[case::g_10("**/db", &["app/db", "a/b/db"], &["db", "app/db/x"])]
#[case::g_11("*/db", &["app/db"], &["db", "a/b/db"])]
#[case::g_12(
    "app/**/password",
    &["app/password", "app/x/password", "app/x/y/password"],
    &["app/password/x", "password"]
)]
#[case::g_13("app/d?", &["app/db", "app/d1"], &["app/d", "app/dba", "app/d/b"])]
#[case::g_14("App/**", &["App/db"], &["app/db"])]
#[case::g_15("app/*/ssl/**", &["app/x/ssl/k", "app/x/ssl/k/l"], &["app/ssl/k", "app/x/ssl"])]
#[case::g_16("a*c/d", &["ac/d", "abbc/d"], &["a/c/d", "abcd/d"])]
#[case::g_17("env-?/**/k*", &["env-1/k", "env-1/a/b/key"], &["env-12/k", "env-1/a/b"])]
#[case::g_18("**/*", &["a/b", "a/b/c"], &["a"])]
#[case::g_19("**/**", &["a/b", "a/b/c"], &["a"])]
#[case::g_20("a/**/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/x", "b"])]
#[case::g_21("a.b/*", &["a.b/c"], &["axb/c"])]
#[case::g_22("*-??/**", &["eu-01/x"], &["eu-1/x", "eu-01"])]
#[tokio::test]
async fn matching(#[case] pattern: &str, #[case] matches: &[&str], #[case] differs: &[&str]) {
    let app = TestApp::new().await;
    let reader = app.user("reader", &["secrets:read"], &[(pattern, &["read"])]).await;
    for path in matches {
        reader.get(&format!("/v1/secrets/{path}")).await.expect_error(404, "secret_not_found");
        assert!(tested(&app, &reader.id, path).await, "{pattern} and {path}");
    }
    for path in differs {
        reader.get(&format!("/v1/secrets/{path}")).await.expect_error(403, "access_denied");
        assert!(!tested(&app, &reader.id, path).await, "{pattern} and {path}");
    }
}

async fn tested(app: &TestApp, identity: &str, path: &str) -> bool {
    let question = json!({"identity_id": identity, "path": path, "permission": "read"});
    app.root().post("/v1/policies/test", question).await.expect(200).json()["allowed"].as_bool().unwrap()
}

#[tokio::test]
async fn g_23_invalid_globs_are_refused_and_nothing_is_made() {
    let app = TestApp::new().await;
    let root = app.root();
    let invalid = [
        "",
        "/app",
        "app/",
        "app//db",
        "app/**b",
        "a**",
        "***",
        "app/[ab]",
        "app/{a,b}",
        "app/..",
        "app/ db",
        "!app",
        "app\\db",
        "app/%2a",
        &"a".repeat(513),
    ];
    for pattern in invalid {
        let rules = json!([{"path_pattern": "ok/**", "permissions": ["read"]}, {"path_pattern": pattern, "permissions": ["read"]}]);
        let answer =
            root.post("/v1/policies", json!({"name": "p", "rules": rules})).await.expect_error(400, "invalid_glob");
        let details = answer.details();
        assert_eq!(details["rule"], 1, "{details}");
        // One that is too long need not be told whole.
        let shown = details["pattern"].as_str().unwrap();
        assert!(shown == pattern || (pattern.len() > 512 && pattern.starts_with(shown)), "{details}");
        assert!(details["reason"].is_string(), "{details}");
    }
    assert_eq!(root.get("/v1/policies").await.expect(200).json()["policies"], json!([]));
    let longest = "a".repeat(512);
    let rules = json!([{"path_pattern": longest, "permissions": ["read"]}]);
    root.post("/v1/policies", json!({"name": "p", "rules": rules})).await.expect(201);
}
