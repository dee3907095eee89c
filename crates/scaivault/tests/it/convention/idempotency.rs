//! Contract 00 section 7: Idempotency-Key.

use std::time::Duration;

use scaivault_crypto::digest::{hex, sha256};
use scaivault_testkit::{Actor, Call, TestApp};
use serde_json::json;

use super::{audit_entry, some_data, together};

const DAY: i64 = 24 * 3600;

fn put<'a>(actor: &Actor<'a>, key: &str, password: &str) -> Call<'a> {
    actor.put("/v1/secrets/a", json!({"data": {"password": password}})).header("idempotency-key", key)
}

async fn version_count(actor: &Actor<'_>) -> i64 {
    let metadata = actor.get("/v1/secrets/metadata/a").await.expect(200);
    metadata.json()["version_count"].as_i64().unwrap()
}

#[tokio::test]
async fn c_13_a_repeated_put_answers_the_same_and_does_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    let first = put(&root, "k1", app.canary()).await.expect(201);
    assert_eq!(first.header("idempotent-replayed"), None);
    for _ in 0..2 {
        let again = put(&root, "k1", app.canary()).await.expect(201);
        assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
        for name in ["etag", "content-type", "cache-control"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
        let entry = audit_entry(&root, &again).await;
        assert_eq!(
            (&entry["action"], &entry["success"], &entry["extra_data"]["replayed"]),
            (&json!("write"), &json!(true), &json!(true))
        );
    }
    assert_eq!(version_count(&root).await, 1);
    assert!(audit_entry(&root, &first).await["extra_data"].get("replayed").is_none());
}

#[tokio::test]
async fn c_13_another_body_is_a_conflict() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "k1", "one").await.expect(201);
    put(&root, "k1", "two").await.expect_fault("Idempotency-Key", "conflict");
    // Compared as sent.
    let spaced = root.put("/v1/secrets/a", json!({})).raw("application/json", b"{\"data\": {\"password\":\"one\"}}");
    spaced.header("idempotency-key", "k1").await.expect_fault("Idempotency-Key", "conflict");
    put(&root, "k1", "one").await.expect(201);
    assert_eq!(version_count(&root).await, 1);
}

#[tokio::test]
async fn c_13_another_identity_has_keys_of_its_own() {
    let app = TestApp::new().await;
    let owner = app.user("owner", &["secrets:read", "secrets:write"], &[("**", &["admin"])]).await;
    put(&app.root(), "k1", "one").await.expect(201);
    let other = put(&owner, "k1", "two").await.expect(200);
    assert_eq!((&other.json()["version"], other.header("idempotent-replayed")), (&json!(2), None));
    let again = put(&owner, "k1", "two").await.expect(200);
    assert_eq!((&again.json()["version"], again.header("idempotent-replayed")), (&json!(2), Some("true")));
}

#[tokio::test]
async fn another_key_method_address_or_query_is_another_request() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "k1", "one").await.expect(201);
    put(&root, "K1", "one").await.expect(200);
    root.put("/v1/secrets/b", some_data()).header("idempotency-key", "k1").await.expect(201);
    let rotate = || root.post("/v1/secrets/a/rotate", json!({"new_value": {}})).header("idempotency-key", "k1");
    let first = rotate().await.expect(200);
    assert_eq!((&first.json()["version"], first.header("idempotent-replayed")), (&json!(3), None));
    let again = rotate().await.expect(200);
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, Some("true")));
    assert_eq!(version_count(&root).await, 3);
}

#[tokio::test]
async fn post_without_a_body_is_kept_too() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    root.delete("/v1/secrets/a").await.expect(200);
    let restore = || root.post_empty("/v1/secrets/a/restore").header("idempotency-key", "k1");
    let first = restore().await.expect(200);
    let again = restore().await.expect(200);
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
    root.post_empty("/v1/secrets/a/restore").await.expect_error(409, "secret_exists");
}

