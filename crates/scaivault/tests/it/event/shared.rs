//! What happens to a partner's shared secrets is told to all its tenants, and to nobody else (contract 01 section 12).

use std::collections::BTreeSet;

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, HOME, data, mark_in, names, places, since_in};

fn shared(path: &str) -> String {
    format!("/v1/partner/secrets/{path}")
}

#[tokio::test]
async fn every_tenant_of_the_partner_hears_and_no_other() {
    let app = TestApp::new().await;
    let (sibling, partner) = (app.tenant("sibling").await, app.partner("elsewhere").await);
    let foreign = app.tenant_of(&partner, "foreign").await;
    let root = app.root();
    root.put(&shared("ca"), json!({"data": {"v": app.canary()}})).await.expect(201);
    let tenants = [HOME, sibling.as_str(), foreign.as_str()];
    let marks = tenants.map(|tenant| mark_in(&app, tenant));

    root.patch(&shared("ca"), json!({"metadata": {"tags": ["x"]}, "options": {"expires_in": "10d"}})).await.expect(200);
    root.post(&shared("ca/copy"), json!({"destination": "ca2"})).await.expect(200);
    root.post(&shared("ca2/move"), json!({"destination": "ca3"})).await.expect(200);
    root.delete(&shared("ca3")).await.expect(200);
    root.post_empty(&shared("ca3/restore")).await.expect(200);
    root.delete(&shared("ca3?permanent=true")).await.expect(200);
    app.pass(4 * DAY).await;

    let [here, there, elsewhere] = [0, 1, 2].map(|index| since_in(&app, tenants[index], &marks[index]));
    assert_eq!(elsewhere, []);
    let expected = [
        ("secret.metadata_updated", "ca"),
        ("secret.created", "ca2"),
        ("secret.moved", "ca2"),
        ("secret.moved", "ca3"),
        ("secret.deleted", "ca3"),
        ("secret.restored", "ca3"),
        ("secret.deleted", "ca3"),
        ("secret.expiring", "ca"),
    ];
    assert_eq!(places(&here), expected);
    assert_eq!(places(&there), expected);
    let mut ids = BTreeSet::new();
    for event in here.iter().chain(&there) {
        assert_eq!(data(event)["namespace"], "partner");
        assert_eq!(event.event.namespace.as_deref(), Some("ptn_default"));
        assert!(ids.insert(&event.id), "an id of its own for each who hears");
    }
    assert_eq!(data(&here[0]), data(&there[0]));
}

#[tokio::test]
async fn an_expiry_is_told_after_the_tenant_that_set_it_is_gone() {
    let app = TestApp::new().await;
    let gone = app.tenant("gone").await;
    let body = json!({"data": {}, "options": {"expires_in": "10d"}});
    app.root().put(&shared("ca"), body).in_tenant(&gone).await.expect(201);
    let before = mark_in(&app, HOME);
    app.root().delete(&format!("/v1/identity/tenants/{gone}?confirm={gone}")).await.expect(204);
    app.pass(20 * DAY).await;
    let events = since_in(&app, HOME, &before);
    assert_eq!(names(&events), ["secret.expiring", "secret.expiring", "secret.expired"]);
}

#[tokio::test]
async fn a_tenants_own_are_told_to_it_alone() {
    let app = TestApp::new().await;
    let sibling = app.tenant("sibling").await;
    let marks = [HOME, &sibling].map(|tenant| mark_in(&app, tenant));
    app.root().put("/v1/secrets/a", json!({"data": {}})).in_tenant(&sibling).await.expect(201);
    app.root().patch("/v1/secrets/a", json!({"metadata": {"owner": "o"}})).in_tenant(&sibling).await.expect(200);
    assert_eq!(since_in(&app, HOME, &marks[0]), []);
    let events = since_in(&app, &sibling, &marks[1]);
    assert_eq!(names(&events).last(), Some(&"secret.metadata_updated"));
    assert_eq!(data(&events[events.len() - 1])["namespace"], Value::Null);
}

#[tokio::test]
async fn who_may_not_change_shared_secrets_lacks_a_role_and_violates_no_policy() {
    let app = TestApp::new().await;
    let (_, reader, _) = app.actors().await;
    let mark = mark_in(&app, HOME);
    let scopes = ["secrets:read", "secrets:write"];
    let writer = app.user("writer", &scopes, &[("**", &["admin"])]).await;
    let after_policy = mark_in(&app, HOME);
    assert!(after_policy > mark);
    writer.put(&shared("ca"), json!({"data": {}})).await.expect_error(403, "access_denied");
    reader.put(&shared("ca"), json!({"data": {}})).await.expect_error(403, "insufficient_scope");
    assert_eq!(since_in(&app, HOME, &after_policy), []);
}
