//! `secret.accessed`: made while somebody names it, for every way to read a value, and for nothing else.

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{HOME, data, mark, mark_in, names, since, since_in, url};
use crate::identity::{all_scopes, id_of};
use crate::webhook;

/// A polling subscription on everything of `events`; answers its id.
async fn subscribe(by: &Actor<'_>, tenant: &str, events: &[&str]) -> String {
    let body = json!({"name": events.join(" "), "paths": ["**"], "events": events, "delivery": {"type": "polling"}});
    id_of(&by.post("/v1/subscriptions", body).in_tenant(tenant).await.expect(201).json())
}

/// (path, version) of each read that was told.
fn reads(app: &TestApp, tenant: &str, mark: &str) -> Vec<(String, Value)> {
    let events = since_in(app, tenant, mark);
    assert!(names(&events).iter().all(|name| *name == "secret.accessed"), "{:?}", names(&events));
    events.iter().map(|event| (event.event.path.clone().unwrap(), data(event)["version"].clone())).collect()
}

fn read(path: &str, version: i64) -> (String, Value) {
    (path.to_owned(), json!(version))
}

#[tokio::test]
async fn e_1_secret_accessed_only_while_somebody_names_it() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put(&url("a"), json!({"data": {"v": app.canary()}, "metadata": {"tags": ["t"]}})).await.expect(201);
    let before = mark(&app);
    let look = async || root.get(&url("a")).await.expect(200).header("x-request-id").unwrap().to_owned();
    look().await;
    subscribe(&root, HOME, &["*"]).await;
    look().await;
    assert_eq!(reads(&app, HOME, &before), [], "everything is not this");
    let id = subscribe(&root, HOME, &["secret.accessed"]).await;
    let request = look().await;
    let events = since(&app, &before);
    assert_eq!(names(&events), ["secret.accessed"]);
    assert_eq!(data(&events[0]), json!({"version": 1, "accessed_by": "user:admin@localhost"}));
    let event = &events[0].event;
    assert_eq!((event.path.as_deref(), event.identity_id.as_str()), (Some("a"), "user:admin@localhost"));
    assert_eq!((event.request_id.as_str(), event.tags.as_slice()), (request.as_str(), ["t".to_owned()].as_slice()));
    for gone in [true, false] {
        let target = format!("/v1/subscriptions/{id}");
        match gone {
            true => drop(root.patch(&target, json!({"enabled": false})).await.expect(200)),
            false => drop(root.delete(&target).await.expect(204)),
        }
        look().await;
        assert_eq!(reads(&app, HOME, &before).len(), 1);
    }
    subscribe(&root, HOME, &["secret.*"]).await;
    look().await;
    assert_eq!(reads(&app, HOME, &before).len(), 2);
}

#[tokio::test]
async fn every_way_to_read_a_value_is_told_and_no_other() {
    let app = TestApp::new().await;
    let root = app.root();
    for path in ["a", "a", "b"] {
        root.put(&url(path), json!({"data": {"v": app.canary()}})).await;
    }
    let mia = app.user("mia", &all_scopes(), &[("a", &["list"])]).await;
    subscribe(&root, HOME, &["secret.accessed"]).await;
    let before = mark(&app);
    root.get(&url("a")).await.expect(200);
    root.get(&url("a")).header("cache-control", "no-cache").await.expect(200);
    root.get(&url("a?version=1")).await.expect(200);
    root.get(&url("a")).header("if-none-match", "\"2\"").await.expect(304);
    root.post("/v1/secrets/batch", json!({"paths": ["b", "none", "a"]})).await.expect(200);
    let told = reads(&app, HOME, &before);
    let mut expected = vec![read("a", 2), read("a", 2), read("a", 1), read("a", 2), read("b", 1), read("a", 2)];
    assert_eq!(told[..4], expected[..4]);
    let batch = expected.split_off(4);
    assert!(told.len() == 6 && batch.iter().all(|one| told[4..].contains(one)), "{told:?}");

    let before = mark(&app);
    root.get("/v1/secrets/metadata/a").await.expect(200);
    root.get(&url("a/versions")).await.expect(200);
    root.get("/v1/secrets").await.expect(200);
    root.post("/v1/secrets/batch/metadata", json!({"paths": ["a"]})).await.expect(200);
    root.get(&url("none")).await.expect(404);
    root.get(&url("a?version=9")).await.expect(404);
    // A batch that ends early discloses nothing.
    let all_or_nothing = json!({"paths": ["a", "none"], "options": {"fail_fast": true}});
    root.post("/v1/secrets/batch", all_or_nothing).await.expect_error(404, "secret_not_found");
    assert_eq!(reads(&app, HOME, &before), []);
    mia.get(&url("a")).await.expect_error(403, "access_denied");
    assert_eq!(names(&since(&app, &before)), ["policy.violation"]);
}

#[tokio::test]
async fn of_shared_secrets_they_hear_who_asked() {
    let app = TestApp::new().await;
    let root = app.root();
    let (sibling, deaf) = (app.tenant("sibling").await, app.tenant("deaf").await);
    root.put("/v1/partner/secrets/ca", json!({"data": {"v": app.canary()}})).await.expect(201);
    let marks = [HOME, &sibling, &deaf].map(|tenant| mark_in(&app, tenant));
    let look = async || {
        root.get("/v1/partner/secrets/ca").await.expect(200);
    };
    look().await;
    subscribe(&root, &sibling, &["secret.accessed"]).await;
    look().await;
    look().await;
    assert_eq!(reads(&app, &sibling, &marks[1]), [read("ca", 1), read("ca", 1)]);
    assert_eq!(data(&since_in(&app, &sibling, &marks[1])[0])["namespace"], "partner");
    assert_eq!(reads(&app, HOME, &marks[0]), []);
    assert_eq!(reads(&app, &deaf, &marks[2]), []);
}

#[tokio::test]
async fn a_webhook_that_names_it_is_enough() {
    let app = webhook::app().await;
    let root = app.root();
    root.put(&url("a"), json!({"data": {"v": app.canary()}})).await.expect(201);
    let before = mark(&app);
    let look = async || {
        root.get(&url("a")).await.expect(200);
    };
    look().await;
    // Nothing listens there: what was told counts here, not what arrives.
    let hook = json!({"name": "ops", "url": "http://127.0.0.1:9/", "secret": webhook::SECRET, "events": ["*"]});
    let hook = format!("/v1/webhooks/{}", id_of(&root.post("/v1/webhooks", hook).await.expect(201).json()));
    look().await;
    assert_eq!(reads(&app, HOME, &before), []);
    for (change, count) in
        [(json!({"events": ["secret.*"]}), 1), (json!({"enabled": false}), 1), (json!({"enabled": true}), 2)]
    {
        root.patch(&hook, change).await.expect(200);
        look().await;
        assert_eq!(reads(&app, HOME, &before).len(), count);
    }
    root.delete(&hook).await.expect(204);
    look().await;
    assert_eq!(reads(&app, HOME, &before).len(), 2);
}
