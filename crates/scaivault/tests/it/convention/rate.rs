//! Contract 12 section 5: rate limits.

use scaivault_domain::rate::RateCategory;
use scaivault_testkit::{Answer, START, TestApp};
use serde_json::json;

use super::{some_data, together};

fn headers(answer: &Answer) -> [Option<i64>; 3] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
        .map(|name| answer.header(name).map(|value| value.parse().unwrap()))
}

const NONE: [Option<i64>; 3] = [None; 3];

async fn three_reads() -> TestApp {
    TestApp::builder().limits(|limits| limits.set(RateCategory::Read, 3)).start().await
}

#[tokio::test]
async fn the_headers_tell_limit_rest_and_when_it_is_full_again() {
    let app = three_reads().await;
    let root = app.root();
    for used in 1..=3 {
        let answer = root.get("/v1/secrets/none").await.expect(404);
        assert_eq!(headers(&answer), [Some(3), Some(3 - used), Some(START + 20 * used)]);
        assert_eq!(answer.header("retry-after"), None);
    }
    let refused = root.get("/v1/secrets/none").await.expect_error(429, "rate_limited");
    assert_eq!(headers(&refused), [Some(3), Some(0), Some(START + 60)]);
    assert_eq!(refused.header("retry-after"), Some("20"));
    assert_eq!(refused.details(), json!({"category": "read", "retry_after": 20}));
    // Another category has a bucket of its own; a minute fills any.
    assert_eq!(
        headers(&root.put("/v1/secrets/a", some_data()).await.expect(201)),
        [Some(100), Some(99), Some(START + 1)]
    );
    app.clock.advance(60);
    assert_eq!(headers(&root.get("/v1/secrets/a").await.expect(200))[1], Some(2));
}

#[tokio::test]
async fn y_7_retry_after_kept_the_next_succeeds_and_refused_ones_cost_nothing() {
    let app = three_reads().await;
    let root = app.root();
    for _ in 0..3 {
        root.get("/v1/secrets/none").await.expect(404);
    }
    for _ in 0..50 {
        root.get("/v1/secrets/none").await.expect_error(429, "rate_limited");
    }
    app.clock.advance(19);
    let refused = root.get("/v1/secrets/none").await.expect_error(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    app.clock.advance(1);
    root.get("/v1/secrets/none").await.expect(404);
    root.get("/v1/secrets/none").await.expect_error(429, "rate_limited");
}

#[tokio::test]
async fn y_7_one_at_its_limit_does_not_concern_another() {
    let app = three_reads().await;
    let (first, second) = (app.user("a", &["secrets:read"], &[]).await, app.user("b", &["secrets:read"], &[]).await);
    for _ in 0..3 {
        first.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    }
    first.get("/v1/secrets/a").await.expect_error(429, "rate_limited");
    assert_eq!(headers(&second.get("/v1/secrets/a").await.expect(403))[1], Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn y_7_switched_off_ten_thousand_reads_pass() {
    let app = TestApp::builder().limits(|limits| limits.set_enabled(false)).start().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for _ in 0..20 {
        for answer in together((0..500).map(|_| root.get("/v1/secrets/a")).collect()).await {
            assert_eq!(headers(&answer.expect(200)), NONE);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn y_8_of_1001_reads_at_once_one_is_refused() {
    let app = TestApp::builder().limits(|_| ()).start().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let answers = together((0..1001).map(|_| root.get("/v1/secrets/a")).collect()).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(429)), (1000, 1));
}

#[tokio::test]
async fn every_answer_to_an_authenticated_request_has_the_headers() {
    let app = TestApp::builder().limits(|_| ()).start().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let calls = [
        (root.get("/v1/secrets/a"), 1000),
        (root.head("/v1/secrets/a"), 1000),
        (root.get("/v1/secrets/a").header("if-none-match", "\"1\""), 1000),
        (root.get("/v1/secrets/a%2Fb"), 1000),
        (root.put("/v1/secrets/a", json!({})), 100),
        (root.put("/v1/secrets/a", json!({})).raw("text/plain", b"x"), 100),
        (root.patch("/v1/secrets/a", json!({})), 100),
        (root.delete("/v1/secrets/none"), 100),
        (root.get("/v1/secrets"), 100),
        (root.get("/v1/secrets/metadata/a"), 100),
        (root.get("/v1/secrets/a/versions"), 100),
        (root.get("/v1/secrets/expiring"), 100),
        (root.get("/v1/policies"), 50),
        (root.post("/v1/policies/test", json!({})), 200),
        (root.get("/v1/audit/logs"), 50),
        (root.get("/v1/sys/keys"), 60),
        (root.get("/v1/health/detailed"), 60),
    ];
    for (call, limit) in calls {
        let answer = call.await;
        assert_eq!(headers(&answer)[0], Some(limit), "{} {}", answer.status, answer.text());
    }
}

#[tokio::test]
async fn nobody_else_has_them() {
    let app = TestApp::builder().limits(|_| ()).start().await;
    let nobody = app.anonymous();
    for call in
        [nobody.get("/v1/health"), nobody.get("/v1/secrets/a"), nobody.get("/v1/none"), app.root().get("/v1/none")]
    {
        assert_eq!(headers(&call.await), NONE);
    }
    let app = TestApp::new().await;
    assert_eq!(headers(&app.root().get("/v1/secrets/a").await), NONE);
}

#[tokio::test]
async fn a_limit_of_zero_is_none() {
    let app = TestApp::builder().limits(|limits| limits.set(RateCategory::Read, 0)).start().await;
    assert_eq!(headers(&app.root().get("/v1/secrets/a").await.expect(404)), NONE);
    assert_eq!(headers(&app.root().get("/v1/secrets").await.expect(200))[0], Some(100));
}

#[tokio::test]
async fn a_replay_costs_as_any_request() {
    let app = TestApp::builder().limits(|limits| limits.set(RateCategory::Write, 2)).start().await;
    let put = || app.root().put("/v1/secrets/a", some_data()).header("idempotency-key", "k");
    assert_eq!(headers(&put().await.expect(201))[1], Some(1));
    assert_eq!(headers(&put().await.expect(201))[1], Some(0));
    put().await.expect_error(429, "rate_limited");
}
