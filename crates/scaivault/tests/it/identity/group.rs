//! Groups, members, nesting.

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOME, group_in, join};

fn members_of(group: &str) -> String {
    format!("/v1/identity/groups/{group}/members")
}

#[tokio::test]
async fn groups() {
    let app = TestApp::new().await;
    let root = app.root();
    let target = format!("/v1/identity/tenants/{HOME}/groups");
    let made = root.post(&target, json!({"name": "sre", "description": "On call"})).await.expect(201).json();
    let group = made["id"].as_str().unwrap();
    let expected = json!({"id": group, "tenant_id": HOME, "name": "sre", "identity_id": "group:sre",
        "description": "On call", "member_count": 0, "status": "ACTIVE", "last_synced_at": null});
    assert_eq!(made, expected);
    let taken = root.post(&target, json!({"name": "sre"})).await.expect_error(409, "name_exists");
    assert_eq!(taken.details()["id"], group);
    let other = app.tenant("other").await;
    group_in(&app, &other, "sre").await;
    let one = format!("/v1/identity/groups/{group}");
    let changed = root.patch(&one, json!({"name": "ops", "description": null})).await.expect(200).json();
    assert_eq!((&changed["identity_id"], &changed["description"]), (&json!("group:ops"), &Value::Null));
    root.patch(&one, json!({"member_count": 3})).await.expect_fault("member_count", "not_allowed");
    root.delete(&one).await.expect(204);
    root.get(&one).await.expect(404);
    root.post(&target, json!({"name": "ops"})).await.expect(201);
}

#[tokio::test]
async fn members_are_direct_or_inherited() {
    let app = TestApp::new().await;
    let root = app.root();
    let accounts = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let crm = root.post(&accounts, json!({"name": "crm"})).await.expect(201).json();
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let tom = app.user("tom", &["secrets:read"], &[]).await;
    let (outer, inner) = (group_in(&app, HOME, "outer").await, group_in(&app, HOME, "inner").await);
    join(&app, &outer, &inner).await;
    join(&app, &outer, &mia.id).await;
    app.clock.advance(60);
    join(&app, &inner, &tom.identity_id).await;
    join(&app, &inner, "sa:crm").await;
    // In both: the nearer counts.
    join(&app, &inner, &mia.id).await;
    let list = root.get(&members_of(&outer)).await.expect(200).json();
    assert_eq!(list["total"], 4, "{list}");
    let find = |key: &str, id: &str| {
        let found = list["members"].as_array().unwrap().iter().find(|member| member[key] == id);
        found.unwrap_or_else(|| panic!("no {key} {id} in {list}")).clone()
    };
    let email = |identity: &str| identity.strip_prefix("user:").unwrap().to_owned();
    let (early, late) = ("2026-05-01T10:00:00Z", "2026-05-01T10:01:00Z");
    let expected = json!({"user_id": mia.id, "email": email(&mia.identity_id), "membership_type": "DIRECT",
        "added_at": early});
    assert_eq!(find("user_id", &mia.id), expected);
    let expected = json!({"user_id": tom.id, "email": email(&tom.identity_id), "membership_type": "INHERITED",
        "added_at": late});
    assert_eq!(find("user_id", &tom.id), expected);
    let expected = json!({"service_account_id": crm["id"], "name": "crm", "membership_type": "INHERITED",
        "added_at": late});
    assert_eq!(find("service_account_id", crm["id"].as_str().unwrap()), expected);
    // Only direct members are counted, and only they can be removed.
    assert_eq!(root.get(&format!("/v1/identity/groups/{outer}")).await.expect(200).json()["member_count"], 2);
    root.delete(&format!("{}/{}", members_of(&outer), tom.id)).await.expect(404);
    for (group, id) in [(&outer, &mia.id), (&inner, &tom.id), (&outer, &inner)] {
        root.delete(&format!("{}/{id}", members_of(group))).await.expect(204);
    }
    assert_eq!(root.get(&members_of(&outer)).await.expect(200).json()["total"], 0);
    assert_eq!(root.get(&members_of(&inner)).await.expect(200).json()["total"], 2);
}

#[tokio::test]
async fn members_are_of_the_same_tenant() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    let foreign = app.user_in(&other, "foreign", &["secrets:read"], &[]).await;
    let foreign_group = group_in(&app, &other, "theirs").await;
    let group = group_in(&app, HOME, "ours").await;
    for identity in [&foreign.id, &foreign.identity_id, &foreign_group, "group:none", "usr_nobody"] {
        let answer = root.post(&members_of(&group), json!({"identity_id": identity})).await;
        answer.expect_error(404, "identity_not_found");
    }
    root.post(&members_of(&group), json!({"identity_id": "nonsense"})).await.expect_fault("identity_id", "format");
    root.post(&members_of(&group), json!({})).await.expect_fault("identity_id", "required");
    join(&app, &group, "user:admin@localhost").await;
    let again = root.post(&members_of(&group), json!({"identity_id": "user:ADMIN@localhost"})).await;
    again.expect_error(409, "name_exists");
}

#[tokio::test]
async fn a_19_groups_stand_in_no_circle() {
    let app = TestApp::new().await;
    let root = app.root();
    let mut groups = Vec::new();
    for name in ["a", "b", "c"] {
        groups.push(group_in(&app, HOME, name).await);
    }
    let [a, b, c] = groups.try_into().unwrap();
    join(&app, &b, &a).await;
    join(&app, &c, "group:b").await;
    for (outer, inner) in [(&a, &b), (&a, &a), (&a, &c)] {
        let answer = root.post(&members_of(outer), json!({"identity_id": inner})).await;
        answer.expect_fault("identity_id", "conflict");
    }
    // Two ways to the same group are no circle.
    join(&app, &c, &a).await;
    assert_eq!(root.get(&members_of(&c)).await.expect(200).json()["total"], 2);
}

#[tokio::test]
async fn a_19_groups_nest_eight_deep_from_wherever_they_are_joined() {
    let app = TestApp::new().await;
    let root = app.root();
    let mut chain = Vec::new();
    for n in 0..10 {
        chain.push(group_in(&app, HOME, &format!("g{n}")).await);
    }
    // Two chains, of four steps and of three, g0 within g1 within g2 ...: one step between them makes eight.
    for n in [0, 1, 2, 3, 5, 6, 7] {
        join(&app, &chain[n + 1], &chain[n]).await;
    }
    join(&app, &chain[5], &chain[4]).await;
    let answer = root.post(&members_of(&chain[9]), json!({"identity_id": chain[8]})).await;
    answer.expect_fault("identity_id", "range");
    let below = group_in(&app, HOME, "below").await;
    let answer = root.post(&members_of(&chain[0]), json!({"identity_id": below})).await;
    answer.expect_fault("identity_id", "range");
    // What stands at the bottom has the rights of the top.
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    join(&app, &chain[0], &mia.id).await;
    app.policy_in(HOME, "top", &[("**", &["read"])], &[("group", &chain[8])]).await;
    mia.get("/v1/secrets/a").await.expect(404);
    assert_eq!(mia.get("/v1/auth/whoami").await.expect(200).json()["groups"].as_array().unwrap().len(), 9);
    let members = root.get(&members_of(&chain[8])).await.expect(200).json();
    assert!(members.to_string().contains(&mia.id), "{members}");
}
