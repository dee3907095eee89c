//! Contract 00 section 10: the cases that fit nowhere else.

use std::collections::BTreeSet;

use scaivault_testkit::{Answer, TestApp};
use serde_json::{Value, json};

use super::{some_data, together};

fn without_request_id(answer: &Answer) -> String {
    let mut body = answer.json();
    assert_eq!(body["error"]["request_id"], answer.header("x-request-id").unwrap());
    body["error"]["request_id"] = Value::Null;
    body.to_string()
}

#[tokio::test]
async fn c_3_a_denied_caller_learns_nothing_about_existence() {
    let app = TestApp::new().await;
    let (owner, _, stranger) = app.actors().await;
    let attempts = || {
        vec![
            stranger.get("/v1/secrets/app/db"),
            stranger.head("/v1/secrets/app/db"),
            stranger.get("/v1/secrets/app/db?version=7"),
            stranger.get("/v1/secrets/app/db").header("if-none-match", "\"1\""),
            stranger.put("/v1/secrets/app/db", some_data()),
            stranger.put("/v1/secrets/app/db", some_data()).header("if-match", "\"9\""),
            stranger.put("/v1/secrets/app/db", some_data()).header("if-none-match", "*"),
            stranger.patch("/v1/secrets/app/db", json!({})),
            stranger.delete("/v1/secrets/app/db"),
            stranger.post_empty("/v1/secrets/app/db/restore"),
            stranger.post("/v1/secrets/app/db/rotate", json!({"new_value": {}})),
            stranger.get("/v1/secrets/app/db/versions"),
            stranger.get("/v1/secrets/metadata/app/db"),
        ]
    };
    let absent = together(attempts()).await;
    owner.put("/v1/secrets/app/db", json!({"data": {"password": app.canary()}})).await.expect(201);
    let present = together(attempts()).await;
    owner.delete("/v1/secrets/app/db").await.expect(200);
    let deleted = together(attempts()).await;
    for ((absent, present), deleted) in absent.into_iter().zip(present).zip(deleted) {
        for answer in [&absent, &present, &deleted] {
            assert_eq!(answer.status, 403, "{}", answer.text());
        }
        if absent.body.is_empty() {
            continue;
        }
        assert_eq!(absent.json()["error"]["code"], "access_denied");
        assert_eq!(without_request_id(&absent), without_request_id(&present));
        assert_eq!(without_request_id(&absent), without_request_id(&deleted));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_11_of_two_writes_on_one_version_one_wins() {
    let app = TestApp::new().await;
    let root = app.root();
    for round in 0..10 {
        let target = format!("/v1/secrets/app/db{round}");
        for _ in 0..3 {
            assert!(root.put(&target, some_data()).await.status.is_success());
        }
        let write = || root.put(&target, some_data()).header("if-match", "\"3\"");
        let mut answers = together(vec![write(), write()]).await;
        answers.sort_by_key(|answer| answer.status);
        let lost = answers.pop().unwrap().expect_error(409, "version_conflict");
        assert_eq!(lost.details()["current_version"], 4);
        let won = answers.pop().unwrap().expect(200);
        assert_eq!((&won.json()["version"], won.header("etag")), (&json!(4), Some("\"4\"")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_12_a_hundred_writes_get_a_hundred_versions() {
    let app = TestApp::new().await;
    let root = app.root();
    let writes = (0..100)
        .map(|i| root.put("/v1/secrets/app/db", json!({"data": {"writer": i}, "options": {"max_versions": 100}})));
    let answers = together(writes.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let versions: BTreeSet<i64> = answers.iter().map(|answer| answer.json()["version"].as_i64().unwrap()).collect();
    assert_eq!(versions, (1..=100).collect());
    // Each number leads to what its writer wrote.
    for (writer, answer) in answers.iter().enumerate() {
        let version = &answer.json()["version"];
        let read = root.get(&format!("/v1/secrets/app/db?version={version}")).await.expect(200);
        assert_eq!(read.json()["data"]["writer"], writer, "version {version}");
    }
}

#[tokio::test]
async fn preconditions_that_disagree_or_are_malformed_are_422() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for tag in ["W/\"1\"", "1", "\"x\"", "\"1", "\"01\"", "\"1\";\"2\"", "", "\"-1\"", "é"] {
        root.put("/v1/secrets/a", some_data()).header("if-match", tag).await.expect_fault("If-Match", "format");
        root.get("/v1/secrets/a").header("if-none-match", tag).await.expect_fault("If-None-Match", "format");
    }
    let body = json!({"data": {}, "options": {"expected_version": 2}});
    root.put("/v1/secrets/a", body).header("if-match", "\"1\"").await.expect_error(422, "validation_error");
    assert_eq!(root.get("/v1/secrets/a").await.expect(200).json()["version"], 1);
    root.put("/v1/secrets/a", some_data()).header("if-none-match", "*").await.expect_error(409, "version_conflict");
    root.put("/v1/secrets/b", some_data()).header("if-match", "*").await.expect_error(409, "version_conflict");
}

#[tokio::test]
async fn a_304_has_no_body_and_is_audited_as_a_read() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for tags in ["\"1\"", "\"7\", \"1\"", "*"] {
        let answer = root.get("/v1/secrets/a").header("if-none-match", tags).await.expect(304);
        assert!(answer.body.is_empty() && answer.header("content-type").is_none(), "{tags}");
        assert_eq!(answer.header("etag"), Some("\"1\""));
        let entry = super::audit_entry(&root, &answer).await;
        assert_eq!(
            (&entry["action"], &entry["status_code"], &entry["success"]),
            (&json!("read"), &json!(304), &json!(true))
        );
        assert_eq!(entry["extra_data"]["conditional"], true);
    }
    root.get("/v1/secrets/a").header("if-none-match", "\"2\"").await.expect(200);
    root.get("/v1/secrets/b").header("if-none-match", "*").await.expect_error(404, "secret_not_found");
}
