//! Contract 00 section 1: queries are read strictly.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::some_data;

#[tokio::test]
async fn c_6_limits_outside_the_range_are_422() {
    let app = TestApp::new().await;
    let root = app.root();
    let bad = ["0", "201", "x", "", "-1", "1.0", "+1", "%2B1", "1e1", "0x1", " 1", "%201", "99999999999999999999"]
        .map(|text| text.replace(' ', "+"));
    for limit in bad {
        let answer = root.get(&format!("/v1/secrets?limit={limit}")).await.expect_error(422, "validation_error");
        assert_eq!(answer.faults()[0].0, "limit", "{limit}");
    }
    for limit in ["1", "200", "007"] {
        root.get(&format!("/v1/secrets?limit={limit}")).await.expect(200);
    }
    root.get("/v1/audit/logs?limit=1000").await.expect(200);
    root.get("/v1/audit/logs?limit=1001").await.expect_fault("limit", "range");
    root.get("/v1/audit/logs?limit=0").await.expect_fault("limit", "range");
}

#[tokio::test]
async fn c_7_unknown_parameters_are_422_everywhere() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let gets = [
        "/v1/secrets",
        "/v1/secrets/expiring",
        "/v1/secrets/a",
        "/v1/secrets/metadata/a",
        "/v1/secrets/a/versions",
        "/v1/policies",
        "/v1/audit/logs",
        "/v1/audit/summary",
        "/v1/audit/secrets/a",
        "/v1/health",
        "/v1/health/ready",
        "/v1/version",
        "/v1/sys/seal-status",
        "/v1/sys/keys",
        "/v1/sys/jobs",
        "/v1/rotation/policies",
        "/v1/secret-policies",
    ];
    for target in gets {
        root.get(&format!("{target}?foo=1")).await.expect_fault("foo", "unknown");
        root.get(&format!("{target}?foo")).await.expect_fault("foo", "unknown");
        root.head(&format!("{target}?foo=1")).await.expect(422);
    }
    root.put("/v1/secrets/a?foo=1", some_data()).await.expect_fault("foo", "unknown");
    root.patch("/v1/secrets/a?foo=1", json!({})).await.expect_fault("foo", "unknown");
    root.post("/v1/secrets/a/rotate?foo=1", json!({"new_value": {}})).await.expect_fault("foo", "unknown");
    root.post_empty("/v1/secrets/a/restore?foo=1").await.expect_fault("foo", "unknown");
    root.post("/v1/policies?foo=1", json!({})).await.expect_fault("foo", "unknown");
    root.delete("/v1/secrets/a?permanant=true").await.expect_fault("permanant", "unknown");
    root.delete("/v1/secrets/a?Permanent=true").await.expect_fault("Permanent", "unknown");
    assert_eq!(root.get("/v1/secrets/a").await.expect(200).json()["version"], 1);
}

#[tokio::test]
async fn repeated_parameters_are_422_unless_they_may_be() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    let table = [
        ("/v1/secrets?limit=1&limit=1", "limit"),
        ("/v1/secrets?prefix=a&prefix=a", "prefix"),
        ("/v1/secrets?q=a&%71=a", "q"),
        ("/v1/secrets/a?version=1&version=1", "version"),
        ("/v1/secrets?cursor=a&cursor=b", "cursor"),
        ("/v1/secrets?include_expired=true&include_expired=true", "include_expired"),
    ];
    for (target, field) in table {
        root.get(target).await.expect_fault(field, "conflict");
    }
    root.delete("/v1/secrets/a?permanent=false&permanent=true").await.expect_fault("permanent", "conflict");
    root.get("/v1/secrets/a").await.expect(200);
    root.get("/v1/secrets?tag=a&tag=b").await.expect(200);
}

#[tokio::test]
async fn booleans_are_true_or_false() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for value in ["1", "0", "yes", "TRUE", "True", "", "true%20", "null"] {
        root.get(&format!("/v1/secrets?include_metadata={value}")).await.expect_error(422, "validation_error");
        root.delete(&format!("/v1/secrets/a?permanent={value}")).await.expect_error(422, "validation_error");
    }
    root.delete("/v1/secrets/a?permanent").await.expect_error(422, "validation_error");
    root.get("/v1/secrets?include_metadata=true&include_expired=false").await.expect(200);
    root.get("/v1/secrets/a").await.expect(200);
}

#[tokio::test]
async fn bad_escapes_and_bad_utf_8_are_422_and_name_the_parameter() {
    let app = TestApp::new().await;
    let root = app.root();
    for value in ["%", "%4", "%zz", "a%", "%C3", "%FF", "%ED%A0%80", "%+1"] {
        root.get(&format!("/v1/secrets?q={value}")).await.expect_fault("q", "format");
    }
    root.get("/v1/secrets?%zz=1").await.expect_error(422, "validation_error");
    root.get("/v1/secrets?q=caf%C3%A9+%2B").await.expect(200);
    for target in ["/v1/secrets?", "/v1/secrets?&&", "/v1/secrets?limit=1&"] {
        root.get(target).await.expect(200);
    }
}

#[tokio::test]
async fn times_and_words_of_a_query_are_checked() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", some_data()).await.expect(201);
    for at in
        ["2026-05-01T10:00:00", "2026-05-01", "1777629600", "now", "2026-13-01T00:00:00Z", "2026-05-01T10:00:00+02:00"]
    {
        root.get(&format!("/v1/secrets/a?at={at}")).await.expect_fault("at", "format");
    }
    root.get("/v1/secrets/a?at=2026-05-01T12:00:00%2B02:00").await.expect(200);
    root.get("/v1/secrets/a?version=1&at=2026-05-01T10:00:00Z").await.expect_error(422, "validation_error");
    root.get("/v1/secrets?sort=name").await.expect_error(422, "validation_error");
    root.get("/v1/secrets?delimiter=.").await.expect_error(422, "validation_error");
    root.get("/v1/secrets?secret_type=password").await.expect_error(400, "invalid_secret_type");
}
