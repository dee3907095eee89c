//! `GET /v1/secrets/expiring`

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{ALL_SCOPES, DAY, HOUR, at, paths, put, put_with, url};

async fn expiring(actor: &Actor<'_>, query: &str) -> Value {
    actor.get(&format!("/v1/secrets/expiring{query}")).await.expect(200).json()
}

async fn ends(app: &TestApp, path: &str, seconds: i64) {
    put_with(&app.root(), path, json!({"data": {"v": app.canary()}, "options": {"expires_at": at(app, seconds)}}))
        .await;
}

#[tokio::test]
async fn s_37_the_listing_is_not_a_secret() {
    let app = TestApp::new().await;
    let root = app.root();
    ends(&app, "expiring2", 5 * DAY).await;
    put(&root, "a/expiring", app.canary()).await;
    let answer = expiring(&root, "?days=30").await;
    let item = json!({"path": "expiring2", "expires_at": at(&app, 5 * DAY), "days_remaining": 5});
    assert_eq!(answer, json!({"secrets": [item], "cursor": null, "has_more": false}));
    root.get(&url("expiring2")).await.expect(200);
    root.put("/v1/secrets/expiring/x", json!({"data": {}})).await.expect_error(400, "invalid_path");
}

#[tokio::test]
async fn days_are_rounded_up() {
    let app = TestApp::new().await;
    let root = app.root();
    for (seconds, days) in [
        (1, 1),
        (DAY - 1, 1),
        (DAY, 1),
        (DAY + 1, 2),
        (8 * DAY + 10 * HOUR, 9),
        (-1, 0),
        (-DAY, -1),
        (-DAY - 1, -1),
        (-2 * DAY, -2),
    ] {
        ends(&app, "a", seconds.max(0) + 10 * DAY).await;
        let started = app.now();
        app.clock.advance(seconds.max(0) + 10 * DAY - seconds);
        let answer = expiring(&root, "?include_expired=true").await;
        assert_eq!(answer["secrets"][0]["days_remaining"], days, "{seconds}");
        app.clock.set(started);
    }
}

#[tokio::test]
async fn the_horizon_is_30_days_unless_said() {
    let app = TestApp::new().await;
    let root = app.root();
    for (path, seconds) in [("b", DAY), ("a", DAY), ("c", 30 * DAY), ("d", 31 * DAY), ("e", 3650 * DAY), ("z", 1)] {
        ends(&app, path, seconds).await;
    }
    put(&root, "never", app.canary()).await;
    app.clock.advance(1);
    for (query, found) in [
        ("", vec!["a", "b", "c"]),
        ("?days=1", vec!["a", "b"]),
        ("?days=31", vec!["a", "b", "c", "d"]),
        ("?days=3650", vec!["a", "b", "c", "d", "e"]),
        ("?include_expired=true", vec!["z", "a", "b", "c"]),
        ("?prefix=b", vec!["b"]),
        ("?prefix=x/", vec![]),
    ] {
        assert_eq!(paths(&expiring(&root, query).await), found, "{query}");
    }
    root.delete(&url("a")).await.expect(200);
    assert_eq!(paths(&expiring(&root, "").await), ["b", "c"]);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let app = TestApp::new().await;
    let root = app.root();
    for number in 0..7 {
        ends(&app, &format!("s/{}", 6 - number), DAY + number / 2).await;
    }
    let whole = paths(&expiring(&root, "").await);
    assert_eq!(whole, ["s/5", "s/6", "s/3", "s/4", "s/1", "s/2", "s/0"], "by time, then by path");
    for limit in 1..=7 {
        let mut page = expiring(&root, &format!("?limit={limit}")).await;
        let mut seen = paths(&page);
        while let Some(cursor) = page["cursor"].as_str() {
            assert_eq!(page["has_more"], true);
            page = expiring(&root, &format!("?limit={limit}&cursor={cursor}")).await;
            seen.extend(paths(&page));
        }
        assert_eq!((&seen, &page["has_more"]), (&whole, &json!(false)), "{limit}");
    }
}

#[tokio::test]
async fn bad_queries_are_refused() {
    let app = TestApp::new().await;
    let root = app.root();
    for (query, field, code) in [
        ("days=0", "days", "range"),
        ("days=3651", "days", "range"),
        ("days=x", "days", "type"),
        ("limit=201", "limit", "range"),
        ("include_expired=1", "include_expired", "type"),
        ("tag=x", "tag", "unknown"),
    ] {
        root.get(&format!("/v1/secrets/expiring?{query}")).await.expect_fault(field, code);
    }
    root.get("/v1/secrets/expiring?prefix=a%20").await.expect_error(400, "invalid_path");
    root.get("/v1/secrets/expiring?cursor=x").await.expect_error(400, "invalid_cursor");
}

#[tokio::test]
async fn only_listable_paths_show() {
    let app = TestApp::new().await;
    for path in ["a/1", "b/1", "a/2"] {
        ends(&app, path, DAY).await;
    }
    let lister = app.user("lister", ALL_SCOPES, &[("a/**", &["list"]), ("b/**", &["read"])]).await;
    assert_eq!(paths(&expiring(&lister, "").await), ["a/1", "a/2"]);
    let first = expiring(&lister, "?limit=1").await;
    let second = expiring(&lister, &format!("?limit=1&cursor={}", first["cursor"].as_str().unwrap())).await;
    assert_eq!((paths(&second), &second["has_more"]), (vec!["a/2".to_owned()], &json!(false)));
    let (_, _, stranger) = app.actors().await;
    assert!(paths(&expiring(&stranger, "").await).is_empty());
    let reader = app.user("reader", &["secrets:read"], &[("**", &["list"])]).await;
    reader.get("/v1/secrets/expiring").await.expect_error(403, "insufficient_scope");
}
