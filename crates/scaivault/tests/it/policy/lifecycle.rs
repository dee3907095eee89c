//! Changing and removing policies (L-10 to L-12).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{SECRETS, rules, secret};
use crate::identity::{HOME, id_of};

#[tokio::test]
async fn l_10_a_bound_policy_goes_only_by_force_and_access_with_it() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let root = app.root();
    let mia = app.user("mia", &SECRETS, &[]).await;
    let id = app.policy_in(HOME, "p", &[("a", &["read"])], &[("user", &mia.id)]).await;
    let target = format!("/v1/policies/{id}");
    for query in ["", "?force=false"] {
        let refused = root.delete(&format!("{target}{query}")).await.expect_error(409, "policy_in_use");
        assert_eq!(refused.details()["count"], 1);
    }
    root.delete(&format!("{target}?force=yes")).await.expect_fault("force", "type");
    mia.get("/v1/secrets/a").await.expect(200);
    root.delete(&format!("{target}?force=true")).await.expect(204);
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    for gone in [
        root.get(&target).await,
        root.delete(&target).await,
        root.patch(&target, json!({})).await,
        root.put(&target, json!({"name": "p", "rules": rules("a", &["read"])})).await,
        root.get(&format!("{target}/bindings")).await,
    ] {
        gone.expect_error(404, "policy_not_found");
    }
    // The name is free again, and the bindings do not come back.
    app.policy_in(HOME, "p", &[("a", &["read"])], &[]).await;
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    assert_eq!(crate::identity::count_in_database(&app, "SELECT COUNT(*) FROM binding"), 0);
}

#[tokio::test]
async fn an_unbound_policy_goes_at_once() {
    let app = TestApp::new().await;
    let id = app.policy_in(HOME, "p", &[("a", &["read"])], &[]).await;
    app.root().delete(&format!("/v1/policies/{id}")).await.expect(204);
}

#[tokio::test]
async fn l_11_put_replaces_all_but_the_bindings() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    secret(&app, "b").await;
    let root = app.root();
    let mia = app.user("mia", &SECRETS, &[]).await;
    let body = json!({"name": "p", "description": "text", "rules": rules("a", &["read"]), "is_active": false});
    let made = root.post("/v1/policies", body).await.expect(201).json();
    let target = format!("/v1/policies/{}", id_of(&made));
    let bind = json!({"identity_type": "user", "identity_id": mia.id});
    let binding = root.post(&format!("{target}/bindings"), bind).await.expect(201).json();
    app.clock.advance(10);
    let new_rules = rules("b", &["list", "read"]);
    let put = root.put(&target, json!({"name": "q", "rules": new_rules})).await.expect(200).json();
    let expected = json!({"id": made["id"], "name": "q", "description": null, "scope": "tenant", "is_active": true,
        "rules": put["rules"], "bindings": [binding], "created_at": "2026-05-01T10:00:00Z",
        "updated_at": "2026-05-01T10:00:10Z"});
    assert_eq!(put, expected);
    assert_eq!(put["rules"][0]["path_pattern"], "b");
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    mia.get("/v1/secrets/b").await.expect(200);
    for field in ["scope", "id", "bindings", "created_at", "updated_at"] {
        let mut body = json!({"name": "q", "rules": new_rules});
        body[field] = json!("tenant");
        root.put(&target, body).await.expect_fault(field, "not_allowed");
        root.patch(&target, json!({field: "tenant"})).await.expect_fault(field, "not_allowed");
    }
    root.put(&target, json!({"name": "q"})).await.expect_fault("rules", "required");
    root.put(&target, json!({"rules": new_rules})).await.expect_fault("name", "required");
}

#[tokio::test]
async fn l_12_an_inactive_policy_grants_nothing_and_is_not_listed() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let root = app.root();
    let mia = app.user("mia", &SECRETS, &[]).await;
    let id = app.policy_in(HOME, "p", &[("a", &["read"])], &[("user", &mia.id)]).await;
    let target = format!("/v1/policies/{id}");
    mia.get("/v1/secrets/a").await.expect(200);
    let off = root.patch(&target, json!({"is_active": false})).await.expect(200).json();
    assert_eq!((&off["is_active"], off["bindings"].as_array().unwrap().len()), (&json!(false), 1));
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    let ids = |list: Value| list["policies"].as_array().unwrap().iter().map(id_of).collect::<Vec<_>>();
    assert_eq!(ids(root.get("/v1/policies").await.expect(200).json()), Vec::<String>::new());
    assert_eq!(ids(root.get("/v1/policies?include_inactive=true").await.expect(200).json()), [id.as_str()]);
    root.get(&target).await.expect(200);
    root.patch(&target, json!({"is_active": true})).await.expect(200);
    mia.get("/v1/secrets/a").await.expect(200);
}

