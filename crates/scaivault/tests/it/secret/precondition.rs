//! `If-Match`, `If-None-Match`, `expected_version` and `Idempotency-Key` (contract 00 section 7).

use rstest::rstest;
use scaivault_testkit::{Call, TestApp};
use serde_json::json;

use super::{metadata, put_versions, states, url, value};

/// A PUT on an absent path and on one at version 3: (header, its value, expected_version, status there, status here).
#[rstest]
#[case(None, None, 201, 200)]
#[case(Some(("if-match", "\"3\"")), None, 409, 200)]
#[case(Some(("if-match", "\"2\"")), None, 409, 409)]
#[case(Some(("if-match", "\"1\", \"3\"")), None, 409, 200)]
#[case(Some(("if-match", "*")), None, 409, 200)]
#[case(Some(("if-none-match", "*")), None, 201, 409)]
#[case(None, Some(0), 201, 409)]
#[case(None, Some(3), 409, 200)]
#[case(None, Some(2), 409, 409)]
#[case(Some(("if-match", "\"3\"")), Some(3), 409, 200)]
#[case(Some(("if-none-match", "*")), Some(0), 201, 409)]
#[tokio::test]
async fn writes_take_preconditions(
    #[case] header: Option<(&str, &str)>,
    #[case] expected: Option<i64>,
    #[case] absent: u16,
    #[case] there: u16,
) {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "there", 3).await;
    for (path, status, current) in [("absent", absent, 0), ("there", there, 3)] {
        let mut body = json!({"data": {"v": app.canary()}});
        if let Some(expected) = expected {
            body["options"] = json!({"expected_version": expected});
        }
        let call = root.put(&url(path), body);
        let call = header.into_iter().fold(call, |call, (name, value)| call.header(name, value));
        let answer = call.await.expect(status);
        if status == 409 {
            assert_eq!(answer.json()["error"]["code"], "version_conflict");
            assert_eq!(answer.details(), json!({"current_version": current}));
            assert_eq!(
                root.get(&url(path)).await.expect(if current == 0 { 404 } else { 200 }).header("etag"),
                (current > 0).then_some("\"3\"")
            );
        }
    }
}

#[tokio::test]
async fn header_and_body_must_agree_and_be_well_formed() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 3).await;
    let body = |expected: i64| json!({"data": {}, "options": {"expected_version": expected}});
    for call in [
        root.put(&url("a"), body(2)).header("if-match", "\"3\""),
        root.put(&url("a"), body(0)).header("if-match", "*"),
        root.put(&url("a"), body(3)).header("if-none-match", "*"),
    ] {
        call.await.expect_error(422, "validation_error");
    }
    for bad in ["W/\"3\"", "3", "\"abc\"", "\"03\"", "", "*, \"3\""] {
        for call in each_change(&root) {
            call.header("if-match", bad).await.expect_fault("If-Match", "format");
        }
    }
    for bad in ["\"3\"", "W/\"3\""] {
        root.put(&url("a"), json!({"data": {}}))
            .header("if-none-match", bad)
            .await
            .expect_fault("If-None-Match", "format");
    }
    for bad in [json!(-1), json!("3"), json!(1.0)] {
        let refused = root.put(&url("a"), json!({"data": {}, "options": {"expected_version": bad}})).await;
        assert_eq!(refused.expect_error(422, "validation_error").faults()[0].0, "options.expected_version");
    }
    assert_eq!(states(&root, "a").await.len(), 3);
}

/// PATCH, rotate, delete of a version and delete, of `a`.
fn each_change<'a>(actor: &scaivault_testkit::Actor<'a>) -> Vec<Call<'a>> {
    vec![
        actor.patch(&url("a"), json!({"metadata": {"owner": "changed"}})),
        actor.post(&url("a/rotate"), json!({"new_value": {"v": "rotated"}})),
        actor.delete(&url("a?version=1")),
        actor.delete(&url("a?permanent=true")),
        actor.delete(&url("a")),
    ]
}

#[tokio::test]
async fn every_change_takes_if_match() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "a", 2).await;
    for call in each_change(&root) {
        let refused = call.header("if-match", "\"1\"").await.expect_error(409, "version_conflict");
        assert_eq!(refused.details(), json!({"current_version": 2}));
    }
    assert_eq!((value(&root, "a").await.as_str(), states(&root, "a").await.len()), ("2", 2));
    assert_eq!(metadata(&root, "a").await["metadata"]["owner"], json!(null));

    root.patch(&url("a"), json!({"metadata": {"owner": "o"}})).header("if-match", "\"2\"").await.expect(200);
    root.post(&url("a/rotate"), json!({"new_value": {}})).header("if-match", "\"1\", \"2\"").await.expect(200);
    root.delete(&url("a?version=1")).header("if-match", "\"3\"").await.expect(200);
    root.delete(&url("a")).header("if-match", "*").await.expect(200);
    root.delete(&url("a?permanent=true")).header("if-match", "\"3\"").await.expect(200);
}

#[tokio::test]
async fn c_13_a_repeated_write_happens_once() {
    let app = TestApp::new().await;
    let root = app.root();
    let write = |value: &str| root.put(&url("a"), json!({"data": {"v": value}})).header("idempotency-key", "k-1");
    let first = write(app.canary()).await.expect(201);
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = write(app.canary()).await.expect(201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((again.json(), again.header("etag")), (first.json(), Some("\"1\"")));
    assert_eq!(metadata(&root, "a").await["version_count"], 1);
    write("other").await.expect_fault("Idempotency-Key", "conflict");
    root.put(&url("b"), json!({"data": {}})).header("idempotency-key", "k-1").await.expect(201);
    for bad in ["", "a b", &"x".repeat(129)] {
        let call = root.put(&url("a"), json!({"data": {}})).header("idempotency-key", bad);
        call.await.expect_fault("Idempotency-Key", "format");
    }
    app.clock.advance(24 * 3600 + 1);
    write("later").await.expect(200);
    assert_eq!(value(&root, "a").await, "later");
}

#[tokio::test]
async fn a_repeated_rotation_happens_once_and_failures_are_not_kept() {
    let app = TestApp::new().await;
    let root = app.root();
    let rotate = || root.post(&url("a/rotate"), json!({"new_value": {"v": "2"}})).header("idempotency-key", "k");
    rotate().await.expect_error(404, "secret_not_found");
    put_versions(&root, "a", 1).await;
    let first = rotate().await.expect(200).json();
    assert_eq!(rotate().await.expect(200).json(), first);
    assert_eq!(states(&root, "a").await.len(), 2);
}
