//! Attempts: what arrives, how often it is tried, and what a bad receiver costs.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn a_delivery_is_the_signed_envelope() {
    let receiver = Receiver::start(&[], Answer::Status(204)).await;
    let app = app().await;
    hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "app/db").await;
    app.settle().await;
    let [got] = &receiver.got()[..] else { panic!("one delivery") };
    assert_eq!(got.line, "POST /hook HTTP/1.1");
    let event = got.json();
    assert_eq!(event["event_type"], "secret.created");
    assert_eq!((&event["path"], &event["tenant_id"]), (&json!("app/db"), &json!("tnt_default")));
    assert!(event["request_id"].as_str().unwrap().starts_with("req_"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", "ScaiVault-Webhook/1.0"),
        ("x-scaivault-event-id", event["event_id"].as_str().unwrap()),
        ("x-scaivault-event-type", "secret.created"),
        ("x-scaivault-timestamp", &app.now().as_seconds().to_string()),
        ("x-scaivault-signature", &secret::signature(SECRET, got)),
        ("x-scaivault-signature-previous", ""),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(!got.body.contains(app.canary()));
}

#[tokio::test]
async fn e_3_a_failed_delivery_is_tried_again() {
    let receiver = Receiver::start(&[Answer::Status(500), Answer::Status(500)], Answer::Status(200)).await;
    let app = app().await;
    let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    app.settle().await;
    let waiting = &deliveries(&app, &id).await[0];
    assert_eq!((&waiting["status"], &waiting["attempts"]), (&json!("pending"), &json!(1)));
    assert_eq!((&waiting["response_code"], &waiting["error"]), (&json!(500), &json!("the receiver answered 500")));
    assert_ne!(waiting["next_attempt_at"], Value::Null);
    app.pass(8).await;
    assert_eq!(receiver.got().len(), 1, "not before nine seconds are over");
    app.pass(3).await;
    assert_eq!(receiver.got().len(), 2);
    app.pass(66).await;
    let got = receiver.got();
    assert_eq!(got.len(), 3);
    let ids: std::collections::BTreeSet<_> = got.iter().map(|got| got.header("x-scaivault-event-id")).collect();
    let times: std::collections::BTreeSet<_> = got.iter().map(|got| got.header("x-scaivault-timestamp")).collect();
    assert_eq!((ids.len(), times.len()), (1, 3));
    assert!(got.iter().all(|got| got.header("x-scaivault-signature") == secret::signature(SECRET, got)));
    let done = &deliveries(&app, &id).await[0];
    assert_eq!((&done["status"], &done["attempts"]), (&json!("success"), &json!(3)));
    assert_eq!((&done["error"], &done["next_attempt_at"]), (&json!(null), &json!(null)));
    app.pass(86_400).await;
    assert_eq!(receiver.got().len(), 3);
}

#[tokio::test]
async fn nine_attempts_and_no_more() {
    let receiver = Receiver::start(&[], Answer::Status(503)).await;
    let app = app().await;
    let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    app.pass(4 * 86_400).await;
    let times: Vec<i64> =
        receiver.got().iter().map(|got| got.header("x-scaivault-timestamp").parse().unwrap()).collect();
    let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400];
    assert_eq!(pauses.len(), expected.len(), "{pauses:?}");
    for (pause, nominal) in pauses.iter().zip(expected) {
        let tenth = nominal / 10 + 1;
        assert!((nominal - tenth..=nominal + tenth).contains(pause), "{pause} is not {nominal} more or less");
    }
    let done = &deliveries(&app, &id).await[0];
    assert_eq!((&done["status"], &done["attempts"]), (&json!("failed"), &json!(9)));
    let logs = app.root().get("/v1/audit/logs?action=webhook_delivery").await.expect(200).json();
    let [entry] = &logs["logs"].as_array().unwrap()[..] else { panic!("one entry: {logs}") };
    assert_eq!((&entry["identity_id"], &entry["success"]), (&json!("system:webhooks"), &json!(false)));
    assert_eq!((&entry["resource_id"], &entry["secret_path"]), (&json!(id), &json!("a")));
    assert_eq!((&entry["extra_data"]["attempts"], &entry["status_code"]), (&json!(9), &json!(503)));
}

