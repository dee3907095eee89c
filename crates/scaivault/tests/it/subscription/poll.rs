//! Taking events and acknowledging them.

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, acknowledge, ids, listener, paths, poll, subscribe, trail, wanted, write};

// E-13
#[tokio::test]
async fn e_13_two_polls_without_ack_give_the_same_and_after_it_nothing() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["app/**"]).await;
    write(&app, "app/db").await;
    write(&app, "other/db").await;
    write(&app, "app/db").await;
    app.settle().await;
    let first = poll(&mia, &id).await;
    assert_eq!(paths(&first), ["app/db", "app/db"]);
    assert_eq!((&first["has_more"], first.get("dropped"), first.get("gap")), (&json!(false), None, None));
    assert_eq!(poll(&mia, &id).await, first);
    let all = ids(&first);
    assert_eq!(acknowledge(&mia, &id, &[all[0].clone(), all[0].clone(), "evt_unknown".to_owned()]).await, 1);
    assert_eq!(ids(&poll(&mia, &id).await), all[1..]);
    assert_eq!(acknowledge(&mia, &id, &all).await, 1, "what is acknowledged already is passed over");
    assert_eq!(poll(&mia, &id).await, json!({"events": [], "has_more": false}));
}

#[tokio::test]
async fn events_carry_the_whole_envelope() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let root = app.root();
    let put = root.put("/v1/secrets/app/db", json!({"data": {"v": app.canary()}})).await.expect(201);
    let who = root.get("/v1/auth/whoami").await.expect(200).json();
    app.settle().await;
    let polled = poll(&mia, &id).await;
    assert!(!polled.to_string().contains(app.canary()));
    let event = &polled["events"][0];
    let keys: Vec<&String> = event.as_object().unwrap().keys().collect();
    let mut expected =
        ["data", "event_id", "event_type", "identity_id", "partner_id", "path", "request_id", "tenant_id", "timestamp"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!((&event["event_type"], &event["path"]), (&json!("secret.created"), &json!("app/db")));
    assert_eq!(event["request_id"], put.header("x-request-id").unwrap());
    assert_eq!((&event["identity_id"], &event["tenant_id"]), (&who["identity_id"], &json!("tnt_default")));
    assert_eq!(event["timestamp"], "2026-05-01T10:00:00.000000Z");
    assert_eq!(event["data"]["version"], 1);
}

#[tokio::test]
async fn events_and_filters_are_looked_at() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let root = app.root();
    let subscribe = async |name: &str, events: Value, filters: Value| {
        let mut body = wanted(name, &["**"]);
        (body["events"], body["filters"]) = (events, filters);
        mia.post(SUBSCRIPTIONS, body).await.expect(201).json()["id"].as_str().unwrap().to_owned()
    };
    let all = subscribe("all", json!(["*"]), json!({})).await;
    let created = subscribe("created", json!(["secret.created", "policy.*"]), json!({})).await;
    let json_only = subscribe("json", json!(["secret.*"]), json!({"secret_type": "json"})).await;
    let tagged = subscribe("tagged", json!(["secret.*"]), json!({"tags": ["prod", "eu"]})).await;
    let tags = |tags: &[&str]| json!({"data": {}, "metadata": {"tags": tags}});
    root.put("/v1/secrets/a", tags(&["eu", "prod", "x"])).await.expect(201);
    root.put("/v1/secrets/a", json!({"data": {}})).await.expect(200);
    root.put("/v1/secrets/b", tags(&["prod"])).await.expect(201);
    root.put("/v1/secrets/c", json!({"data": {}, "secret_type": "json"})).await.expect(201);
    // Without a path: for nobody here, not even for whoever sees everything.
    root.post("/v1/policies", json!({"name": "p", "rules": [{"path_pattern": "a", "permissions": ["read"]}]}))
        .await
        .expect(201);
    app.settle().await;
    let seen = async |id: &str| {
        let polled = poll(&mia, id).await;
        let kind =
            |event: &Value| format!("{} {}", event["event_type"].as_str().unwrap(), event["path"].as_str().unwrap());
        polled["events"].as_array().unwrap().iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(seen(&all).await, ["secret.created a", "secret.updated a", "secret.created b", "secret.created c"]);
    assert_eq!(seen(&created).await, ["secret.created a", "secret.created b", "secret.created c"]);
    assert_eq!(seen(&json_only).await, ["secret.created c"]);
    assert_eq!(seen(&tagged).await, ["secret.created a", "secret.updated a"]);
}

