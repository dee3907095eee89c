//! `GET /v1/secrets`: filters

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{ALL_SCOPES, DAY, HOUR, at, list, listed, put, put_with, url};

async fn described(actor: &Actor<'_>, path: &str, metadata: Value) {
    put_with(actor, path, json!({"data": {"v": "x"}, "metadata": metadata})).await;
}

#[tokio::test]
async fn s_27_tags_add_up_and_a_prefix_is_plain_text() {
    let app = TestApp::new().await;
    let root = app.root();
    described(&root, "one", json!({"tags": ["a", "b"]})).await;
    described(&root, "two", json!({"tags": ["a"]})).await;
    described(&root, "three", json!({"tags": ["b", "A", "a b"]})).await;
    put(&root, "environments/production/x", app.canary()).await;
    put(&root, "environments/prod", app.canary()).await;
    for (query, found) in [
        ("tag=a&tag=b", vec!["one"]),
        ("tag=a", vec!["one", "two"]),
        ("tag=A", vec!["three"]),
        ("tag=a+b", vec!["three"]),
        ("tag=b&tag=a&tag=c", vec![]),
        ("tag=a&prefix=t", vec!["two"]),
        ("prefix=environments/prod", vec!["environments/prod", "environments/production/x"]),
        ("prefix=environments/prod/", vec![]),
        ("prefix=Environments", vec![]),
        ("prefix=a//b", vec![]),
        ("prefix=/", vec![]),
        ("prefix=", vec!["environments/prod", "environments/production/x", "one", "three", "two"]),
    ] {
        assert_eq!(listed(&root, query).await, found, "{query}");
    }
    assert_eq!(listed(&root, "tag=b&sort=updated_at").await, ["one", "three"]);
}

#[tokio::test]
async fn q_looks_into_path_description_tags_and_owner() {
    let app = TestApp::new().await;
    let root = app.root();
    described(&root, "by/Needle-path", json!({})).await;
    described(&root, "d", json!({"description": "A nEEdle inside"})).await;
    described(&root, "o", json!({"owner": "team:NEEDLE"})).await;
    described(&root, "t", json!({"tags": ["x", "needles"]})).await;
    described(&root, "c", json!({"custom": {"needle": "needle"}, "description": "100%_Ärger"})).await;
    put_with(&root, "v", json!({"data": {"needle": "needle"}})).await;
    for (query, found) in [
        ("q=needle", vec!["by/Needle-path", "d", "o", "t"]),
        ("q=NEEDLE", vec!["by/Needle-path", "d", "o", "t"]),
        ("q=needles", vec!["t"]),
        ("q=%25_", vec!["c"]),
        ("q=%C3%A4rger", vec!["c"]),
        ("q=_", vec!["c"]),
        ("q=needle&prefix=by/", vec!["by/Needle-path"]),
        ("q=needle&tag=x", vec!["t"]),
        ("q=needle&owner=team:NEEDLE", vec!["o"]),
    ] {
        assert_eq!(listed(&root, query).await, found, "{query}");
    }
    let page = list(&root, "q=needle&limit=2").await;
    assert_eq!((&page["total_count"], &page["has_more"]), (&json!(4), &json!(true)));
}

#[tokio::test]
async fn type_and_owner_are_exact() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a", json!({"data": {}, "secret_type": "json", "metadata": {"owner": "team:crm"}})).await;
    put_with(&root, "b", json!({"data": {}, "secret_type": "api_key", "metadata": {"owner": "team:crm2"}})).await;
    assert_eq!(listed(&root, "secret_type=json").await, ["a"]);
    assert!(listed(&root, "secret_type=kv").await.is_empty());
    assert_eq!(listed(&root, "owner=team:crm").await, ["a"]);
    assert!(listed(&root, "owner=TEAM:crm").await.is_empty());
    assert!(listed(&root, "owner=team:crm2&secret_type=json").await.is_empty());
}

#[tokio::test]
async fn times_bound_expiry_and_change() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "soon", json!({"data": {}, "options": {"expires_in": "1h"}})).await;
    put_with(&root, "late", json!({"data": {}, "options": {"expires_in": "2h"}})).await;
    put(&root, "never", app.canary()).await;
    for (seconds, found) in [(HOUR, vec![]), (HOUR + 1, vec!["soon"]), (2 * HOUR + 1, vec!["late", "soon"])] {
        assert_eq!(listed(&root, &format!("expires_before={}", at(&app, seconds))).await, found);
    }
    app.clock.advance(HOUR);
    let query = format!("expires_before={}", at(&app, 3 * HOUR));
    assert_eq!(listed(&root, &query).await, ["late"], "expired ones are left out");
    assert_eq!(listed(&root, &format!("{query}&include_expired=true")).await, ["late", "soon"]);
    assert_eq!(listed(&root, "").await, ["late", "never"]);

    put(&root, "never", "2").await;
    assert_eq!(listed(&root, &format!("updated_after={}", at(&app, 0))).await, ["never"]);
    assert_eq!(listed(&root, &format!("updated_after={}", at(&app, -HOUR))).await, ["late", "never"]);
    assert!(listed(&root, &format!("updated_after={}", at(&app, 1))).await.is_empty());
}

