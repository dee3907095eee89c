//! Delivery by webhook: the webhooks' own tests (`it/webhook`) say how it is sent; here is what is different.

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, listener, wanted, write};
use crate::webhook::receiver::{Answer, Receiver};
use crate::webhook::{self, SECRET};

fn by_webhook(name: &str, url: &str, paths: &[&str]) -> Value {
    let mut body = wanted(name, paths);
    body["delivery"] = json!({"type": "webhook", "url": url, "secret": SECRET});
    body
}

async fn subscribe(actor: &Actor<'_>, receiver: &Receiver, paths: &[&str]) -> String {
    let made = actor.post(SUBSCRIPTIONS, by_webhook("crm", &receiver.url(), paths)).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

async fn status(actor: &Actor<'_>, id: &str) -> Value {
    actor.get(&format!("{SUBSCRIPTIONS}/{id}")).await.expect(200).json()["status"].clone()
}

// E-11
#[tokio::test]
async fn e_11_the_secret_is_in_no_answer() {
    let app = webhook::app().await;
    let mia = listener(&app, "mia", "**").await;
    let made = mia.post(SUBSCRIPTIONS, by_webhook("crm", "https://93.184.216.7/hook", &["**"])).await.expect(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let delivery = json!({"type": "webhook", "url": "https://93.184.216.7/hook", "previous_secret_expires_at": null});
    assert_eq!(made.json()["delivery"], delivery);
    let target = format!("{SUBSCRIPTIONS}/{id}");
    let other = "fedcba9876543210fedcba9876543210";
    let change = json!({"delivery": {"secret": other, "previous_secret_ttl": "1h"}});
    let changed = mia.patch(&target, change).await.expect(200);
    assert_eq!(changed.json()["delivery"]["previous_secret_expires_at"], "2026-05-01T11:00:00Z");
    let short = mia.post(SUBSCRIPTIONS, by_webhook("crm", "https://93.184.216.7/hook", &["**"])).await.expect(409);
    for answer in [made, changed, short, mia.get(&target).await, mia.get(SUBSCRIPTIONS).await] {
        assert!(!answer.text().contains(SECRET) && !answer.text().contains(other), "{}", answer.text());
    }
    let trail = app.root().get("/v1/audit/logs?limit=1000").await.expect(200).text();
    assert!(!trail.contains(SECRET) && !trail.contains(other));
    assert!(app.places_that_hold(SECRET.as_bytes()).is_empty());
}

#[tokio::test]
async fn fields_of_the_other_kind_and_bad_targets_are_refused() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let create = async |delivery: Value| {
        let mut body = wanted("crm", &["**"]);
        body["delivery"] = delivery;
        mia.post(SUBSCRIPTIONS, body).await
    };
    let url = "https://93.184.216.7/";
    create(json!({"type": "webhook", "secret": SECRET})).await.expect_fault("delivery.url", "required");
    create(json!({"type": "webhook", "url": url})).await.expect_fault("delivery.secret", "required");
    create(json!({"type": "webhook", "url": url, "secret": "short"})).await.expect_fault("delivery.secret", "range");
    create(json!({"type": "webhook", "url": url, "secret": SECRET, "buffer_size": 5}))
        .await
        .expect_fault("delivery.buffer_size", "not_allowed");
    create(json!({"type": "webhook", "url": "http://93.184.216.7/", "secret": SECRET}))
        .await
        .expect_fault("delivery.url", "format");
    let inside = create(json!({"type": "webhook", "url": "https://127.0.0.1/", "secret": SECRET})).await;
    inside.expect_error(400, "invalid_config");
    let id = create(json!({"type": "webhook", "url": url, "secret": SECRET})).await.expect(201).json()["id"].clone();
    let target = format!("{SUBSCRIPTIONS}/{}", id.as_str().unwrap());
    let change = async |delivery: Value| mia.patch(&target, json!({"delivery": delivery})).await;
    change(json!({"buffer_size": 5})).await.expect_fault("delivery.buffer_size", "not_allowed");
    change(json!({"type": "polling"})).await.expect_fault("delivery.type", "not_allowed");
    change(json!({"previous_secret_ttl": "1h"})).await.expect_fault("delivery.previous_secret_ttl", "not_allowed");
    change(json!({"url": "https://169.254.169.254/"})).await.expect_error(400, "invalid_config");
    let changed = change(json!({"url": "https://93.184.216.8/"})).await.expect(200).json();
    assert_eq!(changed["delivery"]["url"], "https://93.184.216.8/");
}

#[tokio::test]
async fn it_is_sent_signed_and_there_is_nothing_to_poll() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = webhook::app().await;
    let mia = listener(&app, "mia", "app/**").await;
    let id = subscribe(&mia, &receiver, &["**"]).await;
    write(&app, "app/db").await;
    write(&app, "other").await;
    app.settle().await;
    let got = receiver.got();
    assert_eq!(webhook::paths(&got), ["app/db"]);
    assert_eq!(got[0].header("x-scaivault-signature"), webhook::secret::signature(SECRET, &got[0]));
    let target = format!("{SUBSCRIPTIONS}/{id}");
    mia.get(&format!("{target}/poll")).await.expect_error(409, "invalid_state");
    mia.post(&format!("{target}/ack"), json!({"event_ids": ["evt_1"]})).await.expect_error(409, "invalid_state");
}