#[tokio::test]
async fn pages_go_on_behind_an_event_and_a_lost_one_is_a_gap() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    for path in ["a", "b", "c", "d", "e"] {
        write(&app, path).await;
    }
    app.settle().await;
    let target = format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0");
    let page = async |query: &str| mia.get(&format!("{target}{query}")).await.expect(200).json();
    let first = page("&max_events=2").await;
    assert_eq!((paths(&first), &first["has_more"]), (vec!["a".to_owned(), "b".to_owned()], &json!(true)));
    let since = ids(&first)[1].clone();
    let second = page(&format!("&max_events=3&since_event_id={since}")).await;
    assert_eq!((paths(&second).join(""), &second["has_more"]), ("cde".to_owned(), &json!(false)));
    assert_eq!(paths(&page("").await).len(), 5, "nothing was acknowledged by it");
    // An acknowledged one is held as an event, and can be begun behind.
    acknowledge(&mia, &id, &ids(&first)).await;
    let after_ack = page(&format!("&since_event_id={since}")).await;
    assert_eq!((paths(&after_ack).join(""), after_ack.get("gap")), ("cde".to_owned(), None));
    let gap = page("&since_event_id=evt_01HK7X9Z000000000000000000").await;
    assert_eq!((paths(&gap).join(""), &gap["gap"]), ("cde".to_owned(), &json!(true)));
}

// E-17
#[tokio::test]
async fn e_17_parameters_have_their_limits() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let target = format!("{SUBSCRIPTIONS}/{id}/poll");
    for (query, field, code) in [
        ("timeout=61", "timeout", "range"),
        ("timeout=-1", "timeout", "range"),
        ("timeout=30s", "timeout", "type"),
        ("timeout=0&max_events=0", "max_events", "range"),
        ("timeout=0&max_events=1001", "max_events", "range"),
        ("timeout=0&since_event_id=1", "since_event_id", "format"),
        ("timeout=0&limit=5", "limit", "unknown"),
    ] {
        mia.get(&format!("{target}?{query}")).await.expect_fault(field, code);
    }
    let ack = format!("{SUBSCRIPTIONS}/{id}/ack");
    mia.post(&ack, json!({"event_ids": []})).await.expect_fault("event_ids", "range");
    mia.post(&ack, json!({"event_ids": vec!["evt_1"; 1001]})).await.expect_fault("event_ids", "range");
    mia.post(&ack, json!({})).await.expect_fault("event_ids", "required");
}

// E-16
#[tokio::test]
async fn e_16_only_the_owner_takes_events() {
    let app = TestApp::new().await;
    let (mia, ben) = (listener(&app, "mia", "**").await, listener(&app, "ben", "**").await);
    let id = subscribe(&mia, "crm", &["**"]).await;
    write(&app, "a").await;
    app.settle().await;
    // Not even an administrator, who may see and change it.
    for stranger in [ben, app.root()] {
        let polled = stranger.get(&format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0")).await;
        polled.expect_error(404, "subscription_not_found");
        let acked = stranger.post(&format!("{SUBSCRIPTIONS}/{id}/ack"), json!({"event_ids": ["evt_1"]})).await;
        acked.expect_error(404, "subscription_not_found");
    }
    assert_eq!(paths(&poll(&mia, &id).await), ["a"]);
}

#[tokio::test]
async fn a_poll_that_returned_events_leaves_an_entry_and_an_empty_one_none() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    poll(&mia, &id).await;
    assert!(trail(&app, "subscription_event").await.is_empty());
    write(&app, "a").await;
    write(&app, "b").await;
    app.settle().await;
    let polled = poll(&mia, &id).await;
    let entries = trail(&app, "subscription_event").await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!((&entry["resource_id"], &entry["extra_data"]["returned"]), (&json!(id), &json!(2)));
    assert_eq!(entry["extra_data"]["last_event_id"], *ids(&polled).last().unwrap());
    assert_eq!(entry["identity_id"], mia.identity_id);
    app.root().get(&format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0")).await.expect(404);
    let refused = &trail(&app, "subscription_event").await[0];
    assert_eq!((&refused["error_code"], &refused["success"]), (&json!("subscription_not_found"), &json!(false)));
}
