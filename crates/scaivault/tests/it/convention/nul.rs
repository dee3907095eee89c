//! U+0000 from a client: PostgreSQL can't hold it in a text, SQLite can. It is refused or kept, on both alike, and is never a 5xx.

use http::Method;
use scaivault_testkit::{Answer, TestApp};
use serde_json::{Value, json};

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

fn described() -> Value {
    serde_json::from_str(include_str!("../../../../../openapi.json")).unwrap()
}

/// `/v1/policies/{id}` with `value` in the place of each parameter.
fn filled(path: &str, value: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + value + part.split_once('}').unwrap().1)
}

fn is_a_clients_fault(answer: &Answer) {
    assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.text());
}

#[tokio::test]
async fn in_a_path_or_a_query_it_is_the_clients_fault() {
    let app = TestApp::new().await;
    let root = app.root();
    let described = described();
    let mut wrong = Vec::new();
    let mut note = |what: String, answer: &Answer| {
        if !answer.status.is_client_error() {
            wrong.push(format!("{what}: {}", answer.status));
        }
    };
    for (path, operations) in described["paths"].as_object().unwrap() {
        for name in METHODS {
            let Some(operation) = operations.get(name) else { continue };
            let method = Method::from_bytes(name.to_uppercase().as_bytes()).unwrap();
            if path.contains('{') {
                for value in ["%00", "a%00b"] {
                    let call = root.call(method.clone(), &filled(path, value));
                    let answer = if name == "get" { call.await } else { call.json(&json!({})).await };
                    note(format!("{name} {path} with {value}"), &answer);
                }
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|parameter| parameter["in"] == "query" && name == "get") {
                let query = format!("{}?{}=a%00b", filled(path, "a"), parameter["name"].as_str().unwrap());
                let answer = root.get(&query).await;
                note(query, &answer);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn in_a_text_that_is_stored_it_is_refused_by_name() {
    let app = TestApp::new().await;
    let root = app.root();
    let text = "a\u{0}b";
    for (target, body, field) in [
        ("/v1/policies", json!({"name": "p", "description": text, "rules": []}), "description"),
        ("/v1/policies", json!({"name": text, "rules": []}), "name"),
        ("/v1/rotation/policies", json!({"name": "r", "interval": "1d", "description": text}), "description"),
        ("/v1/identity/tenants", json!({"partner_id": "ptn_default", "name": text}), "name"),
        ("/v1/identity/tenants", json!({"partner_id": text, "name": "t"}), "partner_id"),
        (
            "/v1/identity/tenants/tnt_default/users",
            json!({"email": "a@b.example", "display_name": text}),
            "display_name",
        ),
        ("/v1/identity/tenants/tnt_default/groups", json!({"name": "g", "description": text}), "description"),
        ("/v1/auth/tokens", json!({"name": text, "scopes": ["secrets:read"]}), "name"),
    ] {
        let answer = root.post(target, body).await;
        is_a_clients_fault(&answer);
        let named = answer.faults().iter().any(|(name, _)| name == field) || answer.status != 422;
        assert!(named, "{target} {field}: {}", answer.text());
    }
    for metadata in [json!({"description": text}), json!({"owner": text}), json!({"tags": [text]})] {
        root.put("/v1/secrets/a", json!({"data": {}, "metadata": metadata}))
            .await
            .expect_error(422, "validation_error");
    }
}

#[tokio::test]
async fn in_a_value_or_in_metadata_of_ones_own_it_is_kept() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"data": {"k\u{0}": "a\u{0}b"}, "metadata": {"custom": {"c": "x\u{0}y"}}});
    let answer = root.put("/v1/secrets/a", body.clone()).await;
    if answer.status == 422 {
        return assert_eq!(answer.faults()[0].0, "metadata.custom.c", "{}", answer.text());
    }
    answer.expect(201);
    let read = root.get("/v1/secrets/a").await.expect(200).json();
    assert_eq!((&read["data"], &read["metadata"]["custom"]), (&body["data"], &body["metadata"]["custom"]));
}

#[tokio::test]
async fn in_a_list_of_paths_it_is_no_path() {
    let app = TestApp::new().await;
    for target in ["/v1/secrets/batch", "/v1/secrets/batch/metadata"] {
        let answer = app.root().post(target, json!({"paths": ["a\u{0}b", "a"]})).await;
        assert!(!answer.status.is_server_error(), "{}", answer.text());
    }
    let answer = app.root().post("/v1/policies/test", json!({"identity_id": "a\u{0}", "path": "a\u{0}"})).await;
    is_a_clients_fault(&answer);
    let answer = app.root().post("/v1/auth/introspect", json!({"token": "scv_\u{0}"})).await;
    assert!(!answer.status.is_server_error(), "{}", answer.text());
}
