//! Secrets that a partner shares, under the policy of one of its tenants.

use scaivault_store::event;
use scaivault_testkit::TestApp;
use serde_json::json;

use super::{DAY, POLICIES, policy_with, told};

const SHARED: &str = "/v1/partner/secrets/shared/db";

/// (type, data) of what a tenant was told.
fn heard(app: &TestApp, tenant: &str) -> Vec<(String, serde_json::Value)> {
    let found = app.look(|view| event::after(view, tenant, "", 1000)).unwrap();
    found
        .into_iter()
        .map(|record| (record.event.event_type, serde_json::from_str(&record.event.data).unwrap()))
        .collect()
}

#[tokio::test]
async fn the_scheduler_rotates_them_and_every_tenant_hears_of_it() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    let id = policy_with(&app, "auto", json!({"interval": "10d", "auto_generate": true})).await;
    let body = json!({"data": {"password": app.canary()}, "options": {"rotation_policy_id": id}});
    root.put(SHARED, body).await.expect(201);
    app.pass(10 * DAY).await;
    let read = root.get(SHARED).in_tenant(&other).await.expect(200).json();
    assert_eq!(read["version"], 2);
    for tenant in ["tnt_default", &other] {
        let rotated: Vec<_> = heard(&app, tenant).into_iter().filter(|(name, _)| name == "secret.rotated").collect();
        assert_eq!((rotated.len(), &rotated[0].1["namespace"]), (1, &json!("partner")), "{tenant}");
    }
    // The trail is that of the tenant whose policy it is.
    let logs = root.get("/v1/audit/logs?action=rotate").await.expect(200).json();
    assert_eq!(logs["logs"][0]["extra_data"]["namespace"], "partner");
    let due = root.get("/v1/rotation/due?within_hours=240").await.expect(200).json();
    assert_eq!(due["data"][0]["secret_path"], "shared/db");
    let report = root.post_empty(&format!("{POLICIES}/{id}/rotate")).await.expect(200).json();
    assert_eq!((&report[0]["status"], &report[0]["new_version"]), (&json!("success"), &json!(3)));
}

#[tokio::test]
async fn a_write_from_another_tenant_goes_on_with_the_same_policy() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    let id = policy_with(&app, "asks", json!({"interval": "10d"})).await;
    let body = json!({"data": {"password": "one"}, "options": {"rotation_policy_id": id}});
    root.put(SHARED, body).await.expect(201);
    app.pass(5 * DAY).await;
    root.put(SHARED, json!({"data": {"password": "two"}})).in_tenant(&other).await.expect(200);
    app.pass(9 * DAY).await;
    let before = told(&app, "shared/db").len();
    app.pass(DAY).await;
    let told = told(&app, "shared/db");
    assert_eq!((before, &told[2..]), (2, &[(15 * DAY, "due 0s".to_owned())][..]));
    let items = root.get(&format!("{POLICIES}/{id}/history")).await.expect(200).json();
    assert_eq!((&items["data"][0]["status"], &items["data"][1]["trigger"]), (&json!("pending"), &json!("write")));
}
