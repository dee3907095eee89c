//! Contract 00 section 8.

use scaivault_testkit::{Actor, TestApp};
use serde_json::json;

use super::{secret_count, some_data};

/// `valid`, or the reason of the 400, which must be the same for every way to name the path in an address.
async fn verdict(root: &Actor<'_>, path: &str) -> String {
    let target = format!("/v1/secrets/{path}");
    let written = root.put(&target, some_data()).await;
    if written.status.is_success() {
        let read = root.get(&target).await.expect(200);
        assert_eq!(read.json()["path"], written.json()["path"]);
        return "valid".to_owned();
    }
    let reason = written.expect_error(400, "invalid_path").details()["reason"].as_str().unwrap().to_owned();
    let others = [
        root.delete(&target),
        root.patch(&target, json!({})),
        root.get(&format!("/v1/partner/secrets/metadata/{path}")),
        root.get(&format!("/v1/secrets/metadata/{path}")),
    ];
    for other in others {
        assert_eq!(other.await.expect_error(400, "invalid_path").details()["reason"], reason.as_str(), "{path}");
    }
    reason
}

async fn verdicts(paths: &[&str], expected: &str) {
    let app = TestApp::new().await;
    for path in paths {
        assert_eq!(verdict(&app.root(), path).await, expected, "{path}");
    }
    let stored = if expected == "valid" { paths.len() } else { 0 };
    assert_eq!(secret_count(&app.root()).await, i64::try_from(stored).unwrap());
}

#[tokio::test]
async fn p_1_what_a_path_may_be() {
    verdicts(&["a", "app/db/password", "A/b_C-d.e/0", ".env/x", "a..b/..."], "valid").await;
}

#[tokio::test]
async fn p_2_ten_segments_and_512_characters_are_the_most() {
    verdicts(&["a/b/c/d/e/f/g/h/i/j", &"a".repeat(512), &"%62".repeat(512)], "valid").await;
}

#[tokio::test]
async fn p_3_one_more_is_too_much() {
    verdicts(&["a/b/c/d/e/f/g/h/i/j/k"], "too_deep").await;
    verdicts(&[&"a".repeat(513), &"%61".repeat(513)], "too_long").await;
}

#[tokio::test]
async fn p_4_no_path_and_no_empty_segment() {
    verdicts(&["/a", "a/", "a//b", "/", "a/versions/"], "empty_segment").await;
    let app = TestApp::new().await;
    let root = app.root();
    for target in ["/v1/secrets/", "/v1/secrets", "/v1/partner/secrets/"] {
        for call in [root.put(target, some_data()), root.patch(target, json!({})), root.delete(target)] {
            assert_eq!(call.await.expect_error(400, "invalid_path").details()["reason"], "empty", "{target}");
        }
    }
    let answer = root.get("/v1/secrets/metadata/").await.expect_error(400, "invalid_path");
    assert_eq!(answer.details()["reason"], "empty");
    root.post_empty("/v1/secrets//restore").await.expect_error(400, "invalid_path");
}

#[tokio::test]
async fn p_5_dots_lead_nowhere() {
    verdicts(&["a/./b", "..", ".", "a/%2e%2e/b", "%2E", "a/.%2e"], "dot_segment").await;
}

#[tokio::test]
async fn p_6_characters_that_no_path_has() {
    let named = ["a%2Fb", "a%2fb", "a%5Cb", "a%00b", "a%0Ab", "%C3%A9", "a%20b", "a:b", "a%zz", "a*"];
    let more = ["a\\b", "é", "a%", "a%2", "a+b", "a%25", "%2561", "a%7F", "a;b", "a,b", "a@b", "a~b", "%EF%BC%8E"];
    verdicts(&named, "character").await;
    verdicts(&more, "character").await;
}

