//! The log of deliveries: what it shows, tests, redeliveries, figures.

use super::*;

#[tokio::test]
async fn a_test_is_sent_at_once_and_recorded() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let other = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    let id = hook(&root, &receiver.url(), &["policy.*"], json!({"enabled": false})).await;
    hook(&root, &other.url(), &["*"], json!({})).await;
    let tested = root.post_empty(&format!("/v1/webhooks/{id}/test")).await.expect(200);
    let answer = tested.json();
    assert_eq!((&answer["status"], &answer["response_code"]), (&json!("success"), &json!(200)));
    let [got] = &receiver.got()[..] else { panic!("one request") };
    assert_eq!(got.header("x-scaivault-signature"), secret::signature(SECRET, got));
    let event = got.json();
    assert_eq!((&event["event_type"], event.get("path")), (&json!("webhook.test"), None));
    assert!(event["data"]["message"].is_string());
    assert_eq!(event["request_id"], tested.header("x-request-id").unwrap());
    let logged = &deliveries(&app, &id).await[0];
    assert_eq!((&logged["id"], &logged["attempts"]), (&answer["delivery_id"], &json!(1)));
    assert_eq!(status(&app, &id).await, "disabled");
    app.settle().await;
    assert!(other.got().is_empty(), "a test is for one webhook");
    receiver.script(&[Answer::Status(500)]);
    let failed = root.post_empty(&format!("/v1/webhooks/{id}/test")).await.expect(200).json();
    assert_eq!((&failed["status"], &failed["response_code"]), (&json!("failed"), &json!(500)));
    app.pass(3600).await;
    assert_eq!(receiver.got().len(), 2, "a test is never repeated");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    root.patch(&format!("/v1/webhooks/{id}"), json!({"url": format!("http://{nobody}/")})).await.expect(200);
    let silent = root.post_empty(&format!("/v1/webhooks/{id}/test")).await.expect(200).json();
    assert_eq!((&silent["status"], &silent["response_code"]), (&json!("failed"), &json!(null)));
    let logs = root.get("/v1/audit/logs?action=webhook_delivery").await.expect(200).json();
    let entries = logs["logs"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    assert!(
        entries.iter().all(|entry| entry["identity_id"] == "system:webhooks" && entry["resource_id"] == id.as_str())
    );
    let own = root.get("/v1/audit/logs?action=config_change&limit=3").await.expect(200).json();
    assert!(own["logs"].as_array().unwrap().iter().all(|entry| entry["resource_id"] == id.as_str()));
}

#[tokio::test]
async fn the_log_shows_the_newest_first_and_can_be_filtered() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    let id = hook(&root, &receiver.url(), &["secret.created"], json!({})).await;
    for n in 0..7 {
        put(&app, &format!("a/{n}")).await;
    }
    app.settle().await;
    receiver.script(&[Answer::Status(500)]);
    put(&app, "b").await;
    app.settle().await;
    let log = format!("/v1/webhooks/{id}/deliveries");
    let mut events = Vec::new();
    let mut page = root.get(&format!("{log}?status=success&limit=3")).await.expect(200).json();
    loop {
        let items = page["deliveries"].as_array().unwrap().clone();
        assert!(items.iter().all(|one| one["status"] == "success" && one["response_code"] == 200));
        events.extend(items.iter().map(|one| one["event_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["cursor"].as_str() else { break };
        page = root.get(&format!("{log}?limit=3&cursor={cursor}")).await.expect(200).json();
    }
    assert_eq!(events.len(), 7);
    assert!(events.is_sorted_by(|newer, older| newer > older), "{events:?}");
    let pending = root.get(&format!("{log}?status=pending")).await.expect(200).json();
    assert_eq!(pending["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(root.get(&format!("{log}?status=failed")).await.expect(200).json()["deliveries"], json!([]));
    let shown = root.get(&format!("/v1/webhooks/{id}")).await.expect(200).json();
    assert_eq!(shown["statistics"]["deliveries_24h"], 8);
    assert_eq!(shown["statistics"]["success_rate_24h"], 1.0);
    assert_eq!(shown["last_delivery"]["status"], "pending");
    assert_eq!(shown["last_delivery"]["response_code"], 500);
    app.pass(2 * 86_400).await;
    let later = root.get(&format!("/v1/webhooks/{id}")).await.expect(200).json();
    assert_eq!(later["statistics"], json!({"deliveries_24h": 0, "success_rate_24h": null, "avg_latency_ms": 0}));
    assert_eq!(later["last_delivery"]["status"], "success");
    app.clock.advance(28 * 86_400 - 60);
    assert_eq!(app.vault.delivery_step().await.unwrap(), 0);
    app.clock.advance(61);
    assert_eq!(app.vault.delivery_step().await.unwrap(), 8);
    assert_eq!(deliveries(&app, &id).await, Vec::<Value>::new(), "kept for thirty days");
}

#[tokio::test]
async fn a_delivery_can_be_made_once_more() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    let id = hook(&root, &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    app.settle().await;
    let first = deliveries(&app, &id).await[0].clone();
    // The event itself is long gone by then.
    app.pass(20 * 86_400).await;
    let again = format!("/v1/webhooks/{id}/deliveries/{}/redeliver", first["id"].as_str().unwrap());
    let answer = root.post_empty(&again).await.expect(202).json();
    assert_eq!(answer["status"], "pending");
    assert_ne!(answer["delivery_id"], first["id"]);
    app.settle().await;
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(
        (&got[0].body, got[0].header("x-scaivault-event-id")),
        (&got[1].body, got[1].header("x-scaivault-event-id"))
    );
    assert_ne!(got[0].header("x-scaivault-timestamp"), got[1].header("x-scaivault-timestamp"));
    assert_eq!(deliveries(&app, &id).await.len(), 2);
    root.patch(&format!("/v1/webhooks/{id}"), json!({"enabled": false})).await.expect(200);
    let off = root.post_empty(&again).await.expect_error(409, "invalid_state");
    assert_eq!(off.details()["state"], "disabled");
}

#[tokio::test]
async fn health_and_metrics_count_what_waits() {
    let receiver = Receiver::start(&[Answer::Status(500)], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    hook(&root, &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    app.settle().await;
    let (waiting, metrics) = queue(&app).await;
    assert_eq!(waiting, 1);
    assert!(metrics.contains("scaivault_webhook_queue_depth 1"), "{metrics}");
    app.pass(11).await;
    let (waiting, metrics) = queue(&app).await;
    assert_eq!(waiting, 0);
    assert!(metrics.contains("scaivault_webhook_queue_depth 0"));
    assert!(metrics.contains("scaivault_webhook_deliveries_total{status=\"success\"} 1"), "{metrics}");
}

async fn queue(app: &TestApp) -> (Value, String) {
    let health = app.root().get("/v1/health/detailed").await.expect(200).json();
    let metrics = app.root().get("/v1/metrics").await.expect(200).text();
    (health["checks"]["jobs"]["webhook_queue"].clone(), metrics)
}
