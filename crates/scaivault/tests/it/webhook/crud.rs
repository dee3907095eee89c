//! Making, showing, changing and deleting.

use super::*;

#[tokio::test]
async fn e_11_a_webhook_is_shown_without_its_secret() {
    let app = app().await;
    let root = app.root();
    let secret = format!("{}-{}", app.canary(), app.canary());
    let filters = json!({"path_prefix": "app/", "secret_type": "json", "tags": ["prod"]});
    let body = json!({"name": "ops", "url": "https://hooks.invalid/x?y=z", "secret": secret,
        "events": ["secret.rotated", "policy.*"], "filters": filters});
    let made = root.post("/v1/webhooks", body).await.expect(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("wh_") && id.len() == 29, "{id}");
    let expected = json!({"id": id, "name": "ops", "url": "https://hooks.invalid/x?y=z",
        "events": ["secret.rotated", "policy.*"], "filters": filters, "enabled": true, "status": "healthy",
        "previous_secret_expires_at": null, "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z"});
    assert_eq!(made.json(), expected);
    let one = root.get(&format!("/v1/webhooks/{id}")).await.expect(200);
    let mut detailed = expected.clone();
    detailed["statistics"] = json!({"deliveries_24h": 0, "success_rate_24h": null, "avg_latency_ms": 0});
    detailed["last_delivery"] = json!(null);
    assert_eq!(one.json(), detailed);
    let all = root.get("/v1/webhooks").await.expect(200);
    assert_eq!(all.json(), json!({"webhooks": [expected], "cursor": null, "has_more": false}));
    let patched = root.patch(&format!("/v1/webhooks/{id}"), json!({"secret": format!("{secret}-2")})).await.expect(200);
    let logs = root.get("/v1/audit/logs?action=config_change").await.expect(200);
    for answer in [made, one, all, patched, logs] {
        assert!(!answer.text().contains(app.canary()), "{}", answer.text());
    }
}

