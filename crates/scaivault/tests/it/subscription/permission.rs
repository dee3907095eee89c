//! An event is for whoever may read or list its path when it is handed on, and when it is taken.

use scaivault_testkit::{Actor, TestApp};
use serde_json::json;

use super::{SCOPES, SUBSCRIPTIONS, listener, paths, poll, subscribe, wanted, write};

/// Takes every binding from a policy.
async fn unbind(app: &TestApp, policy: &str) {
    let root = app.root();
    let bindings = root.get(&format!("/v1/policies/{policy}/bindings")).await.expect(200).json();
    for binding in bindings["bindings"].as_array().unwrap() {
        let id = binding["id"].as_str().unwrap();
        root.delete(&format!("/v1/policies/{policy}/bindings/{id}")).await.expect(204);
    }
}

async fn without_rules<'a>(app: &'a TestApp, name: &str) -> Actor<'a> {
    app.user(name, SCOPES, &[]).await
}

// E-15
#[tokio::test]
async fn e_15_what_the_owner_may_not_see_is_not_told() {
    let app = TestApp::new().await;
    let mia = without_rules(&app, "mia").await;
    let policy = app.policy_in("tnt_default", "a", &[("a/**", &["list"])], &[("user", &mia.id)]).await;
    let id = subscribe(&mia, "all", &["**"]).await;
    write(&app, "a/x").await;
    write(&app, "b/x").await;
    app.settle().await;
    assert_eq!(paths(&poll(&mia, &id).await), ["a/x"]);
    unbind(&app, &policy).await;
    assert!(paths(&poll(&mia, &id).await).is_empty(), "not even what waits");
    write(&app, "a/y").await;
    app.settle().await;
    assert!(paths(&poll(&mia, &id).await).is_empty());
    // What happened without the right does not come back with it.
    app.policy_in("tnt_default", "again", &[("a/**", &["read"])], &[("user", &mia.id)]).await;
    assert_eq!(paths(&poll(&mia, &id).await), ["a/x"]);
}

#[tokio::test]
async fn read_or_list_is_enough_and_other_permissions_are_not() {
    let app = TestApp::new().await;
    let mia = app.user("mia", SCOPES, &[("r", &["read"]), ("l", &["list"]), ("w", &["write"])]).await;
    let id = subscribe(&mia, "all", &["**"]).await;
    for path in ["r", "l", "w"] {
        write(&app, path).await;
    }
    app.settle().await;
    assert_eq!(paths(&poll(&mia, &id).await), ["r", "l"]);
}

#[tokio::test]
async fn groups_count_and_rules_that_ask_for_an_address_or_a_second_factor_give_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = without_rules(&app, "mia").await;
    let group = root.post("/v1/identity/tenants/tnt_default/groups", json!({"name": "ops"})).await.expect(201).json();
    let group = group["id"].as_str().unwrap();
    app.policy_in("tnt_default", "of-group", &[("g/*", &["read"])], &[("group", group)]).await;
    let rule =
        |pattern: &str, conditions| json!({"path_pattern": pattern, "permissions": ["read"], "conditions": conditions});
    let rules = json!([
        rule("ip", json!({"ip_ranges": ["0.0.0.0/0", "::/0"]})),
        rule("mfa", json!({"require_mfa": true})),
        rule("day", json!({"time_window": {"start": "09:00", "end": "17:00"}})),
        rule("night", json!({"time_window": {"start": "18:00", "end": "23:00"}})),
    ]);
    let policy = root.post("/v1/policies", json!({"name": "conditions", "rules": rules})).await.expect(201).json();
    let bind = format!("/v1/policies/{}/bindings", policy["id"].as_str().unwrap());
    root.post(&bind, json!({"identity_type": "user", "identity_id": mia.id})).await.expect(201);
    let id = subscribe(&mia, "all", &["**"]).await;
    let all = ["g/x", "ip", "mfa", "day", "night"];
    for path in all {
        write(&app, path).await;
    }
    app.settle().await;
    assert_eq!(paths(&poll(&mia, &id).await), ["day"], "not a member yet");
    let member = json!({"identity_id": mia.id});
    root.post(&format!("/v1/identity/groups/{group}/members"), member).await.expect(201);
    for path in all {
        write(&app, path).await;
    }
    app.settle().await;
    assert_eq!(paths(&poll(&mia, &id).await), ["day", "g/x", "day"]);
}

#[tokio::test]
async fn administrators_see_all_of_their_tenant_and_members_what_the_partner_shares() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    let stranger = without_rules(&app, "stranger").await;
    let guest = app.user_in(&other, "guest", SCOPES, &[]).await;
    let elsewhere = app.tenant_of(&app.partner("elsewhere").await, "far").await;
    let far = app.user_in(&elsewhere, "far", SCOPES, &[]).await;
    let of_root = subscribe(&root, "all", &["**"]).await;
    let of_stranger = subscribe(&stranger, "all", &["**"]).await;
    let of_guest = subscribe(&guest, "all", &["**"]).await;
    let of_far = subscribe(&far, "all", &["**"]).await;
    root.put("/v1/partner/secrets/shared", json!({"data": {}})).await.expect(201);
    write(&app, "own").await;
    app.settle().await;
    assert_eq!(paths(&poll(&root, &of_root).await), ["shared", "own"]);
    assert_eq!(paths(&poll(&stranger, &of_stranger).await), ["shared"]);
    let heard = poll(&guest, &of_guest).await;
    assert_eq!(
        (paths(&heard), &heard["events"][0]["data"]["namespace"]),
        (vec!["shared".to_owned()], &json!("partner"))
    );
    assert!(paths(&poll(&far, &of_far).await).is_empty());
}

