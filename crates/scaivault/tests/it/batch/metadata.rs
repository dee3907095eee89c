//! Batch metadata: section 2.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{METADATA, fill, keys, metadata};

#[tokio::test]
async fn b_8_scope_and_permission_list_are_enough() {
    let app = TestApp::new().await;
    fill(&app, &["app/a", "infra/x"]).await;
    let lister = app.user("lister", &["secrets:list"], &[("app/**", &["list"])]).await;
    let answer = metadata(&lister, &["app/a", "infra/x", "app/none", "a//b"], false).await.expect(200);
    assert!(!answer.text().contains(app.canary()));
    let body = answer.json();
    assert_eq!(body["secrets"]["app/a"], lister.get("/v1/secrets/metadata/app/a").await.expect(200).json());
    assert_eq!((&body["success_count"], &body["error_count"]), (&json!(1), &json!(3)));
    assert_eq!(body["truncated"], false);
    let codes: Vec<_> =
        ["infra/x", "app/none", "a//b"].map(|path| body["errors"][path]["code"].as_str().unwrap()).to_vec();
    assert_eq!(codes, ["access_denied", "secret_not_found", "invalid_path"]);
    let reader = app.user("reader", &["secrets:read"], &[("app/**", &["read"])]).await;
    assert_eq!(metadata(&reader, &["app/a"], false).await.expect(200).json()["success_count"], 1);
    let writer = app.user("writer", &["secrets:write"], &[("**", &["write"])]).await;
    metadata(&writer, &["app/a"], false).await.expect_error(403, "insufficient_scope");
}

#[tokio::test]
async fn b_9_patterns_show_what_the_caller_may_list() {
    let app = TestApp::new().await;
    fill(&app, &["app/a", "app/b/c", "app/hidden/x", "app/readable/y", "infra/z"]).await;
    let rules: [(&str, &[&str]); 4] =
        [("app/*", &["list"]), ("app/b/**", &["list"]), ("app/readable/*", &["read"]), ("infra/z", &["read"])];
    let lister = app.user("lister", &["secrets:list"], &rules).await;
    let body = metadata(&lister, &["app/**", "infra/z", "none/*"], true).await.expect(200).json();
    assert_eq!(keys(&body["secrets"]), ["app/a", "app/b/c", "infra/z"], "a path that is named needs list or read");
    assert_eq!(body["errors"], json!({}));
    let nobody = app.user("nobody", &["secrets:list"], &[]).await;
    let body = metadata(&nobody, &["**"], true).await.expect(200).json();
    assert_eq!((&body["success_count"], &body["error_count"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn only_on_demand_a_star_is_a_pattern() {
    let app = TestApp::new().await;
    fill(&app, &["app/a"]).await;
    let root = app.root();
    let plain = metadata(&root, &["app/*", "app/?"], false).await.expect(200).json();
    assert_eq!(plain["errors"]["app/*"]["code"], "invalid_path");
    assert_eq!(plain["errors"]["app/?"]["code"], "invalid_path");
    let wild = metadata(&root, &["app/?", "app/**b", "app//c"], true).await.expect(200).json();
    assert_eq!(keys(&wild["secrets"]), ["app/a"]);
    assert_eq!(wild["errors"]["app/**b"]["code"], "invalid_glob");
    assert_eq!(wild["errors"]["app/**b"]["details"], json!({"pattern": "app/**b", "reason": "double_star"}));
    assert_eq!(wild["errors"]["app//c"]["code"], "invalid_path");
}

#[tokio::test]
async fn expired_ones_are_shown_and_deleted_ones_are_not() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&app, &["a/deleted"]).await;
    root.delete("/v1/secrets/a/deleted").await.expect(200);
    root.put("/v1/secrets/a/expired", json!({"data": {}, "options": {"expires_in": "1h"}})).await.expect(201);
    app.clock.advance(7200);
    for (paths, errors) in [(vec!["a/*"], 0), (vec!["a/deleted", "a/expired"], 1)] {
        let body = metadata(&root, &paths, true).await.expect(200).json();
        assert_eq!(keys(&body["secrets"]), ["a/expired"]);
        assert_eq!(body["error_count"], errors);
    }
}

#[tokio::test]
async fn patterns_that_meet_show_each_secret_once_and_a_thousand_at_most() {
    let app = TestApp::new().await;
    let root = app.root();
    for i in 0..1001 {
        root.put(&format!("/v1/secrets/many/{i:04}"), json!({"data": {}})).await.expect(201);
    }
    let all = metadata(&root, &["many/*", "many/0*", "**"], true).await.expect(200).json();
    assert_eq!((&all["success_count"], &all["truncated"]), (&json!(1000), &json!(true)));
    assert!(all["secrets"].get("many/0999").is_some() && all["secrets"].get("many/1000").is_none());
    let named = metadata(&root, &["many/*", "many/1000"], true).await.expect(200).json();
    assert_eq!(named["success_count"], 1001, "what is named comes beside them");
    let some = metadata(&root, &["many/000?", "many/0000"], true).await.expect(200).json();
    assert_eq!((&some["success_count"], &some["truncated"]), (&json!(10), &json!(false)));
}

#[tokio::test]
async fn it_is_not_counted_as_access() {
    let app = TestApp::new().await;
    fill(&app, &["a/b"]).await;
    metadata(&app.root(), &["a/b", "a/*"], true).await.expect(200);
    app.vault.flush_statistics().await.unwrap();
    let known = metadata(&app.root(), &["a/b"], false).await.expect(200).json();
    assert_eq!(known["secrets"]["a/b"]["access_count_30d"], 0);
}

#[tokio::test]
async fn the_shape_is_checked_as_in_any_request() {
    let app = TestApp::new().await;
    let root = app.root();
    root.post(METADATA, json!({"paths": []})).await.expect_fault("paths", "range");
    root.post(METADATA, json!({"paths": ["a"], "options": {"expand": true}}))
        .await
        .expect_fault("options.expand", "unknown");
    root.post(METADATA, json!({"paths": ["a"], "options": {"expand_wildcards": 1}}))
        .await
        .expect_fault("options.expand_wildcards", "type");
}