#[tokio::test]
async fn every_fault_is_named() {
    let app = app().await;
    let root = app.root();
    let good = json!({"name": "n", "url": "https://hooks.invalid/", "secret": SECRET, "events": ["*"]});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        root.post("/v1/webhooks", body)
    };
    for (field, value, fault, code) in [
        ("name", json!(""), "name", "range"),
        ("url", json!("hooks.example"), "url", "format"),
        ("url", json!("https://u:p@hooks.example/"), "url", "format"),
        ("url", json!(format!("https://hooks.example/{}", "x".repeat(2048))), "url", "format"),
        ("url", json!(5), "url", "type"),
        ("secret", json!("x".repeat(15)), "secret", "range"),
        ("secret", json!("x".repeat(257)), "secret", "range"),
        ("secret", json!("é".repeat(129)), "secret", "range"),
        ("events", json!([]), "events", "range"),
        ("events", json!(vec!["*"; 51]), "events", "range"),
        ("events", json!(["*", "secret.rotate"]), "events[1]", "format"),
        ("filters", json!({"tags": [""]}), "filters.tags[0]", "range"),
        ("filters", json!({"paths": []}), "filters.paths", "unknown"),
        ("enabled", json!("yes"), "enabled", "type"),
        ("previous_secret_ttl", json!("1h"), "previous_secret_ttl", "not_allowed"),
        ("status", json!("healthy"), "status", "not_allowed"),
        ("colour", json!("red"), "colour", "unknown"),
    ] {
        with(field, value).await.expect_fault(fault, code);
    }
    root.post("/v1/webhooks", json!({})).await.expect_fault("secret", "required");
    with("filters", json!({"path_prefix": "a b"})).await.expect_error(400, "invalid_path");
    with("filters", json!({"secret_type": "nothing"})).await.expect_error(400, "invalid_secret_type");
    // The shortest and the longest secret, in bytes.
    for (name, secret) in [("short", "é".repeat(8)), ("long", "é".repeat(128))] {
        let body = json!({"name": name, "url": "https://hooks.invalid/", "secret": secret, "events": ["*"]});
        root.post("/v1/webhooks", body).await.expect(201);
    }
    let id = hook(&root, "https://hooks.invalid/", &["*"], json!({})).await;
    let one = format!("/v1/webhooks/{id}");
    let with_ttl = |ttl: &str| json!({"secret": SECRET, "previous_secret_ttl": ttl});
    root.patch(&one, json!({"previous_secret_ttl": "1h"})).await.expect_fault("previous_secret_ttl", "not_allowed");
    root.patch(&one, with_ttl("8d")).await.expect_fault("previous_secret_ttl", "range");
    root.patch(&one, with_ttl("1.5h")).await.expect_error(400, "invalid_duration");
    root.patch(&one, json!({"name": null})).await.expect_fault("name", "type");
    root.get("/v1/webhooks/wh_nothing").await.expect_error(404, "webhook_not_found");
    root.patch("/v1/webhooks/wh_nothing", json!({})).await.expect_error(404, "webhook_not_found");
    root.delete("/v1/webhooks/wh_nothing").await.expect_error(404, "webhook_not_found");
    root.get("/v1/webhooks/wh_nothing/deliveries").await.expect_error(404, "webhook_not_found");
    root.post_empty("/v1/webhooks/wh_nothing/test").await.expect_error(404, "webhook_not_found");
    root.get(&format!("{one}/deliveries?status=lost")).await.expect_fault("status", "format");
    let redeliver = format!("{one}/deliveries/del_nothing/redeliver");
    root.post_empty(&redeliver).await.expect_error(404, "delivery_not_found");
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let app = app().await;
    let root = app.root();
    let more = json!({"name": "a", "filters": {"tags": ["prod"]}});
    let id = hook(&root, "https://hooks.invalid/", &["*"], more).await;
    hook(&root, "https://hooks.invalid/", &["*"], json!({"name": "b"})).await;
    let one = format!("/v1/webhooks/{id}");
    app.clock.advance(60);
    let same = root.patch(&one, json!({})).await.expect(200).json();
    assert_eq!(same["updated_at"], "2026-05-01T10:00:00Z");
    let taken = root.patch(&one, json!({"name": "b"})).await.expect_error(409, "name_exists");
    assert_eq!(taken.details()["field"], "name");
    let again = json!({"name": "a", "url": "https://hooks.invalid/", "secret": SECRET, "events": ["*"]});
    root.post("/v1/webhooks", again).await.expect_error(409, "name_exists");
    let change = json!({"name": "c", "url": "https://other.invalid/", "events": ["secret.*"], "enabled": false,
        "filters": {"path_prefix": "x"}});
    let changed = root.patch(&one, change).await.expect(200).json();
    assert_eq!(changed["filters"], json!({"path_prefix": "x", "tags": ["prod"]}), "merged");
    assert_eq!((&changed["name"], &changed["status"]), (&json!("c"), &json!("disabled")));
    assert_eq!(changed["updated_at"], "2026-05-01T10:01:00Z");
    let cleared = root.patch(&one, json!({"filters": null, "enabled": null})).await.expect(200).json();
    assert_eq!((&cleared["filters"], &cleared["enabled"]), (&json!({}), &json!(true)));
    let logs = root.get("/v1/audit/logs?action=config_change&limit=1").await.expect(200).json();
    assert_eq!(logs["logs"][0]["extra_data"]["changed"], json!(["filters", "enabled"]));
    assert_eq!(logs["logs"][0]["resource_id"], id.as_str());
    let names = root.get("/v1/webhooks?limit=1").await.expect(200).json();
    assert_eq!((&names["webhooks"][0]["name"], &names["has_more"]), (&json!("b"), &json!(true)));
    let rest = root.get(&format!("/v1/webhooks?cursor={}", names["cursor"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(rest["webhooks"][0]["name"], "c");
    root.delete(&one).await.expect(204);
    root.get(&one).await.expect_error(404, "webhook_not_found");
}

#[tokio::test]
async fn filters_are_merged_field_by_field() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    let all = json!({"path_prefix": "app/", "secret_type": "kv", "tags": ["prod"]});
    let id = hook(&root, &receiver.url(), &["secret.*"], json!({"filters": all})).await;
    let one = format!("/v1/webhooks/{id}");
    let patch = async |filters: Value| root.patch(&one, json!({"filters": filters})).await;
    assert_eq!(patch(json!({})).await.expect(200).json()["filters"], all);
    patch(json!({"secret_type": "nothing"})).await.expect_error(400, "invalid_secret_type");
    patch(json!({"path_prefix": "a b"})).await.expect_error(400, "invalid_path");
    let without_tags = patch(json!({"tags": null})).await.expect(200).json();
    assert_eq!(without_tags["filters"], json!({"path_prefix": "app/", "secret_type": "kv"}));
    let other_prefix = patch(json!({"path_prefix": "b", "secret_type": null})).await.expect(200).json();
    assert_eq!(other_prefix["filters"], json!({"path_prefix": "b"}));
    put(&app, "app/x").await;
    put(&app, "b/x").await;
    app.settle().await;
    assert_eq!(paths(&receiver.got()), ["b/x"]);
    assert_eq!(patch(Value::Null).await.expect(200).json()["filters"], json!({}));
}

#[tokio::test]
async fn another_tenants_webhook_is_not_there() {
    let app = app().await;
    let other = app.tenant("other").await;
    let id = hook(&app.root(), "https://hooks.invalid/", &["*"], json!({})).await;
    let stranger = app.user_in(&other, "stranger", &["admin"], &[]).await;
    for method in ["GET", "PATCH", "DELETE"] {
        let call = stranger.call(method.parse().unwrap(), &format!("/v1/webhooks/{id}")).json(&json!({}));
        call.await.expect_error(404, "webhook_not_found");
    }
    stranger.post_empty(&format!("/v1/webhooks/{id}/test")).await.expect_error(404, "webhook_not_found");
    assert_eq!(stranger.get("/v1/webhooks").await.expect(200).json()["webhooks"], json!([]));
    // The name is free there.
    hook(&stranger, "https://hooks.invalid/", &["*"], json!({})).await;
    let plain = app.user("plain", &["secrets:read"], &[]).await;
    plain.get("/v1/webhooks").await.expect_error(403, "insufficient_scope");
}

#[tokio::test]
async fn a_repeated_creation_makes_one() {
    let app = app().await;
    let body = json!({"name": "n", "url": "https://hooks.invalid/", "secret": SECRET, "events": ["*"]});
    let send = || app.root().post("/v1/webhooks", body.clone()).header("idempotency-key", "k1");
    let first = send().await.expect(201).json();
    let second = send().await.expect(201);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(second.json(), first);
}

#[tokio::test]
async fn rotation_policies_name_webhooks_that_are_there() {
    let app = app().await;
    let root = app.root();
    let id = hook(&root, "https://hooks.invalid/", &["policy.*"], json!({})).await;
    let policy = |ids: &[&str]| json!({"name": "quarterly", "interval": "90d", "webhook_ids": ids});
    let missing = root.post("/v1/rotation/policies", policy(&[&id, "wh_nothing"])).await;
    assert_eq!(missing.expect_error(404, "webhook_not_found").details()["id"], "wh_nothing");
    root.post("/v1/rotation/policies", policy(&[&id])).await.expect(201);
    root.delete(&format!("/v1/webhooks/{id}")).await.expect(204);
    let left = root.get("/v1/rotation/policies/rot_quarterly").await.expect(200).json();
    assert_eq!(left["webhook_ids"], json!([]), "a webhook that is gone is named by nobody");
}