#[tokio::test]
async fn a_subscription_in_another_tenant_is_by_role_and_ends_with_it() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    let mia = app.user("mia", SCOPES, &[("**", &["admin"])]).await;
    let roles = format!("/v1/identity/users/{}/roles", mia.id);
    root.put(&roles, json!({"roles": ["partner_admin"]})).await.expect(200);
    let made = mia.post(SUBSCRIPTIONS, wanted("there", &["**"])).in_tenant(&other).await.expect(201).json();
    let id = made["id"].as_str().unwrap();
    let put = async |path: &str| {
        root.put(&format!("/v1/secrets/{path}"), json!({"data": {}})).in_tenant(&other).await.expect(201);
        app.settle().await;
    };
    put("a").await;
    write(&app, "at-home").await;
    let target = format!("{SUBSCRIPTIONS}/{id}/poll?timeout=0");
    assert_eq!(paths(&mia.get(&target).in_tenant(&other).await.expect(200).json()), ["a"]);
    mia.get(&target).await.expect_error(404, "subscription_not_found");
    root.put(&roles, json!({"roles": []})).await.expect(200);
    put("b").await;
    root.put(&roles, json!({"roles": ["partner_admin"]})).await.expect(200);
    assert_eq!(paths(&mia.get(&target).in_tenant(&other).await.expect(200).json()), ["a"]);
}

#[tokio::test]
async fn a_binding_that_lapsed_shows_nothing() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = listener(&app, "mia", "x").await;
    let policy = app.policy_in("tnt_default", "short", &[("a", &["read"])], &[]).await;
    let binding = json!({"identity_type": "user", "identity_id": mia.id, "expires_at": "2026-05-01T11:00:00Z"});
    root.post(&format!("/v1/policies/{policy}/bindings"), binding).await.expect(201);
    let id = subscribe(&mia, "all", &["**"]).await;
    write(&app, "a").await;
    app.settle().await;
    assert_eq!(paths(&poll(&mia, &id).await), ["a"]);
    app.clock.advance(3600);
    write(&app, "a").await;
    app.settle().await;
    assert!(paths(&poll(&mia, &id).await).is_empty());
}

/// Events are matched by what is kept in memory: each of these has to be noticed from the answer on.
#[tokio::test]
async fn every_change_of_listeners_and_rights_counts_for_the_next_event() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = without_rules(&app, "mia").await;
    let policy = app.policy_in("tnt_default", "a", &[("a/**", &["list"])], &[("user", &mia.id)]).await;
    let id = subscribe(&mia, "all", &["**"]).await;
    let target = format!("{SUBSCRIPTIONS}/{id}");
    let rules = |pattern: &str| json!({"rules": [{"path_pattern": pattern, "permissions": ["list"]}]});
    let happen = async |paths: &[&str]| {
        for path in paths {
            write(&app, path).await;
        }
        app.settle().await;
    };
    happen(&["a/1", "b/1"]).await;
    root.patch(&format!("/v1/policies/{policy}"), rules("b/**")).await.expect(200);
    happen(&["a/2", "b/2"]).await;
    mia.patch(&target, json!({"paths": ["*/3"]})).await.expect(200);
    happen(&["b/3", "b/none"]).await;
    mia.patch(&target, json!({"enabled": false})).await.expect(200);
    happen(&["b/off/3"]).await;
    mia.patch(&target, json!({"enabled": true, "paths": ["**"], "filters": {"tags": ["x"]}})).await.expect(200);
    happen(&["b/4"]).await;
    mia.patch(&target, json!({"filters": null})).await.expect(200);
    let user = format!("/v1/identity/users/{}", mia.id);
    root.patch(&user, json!({"status": "SUSPENDED"})).await.expect(200);
    happen(&["b/5"]).await;
    root.patch(&user, json!({"status": "ACTIVE"})).await.expect(200);
    // Suspending ended the token.
    let token = json!({"name": "new", "scopes": SCOPES, "identity_id": mia.id});
    let token = root.post("/v1/auth/tokens", token).await.expect(201).json();
    let mia = app.with_token(token["token"].as_str().unwrap());
    let other = subscribe(&mia, "other", &["**"]).await;
    happen(&["b/6"]).await;
    // Whoever may see all of it now still has no more than what it was given then.
    root.patch(&format!("/v1/policies/{policy}"), rules("**")).await.expect(200);
    assert_eq!(paths(&poll(&mia, &id).await), ["a/1", "b/2", "b/3", "b/6"]);
    assert_eq!(paths(&poll(&mia, &other).await), ["b/6"]);
    mia.delete(&target).await.expect(204);
    happen(&["b/7"]).await;
    let left = "SELECT COUNT(*) FROM subscription_buffer";
    assert_eq!(crate::identity::count_in_database(&app, left), 2, "of the other one");
}
