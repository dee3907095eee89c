//! What move and copy refuse, and how they go on with folders, repetitions and shared secrets (contract 01 section 13)

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::relocate::{all_below, entries, eventful, transfer};
use super::{ALL_SCOPES, at, listed, metadata, paths, put, put_versions, put_with, state, states, url, value};

#[tokio::test]
async fn a_copy_of_the_current_version_alone_begins_at_one() {
    let app = TestApp::new().await;
    let root = app.root();
    eventful(&app, &root, "a").await;
    let body = json!({"destination": "b", "include_versions": false});
    let copied = root.post(&url("a/copy"), body).await.expect(200).json();
    assert_eq!(copied["copied"], json!([{"from": "a", "to": "b", "version": 1}]));
    assert_eq!(states(&root, "b").await, [state(1, "current")]);
    let read = root.get(&url("b")).await.expect(200);
    assert_eq!((read.header("etag"), &read.json()["data"]["v"]), (Some("\"1\""), &json!(app.canary())));
    assert_eq!(read.json()["created_at"], read.json()["version_created_at"]);
    assert_eq!(metadata(&root, "b").await["rotation_policy"]["id"], "rot_manual");
    assert_eq!(put(&root, "b", "2").await, 2);
    let not_for_moves = json!({"destination": "c", "include_versions": false});
    root.post(&url("a/move"), not_for_moves).await.expect_fault("include_versions", "unknown");
}

#[tokio::test]
async fn what_expired_moves_and_is_not_copied() {
    let app = TestApp::new().await;
    let root = app.root();
    put_with(&root, "a/b", json!({"data": {"v": "1"}, "options": {"expires_in": "1s"}})).await;
    app.clock.advance(2);
    transfer(&root, "copy", "a/b", "c").await.expect_error(410, "secret_expired");
    all_below(&root, "copy", "a", "c").await.expect_error(410, "secret_expired");
    all_below(&root, "move", "a", "c").await.expect(200);
    root.get(&url("c/b")).await.expect_error(410, "secret_expired");
    root.patch(&url("c/b"), json!({"options": {"expires_at": null}})).await.expect(200);
    assert_eq!(value(&root, "c/b").await, "1");
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", "source").await;
    put_versions(&root, "live", 3).await;
    put(&root, "gone", "old").await;
    root.delete(&url("gone")).await.expect(200);
    for verb in ["move", "copy"] {
        let conflict = transfer(&root, verb, "a", "live").await.expect_error(409, "version_conflict");
        assert_eq!(conflict.details()["current_version"], 3);
        let deleted = transfer(&root, verb, "a", "gone").await.expect_error(409, "secret_exists");
        assert_eq!(deleted.details()["recoverable_until"], at(&app, 30 * 86_400));
        for (from, to) in [("nothing", "x"), ("gone", "x")] {
            transfer(&root, verb, from, to).await.expect_error(404, "secret_not_found");
        }
        all_below(&root, verb, "a", "x").await.expect_error(404, "secret_not_found");
        let held = transfer(&root, verb, "a", "x").header("if-match", "\"2\"").await;
        assert_eq!(held.expect_error(409, "version_conflict").details()["current_version"], 1);
    }
    assert_eq!(listed(&root, "").await, ["a", "live"]);
    // Past its retention a secret answers as absent, whether or not it was purged.
    app.clock.advance(31 * 86_400);
    transfer(&root, "copy", "a", "gone").header("if-match", "\"1\"").await.expect(200);
    root.delete(&url("gone?permanent=true")).await.expect(200);
    put(&root, "gone", "again").await;
    root.delete(&url("gone")).await.expect(200);
    app.clock.advance(31 * 86_400);
    transfer(&root, "move", "a", "gone").header("if-match", "*").await.expect(200);
    assert_eq!(value(&root, "gone").await, "source");
}

#[tokio::test]
async fn the_body_is_read_strictly() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a/b", "1").await;
    for verb in ["move", "copy"] {
        let target = url(&format!("a/b/{verb}"));
        root.post(&target, json!({})).await.expect_fault("destination", "required");
        root.post(&target, json!({"destination": 1})).await.expect_fault("destination", "type");
        root.post(&target, json!({"destination": "a/b"})).await.expect_fault("destination", "conflict");
        root.post(&target, json!({"destination": "c", "recursive": "yes"})).await.expect_fault("recursive", "type");
        root.post(&target, json!({"destination": "c", "deep": true})).await.expect_fault("deep", "unknown");
        root.post(&format!("{target}?recursive=true"), json!({"destination": "c"}))
            .await
            .expect_fault("recursive", "unknown");
        for (path, reason) in
            [("", "empty"), ("a//b", "empty_segment"), ("a/move", "reserved"), ("batch/x", "reserved")]
        {
            let refused = transfer(&root, verb, "a/b", path).await.expect_error(400, "invalid_path");
            assert_eq!(refused.details()["reason"], reason);
        }
        let inside = all_below(&root, verb, "a", "a/c").await;
        inside.expect_fault("destination", "conflict");
        all_below(&root, verb, "a", "b").header("if-match", "\"1\"").await.expect_fault("If-Match", "conflict");
        let deep = ["s"; 10].join("/");
        let refused = all_below(&root, verb, "a", &deep).await.expect_error(400, "invalid_path");
        assert_eq!(refused.details()["reason"], "too_deep");
        root.get(&target).await.expect_error(400, "invalid_path");
    }
    assert_eq!(listed(&root, "").await, ["a/b"]);
    // Not recursive: a path may lie below another one.
    transfer(&root, "move", "a/b", "a/b/c").await.expect(200);
    assert_eq!(value(&root, "a/b/c").await, "1");
}

