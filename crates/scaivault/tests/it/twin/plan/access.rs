//! Who may do what: policies, bindings, the directory, tokens.

use serde_json::{Map, Value, json};

use super::super::run::{Op, Step};
use super::Pen;
use super::words::GLOBS;

const ADMINS: &[usize] = &[0, 0, 1, 3];
const PERMISSIONS: &[&str] = &["read", "write", "delete", "list", "rotate", "admin", "own"];
const SCOPES: &[&str] = &[
    "secrets:read",
    "secrets:write",
    "secrets:delete",
    "secrets:list",
    "secrets:rotate",
    "policies:read",
    "audit:read",
    "admin",
    "subscriptions:read",
    "identity:read",
    "identity:admin",
    "pki:issue",
    "wild:*",
];
const STATUSES: &[&str] = &["ACTIVE", "ACTIVE", "SUSPENDED", "DELETED", "active"];
/// Those of the cast never lose what the program needs.
const TENANTS: &[&str] = &["tnt_default", "tnt_default", "tnt_side", "tnt_far", "tnt_nowhere"];

pub(super) fn next(pen: &mut Pen<'_>) -> Op {
    Op::Call(match pen.chance.below(100) {
        0..28 => policy(pen),
        28..42 => binding(pen),
        42..72 => directory(pen),
        72..92 => token(pen),
        _ => test(pen),
    })
}

fn rules(pen: &mut Pen<'_>) -> Value {
    let count = pen.chance.below(4);
    let rule = |pen: &mut Pen<'_>| {
        let mut rule = json!({"path_pattern": pen.of(GLOBS), "permissions": pen.chance.some(PERMISSIONS, 3)});
        if pen.percent(30) {
            rule["conditions"] = pen.of(&[
                json!({"ip_ranges": ["127.0.0.0/8"]}),
                json!({"ip_ranges": ["10.0.0.0/8"]}),
                json!({"ip_ranges": ["10.0.0.0/33"]}),
                json!({"require_mfa": true}),
                json!({"time_window": {"start": "08:00", "end": "18:00", "timezone": "Europe/Berlin"}}),
                json!({"x": 1}),
            ]);
        }
        rule
    };
    Value::Array((0..count).map(|_| rule(pen)).collect())
}

fn policy(pen: &mut Pen<'_>) -> Step {
    let mut body = json!({"name": pen.name(), "rules": rules(pen)});
    if pen.percent(40) {
        body["description"] = pen.text();
    }
    if pen.percent(20) {
        body["is_active"] = json!(pen.percent(50));
    }
    let id = pen.any("pol");
    match pen.chance.below(10) {
        0..5 => {
            if pen.percent(20) {
                body["scope"] = json!("partner");
            }
            pen.with(ADMINS, "POST", "/v1/policies".to_owned(), &body)
        }
        5 => pen.with(ADMINS, "PUT", format!("/v1/policies/{id}"), &body),
        6 => {
            let field = pen.of(&["name", "rules", "description", "is_active"]);
            let part = Map::from_iter([(field.to_owned(), body[field].clone())]);
            pen.with(ADMINS, "PATCH", format!("/v1/policies/{id}"), &Value::Object(part))
        }
        7 => {
            let target = pen.query(&format!("/v1/policies/{id}"), &[("force", &["true", "false"], 60)]);
            pen.step(ADMINS, "DELETE", target)
        }
        _ => pen.step(ADMINS, "GET", format!("/v1/policies/{id}")),
    }
}

