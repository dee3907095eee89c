//! `/v1/health`, `/v1/version`, `/v1/metrics` and `/v1/sys` (contract 12).

use scaivault_store::job::{self, Plan};
use scaivault_store::{Lane, StoreError};
use scaivault_testkit::TestApp;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn probes_ask_for_no_token() {
    let app = TestApp::new().await;
    let nobody = app.anonymous();
    let health = nobody.get("/v1/health").await.expect(200).json();
    assert_eq!(health, json!({"status": "healthy", "timestamp": "2026-05-01T10:00:00Z"}));
    let ready = nobody.get("/v1/health/ready").await.expect(200).json();
    assert_eq!(
        ready,
        json!({"status": "ready",
               "checks": {"database": "ok", "redis": "not_configured", "encryption": "ok", "audit": "ok"}})
    );
    let version = nobody.get("/v1/version").await.expect(200).json();
    assert_eq!(version["api_version"], "v1");
    nobody.get("/v1/health?x=1").await.expect_fault("x", "unknown");
    let refused = nobody.delete("/v1/health").await.expect_error(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    nobody.head("/v1/health").await.expect(200);
    nobody.get("/v1/t/tnt_default/health").await.expect_error(404, "not_found");
    app.vault.begin_shutdown();
    let draining = nobody.get("/v1/health/ready").await.expect(503).json();
    assert_eq!((&draining["status"], &draining["errors"]["server"]), (&json!("not_ready"), &json!("shutting_down")));
}

#[tokio::test(flavor = "multi_thread")]
async fn details_and_metrics_ask_for_one() {
    let app = TestApp::new().await;
    app.anonymous().get("/v1/health/detailed").await.expect_error(401, "authentication_required");
    app.anonymous().get("/v1/metrics").await.expect_error(401, "authentication_required");
    app.root().put("/v1/secrets/a", json!({"data": {"k": 1}})).await.expect(201);
    app.root().get("/v1/secrets/a").await.expect(200);
    app.vault.write_checkpoints(true).await.unwrap();
    let detailed = app.root().get("/v1/health/detailed").await.expect(200).json();
    assert_eq!(detailed["status"], "healthy");
    assert_eq!(detailed["checks"]["database"]["engine"], app.vault.store().engine_name());
    assert_eq!(detailed["checks"]["encryption"]["provider"], "file");
    let metrics = app.root().get("/v1/metrics").await.expect(200);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let asked =
        app.root().get("/v1/metrics").header("accept", "application/openmetrics-text;version=1.0.0").await.expect(200);
    assert!(asked.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    for line in [
        "scaivault_requests_total{method=\"PUT\",path_category=\"write\",status=\"201\"} 1",
        "scaivault_requests_total{method=\"GET\",path_category=\"system\",status=\"401\"} 1",
        "scaivault_requests_total{method=\"GET\",path_category=\"none\",status=\"401\"} 1",
        "scaivault_secret_reads_total{tenant=\"tnt_default\",secret_type=\"kv\"} 1",
        "scaivault_secrets_total{tenant=\"tnt_default\"} 1",
        "scaivault_active_requests{path_category=\"none\"} 1",
        "scaivault_kms_latency_seconds_count{operation=\"encrypt\"} ",
        "scaivault_kms_latency_seconds_count{operation=\"decrypt\"} ",
        "scaivault_kms_latency_seconds_count{operation=\"sign\"} 2",
    ] {
        assert!(metrics.text().contains(line), "{line} is missing in\n{}", metrics.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_not_rate_limited() {
    let per_identity =
        |on: bool| TestApp::builder().limits(|_| ()).settings(move |s| s.metrics_per_identity = on).start();
    let app = per_identity(true).await;
    let root = app.root();
    for _ in 0..70 {
        let scraped = root.get("/v1/metrics").await.expect(200);
        assert_eq!(scraped.header("x-ratelimit-limit"), None);
        assert!(!scraped.text().contains("scaivault_rate_limit_bucket_fill{"), "{}", scraped.text());
    }
    let detailed = root.get("/v1/health/detailed").await.expect(200);
    assert_eq!(
        (detailed.header("x-ratelimit-limit"), detailed.header("x-ratelimit-remaining")),
        (Some("60"), Some("59"))
    );
    let refused = app.user("plain", &["secrets:read"], &[]).await.get("/v1/metrics").await;
    assert_eq!(refused.expect_error(403, "insufficient_scope").header("x-ratelimit-limit"), None);
    let metrics = root.get("/v1/metrics").await.expect(200).text();
    let line =
        metrics.lines().find(|line| line.starts_with("scaivault_rate_limit_bucket_fill{category=\"system\"")).unwrap();
    let (labels, used) = line.rsplit_once(' ').unwrap();
    assert!(labels.contains("identity=\"usr_"), "{line}");
    assert!((used.parse::<f64>().unwrap() - 1.0 / 60.0).abs() < 1e-9, "{line}");

    let app = per_identity(false).await;
    app.root().get("/v1/health/detailed").await.expect(200);
    assert!(!app.root().get("/v1/metrics").await.expect(200).text().contains("bucket_fill"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_is_a_shutdown_and_no_outage_of_the_storage() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", json!({"data": {"k": app.canary()}})).await.expect(201);
    root.get("/v1/secrets/a").await.expect(200);
    app.vault.begin_shutdown();
    // What arrives while open requests end is answered as ever.
    root.get("/v1/secrets/a").await.expect(200);
    app.vault.shut_down().await;
    for call in [
        root.get("/v1/secrets/a"),
        root.get("/v1/secrets/a").header("cache-control", "no-cache"),
        root.get("/v1/secrets"),
        root.put("/v1/secrets/a", json!({"data": {"k": 2}})),
        root.delete("/v1/secrets/a"),
        app.with_token("scv_nonsense").get("/v1/secrets/a"),
    ] {
        let refused = call.await.expect_error(503, "service_unavailable");
        assert_eq!((&refused.details()["reason"], refused.header("retry-after")), (&json!("shutting_down"), Some("5")));
    }
    app.anonymous().get("/v1/health").await.expect(200);
    app.anonymous().get("/v1/health/ready").await.expect(503);
}

#[tokio::test(flavor = "multi_thread")]
async fn y_1_a_sealed_server_answers_only_what_needs_no_key() {
    let app = TestApp::new().await;
    let (root, nobody) = (app.root(), app.anonymous());
    root.put("/v1/secrets/a", json!({"data": {"k": 1}})).await.expect(201);
    root.get("/v1/secrets/a").await.expect(200);
    let open = nobody.get("/v1/sys/seal-status").await.expect(200).json();
    assert_eq!(
        open,
        json!({"sealed": false, "provider": "file", "threshold": 1, "shares": 1, "progress": 0, "initialized": true})
    );
    root.post("/v1/sys/seal", json!({"x": 1})).await.expect_fault("x", "unknown");
    let sealed = root.post_empty("/v1/sys/seal").await.expect(200).json();
    assert_eq!(sealed["sealed"], true);
    for target in ["/v1/secrets/a", "/v1/audit/logs", "/v1/sys/keys"] {
        let refused = root.get(target).await.expect_error(503, "service_unavailable");
        assert_eq!(refused.details()["reason"], "sealed");
        assert_eq!(refused.header("retry-after"), None);
    }
    nobody.get("/v1/health").await.expect(200);
    nobody.get("/v1/version").await.expect(200);
    let ready = nobody.get("/v1/health/ready").await.expect(503).json();
    assert_eq!((&ready["checks"]["encryption"], &ready["errors"]), (&json!("error"), &json!({"encryption": "sealed"})));
    assert_eq!(root.get("/v1/health/detailed").await.expect(200).json()["status"], "degraded");
    assert!(root.get("/v1/metrics").await.expect(200).text().contains("scaivault_sealed 1"));
    // The file provider takes no passphrase; it unseals by itself at the next start.
    nobody.post("/v1/sys/unseal", json!({"passphrase": "x"})).await.expect_error(400, "invalid_request");
    nobody.post("/v1/sys/unseal", json!({"share": "x"})).await.expect_error(400, "invalid_request");
    nobody.post("/v1/sys/unseal", json!({"reset": true})).await.expect(200);
    nobody.post("/v1/sys/unseal", json!({})).await.expect_fault("passphrase", "required");
    nobody
        .post("/v1/sys/unseal", json!({"passphrase": "x", "reset": true}))
        .await
        .expect_fault("passphrase", "conflict");
    for _ in 0..4 {
        nobody.post("/v1/sys/unseal", json!({"passphrase": "x"})).await.expect_error(400, "invalid_request");
    }
    nobody.post("/v1/sys/unseal", json!({"passphrase": "x"})).await.expect_error(429, "rate_limited");
    let app = app.restart().await;
    app.root().get("/v1/secrets/a").await.expect(200);
    let logs = app.root().get("/v1/audit/logs?action=system_change&success=true").await.expect(200).json();
    assert_eq!(logs["logs"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_is_the_super_admins() {
    let app = TestApp::new().await;
    let keys = app.root().get("/v1/sys/keys").await.expect(200).json();
    assert_eq!(keys["jobs"], json!([]));
    assert_eq!(keys["keys"].as_array().unwrap().len(), 4);
    app.root().get("/v1/t/tnt_default/sys/keys").await.expect_error(404, "not_found");
    let admin = app.user("admin", &["admin"], &[]).await;
    admin.get("/v1/sys/keys").await.expect_error(403, "forbidden");
    admin.post_empty("/v1/sys/seal").await.expect_error(403, "forbidden");
    assert!(!app.vault.is_sealed());
}

/// Gives up a job as the server does after many failures.
async fn give_up(app: &TestApp, kind: &'static str, subject: &'static str, tenant_id: &'static str) {
    let now = app.now();
    let write = app.vault.store().write(Lane::Whole, move |tx| {
        job::plan(tx, &Plan { kind, subject, tenant_id, namespace: tenant_id, run_at: now }, now)?;
        let found = job::due(tx, kind, now, 100)?.into_iter().find(|found| found.key.subject == subject);
        let found = found.ok_or_else(|| StoreError::corrupt("it was just planned"))?;
        let taken = job::take(tx, &found, now, now)?.ok_or_else(|| StoreError::corrupt("it is free"))?;
        job::bury(tx, &taken, "internal_error: An internal error occurred", now)
    });
    write.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_shown_and_tried_again() {
    let app = TestApp::new().await;
    let root = app.root();
    assert_eq!(
        root.get("/v1/sys/jobs").await.expect(200).json(),
        json!({"waiting": 0, "due": 0, "dead_count": 0, "dead": []})
    );
    give_up(&app, "purge", "instance", "").await;
    app.clock.advance(60);
    give_up(&app, "secret_expiry", "sec_nothing", "tnt_default").await;
    let shown = root.get("/v1/sys/jobs").await.expect(200).json();
    assert_eq!(
        shown,
        json!({"waiting": 0, "due": 0, "dead_count": 2, "dead": [
            {"kind": "secret_expiry", "subject": "sec_nothing", "tenant_id": "tnt_default", "failures": 1,
             "error": "internal_error: An internal error occurred", "died_at": "2026-05-01T10:01:00Z"},
            {"kind": "purge", "subject": "instance", "tenant_id": null, "failures": 1,
             "error": "internal_error: An internal error occurred", "died_at": "2026-05-01T10:00:00Z"},
        ]})
    );
    let one = root.get("/v1/sys/jobs?limit=1").await.expect(200).json();
    assert_eq!((one["dead"].as_array().unwrap().len(), &one["dead_count"]), (1, &json!(2)));
    root.get("/v1/sys/jobs?limit=0").await.expect_fault("limit", "range");
    root.get("/v1/sys/jobs?limit=201").await.expect_fault("limit", "range");

    let retried = root.post("/v1/sys/jobs/retry", json!({"kind": "purge", "subject": "instance"})).await.expect(200);
    assert_eq!(retried.json(), json!({"kind": "purge", "subject": "instance", "run_at": "2026-05-01T10:01:00Z"}));
    let shown = root.get("/v1/sys/jobs").await.expect(200).json();
    assert_eq!((&shown["waiting"], &shown["due"], &shown["dead_count"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(app.settle().await, 1);
    let shown = root.get("/v1/sys/jobs").await.expect(200).json();
    assert_eq!((&shown["waiting"], &shown["due"]), (&json!(1), &json!(0)));
    // It lives: there is nothing to be tried again.
    let again = root.post("/v1/sys/jobs/retry", json!({"kind": "purge", "subject": "instance"})).await;
    again.expect_error(404, "not_found");
    root.post("/v1/sys/jobs/retry", json!({"kind": "purge"})).await.expect_fault("subject", "required");
    let entries = root.get("/v1/audit/logs?action=system_change").await.expect(200).json();
    let of_retry = entries["logs"].as_array().unwrap().iter().filter(|entry| entry["resource_id"] == "purge/instance");
    assert_eq!(of_retry.count(), 2, "{entries}");

    let admin = app.user("admin", &["admin"], &[]).await;
    admin.get("/v1/sys/jobs").await.expect_error(403, "forbidden");
    admin
        .post("/v1/sys/jobs/retry", json!({"kind": "purge", "subject": "instance"}))
        .await
        .expect_error(403, "forbidden");
}
