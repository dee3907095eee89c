//! Contract 02: authentication, tokens, roles, the directory.

mod account;
mod authentication;
mod ceiling;
mod crossing;
mod directory;
mod ending;
mod group;
mod introspect;
mod listing;
mod role;
mod settings;
mod suspension;
mod tenant_end;
mod token;
mod token_list;
mod visibility;
mod whoami;

use scaivault_domain::scope::Scope;
use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

pub(crate) const HOME: &str = "tnt_default";

pub(crate) fn all_scopes() -> Vec<&'static str> {
    Scope::ALL.iter().map(|scope| scope.as_str()).collect()
}

pub(crate) fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id in {object}")).to_owned()
}

/// A user of `tenant` whose token has every scope, with `roles`.
pub(crate) async fn holder<'a>(app: &'a TestApp, tenant: &str, roles: &[&str]) -> Actor<'a> {
    let actor = app.user_in(tenant, roles.first().copied().unwrap_or("plain"), &all_scopes(), &[]).await;
    if !roles.is_empty() {
        set_roles(&app.root(), &actor.id, roles).await;
    }
    actor
}

pub(crate) async fn set_roles(by: &Actor<'_>, user_id: &str, roles: &[&str]) {
    by.put(&format!("/v1/identity/users/{user_id}/roles"), json!({"roles": roles})).await.expect(200);
}

/// Another token of an identity of `tenant`, made by the first administrator.
pub(crate) async fn token_of<'a>(app: &'a TestApp, tenant: &str, identity: &str, scopes: &[&str]) -> Actor<'a> {
    let body = json!({"name": "more", "identity_id": identity, "scopes": scopes});
    let made = app.root().post("/v1/auth/tokens", body).in_tenant(tenant).await.expect(201).json();
    app.with_token(made["token"].as_str().unwrap())
}

/// A group of `tenant`; answers its id.
pub(crate) async fn group_in(app: &TestApp, tenant: &str, name: &str) -> String {
    let target = format!("/v1/identity/tenants/{tenant}/groups");
    id_of(&app.root().post(&target, json!({"name": name})).await.expect(201).json())
}

pub(crate) async fn join(app: &TestApp, group: &str, identity: &str) {
    let target = format!("/v1/identity/groups/{group}/members");
    app.root().post(&target, json!({"identity_id": identity})).await.expect(201);
}

/// What the database holds, seen by somebody else than the server.
pub(crate) fn count_in_database(app: &TestApp, sql: &str) -> i64 {
    app.raw().count(sql)
}