fn binding(pen: &mut Pen<'_>) -> Step {
    let policy = pen.any("pol");
    if pen.percent(25) {
        let binding = pen.any("bnd");
        return pen.step(ADMINS, "DELETE", format!("/v1/policies/{policy}/bindings/{binding}"));
    }
    let (kind, pool) =
        pen.of(&[("user", "usr"), ("user", "cast-usr"), ("service_account", "sa"), ("group", "grp"), ("group", "usr")]);
    let mut body = json!({"identity_type": kind, "identity_id": pen.any(pool)});
    if pen.percent(25) {
        body["expires_at"] = pen.of(&[json!("2026-05-01T12:00:00Z"), json!("2026-06-01T00:00:00Z"), Value::Null]);
    }
    pen.with(ADMINS, "POST", format!("/v1/policies/{policy}/bindings"), &body)
}

fn directory(pen: &mut Pen<'_>) -> Step {
    let tenant = pen.of(TENANTS);
    let home = format!("/v1/identity/tenants/{tenant}");
    match pen.chance.below(100) {
        0..12 => {
            let email = format!("{}{}@x.example", pen.of(&["ann", "Ann", "bo", "gr\u{fc}n"]), pen.chance.below(6));
            let mut body = json!({"email": email, "display_name": pen.text()});
            if pen.percent(40) {
                body["allowed_scopes"] = json!(pen.chance.some(SCOPES, 4));
            }
            pen.with(ADMINS, "POST", format!("{home}/users"), &body)
        }
        12..24 => {
            let name = format!("{}{}", pen.of(&["crew", "crew-", "Crew", "a.b_"]), pen.chance.below(6));
            let body = json!({"name": name, "description": pen.text()});
            let kind = pen.of(&["groups", "service-accounts"]);
            pen.with(ADMINS, "POST", format!("{home}/{kind}"), &body)
        }
        24..40 => {
            let (group, pool) = (pen.any("grp"), pen.of(&["usr", "cast-usr", "sa", "grp"]));
            let member = pen.any(pool);
            if pen.percent(25) {
                return pen.step(ADMINS, "DELETE", format!("/v1/identity/groups/{group}/members/{member}"));
            }
            let body = json!({"identity_id": member});
            pen.with(ADMINS, "POST", format!("/v1/identity/groups/{group}/members"), &body)
        }
        40..56 => {
            let (kind, pool) = pen.of(&[("users", "usr"), ("service-accounts", "sa"), ("groups", "grp")]);
            let id = pen.any(pool);
            let mut body = Map::new();
            if pen.percent(50) {
                let field = if pool == "usr" { "display_name" } else { "description" };
                body.insert(field.to_owned(), pen.text());
            }
            if pen.percent(10) {
                body.insert("status".to_owned(), json!(pen.of(STATUSES)));
            }
            if pen.percent(20) && pool != "usr" {
                body.insert("name".to_owned(), pen.name());
            }
            pen.with(ADMINS, "PATCH", format!("/v1/identity/{kind}/{id}"), &Value::Object(body))
        }
        56..58 => {
            let (kind, pool) = pen.of(&[("users", "usr"), ("service-accounts", "sa"), ("groups", "grp")]);
            let id = pen.any(pool);
            pen.step(ADMINS, "DELETE", format!("/v1/identity/{kind}/{id}"))
        }
        58..64 => {
            let (kind, pool) = pen.of(&[("users", "usr"), ("service-accounts", "sa")]);
            let id = pen.any(pool);
            let body = json!({"roles": pen.chance.some(&["tenant_admin", "partner_admin", "super_admin", "king"], 2)});
            pen.with(ADMINS, "PUT", format!("/v1/identity/{kind}/{id}/roles"), &body)
        }
        64..76 => {
            let (kind, pool) =
                pen.of(&[("users", "usr"), ("service-accounts", "sa"), ("groups", "grp"), ("tenants", "tnt")]);
            let (id, under) = (pen.any(pool), pen.of(&["", "", "/members", "/roles", "/credentials"]));
            pen.step(ADMINS, "GET", format!("/v1/identity/{kind}/{id}{under}"))
        }
        76..82 => {
            let account = pen.any("sa");
            if pen.percent(40) {
                let credential = pen.any("cred");
                return pen.step(
                    ADMINS,
                    "DELETE",
                    format!("/v1/identity/service-accounts/{account}/credentials/{credential}"),
                );
            }
            let body = pen.of(&[json!({}), json!({"expires_in": "1h"}), json!({"expires_in": "x"})]);
            pen.with(ADMINS, "POST", format!("/v1/identity/service-accounts/{account}/credentials"), &body)
        }
        82..92 => {
            let settings = pen.of(&[
                json!({"soft_delete_retention": "2d"}),
                json!({"default_max_versions": 3}),
                json!({"soft_delete_retention": null}),
                json!({"default_max_versions": null, "max_secret_bytes": 4000}),
                json!({"max_secret_bytes": null}),
                json!({"audit_retention": "1d"}),
            ]);
            pen.with(ADMINS, "PATCH", home, &json!({"settings": settings}))
        }
        92..95 => {
            let body = json!({"name": pen.name(), "partner_id": pen.of(&["ptn_default", "ptn_far", "ptn_nowhere"])});
            pen.with(ADMINS, "POST", "/v1/identity/tenants".to_owned(), &body)
        }
        95..97 => pen.with(ADMINS, "PATCH", "/v1/identity/tenants/tnt_side".to_owned(), &json!({"status": "ACTIVE"})),
        97 => pen.with(&[0], "PATCH", "/v1/identity/tenants/tnt_side".to_owned(), &json!({"status": "SUSPENDED"})),
        _ => {
            let (kind, pool) = pen.of(&[("user", "usr"), ("service_account", "sa"), ("group", "grp")]);
            let id = pen.any(pool);
            pen.step(ADMINS, "GET", format!("/v1/identity/resolve/{kind}/{id}"))
        }
    }
}

