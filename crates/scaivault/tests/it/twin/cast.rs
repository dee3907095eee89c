//! Who takes part, on both sides alike.

use scaivault_testkit::Actor;
use serde_json::{Value, json};

use super::run::Twin;

const SECRETS: &[&str] = &["secrets:read", "secrets:write", "secrets:delete", "secrets:list", "secrets:rotate"];
const HEARS: &[&str] = &["secrets:read", "secrets:list", "subscriptions:read", "subscriptions:write"];
type Rules = &'static [(&'static str, &'static [&'static str])];
/// Tenant, name, scopes (none: all there are), rules, role.
type Part = (&'static str, &'static str, &'static [&'static str], Rules, Option<&'static str>);
const CAST: &[Part] = &[
    ("tnt_default", "chief", &[], &[], Some("tenant_admin")),
    ("tnt_default", "owner", &[], &[("**", &["admin"])], None),
    ("tnt_default", "partner", &[], &[], Some("partner_admin")),
    ("tnt_default", "team", SECRETS, &[("a/**", &["read", "write", "list"]), ("team/one/**", &["admin"])], None),
    ("tnt_default", "reader", &["secrets:read", "secrets:list"], &[("**", &["read", "list"])], None),
    ("tnt_default", "listener", HEARS, &[("a/**", &["read"]), ("team/**", &["list"])], None),
    ("tnt_side", "neighbour", SECRETS, &[("**", &["admin"])], None),
    ("tnt_default", "stranger", SECRETS, &[], None),
    ("tnt_default", "auditor", &["audit:read"], &[], None),
];

/// Tenants, and everybody's token as `⟦who:n⟧`; the first is the administrator's.
pub(super) async fn assemble(twin: &mut Twin) {
    let mut sides = Vec::new();
    for side in [0, 1] {
        let app = twin.app(side);
        let root = app.root();
        let scopes: Value = root.get("/v1/auth/whoami").await.expect(200).json()["scopes"].clone();
        app.tenant("side").await;
        app.partner("far").await;
        app.tenant_of("ptn_far", "far").await;
        // Everything in the pools has the same place on both sides.
        let mut known = vec![("who", root.token().to_owned())];
        let quiet = json!({"name": "quiet", "url": "https://hooks.example/q", "secret": "0123456789abcdef", "events": ["*"], "enabled": false});
        let quiet = root.post("/v1/webhooks", quiet).await.expect(201).json();
        known.push(("quiet", quiet["id"].as_str().unwrap().to_owned()));
        for (tenant, name, scopes_of_it, rules, role) in CAST {
            app.clock.advance_micros(5_000);
            let all: Vec<&str> = scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
            let wanted = if scopes_of_it.is_empty() { &all } else { *scopes_of_it };
            let actor: Actor<'_> = app.user_in(tenant, name, wanted, rules).await;
            if let Some(role) = role {
                root.put(&format!("/v1/identity/users/{}/roles", actor.id), json!({"roles": [role]})).await.expect(200);
            }
            app.clock.advance_micros(5_000);
            let token = json!({"name": "long", "scopes": wanted, "identity_id": actor.id, "expires_in": "366d"});
            let token = root.post("/v1/auth/tokens", token).in_tenant(tenant).await.expect(201).json();
            known.push(("who", token["token"].as_str().unwrap().to_owned()));
        }
        sides.push(known);
    }
    let right = sides.pop().unwrap();
    for ((pool, left), (_, right)) in sides.pop().unwrap().into_iter().zip(right) {
        twin.pairs.keep(pool, &left, &right);
    }
    // Their ids stand apart: a program that ends them soon does nothing more.
    twin.pairs.apart = true;
    for list in ["t/tnt_default/auth/tokens", "t/tnt_side/auth/tokens", "policies", "webhooks"] {
        super::state::walk(twin, format!("/v1/{list}?limit=200")).await;
    }
    for tenant in ["tnt_default", "tnt_side"] {
        super::state::walk(twin, format!("/v1/identity/tenants/{tenant}/users")).await;
    }
    twin.pairs.apart = false;
}