#[tokio::test]
async fn updated_after_counts_in_whole_seconds() {
    let app = TestApp::new().await;
    let root = app.root();
    app.clock.advance_micros(250_000);
    put(&root, "a", app.canary()).await;
    let shown = list(&root, "").await["secrets"][0]["updated_at"].as_str().unwrap().to_owned();
    assert_eq!(listed(&root, &format!("updated_after={shown}")).await, ["a"], "polling misses nothing");
    let later = shown.replace('Z', ".9Z");
    assert_eq!(listed(&root, &format!("updated_after={later}")).await, ["a"]);
}

#[tokio::test]
async fn bad_filters_are_refused() {
    let app = TestApp::new().await;
    let root = app.root();
    for (query, status, code) in [
        ("prefix=a%20b", 400, "invalid_path"),
        ("prefix=a*", 400, "invalid_path"),
        ("secret_type=password", 400, "invalid_secret_type"),
        ("expires_before=tomorrow", 422, "validation_error"),
        ("updated_after=2026-01-01", 422, "validation_error"),
        ("updated_after=2026-01-01T00:00:00", 422, "validation_error"),
        ("include_expired=1", 422, "validation_error"),
        ("include_deleted=yes", 422, "validation_error"),
        ("include_metadata=", 422, "validation_error"),
        ("q=", 422, "validation_error"),
        ("sort=size", 422, "validation_error"),
        ("limit=0", 422, "validation_error"),
        ("limit=201", 422, "validation_error"),
        ("limit=x", 422, "validation_error"),
        ("tag=", 422, "validation_error"),
        ("prefix=a&prefix=b", 422, "validation_error"),
        ("foo=1", 422, "validation_error"),
        ("secret_type=password&foo=1", 422, "validation_error"),
    ] {
        root.get(&format!("/v1/secrets?{query}")).await.expect_error(status, code);
    }
    let (long, fits) = ("x".repeat(129), "x".repeat(128));
    root.get(&format!("/v1/secrets?q={long}")).await.expect_fault("q", "range");
    root.get(&format!("/v1/secrets?q={fits}")).await.expect(200);
    root.get(&format!("/v1/secrets?prefix={}", "a".repeat(513))).await.expect_error(400, "invalid_path");
    root.get(&format!("/v1/secrets?prefix={}", "a".repeat(512))).await.expect(200);
    root.get("/v1/secrets?limit=200").await.expect(200);
}

#[tokio::test]
async fn include_deleted_shows_the_trash_with_its_times() {
    let app = TestApp::new().await;
    let root = app.root();
    described(&root, "gone", json!({"tags": ["t"], "owner": "o"})).await;
    put(&root, "here", app.canary()).await;
    root.delete(&url("gone")).await.expect(200);
    assert_eq!(listed(&root, "").await, ["here"]);
    let page = list(&root, "include_deleted=true").await;
    assert_eq!(page["total_count"], 2);
    let gone = &page["secrets"][0];
    assert_eq!(
        (&gone["path"], &gone["deleted_at"], &gone["recoverable_until"]),
        (&json!("gone"), &json!(at(&app, 0)), &json!(at(&app, 30 * DAY)))
    );
    assert!(page["secrets"][1]["deleted_at"].is_null());
    for query in ["tag=t", "owner=o", "q=gone", "sort=updated_at&tag=t", "include_metadata=true&tag=t"] {
        assert!(listed(&root, query).await.is_empty(), "{query}");
        assert_eq!(listed(&root, &format!("{query}&include_deleted=true")).await, ["gone"], "{query}");
    }
    app.clock.advance(30 * DAY);
    assert_eq!(listed(&root, "include_deleted=true").await, ["here"]);
}

#[tokio::test]
async fn the_trash_shows_only_with_permission_delete_or_admin() {
    let app = TestApp::new().await;
    let root = app.root();
    for path in ["a/1", "b/1", "c/1"] {
        put(&root, path, app.canary()).await;
        put(&root, &path.replace('1', "live"), app.canary()).await;
        root.delete(&url(path)).await.expect(200);
    }
    let rules: &[(&str, &[&str])] = &[("a/*", &["list"]), ("b/*", &["list", "delete"]), ("c/*", &["delete"])];
    let user = app.user("user", ALL_SCOPES, rules).await;
    assert_eq!(listed(&user, "").await, ["a/live", "b/live"]);
    assert_eq!(listed(&user, "include_deleted=true").await, ["a/live", "b/1", "b/live", "c/1"]);
}