#[tokio::test]
async fn patch_changes_what_it_names() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"name": "p", "description": "text", "rules": rules("a", &["read"])});
    let made = root.post("/v1/policies", body).await.expect(201).json();
    let target = format!("/v1/policies/{}", id_of(&made));
    app.clock.advance(10);
    assert_eq!(root.patch(&target, json!({})).await.expect(200).json(), made);
    let named = root.patch(&target, json!({"name": "q", "description": null})).await.expect(200).json();
    assert_eq!((&named["name"], &named["description"], &named["rules"]), (&json!("q"), &Value::Null, &made["rules"]));
    assert_eq!(named["updated_at"], "2026-05-01T10:00:10Z");
    let two = json!([rules("b", &["read"])[0], rules("c", &["write"])[0]]);
    let ruled = root.patch(&target, json!({"rules": two})).await.expect(200).json();
    assert_eq!(ruled["rules"].as_array().unwrap().len(), 2);
    root.patch(&target, json!({"rules": []})).await.expect_error(400, "invalid_policy");
    root.post("/v1/policies", json!({"name": "p", "rules": rules("a", &["read"])})).await.expect(201);
    let taken = root.patch(&target, json!({"name": "p"})).await.expect_error(409, "name_exists");
    assert_eq!(taken.details()["field"], "name");
}

#[tokio::test]
async fn the_list_is_by_name_with_counts() {
    let app = TestApp::new().await;
    let root = app.root();
    for name in ["c", "a", "b", "B"] {
        app.policy_in(HOME, name, &[("x", &["read"]), ("y", &["read"])], &[("system", "dynamic:pg")]).await;
    }
    let first = root.get("/v1/policies?limit=3").await.expect(200).json();
    let item = &first["policies"][1];
    let expected = json!({"id": item["id"], "name": "a", "scope": "tenant", "rule_count": 2, "binding_count": 1,
        "is_active": true, "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z"});
    assert_eq!(item, &expected);
    let cursor = first["cursor"].as_str().unwrap();
    // One that was added behind the cursor is not seen, one before it is.
    app.policy_in(HOME, "A", &[("x", &["read"])], &[]).await;
    let second = root.get(&format!("/v1/policies?cursor={cursor}")).await.expect(200).json();
    let names: Vec<&str> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["policies"].as_array().unwrap())
        .map(|policy| policy["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["B", "a", "b", "c"]);
    root.get(&format!("/v1/policies?scope=partner&cursor={cursor}")).await.expect_error(400, "invalid_cursor");
    root.get("/v1/policies?scope=all").await.expect_fault("scope", "format");
    root.get("/v1/policies?limit=201").await.expect_fault("limit", "range");
}

#[tokio::test]
async fn every_change_is_in_the_trail() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = app.policy_in(HOME, "p", &[("a", &["read"])], &[("system", "dynamic:pg")]).await;
    let target = format!("/v1/policies/{id}");
    let binding = id_of(&root.get(&format!("{target}/bindings")).await.expect(200).json()["bindings"][0]);
    root.patch(&target, json!({"description": "x"})).await.expect(200);
    root.delete(&format!("{target}/bindings/{binding}")).await.expect(204);
    root.delete(&target).await.expect(204);
    let actions = ["policy_create", "policy_bind", "policy_update", "policy_unbind", "policy_delete"];
    let logs = root.get(&format!("/v1/audit/logs?action={}", actions.join(","))).await.expect(200).json();
    let mut found: Vec<&str> =
        logs["logs"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    found.reverse();
    assert_eq!(found, actions);
    assert!(logs["logs"].as_array().unwrap().iter().all(|entry| entry.to_string().contains(&id)));
}