#[tokio::test]
async fn e_4_e_21_a_redirect_is_a_failure_and_leads_nowhere() {
    let inside = Receiver::start(&[], Answer::Status(200)).await;
    for to in [inside.url(), "http://169.254.169.254/latest/meta-data".to_owned()] {
        let receiver = Receiver::start(&[], Answer::Redirect(to)).await;
        let app = app().await;
        let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
        put(&app, "a").await;
        app.settle().await;
        let tried = &deliveries(&app, &id).await[0];
        assert_eq!((&tried["status"], &tried["response_code"]), (&json!("pending"), &json!(302)));
        assert_eq!(receiver.got().len(), 1);
    }
    assert!(inside.got().is_empty());
}

#[tokio::test]
async fn e_5_silence_is_a_failure_and_delays_nobody() {
    let silent = Receiver::start(&[], Answer::Silence).await;
    let prompt = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let id = hook(&app.root(), &silent.url(), &["secret.created"], json!({})).await;
    hook(&app.root(), &prompt.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    let begun = Instant::now();
    let (vault, other) = (std::sync::Arc::clone(&app.vault), prompt.clone());
    let running = tokio::spawn(async move { vault.run_due_jobs().await.unwrap() });
    other.wait_for(1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "the other one waited");
    // Requests go on as if nothing was.
    put(&app, "b").await;
    running.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(25), "two attempts, ten seconds each");
    prompt.wait_for(2).await;
    let tried = deliveries(&app, &id).await;
    let first = tried.iter().find(|one| one["attempts"] == 1).unwrap();
    assert_eq!((&first["status"], &first["response_code"]), (&json!("pending"), &json!(null)));
    assert_eq!(first["error"], "no complete answer within 10 s");
    assert!(first["duration_ms"].as_i64().unwrap() >= 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_5_many_silent_receivers_of_one_tenant_delay_no_other() {
    let silent = Receiver::start(&[], Answer::Silence).await;
    let prompt = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let other = app.tenant("other").await;
    for number in 0..60 {
        let url = format!("{}/{number}", silent.url());
        hook(&app.root(), &url, &["secret.created"], json!({})).await;
    }
    let healthy = json!({"name": "healthy", "url": prompt.url(), "secret": SECRET, "events": ["secret.created"]});
    app.root().post("/v1/webhooks", healthy.clone()).in_tenant(&other).await.expect(201);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(std::sync::Arc::clone(&app.vault).run_jobs(stopped));
    put(&app, "a").await;
    silent.wait_for(32).await;
    for number in 1..=3 {
        let begun = Instant::now();
        let path = format!("/v1/secrets/b/{number}");
        app.root().put(&path, json!({"data": {"v": 1}})).in_tenant(&other).await.expect(201);
        prompt.wait_for(number).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "the other tenant waited {:?}", begun.elapsed());
    }
    assert!(silent.most_at_once() <= 32, "{} at once", silent.most_at_once());
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn e_21_an_answer_without_end_costs_one_failed_attempt() {
    let receiver = Receiver::start(&[Answer::Endless], Answer::Status(200)).await;
    let app = app().await;
    let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    let begun = Instant::now();
    app.settle().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(receiver.sent() < 32 * 1024 * 1024, "{} bytes were taken", receiver.sent());
    let tried = &deliveries(&app, &id).await[0];
    assert_eq!((&tried["status"], &tried["response_code"]), (&json!("pending"), &json!(200)));
    assert_eq!(tried["error"], "the answer is longer than 64 KiB");
    app.pass(11).await;
    assert_eq!(deliveries(&app, &id).await[0]["status"], "success");
    // What is just short enough is well.
    receiver.script(&[Answer::Bytes(200, 64 * 1024), Answer::Bytes(200, 64 * 1024 + 1)]);
    put(&app, "b").await;
    app.settle().await;
    assert_eq!(deliveries(&app, &id).await[0]["status"], "success");
    put(&app, "c").await;
    app.settle().await;
    assert_eq!(deliveries(&app, &id).await[0]["status"], "pending");
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_again() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let app = app().await;
    let id = hook(&app.root(), &format!("http://{gone}/"), &["secret.created"], json!({})).await;
    let named = hook(&app.root(), "https://nowhere.invalid/", &["secret.created"], json!({})).await;
    put(&app, "a").await;
    app.settle().await;
    assert_eq!(deliveries(&app, &id).await[0]["error"], "no connection could be made");
    assert_eq!(deliveries(&app, &named).await[0]["error"], "the name can't be resolved");
}

#[tokio::test]
async fn one_path_is_delivered_in_order_and_others_beside_it() {
    let receiver = Receiver::start(&[], Answer::Late(30)).await;
    let app = app().await;
    hook(&app.root(), &receiver.url(), &["secret.*"], json!({})).await;
    let script: Vec<String> = (0..60).map(|n| format!("app/{}", n % 12)).collect();
    for path in &script {
        put(&app, path).await;
    }
    app.settle().await;
    let got = receiver.got();
    assert_eq!(got.len(), script.len());
    for path in 0..12 {
        let path = format!("app/{path}");
        let ids: Vec<String> = got
            .iter()
            .filter(|got| got.json()["path"] == path.as_str())
            .map(|got| got.header("x-scaivault-event-id").to_owned())
            .collect();
        assert!(ids.len() == 5 && ids.is_sorted(), "{path}: {ids:?}");
    }
    assert!((2..=8).contains(&receiver.most_at_once()), "{}", receiver.most_at_once());
}

#[tokio::test]
async fn what_waits_survives_a_restart() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    // One that was tried, one that was never looked at.
    receiver.script(&[Answer::Status(500)]);
    put(&app, "a").await;
    app.settle().await;
    put(&app, "b").await;
    let app = app.restart().await;
    app.settle().await;
    assert_eq!(paths(&receiver.got()), ["a", "b"]);
    app.pass(11).await;
    assert_eq!(paths(&receiver.got()), ["a", "b", "a"]);
    assert!(deliveries(&app, &id).await.iter().all(|one| one["status"] == "success"));
}

#[tokio::test]
async fn a_clock_that_was_ahead_keeps_nothing_waiting() {
    let receiver = Receiver::start(&[Answer::Status(500)], Answer::Status(200)).await;
    let app = app().await;
    hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    app.clock.advance(365 * 86_400);
    put(&app, "a").await;
    app.settle().await;
    app.clock.advance(-365 * 86_400);
    app.pass(60).await;
    assert_eq!(receiver.got().len(), 2, "the second attempt does not wait for a year");
}

#[tokio::test]
async fn a_sealed_server_sends_nothing_and_goes_on_when_it_is_open() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    app.root().post_empty("/v1/sys/seal").await.expect(200);
    let _ = app.vault.run_due_jobs().await;
    assert!(receiver.got().is_empty());
    let app = app.restart().await;
    app.pass(10).await;
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn a_deleted_webhook_or_tenant_gets_nothing_more() {
    let receiver = Receiver::start(&[], Answer::Status(500)).await;
    let app = app().await;
    let other = app.tenant("other").await;
    let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    let body = json!({"name": "n", "url": receiver.url(), "secret": SECRET, "events": ["secret.created"]});
    app.root().post("/v1/webhooks", body).in_tenant(&other).await.expect(201);
    put(&app, "a").await;
    app.root().put("/v1/secrets/b", json!({"data": {"v": 1}})).in_tenant(&other).await.expect(201);
    app.settle().await;
    assert_eq!(receiver.got().len(), 2);
    app.root().delete(&format!("/v1/webhooks/{id}")).await.expect(204);
    app.root().delete(&format!("/v1/identity/tenants/{other}?confirm={other}")).await.expect(204);
    app.pass(86_400).await;
    assert_eq!(receiver.got().len(), 2);
    let left = app.look(|view| scaivault_store::webhook_delivery::count_waiting(view)).unwrap();
    assert_eq!(left, 0);
}
