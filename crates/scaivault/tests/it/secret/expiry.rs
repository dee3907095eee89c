//! When secrets expire and what renews them (contract 01 section 6).

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOUR, at, listed, metadata, put, put_with, url, value};

#[tokio::test]
async fn s_18_an_expired_secret_is_gone_until_it_is_written_again() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"expires_in": "1s"}})).await;
    let end = at(&app, 1);
    value(&root, "a").await;
    app.clock.advance(2);
    for target in ["a", "a?version=1"] {
        let refused = root.get(&url(target)).await.expect_error(410, "secret_expired");
        assert_eq!(refused.details(), json!({"path": "a", "expires_at": end}));
    }
    root.get(&url("a")).header("if-none-match", "\"1\"").await.expect_error(410, "secret_expired");
    assert_eq!(metadata(&root, "a").await["expires_at"], end);
    assert!(listed(&root, "").await.is_empty());
    assert_eq!(listed(&root, "include_expired=true").await, ["a"]);
    root.put(&url("a"), json!({"data": {"v": "2"}})).await.expect(200);
    assert_eq!(value(&root, "a").await, "2");
    app.clock.advance(1);
    root.get(&url("a")).await.expect_error(410, "secret_expired");
}

#[tokio::test]
async fn everything_but_reading_works_on_an_expired_secret() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"expires_at": at(&app, 1)}})).await;
    app.clock.advance(1);
    root.get(&url("a")).await.expect_error(410, "secret_expired");
    root.get(&url("a/versions")).await.expect(200);
    root.patch(&url("a"), json!({"metadata": {"owner": "o"}})).await.expect(200);
    root.get(&url("a")).await.expect_error(410, "secret_expired");
    root.delete(&url("a")).await.expect(200);
    root.post_empty(&url("a/restore")).await.expect(200);
    root.get(&url("a")).await.expect_error(410, "secret_expired");
    let rotated = root.post(&url("a/rotate"), json!({"new_value": {"v": "2"}})).await.expect(200);
    assert_eq!(rotated.json()["expires_at"], Value::Null, "a time that has passed is cleared");
    assert_eq!(value(&root, "a").await, "2");
    root.delete(&url("a?permanent=true")).await.expect(200);
}

/// `first` is written, then, an hour later, `second`: then the secret expires at (seconds after the second write) and
/// remembers the duration that the last two columns say.
#[rstest]
#[case::a_duration_is_remembered(json!({"expires_in": "2h"}), json!({}), Some(2 * HOUR), Some("2h"))]
#[case::also_when_it_has_passed(json!({"expires_in": "30m"}), json!({}), Some(HOUR / 2), Some("30m"))]
#[case::a_time_ahead_stays(json!({"expires_at": "+2h"}), json!({}), Some(HOUR), None)]
#[case::a_time_passed_is_cleared(json!({"expires_at": "+30m"}), json!({}), None, None)]
#[case::a_time_replaces_a_duration(json!({"expires_in": "2h"}), json!({"expires_at": "+5h"}), Some(4 * HOUR), None)]
#[case::duration_replaces_time(json!({"expires_at": "+2h"}), json!({"expires_in": "3h"}), Some(3 * HOUR), Some("3h"))]
#[case::null_duration_clears_a_time(json!({"expires_at": "+2h"}), json!({"expires_in": null}), None, None)]
#[case::null_time_clears_a_duration(json!({"expires_in": "2h"}), json!({"expires_at": null}), None, None)]
#[case::none_stays_none(json!({}), json!({}), None, None)]
#[tokio::test]
async fn a_write_keeps_renews_or_clears_the_expiry(
    #[case] first: Value,
    #[case] second: Value,
    #[case] expires_at: Option<i64>,
    #[case] expires_in: Option<&str>,
) {
    let app = TestApp::new().await;
    let root = app.root();
    let times = |mut options: Value, base: &[(&str, String)]| {
        for (short, long) in base {
            if options["expires_at"] == *short {
                options["expires_at"] = json!(long);
            }
        }
        options
    };
    let base = [("+30m", at(&app, HOUR / 2)), ("+2h", at(&app, 2 * HOUR)), ("+5h", at(&app, 5 * HOUR))];
    let (first, second) = (times(first, &base), times(second, &base));
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": first})).await;
    app.clock.advance(HOUR);
    put_with(&root, "a", json!({"data": {"v": "2"}, "options": second})).await;
    let now = metadata(&root, "a").await;
    assert_eq!(now["expires_at"], json!(expires_at.map(|seconds| at(&app, seconds))));
    assert_eq!(now["options"]["expires_in"], json!(expires_in));
    root.get(&url("a")).await.expect(200);
}

#[tokio::test]
async fn a_rotation_renews_a_remembered_duration() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {"v": app.canary()}, "options": {"expires_in": "1h"}})).await;
    app.clock.advance(2 * HOUR);
    let rotated = root.post(&url("a/rotate"), json!({"new_value": {"v": "2"}})).await.expect(200);
    assert_eq!(rotated.json()["expires_at"], at(&app, HOUR));
    assert_eq!(value(&root, "a?version=1").await, app.canary(), "renewed, older versions are readable too");
}

#[tokio::test]
async fn patch_sets_and_clears_the_expiry() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", app.canary()).await;
    let patched = root.patch(&url("a"), json!({"options": {"expires_in": "1h"}})).await.expect(200).json();
    assert_eq!((&patched["expires_at"], &patched["options"]["expires_in"]), (&json!(at(&app, HOUR)), &json!("1h")));
    let patched = root.patch(&url("a"), json!({"options": {"expires_at": at(&app, 9)}})).await.expect(200).json();
    assert_eq!((&patched["expires_at"], &patched["options"]["expires_in"]), (&json!(at(&app, 9)), &Value::Null));
    app.clock.advance(10);
    root.get(&url("a")).await.expect_error(410, "secret_expired");
    for cleared in ["expires_at", "expires_in"] {
        root.patch(&url("a"), json!({"options": {"expires_in": "1h"}})).await.expect(200);
        let patched = root.patch(&url("a"), json!({"options": {cleared: null}})).await.expect(200).json();
        assert_eq!((&patched["expires_at"], &patched["options"]["expires_in"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(value(&root, "a").await, app.canary());
    root.patch(&url("a"), json!({"options": {"expires_at": at(&app, -1)}}))
        .await
        .expect_fault("options.expires_at", "range");
}
