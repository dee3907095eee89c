//! Making, changing and deleting.

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, listener, poll, subscribe, trail, wanted, write};

#[tokio::test]
async fn a_subscription_is_made_shown_changed_and_deleted() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let mut body = wanted("crm", &["app/**", "b/*"]);
    body["events"] = json!(["secret.*", "rotation.due"]);
    body["filters"] = json!({"secret_type": "kv", "tags": ["prod", "eu"]});
    let made = mia.post(SUBSCRIPTIONS, body).await.expect(201).json();
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("sub_") && id.len() == 30, "{id}");
    let expected = json!({
        "id": id, "name": "crm", "status": "active", "identity_id": mia.identity_id, "paths": ["app/**", "b/*"],
        "events": ["secret.*", "rotation.due"], "filters": {"secret_type": "kv", "tags": ["prod", "eu"]},
        "delivery": {"type": "polling", "buffer_size": 1000}, "enabled": true,
        "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z",
    });
    assert_eq!(made, expected);
    let target = format!("{SUBSCRIPTIONS}/{id}");
    assert_eq!(mia.get(&target).await.expect(200).json(), expected);
    app.clock.advance(10);
    assert_eq!(mia.patch(&target, json!({})).await.expect(200).json(), expected, "an empty PATCH changes nothing");

    let change = json!({
        "name": "all", "paths": ["**"], "events": ["*"], "filters": {"secret_type": null}, "enabled": false,
        "delivery": {"type": "polling", "buffer_size": 5},
    });
    let changed = mia.patch(&target, change).await.expect(200).json();
    assert_eq!(changed["filters"], json!({"tags": ["prod", "eu"]}));
    assert_eq!((&changed["status"], &changed["delivery"]["buffer_size"]), (&json!("paused"), &json!(5)));
    assert_eq!((&changed["name"], &changed["updated_at"]), (&json!("all"), &json!("2026-05-01T10:00:10Z")));
    let cleared = mia.patch(&target, json!({"filters": null, "enabled": null})).await.expect(200).json();
    assert_eq!((&cleared["filters"], &cleared["enabled"]), (&json!({}), &json!(true)));

    mia.delete(&target).await.expect(204);
    mia.get(&target).await.expect_error(404, "subscription_not_found");
    mia.delete(&target).await.expect_error(404, "subscription_not_found");
    mia.get(&format!("{target}/poll?timeout=0")).await.expect_error(404, "subscription_not_found");
    let changes = trail(&app, "config_change").await;
    let of_it: Vec<&Value> = changes.iter().filter(|entry| entry["resource_id"] == id).collect();
    assert_eq!(of_it.len(), 6, "{of_it:?}");
}

#[rstest]
#[case::no_name(json!({"name": null}), 422, "validation_error")]
#[case::no_paths(json!({"paths": []}), 422, "validation_error")]
#[case::too_many_paths(json!({"paths": vec!["a"; 101]}), 422, "validation_error")]
#[case::bad_glob(json!({"paths": ["/a"]}), 400, "invalid_glob")]
#[case::bad_double_star(json!({"paths": ["a", "b**"]}), 400, "invalid_glob")]
#[case::no_events(json!({"events": []}), 422, "validation_error")]
#[case::too_many_events(json!({"events": vec!["*"; 51]}), 422, "validation_error")]
#[case::unknown_event(json!({"events": ["secret.read"]}), 422, "validation_error")]
#[case::no_delivery(json!({"delivery": null}), 422, "validation_error")]
#[case::no_type(json!({"delivery": {}}), 422, "validation_error")]
#[case::unknown_type(json!({"delivery": {"type": "push"}}), 422, "validation_error")]
#[case::no_buffer(json!({"delivery": {"type": "polling", "buffer_size": 0}}), 422, "validation_error")]
#[case::huge_buffer(json!({"delivery": {"type": "polling", "buffer_size": 100_001}}), 422, "validation_error")]
#[case::polled_url(json!({"delivery": {"type": "polling", "url": "https://a.example/"}}), 422, "validation_error")]
#[case::bad_secret_type(json!({"filters": {"secret_type": "password"}}), 400, "invalid_secret_type")]
#[case::bad_tag(json!({"filters": {"tags": [""]}}), 422, "validation_error")]
#[case::unknown_filter(json!({"filters": {"path_prefix": "a/"}}), 422, "validation_error")]
#[case::read_only(json!({"status": "active"}), 422, "validation_error")]
#[tokio::test]
async fn bad_subscriptions_are_refused(#[case] change: Value, #[case] status: u16, #[case] code: &str) {
    let app = TestApp::new().await;
    let mut body = wanted("crm", &["**"]);
    for (field, value) in change.as_object().unwrap() {
        body[field] = value.clone();
    }
    app.root().post(SUBSCRIPTIONS, body).await.expect_error(status, code);
    let id = subscribe(&app.root(), "crm", &["**"]).await;
    let patched = app.root().patch(&format!("{SUBSCRIPTIONS}/{id}"), change.clone()).await;
    if change != json!({"delivery": {}}) {
        patched.expect_error(status, code);
    }
}