#[tokio::test]
async fn a_created_policy_is_created_once() {
    let app = TestApp::new().await;
    let root = app.root();
    let rules = json!([{"path_pattern": "**", "permissions": ["read"]}]);
    let create = || root.post("/v1/policies", json!({"name": "p", "rules": rules})).header("idempotency-key", "k1");
    let (first, again) = (create().await.expect(201), create().await.expect(201));
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
    assert_eq!(root.get("/v1/policies").await.expect(200).json()["policies"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_replay_comes_before_existence_and_preconditions() {
    let app = TestApp::new().await;
    let root = app.root();
    let create = || put(&root, "k1", "one").header("if-none-match", "*");
    create().await.expect(201);
    assert_eq!(create().await.expect(201).header("idempotent-replayed"), Some("true"));
    root.delete("/v1/secrets/a").await.expect(200);
    assert_eq!(create().await.expect(201).header("idempotent-replayed"), Some("true"));
    root.get("/v1/secrets/a").await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn failures_are_not_kept() {
    let app = TestApp::new().await;
    let root = app.root();
    let write = || put(&root, "k1", "one").header("if-match", "*");
    write().await.expect_error(409, "version_conflict");
    root.put("/v1/secrets/a", json!({})).header("idempotency-key", "k1").await.expect_error(422, "validation_error");
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let answer = write().await.expect(200);
    assert_eq!((&answer.json()["version"], answer.header("idempotent-replayed")), (&json!(2), None));
}

#[tokio::test]
async fn an_answer_is_kept_24_hours() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "k1", "one").await.expect(201);
    app.clock.advance(DAY - 1);
    assert_eq!(put(&root, "k1", "one").await.expect(201).header("idempotent-replayed"), Some("true"));
    // Counted from the first answer, not from the last replay.
    app.clock.advance(2);
    let fresh = put(&root, "k1", "one").await.expect(200);
    assert_eq!((&fresh.json()["version"], fresh.header("idempotent-replayed")), (&json!(2), None));
    assert_eq!(put(&root, "k1", "one").await.expect(200).header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_kept_answer_survives_a_restart() {
    let app = TestApp::new().await;
    put(&app.root(), "k1", "one").await.expect(201);
    let app = app.restart().await;
    assert_eq!(put(&app.root(), "k1", "one").await.expect(201).header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn the_database_does_not_tell_a_body() {
    let app = TestApp::new().await;
    let root = app.root();
    let sent = serde_json::to_vec(&json!({"data": {"password": "1234"}})).unwrap();
    let write = |path: &str| {
        let call = root.put(&format!("/v1/secrets/{path}"), json!({})).raw("application/json", &sent);
        call.header("idempotency-key", "k1")
    };
    write("a").await.expect(201);
    write("b").await.expect(201);
    let kept = |what: &str| app.raw().count(&format!("SELECT {what} FROM idempotency"));
    let guessed = format!("COALESCE(SUM(CASE WHEN body_hash = x'{}' THEN 1 ELSE 0 END), 0)", hex(&sha256(&sent)));
    assert_eq!((kept("COUNT(*)"), kept("MIN(LENGTH(body_hash))")), (2, 32));
    assert_eq!(kept(&guessed), 0, "a guess can't be tried");
    assert_eq!(kept("COUNT(DISTINCT body_hash)"), 2, "equal bodies can't be told");
}

#[tokio::test]
async fn what_an_earlier_server_kept_is_given_again() {
    let app = TestApp::new().await;
    let root = app.root();
    let sent = |password: &str| serde_json::to_vec(&json!({"data": {"password": password}})).unwrap();
    let write = |body: &[u8]| {
        let call = root.put("/v1/secrets/a", json!({})).raw("application/json", body).header("if-none-match", "*");
        call.header("idempotency-key", "k1")
    };
    let first = write(&sent("one")).await.expect(201);
    // As it was written before bodies were hashed under a key.
    let old = hex(&sha256(&sent("one")));
    assert_eq!(app.raw().execute(&format!("UPDATE idempotency SET body_hash = x'{old}'")), 1);
    let again = write(&sent("one")).await.expect(201);
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
    write(&sent("two")).await.expect_fault("Idempotency-Key", "conflict");
}

#[tokio::test]
async fn keys_are_printable_ascii_without_blanks() {
    let app = TestApp::new().await;
    let root = app.root();
    for key in ["", "a b", "a\tb", "é", &"k".repeat(129)] {
        put(&root, key, "one").await.expect_fault("Idempotency-Key", "format");
    }
    root.get("/v1/secrets/a").await.expect_error(404, "secret_not_found");
    put(&root, &"k".repeat(128), "one").await.expect(201);
    put(&root, "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~", "one").await.expect(200);
}

#[tokio::test]
async fn scope_and_policy_are_checked_again() {
    let app = TestApp::new().await;
    let root = app.root();
    let rules = json!([{"path_pattern": "**", "permissions": ["write"]}]);
    let user = app.user("user", &["secrets:write"], &[]).await;
    let policy = app.policy_in("tnt_default", "p", &[("**", &["write"])], &[("user", &user.id)]).await;
    put(&user, "k1", "one").await.expect(201);
    root.patch(&format!("/v1/policies/{policy}"), json!({"is_active": false})).await.expect(200);
    put(&user, "k1", "one").await.expect_error(403, "access_denied");
    root.patch(&format!("/v1/policies/{policy}"), json!({"is_active": true, "rules": rules})).await.expect(200);
    assert_eq!(put(&user, "k1", "one").await.expect(201).header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn the_key_has_no_effect_where_nothing_changes() {
    let app = TestApp::new().await;
    let root = app.root();
    for permission in ["read", "write"] {
        let question = json!({"identity_id": "user:nobody@test.example", "path": "a", "permission": permission});
        let answer = root.post("/v1/policies/test", question).header("idempotency-key", "k1").await;
        answer.expect_error(404, "identity_not_found");
    }
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for _ in 0..2 {
        let answer = root.patch("/v1/secrets/a", json!({})).header("idempotency-key", "a b").await.expect(200);
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
}

/// On a thread of its own: a server that locks itself up fails this test instead of holding up all of them.
#[test]
fn of_repetitions_at_once_one_runs() {
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(repeat_at_once());
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(60)).expect("all repetitions are answered");
}

async fn repeat_at_once() {
    let app = TestApp::new().await;
    let root = app.root();
    for _ in 0..5 {
        let answers = together((0..20).map(|_| put(&root, "k1", "one")).collect()).await;
        for answer in answers {
            match answer.status.as_u16() {
                201 => assert_eq!(answer.json()["version"], 1),
                _ => drop(answer.expect_error(409, "request_in_progress")),
            }
        }
    }
    assert_eq!(version_count(&root).await, 1);
}