#[tokio::test]
async fn rights_are_looked_at_again_before_each_attempt() {
    let receiver = Receiver::start(&[Answer::Status(500)], Answer::Status(200)).await;
    let app = webhook::app().await;
    let root = app.root();
    let mia = app.user("mia", super::SCOPES, &[]).await;
    let policy = app.policy_in("tnt_default", "a", &[("**", &["read"])], &[("user", &mia.id)]).await;
    let id = subscribe(&mia, &receiver, &["**"]).await;
    write(&app, "a").await;
    app.settle().await;
    assert_eq!((receiver.got().len(), status(&mia, &id).await), (1, json!("failing")));
    root.patch(&format!("/v1/policies/{policy}"), json!({"is_active": false})).await.expect(200);
    app.pass(3600).await;
    assert_eq!(receiver.got().len(), 1, "the second attempt is not made");
    root.patch(&format!("/v1/policies/{policy}"), json!({"is_active": true})).await.expect(200);
    app.pass(86_400).await;
    assert_eq!(receiver.got().len(), 1, "what was dropped does not come back");
    write(&app, "a").await;
    app.settle().await;
    assert_eq!((receiver.got().len(), status(&mia, &id).await), (2, json!("active")));
}

#[tokio::test]
async fn it_pauses_ends_and_is_given_up() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = webhook::app().await;
    let root = app.root();
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, &receiver, &["**"]).await;
    let target = format!("{SUBSCRIPTIONS}/{id}");
    mia.patch(&target, json!({"enabled": false})).await.expect(200);
    write(&app, "paused").await;
    app.settle().await;
    assert_eq!((receiver.got().len(), status(&mia, &id).await), (0, json!("paused")));
    mia.patch(&target, json!({"enabled": true})).await.expect(200);
    receiver.script(&[Answer::Status(410)]);
    write(&app, "gone").await;
    app.settle().await;
    let found = mia.get(&target).await.expect(200).json();
    assert_eq!((&found["status"], &found["enabled"]), (&json!("paused"), &json!(false)));
    write(&app, "unheard").await;
    app.settle().await;
    assert_eq!(webhook::paths(&receiver.got()), ["gone"]);
    mia.patch(&target, json!({"enabled": true})).await.expect(200);
    write(&app, "heard").await;
    app.settle().await;
    assert_eq!(webhook::paths(&receiver.got()).last().unwrap(), "heard");
    // With the owner goes all that was for it.
    receiver.script(&[Answer::Status(500)]);
    write(&app, "late").await;
    app.settle().await;
    let before = receiver.got().len();
    root.delete(&format!("/v1/identity/users/{}", mia.id)).await.expect(204);
    app.pass(86_400).await;
    assert_eq!(receiver.got().len(), before);
    for table in ["subscription", "delivery_target", "webhook_delivery"] {
        let count = format!("SELECT COUNT(*) FROM {table}");
        assert_eq!(app.raw().count(&count), 0, "{table}");
    }
}