#[tokio::test]
async fn names_are_an_owners_own() {
    let app = TestApp::new().await;
    let (mia, ben) = (listener(&app, "mia", "**").await, listener(&app, "ben", "**").await);
    let id = subscribe(&mia, "crm", &["a"]).await;
    let taken = mia.post(SUBSCRIPTIONS, wanted("crm", &["b"])).await.expect_error(409, "name_exists");
    assert_eq!(taken.details(), json!({"field": "name", "id": id}));
    subscribe(&ben, "crm", &["a"]).await;
    let other = subscribe(&mia, "erp", &["a"]).await;
    let target = format!("{SUBSCRIPTIONS}/{other}");
    mia.patch(&target, json!({"name": "crm"})).await.expect_error(409, "name_exists");
    mia.patch(&target, json!({"name": "erp"})).await.expect(200);
}

#[tokio::test]
async fn how_it_is_delivered_stays() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let target = format!("{SUBSCRIPTIONS}/{id}");
    let refused = mia.patch(&target, json!({"delivery": {"type": "webhook"}})).await;
    refused.expect_fault("delivery.type", "not_allowed");
    mia.patch(&target, json!({"delivery": {"type": "polling"}})).await.expect(200);
}

#[tokio::test]
async fn only_what_happens_after_it_was_made_or_switched_on_is_for_it() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    write(&app, "before").await;
    // Nothing was handed on yet: the event is older all the same.
    let id = subscribe(&mia, "crm", &["**"]).await;
    write(&app, "after").await;
    app.settle().await;
    assert_eq!(super::paths(&poll(&mia, &id).await), ["after"]);
    let target = format!("{SUBSCRIPTIONS}/{id}");
    mia.patch(&target, json!({"enabled": false})).await.expect(200);
    write(&app, "paused").await;
    mia.patch(&target, json!({"enabled": true})).await.expect(200);
    write(&app, "resumed").await;
    app.settle().await;
    assert_eq!(
        super::paths(&poll(&mia, &id).await),
        ["after", "resumed"],
        "what waits stays; what was missed does not come"
    );
}

#[tokio::test]
async fn scopes_open_each_their_own() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let reader = app.user("reader", &["subscriptions:read"], &[]).await;
    let writer = app.user("writer", &["subscriptions:write"], &[]).await;
    let target = format!("{SUBSCRIPTIONS}/{id}");
    for refused in [
        reader.post(SUBSCRIPTIONS, wanted("x", &["a"])).await,
        reader.patch(&target, json!({})).await,
        reader.delete(&target).await,
        reader.post(&format!("{target}/ack"), json!({"event_ids": ["evt_1"]})).await,
        writer.get(SUBSCRIPTIONS).await,
        writer.get(&target).await,
        writer.get(&format!("{target}/poll")).await,
        writer.get("/v1/events/stream").await,
    ] {
        refused.expect_error(403, "insufficient_scope");
    }
}
