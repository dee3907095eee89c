//! Bindings end by themselves, with their policy, with their identity; each end is told once.

use std::collections::BTreeSet;

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{HOME, data, mark, mark_in, names, since, since_in};
use crate::identity::{group_in, holder, id_of};

const SECRETS: [&str; 1] = ["secrets:read"];

async fn policy(by: &Actor<'_>, name: &str, scope: &str) -> String {
    let rules = json!([{"path_pattern": "**", "permissions": ["read"]}]);
    id_of(&by.post("/v1/policies", json!({"name": name, "rules": rules, "scope": scope})).await.expect(201).json())
}

async fn bind(app: &TestApp, policy: &str, body: Value) -> String {
    id_of(&app.root().post(&format!("/v1/policies/{policy}/bindings"), body).await.expect(201).json())
}

/// Until `seconds` from now.
async fn bind_until(app: &TestApp, policy: &str, user: &str, seconds: i64) -> String {
    let end = app.now().plus_seconds(seconds).to_rfc3339_seconds();
    bind(app, policy, json!({"identity_type": "user", "identity_id": user, "expires_at": end})).await
}

#[tokio::test]
async fn e_1_a_lapse_is_told_once_and_the_binding_stays_in_sight() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let policy = policy(&app.root(), "p", "tenant").await;
    let binding = bind_until(&app, &policy, &mia.id, 60).await;
    let before = mark(&app);
    app.pass(59).await;
    assert_eq!(since(&app, &before), []);
    app.pass(1).await;
    let events = since(&app, &before);
    assert_eq!(names(&events), ["policy.binding.deleted"]);
    assert_eq!((data(&events[0])["binding_id"].as_str(), events[0].event.at), (Some(binding.as_str()), app.now()));
    assert_eq!(events[0].event.identity_id, "system:policy-lapse");
    let listed = app.root().get(&format!("/v1/policies/{policy}/bindings")).await.expect(200).json();
    assert_eq!(id_of(&listed["bindings"][0]), binding);
    // Removing what is over already tells nobody anything new.
    app.root().delete(&format!("/v1/policies/{policy}/bindings/{binding}")).await.expect(204);
    app.pass(3600).await;
    assert_eq!(since(&app, &before).len(), 1);
}

#[tokio::test]
async fn a_binding_that_was_removed_in_time_does_not_lapse_as_well() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let policy = policy(&app.root(), "p", "tenant").await;
    let binding = bind_until(&app, &policy, &mia.id, 60).await;
    // Its time is over and the server has not noticed yet.
    app.clock.advance(61);
    let before = mark(&app);
    app.root().delete(&format!("/v1/policies/{policy}/bindings/{binding}")).await.expect(204);
    app.pass(60).await;
    assert_eq!(names(&since(&app, &before)), ["policy.binding.deleted"]);
}

#[tokio::test]
async fn a_policy_takes_its_bindings_with_it() {
    let app = TestApp::new().await;
    let policy = policy(&app.root(), "p", "tenant").await;
    let (mia, group) = (app.user("mia", &SECRETS, &[]).await, group_in(&app, HOME, "dev").await);
    bind_until(&app, &policy, &mia.id, 60).await;
    bind(&app, &policy, json!({"identity_type": "group", "identity_id": group})).await;
    bind(&app, &policy, json!({"identity_type": "system", "identity_id": "dynamic:pg"})).await;
    let before = mark(&app);
    app.root().delete(&format!("/v1/policies/{policy}")).await.expect_error(409, "policy_in_use");
    assert_eq!(since(&app, &before), [], "what was refused is not told");
    app.root().delete(&format!("/v1/policies/{policy}?force=true")).await.expect(204);
    app.pass(3600).await;
    let events = since(&app, &before);
    let gone = "policy.binding.deleted";
    assert_eq!(names(&events), [gone, gone, gone, "policy.deleted"]);
    let bound: BTreeSet<_> = events[..3].iter().map(|event| data(event)["bound_identity_id"].to_string()).collect();
    let expected = [mia.identity_id.as_str(), "group:dev", "dynamic:pg"].map(|id| json!(id).to_string());
    assert_eq!(bound, BTreeSet::from(expected));
}

#[tokio::test]
async fn an_identity_takes_its_bindings_with_it() {
    let app = TestApp::new().await;
    let root = app.root();
    let (one, two) = (policy(&root, "one", "tenant").await, policy(&root, "two", "tenant").await);
    let mia = app.user("mia", &SECRETS, &[]).await;
    let group = group_in(&app, HOME, "dev").await;
    let accounts = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let account = id_of(&root.post(&accounts, json!({"name": "crm"})).await.expect(201).json());
    bind_until(&app, &one, &mia.id, 60).await;
    bind(&app, &two, json!({"identity_type": "user", "identity_id": mia.id})).await;
    bind(&app, &one, json!({"identity_type": "group", "identity_id": group})).await;
    bind(&app, &one, json!({"identity_type": "service_account", "identity_id": "sa:crm"})).await;
    let table = [
        (format!("users/{}", mia.id), vec![mia.identity_id.as_str(); 2]),
        (format!("groups/{group}"), vec!["group:dev"]),
        (format!("service-accounts/{account}"), vec!["sa:crm"]),
    ];
    for (target, gone) in table {
        let before = mark(&app);
        root.delete(&format!("/v1/identity/{target}")).await.expect(204);
        let events = since(&app, &before);
        assert!(names(&events).iter().all(|name| *name == "policy.binding.deleted"), "{target}");
        let bound: Vec<_> = events.iter().map(|event| data(event)["bound_identity_id"].clone()).collect();
        assert_eq!(bound, gone, "{target}");
    }
    let before = mark(&app);
    app.pass(3600).await;
    assert_eq!(since(&app, &before), [], "nothing is left to lapse");
}

#[tokio::test]
async fn whom_a_partners_policy_is_bound_to_is_told_at_home() {
    let app = TestApp::new().await;
    let sibling = app.tenant("sibling").await;
    let admin = holder(&app, HOME, &["partner_admin"]).await;
    let policy = policy(&admin, "p", "partner").await;
    let noa = app.user_in(&sibling, "noa", &SECRETS, &[]).await;
    let (here, there) = (mark(&app), mark_in(&app, &sibling));
    let end = app.now().plus_seconds(60).to_rfc3339_seconds();
    let body = json!({"identity_type": "user", "identity_id": noa.id, "expires_at": end});
    admin.post(&format!("/v1/policies/{policy}/bindings"), body).await.expect(201);
    app.pass(60).await;
    admin.delete(&format!("/v1/policies/{policy}?force=true")).await.expect(204);
    assert_eq!(names(&since(&app, &here)), ["policy.deleted"]);
    let events = since_in(&app, &sibling, &there);
    assert_eq!(names(&events), ["policy.binding.created", "policy.binding.deleted"]);
    assert_eq!(events[0].event.identity_id, admin.identity_id);
}
