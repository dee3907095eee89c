//! Where webhooks may go.

use super::*;

#[tokio::test]
async fn e_7_addresses_within_the_servers_network_are_refused() {
    let app = TestApp::new().await;
    let root = app.root();
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1:8443/x",
        "https://192.168.1.1/",
        "https://[fd00:ec2::254]/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://[64:ff9b::a9fe:a9fe]/",
        // A name that leads home.
        "https://localhost/",
        "https://LOCALHOST:9443/",
    ] {
        let body = json!({"name": "n", "url": url, "secret": SECRET, "events": ["*"]});
        let refused = root.post("/v1/webhooks", body).await.expect_error(400, "invalid_config");
        assert_eq!(refused.details()["field"], "url", "{url}");
        assert!(!refused.text().contains("127.0.0.1"), "what a name leads to is not told: {}", refused.text());
    }
    // A name that leads nowhere may come later.
    let id = hook(&root, "https://nowhere.invalid/x", &["*"], json!({})).await;
    let patched = root.patch(&format!("/v1/webhooks/{id}"), json!({"url": "https://localhost/"})).await;
    patched.expect_error(400, "invalid_config");
    let kept = root.get(&format!("/v1/webhooks/{id}")).await.expect(200).json();
    assert_eq!(kept["url"], "https://nowhere.invalid/x");
}

#[tokio::test]
async fn e_8_plain_http_goes_to_admitted_loopback_only() {
    let app = TestApp::new().await;
    for url in ["http://hooks.example/", "http://127.0.0.1/", "http://localhost/", "http://10.0.0.1/"] {
        let body = json!({"name": "n", "url": url, "secret": "short", "events": ["*"]});
        let refused = app.root().post("/v1/webhooks", body).await.expect_fault("url", "format");
        // Together with what else is wrong.
        assert!(refused.faults().contains(&("secret".to_owned(), "range".to_owned())));
    }
    let app = builder()
        .settings(|settings| settings.webhook_addresses.allowed.push("10.0.0.0/8".parse().unwrap()))
        .start()
        .await;
    let root = app.root();
    hook(&root, "http://127.0.0.1:9/", &["*"], json!({})).await;
    hook(&root, "https://10.0.0.1/", &["*"], json!({})).await;
    for url in ["http://10.0.0.1/", "http://nowhere.invalid/"] {
        let body = json!({"name": "n", "url": url, "secret": SECRET, "events": ["*"]});
        root.post("/v1/webhooks", body).await.expect_fault("url", "format");
    }
    let app = TestApp::builder().settings(|settings| settings.webhook_addresses.allow_http = true).start().await;
    hook(&app.root(), "http://nowhere.invalid/", &["*"], json!({})).await;
    let body = json!({"name": "n", "url": "http://127.0.0.1/", "secret": SECRET, "events": ["*"]});
    app.root().post("/v1/webhooks", body).await.expect_error(400, "invalid_config");
}

#[tokio::test]
async fn what_an_operator_denies_wins() {
    let app = builder()
        .settings(|settings| settings.webhook_addresses.denied = vec!["127.0.0.1/32".parse().unwrap()])
        .start()
        .await;
    let body = |url: &str| json!({"name": "n", "url": url, "secret": SECRET, "events": ["*"]});
    app.root().post("/v1/webhooks", body("https://127.0.0.1/")).await.expect_error(400, "invalid_config");
    app.root().post("/v1/webhooks", body("https://127.0.0.2/")).await.expect(201);
}

/// The rules are asked again before each attempt: what was made under other rules is not called any more.
#[tokio::test]
async fn an_address_is_looked_at_before_each_attempt() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let mut app = app().await;
    let by_address = hook(&app.root(), &receiver.url(), &["*"], json!({})).await;
    let by_name = format!("http://localhost:{}/hook", receiver.address.port());
    let both_loopbacks =
        app.root().post("/v1/webhooks", json!({"name": "by name", "url": by_name, "secret": SECRET, "events": ["*"]}));
    // Where localhost is ::1 too, that is not admitted, and the name is as good as its worst address.
    let by_name = both_loopbacks.await;
    put(&app, "a").await;
    app.change_settings(|settings| settings.webhook_addresses = Default::default());
    let app = app.restart().await;
    app.settle().await;
    assert!(receiver.got().is_empty());
    let tried = deliveries(&app, &by_address).await;
    assert_eq!(tried[0]["error"], "the address is not allowed");
    assert_eq!((&tried[0]["status"], &tried[0]["attempts"]), (&json!("pending"), &json!(1)));
    if by_name.status == 201 {
        let tried = deliveries(&app, by_name.json()["id"].as_str().unwrap()).await;
        assert_eq!(tried[0]["error"], "the address is not allowed");
    }
}
