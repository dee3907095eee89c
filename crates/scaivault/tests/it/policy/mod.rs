//! Contract 03: policies, bindings, the decision.

mod agreement;
mod binding;
mod condition;
mod decision;
mod dry_run;
mod group;
mod lifecycle;
mod partner;
mod shape;

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use crate::identity::{HOME, id_of};

pub(crate) const SECRETS: [&str; 5] =
    ["secrets:read", "secrets:write", "secrets:delete", "secrets:list", "secrets:rotate"];

/// One rule without conditions, as it stands in a body.
fn rules(pattern: &str, permissions: &[&str]) -> Value {
    json!([{"path_pattern": pattern, "permissions": permissions}])
}

/// A policy of `tnt_default` with one conditional rule, bound to a user; answers its id.
async fn conditional(app: &TestApp, name: &str, user_id: &str, rule: Value) -> String {
    let root = app.root();
    let policy = id_of(&root.post("/v1/policies", json!({"name": name, "rules": [rule]})).await.expect(201).json());
    let bind = json!({"identity_type": "user", "identity_id": user_id});
    root.post(&format!("/v1/policies/{policy}/bindings"), bind).await.expect(201);
    policy
}

/// Writes a secret with an empty value.
async fn secret(app: &TestApp, path: &str) {
    app.root().put(&format!("/v1/secrets/{path}"), json!({"data": {}})).await.expect(201);
}

/// Pretends that a token's second factor was proved at `seconds`. Works only before the token is first used.
fn prove_second_factor(app: &TestApp, user_id: &str, seconds: i64) {
    let at = seconds * 1_000_000;
    let proved =
        format!("UPDATE token SET mfa_verified_at = {at} WHERE identity_id = '{user_id}' AND tenant_id = '{HOME}'");
    assert_eq!(app.raw().execute(&proved), 1);
}
