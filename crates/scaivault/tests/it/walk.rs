//! Walks over the whole route table: what must hold for every route, whoever adds one.

use scaivault_domain::action::ScopeRule;
use scaivault_http::{RouteInfo, route_infos};
use scaivault_testkit::{Actor, Answer, TestApp};
use serde_json::{Value, json};

/// A scope that opens nothing here: the area it belongs to is not built yet.
const USELESS_SCOPE: &str = "pki:issue";

fn guarded() -> Vec<RouteInfo> {
    route_infos().into_iter().filter(|route| route.action.is_some()).collect()
}

/// An address that fits the pattern and names nothing that exists.
fn address(route: &RouteInfo) -> String {
    let fill = |segment: &str| match segment {
        "{path}" => "walk/nowhere".to_owned(),
        "{identity_type}" => "user".to_owned(),
        "{identity_id}" => "user:nobody@test.example".to_owned(),
        segment if segment.starts_with('{') => "pol_nothing".to_owned(),
        segment => segment.to_owned(),
    };
    route.pattern.split('/').map(fill).collect::<Vec<_>>().join("/")
}

async fn call(actor: &Actor<'_>, route: &RouteInfo, tenant: Option<&str>) -> Answer {
    let method = route.method.parse().unwrap();
    let call = actor.call(method, &address(route));
    let call = if matches!(route.method, "PUT" | "POST" | "PATCH") { call.json(&json!({})) } else { call };
    match tenant {
        Some(tenant) => call.in_tenant(tenant).await,
        None => call.await,
    }
}

/// The newest entries of the caller's stream, without those of asking for them.
async fn trail(root: &Actor<'_>) -> Vec<Value> {
    let logs = root.get("/v1/audit/logs?limit=1000").await.expect(200).json();
    logs["logs"].as_array().unwrap().iter().filter(|entry| entry["action"] != "audit_read").cloned().collect()
}

#[tokio::test]
async fn without_a_token_every_guarded_route_answers_401() {
    let app = TestApp::new().await;
    for route in guarded() {
        let answer = call(&app.anonymous(), &route, None).await;
        let answer = answer.expect_error(401, "authentication_required");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{route:?}");
    }
}

#[tokio::test]
async fn without_the_scope_every_route_says_which_one_and_leaves_one_entry() {
    let app = TestApp::new().await;
    let caller = app.user("scopeless", &[USELESS_SCOPE], &[("**", &["admin"])]).await;
    let root = app.root();
    for route in guarded() {
        let spec = route.action.unwrap().spec();
        let needed = match spec.scopes {
            ScopeRule::None => continue,
            ScopeRule::All(scopes) | ScopeRule::Any(scopes) => scopes,
        };
        let before = trail(&root).await.len();
        let answer = call(&caller, &route, None).await.expect_error(403, "insufficient_scope");
        let named: Vec<&str> = needed.iter().map(|scope| scope.as_str()).collect();
        assert_eq!(answer.details()["required"], json!(named), "{route:?}");
        let entries = trail(&root).await;
        assert_eq!(
            entries.len() - before,
            usize::from(spec.audit.is_some_and(|audit| audit.as_str() != "audit_read")),
            "{route:?}"
        );
        if let Some(audit) = spec.audit.filter(|audit| audit.as_str() != "audit_read") {
            let entry = &entries[0];
            assert_eq!(entry["action"], audit.as_str(), "{route:?}");
            assert_eq!(entry["error_code"], "insufficient_scope");
            assert_eq!(entry["request_id"], answer.header("x-request-id").unwrap());
            assert_eq!(entry["success"], false);
        }
    }
}

#[tokio::test]
async fn a_tenant_user_enters_no_other_tenant_by_any_route() {
    let app = TestApp::new().await;
    let other = app.tenant("other").await;
    let scopes = ["secrets:read", "secrets:write", "secrets:list", "policies:read"];
    let caller = app.user("visitor", &scopes, &[("**", &["admin"])]).await;
    for route in guarded().into_iter().filter(|route| !route.at_home) {
        for tenant in [other.as_str(), "tnt_nowhere"] {
            call(&caller, &route, Some(tenant)).await.expect_error(403, "tenant_access_denied");
        }
        let prefixed = format!("/v1/t/{other}{}", address(&route).strip_prefix("/v1").unwrap());
        caller.call(route.method.parse().unwrap(), &prefixed).await.expect_error(403, "tenant_access_denied");
    }
}

#[tokio::test]
async fn every_change_leaves_exactly_one_entry_of_its_own_kind_even_when_it_fails() {
    let app = TestApp::new().await;
    let root = app.root();
    for route in guarded() {
        let spec = route.action.unwrap().spec();
        if !spec.changes || route.pattern.ends_with("/sys/seal") {
            continue;
        }
        let before = trail(&root).await.len();
        let answer = call(&root, &route, None).await;
        assert!(answer.status.is_client_error(), "{route:?} did something with nothing: {}", answer.text());
        let entries = trail(&root).await;
        assert_eq!(entries.len() - before, 1, "{route:?}");
        assert_eq!(entries[0]["action"], spec.audit.unwrap().as_str(), "{route:?}");
        assert_eq!(entries[0]["status_code"], answer.status.as_u16(), "{route:?}");
    }
}

#[tokio::test]
async fn whoever_has_no_policy_learns_the_same_of_what_exists_and_what_does_not() {
    let app = TestApp::new().await;
    let (owner, _, stranger) = app.actors().await;
    owner.put("/v1/secrets/there/is", json!({"data": {"v": app.canary()}})).await.expect(201);
    for route in guarded().into_iter().filter(|route| route.pattern.starts_with("/v1/secrets/{path}")) {
        let body = match route.method {
            "PUT" => json!({"data": {}}),
            "POST" if route.pattern.ends_with("/move") || route.pattern.ends_with("/copy") => {
                json!({"destination": "walk/elsewhere"})
            }
            _ => json!({}),
        };
        let mut answers = Vec::new();
        for path in ["there/is", "there/no"] {
            let call = stranger.call(route.method.parse().unwrap(), &route.pattern.replace("{path}", path));
            let call = if matches!(route.method, "PUT" | "POST" | "PATCH") { call.json(&body) } else { call };
            let mut answer = call.await.expect_error(403, "access_denied").json();
            answer["error"]["request_id"] = Value::Null;
            answers.push(answer.to_string().replace(path, "PATH"));
        }
        assert_eq!(answers[0], answers[1], "{route:?}");
    }
}
