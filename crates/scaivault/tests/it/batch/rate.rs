//! What batches cost (12 section 5).

use scaivault_domain::rate::RateCategory;
use scaivault_testkit::{Answer, TestApp};
use serde_json::json;

use super::{READ, metadata, read};

async fn limited(change: impl FnOnce(&mut scaivault_domain::rate::RateLimits)) -> TestApp {
    TestApp::builder().limits(change).start().await
}

fn left(answer: &Answer) -> (&str, &str) {
    (answer.header("x-ratelimit-limit").unwrap(), answer.header("x-ratelimit-remaining").unwrap())
}

#[tokio::test]
async fn b_7_values_are_paid_from_the_bucket_of_reads_below_zero() {
    let app = limited(|limits| limits.set(RateCategory::Read, 40)).await;
    let root = app.root();
    let paths: Vec<String> = (0..50).map(|i| format!("a/{i:02}")).collect();
    for path in &paths {
        root.put(&format!("/v1/secrets/{path}"), json!({"data": {}})).await.expect(201);
    }
    let all = root.post(READ, json!({"paths": paths})).await.expect(200);
    assert_eq!(all.json()["success_count"], 50);
    assert_eq!(left(&all), ("100", "99"), "the headers tell of the call's own bucket");
    let refused = root.get("/v1/secrets/a/00").await.expect_error(429, "rate_limited");
    // Eleven units at forty a minute.
    assert_eq!(refused.details(), json!({"category": "read", "retry_after": 17}));
    let refused = read(&root, &["a/00"]).await.expect_error(429, "rate_limited");
    assert_eq!(refused.details(), json!({"category": "read", "retry_after": 17}));
    assert_eq!(left(&refused), ("40", "0"));
    app.clock.advance(17);
    let next = read(&root, &["a/00"]).await.expect(200);
    assert_eq!(left(&next), ("100", "99"), "the refused call cost nothing");
    root.get("/v1/secrets/a/00").await.expect_error(429, "rate_limited");
}

#[tokio::test]
async fn what_is_not_given_is_not_paid() {
    let app = limited(|limits| limits.set(RateCategory::Read, 2)).await;
    let root = app.root();
    root.put("/v1/secrets/a", json!({"data": {}})).await.expect(201);
    for _ in 0..3 {
        read(&root, &["x/1", "x/2", "x/3"]).await.expect(200);
        root.post(READ, json!({"paths": ["a", "x"], "options": {"fail_fast": true}})).await.expect(404);
    }
    assert_eq!(left(&root.get("/v1/secrets/a").await.expect(200)), ("2", "1"));
}

#[tokio::test]
async fn calls_have_a_bucket_of_their_own() {
    let app = limited(|limits| limits.set(RateCategory::BatchRead, 1)).await;
    let root = app.root();
    read(&root, &["a"]).await.expect(200);
    let refused = read(&root, &["a"]).await.expect_error(429, "rate_limited");
    assert_eq!(refused.details()["category"], "batch_read");
    assert_eq!(left(&metadata(&root, &["a"], false).await.expect(200)), ("100", "99"));
}

#[tokio::test]
async fn metadata_has_a_bucket_of_its_own() {
    let app = limited(|limits| limits.set(RateCategory::BatchMetadata, 1)).await;
    let root = app.root();
    metadata(&root, &["a"], false).await.expect(200);
    let refused = metadata(&root, &["a"], false).await.expect_error(429, "rate_limited");
    assert_eq!(refused.details()["category"], "batch_metadata");
}
