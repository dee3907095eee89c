//! `policy.violation`: what policies denied, at most once a minute for the same identity, path and permission.

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{data, mark, names, since, url};
use crate::identity::id_of;

const SCOPES: [&str; 4] = ["secrets:read", "secrets:write", "secrets:delete", "secrets:list"];

/// (path, permission, code) of each.
fn told(app: &TestApp, mark: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events = since(app, mark);
    assert!(names(&events).iter().all(|name| *name == "policy.violation"), "{:?}", names(&events));
    let of = |event| {
        let data = data(event);
        let path = event.event.path.clone().unwrap_or_default();
        (path, text(&data["permission"]), text(&data["code"]))
    };
    events.iter().map(of).collect()
}

fn one(path: &str, permission: &str, code: &str) -> (String, String, String) {
    (path.to_owned(), permission.to_owned(), code.to_owned())
}

async fn rule(app: &TestApp, user: &str, name: &str, rule: Value) {
    let root = app.root();
    let policy = root.post("/v1/policies", json!({"name": name, "rules": [rule]})).await.expect(201).json();
    let body = json!({"identity_type": "user", "identity_id": user});
    root.post(&format!("/v1/policies/{}/bindings", id_of(&policy)), body).await.expect(201);
}

#[tokio::test]
async fn each_way_to_be_denied_is_told() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SCOPES, &[("from/**", &["delete"]), ("may/**", &["read"])]).await;
    let conditional = |path: &str, conditions: Value| json!({"path_pattern": path, "permissions": ["read"], "conditions": conditions});
    rule(&app, &mia.id, "mfa", conditional("mfa", json!({"require_mfa": true}))).await;
    rule(&app, &mia.id, "ip", conditional("ip", json!({"ip_ranges": ["10.0.0.0/8"]}))).await;
    // The clock begins on a Friday at ten.
    rule(
        &app,
        &mia.id,
        "time",
        conditional("time", json!({"time_window": {"days": ["mon"], "start": "00:00", "end": "00:00"}})),
    )
    .await;
    app.root().put(&url("from/a"), json!({"data": {}})).await.expect(201);
    let before = mark(&app);
    mia.get(&url("a")).await.expect_error(403, "access_denied");
    mia.get(&url("mfa")).await.expect_error(403, "mfa_required");
    mia.get(&url("ip")).await.expect_error(403, "ip_not_allowed");
    mia.get(&url("time")).await.expect_error(403, "time_window_violation");
    mia.put(&url("b"), json!({"data": {}})).await.expect_error(403, "access_denied");
    mia.delete(&url("c")).await.expect_error(403, "access_denied");
    mia.get("/v1/secrets/metadata/d").await.expect_error(403, "access_denied");
    mia.post(&url("from/a/move"), json!({"destination": "e"})).await.expect_error(403, "access_denied");
    mia.post(&url("from/move"), json!({"destination": "f", "recursive": true}))
        .await
        .expect_error(403, "access_denied");
    let denied = "access_denied";
    let expected = [
        one("a", "read", denied),
        one("mfa", "read", "mfa_required"),
        one("ip", "read", "ip_not_allowed"),
        one("time", "read", "time_window_violation"),
        one("b", "write", denied),
        one("c", "delete", denied),
        one("d", "list", denied),
        one("e", "write", denied),
        one("f", "write", denied),
    ];
    assert_eq!(told(&app, &before), expected);
}

#[tokio::test]
async fn a_batch_is_told_path_by_path() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SCOPES, &[("may/**", &["read"])]).await;
    app.root().put(&url("may/a"), json!({"data": {"v": app.canary()}})).await.expect(201);
    let before = mark(&app);
    let paths = json!({"paths": ["x", "may/a", "y", "may/none", "z//"]});
    mia.post("/v1/secrets/batch", paths.clone()).await.expect(200);
    mia.post("/v1/secrets/batch", paths).await.expect(200);
    assert_eq!(told(&app, &before), [one("x", "read", "access_denied"), one("y", "read", "access_denied")]);
}

#[tokio::test]
async fn at_most_one_a_minute_of_a_kind() {
    let app = TestApp::new().await;
    let (mia, noa) = (app.user("mia", &SCOPES, &[]).await, app.user("noa", &SCOPES, &[]).await);
    let before = mark(&app);
    let count = |app: &TestApp| since(app, &before).len();
    let attempt = async |who: &Actor<'_>| {
        who.get(&url("a")).await.expect_error(403, "access_denied");
    };
    for _ in 0..5 {
        attempt(&mia).await;
    }
    assert_eq!(count(&app), 1);
    attempt(&noa).await;
    assert_eq!(count(&app), 2, "another identity");
    mia.put(&url("a"), json!({"data": {}})).await.expect_error(403, "access_denied");
    mia.put(&url("a"), json!({"data": {}})).await.expect_error(403, "access_denied");
    assert_eq!(count(&app), 3, "another permission");
    app.clock.advance(59);
    attempt(&mia).await;
    assert_eq!(count(&app), 3);
    app.clock.advance(1);
    attempt(&mia).await;
    attempt(&mia).await;
    assert_eq!(count(&app), 4);
    // Each attempt has its entry all the same.
    let logs = app.root().get("/v1/audit/logs?path_prefix=a&success=false&limit=1000").await.expect(200).json();
    assert_eq!(logs["logs"].as_array().unwrap().len(), 11);
}

#[tokio::test]
async fn what_is_no_policys_matter_is_not_told() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read", "policies:read"], &[("may/**", &["read"])]).await;
    let before = mark(&app);
    mia.put(&url("a"), json!({"data": {}})).await.expect_error(403, "insufficient_scope");
    mia.get(&url("may/none")).await.expect_error(404, "secret_not_found");
    mia.get(&url("%2F")).await.expect(400);
    mia.get("/v1/sys/seal-status").await;
    mia.get("/v1/identity/partners").await;
    let test = json!({"identity_id": mia.identity_id, "path": "a", "permission": "read"});
    mia.post("/v1/policies/test", test).await.expect(200);
    assert_eq!(told(&app, &before), []);
}
