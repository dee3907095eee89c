//! `GET /v1/secrets/{path}/versions` and pruning

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOUR, at, metadata, put, put_versions, put_with, state, states, text, url, value};

#[tokio::test]
async fn s_8_pruning_keeps_the_newest() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"max_versions": 3}})).await;
    for number in 2..=5 {
        put(&root, "a", &number.to_string()).await;
    }
    assert_eq!(states(&root, "a").await, [state(5, "current"), state(4, "available"), state(3, "available")]);
    for version in 1..=2 {
        root.get(&url(&format!("a?version={version}"))).await.expect_error(404, "version_not_found");
    }
    for version in 3..=5 {
        assert_eq!(value(&root, &format!("a?version={version}")).await, version.to_string());
    }
    assert_eq!(metadata(&root, "a").await["version_count"], 3);
    assert_eq!(put(&root, "a", "6").await, 6);
}

#[tokio::test]
async fn the_list_tells_state_time_and_writer() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let first = at(&app, 0);
    app.clock.advance(HOUR);
    root.post(&url("a/rotate"), json!({"new_value": {"v": "2"}, "grace_period": "2h"})).await.expect(200);
    let second = at(&app, 0);
    put(&root, "a", "3").await;
    let answer = root.get(&url("a/versions")).await.expect(200).json();
    let writer = text(&answer["versions"][0]["created_by"]);
    assert!(writer.starts_with("user:"), "{writer}");
    let entry = |version: i64, created_at: &str, state: &str, readable_until: Value| {
        json!({"version": version, "created_at": created_at, "is_current": state == "current", "state": state,
            "readable_until": readable_until, "created_by": writer})
    };
    let mut expected = json!({"path": "a", "versions": [
        entry(3, &second, "current", Value::Null),
        entry(2, &second, "available", Value::Null),
        entry(1, &first, "grace", json!(at(&app, 2 * HOUR))),
    ]});
    assert_eq!(answer, expected);
    app.clock.advance(2 * HOUR);
    expected["versions"][2] = entry(1, &first, "retired", Value::Null);
    assert_eq!(root.get(&url("a/versions")).await.expect(200).json(), expected);
}

#[tokio::test]
async fn all_stored_versions_come_without_paging() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"max_versions": 100}})).await;
    for number in 2..=101 {
        put(&root, "a", &number.to_string()).await;
    }
    let versions: Vec<i64> = states(&root, "a").await.into_iter().map(|(version, _)| version).collect();
    assert_eq!(versions, (2..=101).rev().collect::<Vec<i64>>());
    root.get(&url("a/versions?limit=5")).await.expect_fault("limit", "unknown");
}

#[tokio::test]
async fn absent_and_deleted_are_404() {
    let app = TestApp::new().await;
    let root = app.root();
    root.get(&url("a/versions")).await.expect_error(404, "secret_not_found");
    put_versions(&root, "a", 2).await;
    root.delete(&url("a")).await.expect(200);
    root.get(&url("a/versions")).await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn versions_takes_list_or_read() {
    let app = TestApp::new().await;
    put(&app.root(), "a", app.canary()).await;
    for (scope, permission, status) in [
        ("secrets:read", "read", 200),
        ("secrets:list", "list", 200),
        ("secrets:list", "read", 200),
        ("secrets:list", "write", 403),
        ("secrets:write", "list", 403),
    ] {
        let user = app.user("user", &[scope], &[("**", &[permission])]).await;
        for target in ["a/versions", "metadata/a"] {
            let answer = user.get(&url(target)).await.expect(status);
            if status == 403 {
                let code = if scope == "secrets:write" { "insufficient_scope" } else { "access_denied" };
                assert_eq!(answer.json()["error"]["code"], code, "{scope} {permission}");
            }
        }
    }
}
