//! `GET /v1/rotation/policies/{id}/history`

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{DAY, POLICIES, history, policy_with, put, put_under, rotation_policy};

#[tokio::test]
async fn it_is_newest_first_filtered_and_paged() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "p", "10d").await;
    put_under(&app, &id, "a").await;
    put_under(&app, &id, "b").await;
    // All at one moment: in the order in which it happened.
    for value in ["two", "three", "four"] {
        put(&root, "a", value).await;
    }
    let versions = |items: &[serde_json::Value]| -> Vec<i64> {
        items.iter().map(|item| item["new_version"].as_i64().unwrap_or(0)).collect()
    };
    assert_eq!(versions(&history(&app, &id, "").await), [4, 3, 2]);
    app.pass(10 * DAY).await;
    assert_eq!(versions(&history(&app, &id, "").await), [0, 0, 4, 3, 2]);
    assert_eq!(history(&app, &id, "?status=pending").await.len(), 2);
    assert_eq!(history(&app, &id, "?status=failed").await.len(), 0);
    let target = format!("{POLICIES}/{id}/history");
    let (mut seen, mut query) = (Vec::new(), "?status=success&limit=2".to_owned());
    loop {
        let page = root.get(&format!("{target}{query}")).await.expect(200).json();
        seen.extend(versions(page["data"].as_array().unwrap()));
        match page["cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, [4, 3, 2]);
    root.get(&format!("{target}?status=done")).await.expect_fault("status", "format");
    root.get(&format!("{POLICIES}/rot_none/history")).await.expect_error(404, "rotation_policy_not_found");
}

#[tokio::test]
async fn it_is_for_auditors_of_the_tenant() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "p", json!({"interval": "10d"})).await;
    put_under(&app, &id, "a").await;
    put(&app.root(), "a", "two").await;
    let target = format!("{POLICIES}/{id}/history");
    let auditor = app.user("auditor", &["audit:read"], &[]).await;
    let found = auditor.get(&target).await.expect(200).json();
    assert_eq!(found["data"][0]["secret_path"], "a");
    let admin = app.user("admin", &["admin"], &[("**", &["admin"])]).await;
    admin.get(&target).await.expect_error(403, "insufficient_scope");
    let other = app.tenant("other").await;
    app.root().get(&target).in_tenant(&other).await.expect_error(404, "rotation_policy_not_found");
}

#[tokio::test]
async fn writes_under_a_disabled_policy_or_none_are_not_in_it() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "p", "10d").await;
    put_under(&app, &id, "a").await;
    root.post_empty(&format!("{POLICIES}/{id}/disable")).await.expect(200);
    put(&root, "a", "two").await;
    assert!(history(&app, &id, "").await.is_empty());
}
