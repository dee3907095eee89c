//! What no client should send.

use serde_json::json;

use super::super::run::Step;
use super::Pen;

const ANYBODY: &[usize] = &[0, 1, 2, 5, 8];

pub(super) fn next(pen: &mut Pen<'_>) -> Step {
    match pen.chance.below(7) {
        0 => {
            let paths = [
                "a//b",
                "a%2Fb",
                "%61",
                "a%00b",
                "%C3%A9",
                "a/..",
                "batch",
                "a/rotate",
                "1/2/3/4/5/6/7/8/9/10/11",
                "a*",
                "a%zz",
            ];
            let (path, method) = (pen.of(&paths), pen.of(&["GET", "PUT", "DELETE"]));
            let target = format!("/v1/secrets/{path}");
            if method == "PUT" {
                let data = pen.data();
                pen.with(ANYBODY, method, target, &json!({"data": data}))
            } else {
                pen.step(ANYBODY, method, target)
            }
        }
        1 => {
            let path = pen.path();
            let mut step = pen.step(ANYBODY, "PUT", format!("/v1/secrets/{path}"));
            let bodies = [
                "{",
                "[]",
                "{\"data\":{},\"data\":{}}",
                "{\"data\":{\"a\":1,\"a\":2}}",
                "\u{feff}{}",
                "{\"data\":{},\"x\":1}",
                "null",
                "{\"data\":{\"n\":1e400,\"z\":1.00,\"a\":12345678901234567890123}}",
                "{\"data\":{\"s\":\"\\ud83d\"}}",
                "{\"data\":{\"s\":\"\\u0000\"}}",
            ];
            step.body = Some((
                pen.of(&["application/json", "application/json", "application/json", "text/plain"]),
                pen.of(&bodies).to_owned(),
            ));
            step
        }
        2 => {
            let target = pen.of(&[
                "/v1/nothing",
                "/v1/secrets/a?permanant=true",
                "/v1/secrets?limit=1&limit=2",
                "/v1/secrets?sort=updated_at&delimiter=/",
                "/v1/policies/pol_x",
                "/v1/policies/%00",
                "/v1/identity/users/%00",
                "/v1/subscriptions/%00/poll?timeout=0",
                "/v1/audit/identities/user:%00",
                "/v1/rotation/policies/rot_%F0%9F%94%91",
                "/v1/webhooks/wh_",
                "/v1/audit/verify?from_seq=x",
                "/v1/identity/roles",
            ]);
            pen.step(ANYBODY, "GET", target.to_owned())
        }
        3 => {
            let route = pen.of(&[
                "secrets",
                "policies",
                "audit/logs",
                "rotation/due",
                "webhooks",
                "subscriptions",
                "auth/tokens",
                "secret-policies",
            ]);
            let cursor = if pen.percent(70) { pen.any("cursor") } else { "nonsense".to_owned() };
            pen.step(ANYBODY, "GET", format!("/v1/{route}?cursor={cursor}"))
        }
        4 => {
            let mut step = pen.step(ANYBODY, "GET", "/v1/auth/whoami".to_owned());
            step.token = pen.of(&[
                None,
                Some("skt_x".to_owned()),
                Some("eyJ".to_owned()),
                Some("skt_00000000000000000000000000000000000000000002CZclj".to_owned()),
            ]);
            step
        }
        5 => {
            let target =
                pen.of(&["/v1/secrets/a", "/v1/policies", "/v1/health", "/v1/secrets/batch", "/v1/audit/logs"]);
            let method = pen.of(&["POST", "PATCH", "DELETE"]);
            pen.step(ANYBODY, method, target.to_owned())
        }
        _ => {
            let path = pen.path();
            let data = pen.data();
            let mut step = pen.with(ANYBODY, "PUT", format!("/v1/secrets/{path}"), &json!({"data": data}));
            step.headers.push(pen.of(&[
                ("idempotency-key", String::new()),
                ("idempotency-key", "a b".to_owned()),
                ("idempotency-key", "x".repeat(129)),
                ("x-tenant-id", "\u{e9}".to_owned()),
                ("if-match", "\"x\"".to_owned()),
                ("x-request-id", "gr\u{fc}n \u{1f511}".to_owned()),
                ("content-encoding", "gzip".to_owned()),
            ]));
            step
        }
    }
}