fn token(pen: &mut Pen<'_>) -> Step {
    let id = pen.any("tok");
    match pen.chance.below(10) {
        0..4 => {
            let mut body = json!({"name": pen.name(), "scopes": pen.chance.some(SCOPES, 5)});
            if pen.percent(50) {
                let pool = pen.of(&["usr", "cast-usr", "sa"]);
                body["identity_id"] = json!(pen.any(pool));
            }
            if pen.percent(50) {
                body["expires_in"] = json!(pen.of(&["1s", "1h", "2d", "366d", "367d", "0s"]));
            }
            if pen.percent(20) {
                body["ip_ranges"] = pen.of(&[json!(["127.0.0.1/32"]), json!(["10.0.0.0/8"]), json!(["x"])]);
            }
            pen.with(&[0, 0, 1, 2, 3], "POST", "/v1/auth/tokens".to_owned(), &body)
        }
        4 => pen.step(ADMINS, "GET", format!("/v1/auth/tokens/{id}")),
        5 => pen.step(ADMINS, "DELETE", format!("/v1/auth/tokens/{id}")),
        6 => {
            let body = json!({"token": pen.any("skt")});
            pen.with(ADMINS, "POST", "/v1/auth/introspect".to_owned(), &body)
        }
        7 => {
            let token = pen.any("skt");
            let mut step = pen.step(&[0], "DELETE", "/v1/auth/tokens/self".to_owned());
            step.token = Some(token);
            step
        }
        _ => {
            let token = pen.any("skt");
            let mut step = pen.step(&[0], "GET", "/v1/auth/whoami".to_owned());
            step.token = if pen.percent(60) { Some(token) } else { step.token };
            step
        }
    }
}

fn test(pen: &mut Pen<'_>) -> Step {
    let pool = pen.of(&["usr", "cast-usr", "sa"]);
    let body = json!({
        "identity_id": pen.any(pool), "path": pen.path(), "permission": pen.of(PERMISSIONS),
        "context": {"source_ip": "127.0.0.1", "mfa_verified": pen.percent(50), "timestamp": "2026-05-04T10:00:00Z"},
    });
    pen.with(ADMINS, "POST", "/v1/policies/test".to_owned(), &body)
}