#[tokio::test]
async fn p_7_reserved_words_are_named() {
    let app = TestApp::new().await;
    let root = app.root();
    let table = [
        ("metadata/x", "metadata"),
        ("expiring/x", "expiring"),
        ("batch", "batch"),
        ("batch/x", "batch"),
        ("a/versions", "versions"),
        ("versions", "versions"),
        ("a/restore", "restore"),
        ("rotate", "rotate"),
        ("a/move", "move"),
        ("a/copy", "copy"),
        ("a/%72otate", "rotate"),
        ("%6detadata/x", "metadata"),
    ];
    for (path, word) in table {
        let target = format!("/v1/secrets/{path}");
        for call in [root.put(&target, some_data()), root.patch(&target, json!({})), root.delete(&target)] {
            let answer = call.await.expect_error(400, "invalid_path");
            assert_eq!(
                (&answer.details()["reason"], &answer.details()["reserved"]),
                (&json!("reserved"), &json!(word))
            );
        }
        let target = format!("/v1/secrets/metadata/{path}");
        assert_eq!(root.get(&target).await.expect_error(400, "invalid_path").details()["reserved"], word);
    }
    // In a body as in an address.
    let tested = json!({"identity_id": "user:nobody@test.example", "path": "a/versions", "permission": "read"});
    let answer = root.post("/v1/policies/test", tested).await.expect_error(400, "invalid_path");
    assert_eq!(answer.details()["reserved"], "versions");
    assert_eq!(secret_count(&root).await, 0);
}

#[tokio::test]
async fn p_8_elsewhere_these_words_are_names() {
    let paths = ["a/metadata", "a/expiring", "versions/a", "Metadata/x", "a/rotate/b", "a/versions2", "expiring2"];
    verdicts(&paths, "valid").await;
}

#[tokio::test]
async fn p_9_versions_is_the_list_of_versions() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let versions = root.get("/v1/secrets/a/versions").await.expect(200).json();
    assert_eq!((&versions["path"], &versions["versions"][0]["version"]), (&json!("a"), &json!(1)));
    root.get("/v1/secrets/b/versions").await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn p_10_rotate_is_reserved_and_not_another_method() {
    let app = TestApp::new().await;
    for word in ["rotate", "restore", "move", "copy"] {
        let answer = app.root().get(&format!("/v1/secrets/a/{word}")).await.expect_error(400, "invalid_path");
        assert_eq!(answer.details(), json!({"reason": "reserved", "reserved": word}));
    }
}

#[tokio::test]
async fn p_11_case_makes_two_secrets() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/App/db", json!({"data": {"n": 1}})).await.expect(201);
    root.put("/v1/secrets/app/db", json!({"data": {"n": 2}})).await.expect(201);
    assert_eq!(root.get("/v1/secrets/App/db").await.expect(200).json()["data"]["n"], 1);
    assert_eq!(root.get("/v1/secrets/app/db").await.expect(200).json()["data"]["n"], 2);
}

#[tokio::test]
async fn encoded_path_characters_are_decoded_once() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/%61pp/d%62", some_data()).await.expect(201);
    assert_eq!(root.get("/v1/secrets/app/db").await.expect(200).json()["path"], "app/db");
    assert_eq!(root.get("/v1/secrets/metadata/%61pp/db").await.expect(200).json()["path"], "app/db");
    assert_eq!(root.get("/v1/secrets/%61pp/db/versions").await.expect(200).json()["path"], "app/db");
}

#[tokio::test]
async fn a_prefix_is_a_plain_string() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/environments/production/x", some_data()).await.expect(201);
    for (prefix, count) in [("environments/prod", 1), ("environments/", 1), ("a//b", 0), ("/", 0), ("metadata", 0)] {
        let list = root.get(&format!("/v1/secrets?prefix={prefix}")).await.expect(200);
        assert_eq!(list.json()["total_count"], count, "{prefix}");
    }
    for prefix in ["a*", "a%20b", "%C3%A9", "a%00", &"a".repeat(513)] {
        root.get(&format!("/v1/secrets?prefix={prefix}")).await.expect_error(400, "invalid_path");
    }
}