#[tokio::test]
async fn folders_that_overlap_move_as_one_would_expect() {
    let app = TestApp::new().await;
    let root = app.root();
    for path in ["a/b/x", "a/b/b/x", "a/b/b/b/x", "a/y", "ab/z"] {
        put(&root, path, path).await;
    }
    all_below(&root, "copy", "a/b", "a").await.expect_error(409, "version_conflict");
    let moved = all_below(&root, "move", "a/b", "a").await.expect(200).json();
    let from: Vec<&Value> = moved["moved"].as_array().unwrap().iter().map(|pair| &pair["from"]).collect();
    assert_eq!(from, ["a/b/b/b/x", "a/b/b/x", "a/b/x"], "by path");
    for (path, was) in [("a/x", "a/b/x"), ("a/b/x", "a/b/b/x"), ("a/b/b/x", "a/b/b/b/x"), ("a/y", "a/y")] {
        assert_eq!(value(&root, path).await, was);
    }
    all_below(&root, "copy", "a", "deep/copy-of").await.expect(200);
    assert_eq!(listed(&root, "prefix=deep/").await.len(), 4);
}

#[tokio::test]
async fn a_repetition_with_the_same_key_has_no_second_effect() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a/x", "1").await;
    put(&root, "a/y", "1").await;
    let go = || all_below(&root, "move", "a", "b").header("idempotency-key", "k1");
    let first = go().await.expect(200);
    let again = go().await.expect(200);
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
    assert_eq!(entries(&root, &first).await.len(), 2);
    let left = entries(&root, &again).await;
    assert_eq!((left.len(), &left[0]["extra_data"]["replayed"]), (1, &json!(true)));
    assert_eq!(listed(&root, "").await, ["b/x", "b/y"]);
}

#[tokio::test]
async fn shared_secrets_stay_in_their_namespace() {
    let app = TestApp::new().await;
    let root = app.root();
    let shared = |path: &str| format!("/v1/partner/secrets/{path}");
    root.put(&shared("a/b"), json!({"data": {"v": app.canary()}})).await.expect(201);
    put(&root, "c", "own").await;
    let member = app.user("member", ALL_SCOPES, &[("**", &["admin"])]).await;
    for verb in ["move", "copy"] {
        for body in [json!({"destination": "x"}), json!({"destination": "x", "recursive": true})] {
            for path in ["a/b", "a", "nothing"] {
                let answer = member.post(&shared(&format!("{path}/{verb}")), body.clone()).await;
                answer.expect_error(403, "access_denied");
            }
        }
    }
    let moved = root.post(&shared("a/b/move"), json!({"destination": "c"})).await.expect(200);
    let left = entries(&root, &moved).await;
    assert_eq!((&left[0]["extra_data"]["namespace"], left.len()), (&json!("partner"), 1));
    let copied = root.post(&shared("c/copy"), json!({"destination": "d/e"})).await.expect(200).json();
    assert_eq!(copied["copied"][0], json!({"from": "c", "to": "d/e", "version": 1}));
    let folder = json!({"destination": "f", "recursive": true});
    let copied = root.post(&shared("d/copy"), folder).await.expect(200);
    assert_eq!(entries(&root, &copied).await[0]["extra_data"]["namespace"], "partner");
    let page = root.get("/v1/partner/secrets").await.expect(200).json();
    assert_eq!(paths(&page), ["c", "d/e", "f/e"]);
    for path in ["c", "d/e", "f/e"] {
        assert_eq!(member.get(&shared(path)).await.expect(200).json()["data"]["v"], app.canary());
    }
    assert_eq!((value(&root, "c").await.as_str(), listed(&root, "").await), ("own", vec!["c".to_owned()]));
}

#[tokio::test]
async fn without_a_rule_for_a_folder_nobody_hears_whether_it_is_empty() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "there/x", "1").await;
    let scopes = ["secrets:read", "secrets:write", "secrets:delete"];
    for rules in [
        &[("there-too/**", &["admin"][..]), ("to/**", &["admin"][..])][..],
        &[("there", &["admin"][..]), ("empty", &["admin"][..]), ("to/**", &["admin"][..])][..],
        &[("there/**", &["read", "delete"][..]), ("empty/**", &["read", "delete"][..]), ("to", &["write"][..])][..],
    ] {
        let caller = app.user("caller", &scopes, rules).await;
        for verb in ["move", "copy"] {
            let mut answers = Vec::new();
            for from in ["there", "empty"] {
                let mut answer = all_below(&caller, verb, from, "to").await.expect_error(403, "access_denied").json();
                answer["error"]["request_id"] = Value::Null;
                answers.push(answer.to_string().replace(from, "FROM"));
            }
            assert_eq!(answers[0], answers[1]);
        }
    }
    let open = app.user("open", &scopes, &[("*/x", &["admin"])]).await;
    all_below(&open, "copy", "empty", "to").await.expect_error(404, "secret_not_found");
    all_below(&open, "copy", "there", "to").await.expect(200);
    let key = || all_below(&open, "move", "there", "now").header("idempotency-key", "k");
    key().await.expect(200);
    key().await.expect(200);
    assert_eq!(listed(&root, "").await, ["now/x", "to/x"]);
}
