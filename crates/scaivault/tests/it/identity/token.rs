//! `POST /v1/auth/tokens`

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{HOME, all_scopes, holder, set_roles};

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_new_token_has_the_shape_of_the_contract() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read", "secrets:list"], &[]).await;
    let body = json!({"name": "laptop", "scopes": ["secrets:read", "secrets:read"], "expires_in": "30d",
        "ip_ranges": ["127.0.0.0/8", "2001:db8::/32"]});
    let mut made = mia.post("/v1/auth/tokens", body).await.expect(201).json();
    assert!(made["id"].as_str().unwrap().starts_with("tok_"));
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("skt_") && token.len() == 53);
    let reference = scaivault_crypto::OpaqueToken::parse(token).unwrap().token_ref();
    assert_eq!(made["token_ref"], reference);
    assert_eq!(reference.len(), "sha256:".len() + 16);
    for field in ["id", "token", "token_ref"] {
        made[field] = Value::Null;
    }
    let expected = json!({
        "id": null, "token": null, "name": "laptop", "identity_id": mia.identity_id, "tenant_id": HOME,
        "scopes": ["secrets:read"], "ip_ranges": ["127.0.0.0/8", "2001:db8::/32"], "created_at": "2026-05-01T10:00:00Z",
        "expires_at": "2026-05-31T10:00:00Z", "last_used_at": null, "token_ref": null,
    });
    assert_eq!(made, expected);
}

#[rstest]
#[case::no_name(json!({"scopes": ["secrets:read"]}), "name", "required")]
#[case::no_scopes(json!({"name": "t"}), "scopes", "required")]
#[case::empty_scopes(json!({"name": "t", "scopes": []}), "scopes", "range")]
#[case::unknown_scope(json!({"name": "t", "scopes": ["secrets:read", "secrets:*"]}), "scopes[1]", "format")]
#[case::too_long(json!({"name": "t", "scopes": ["secrets:read"], "expires_in": "367d"}), "expires_in", "range")]
#[case::zero(json!({"name": "t", "scopes": ["secrets:read"], "expires_in": "0s"}), "expires_in", "range")]
#[case::bad_cidr(json!({"name": "t", "scopes": ["secrets:read"], "ip_ranges": ["10.0.0.0/33"]}), "ip_ranges[0]", "format")]
#[case::unknown_field(json!({"name": "t", "scopes": ["secrets:read"], "scope": "x"}), "scope", "unknown")]
#[tokio::test]
async fn bad_fields_are_named(#[case] body: Value, #[case] field: &str, #[case] code: &str) {
    let app = TestApp::new().await;
    app.root().post("/v1/auth/tokens", body).await.expect_fault(field, code);
}

#[tokio::test]
async fn limits_of_the_fields() {
    let app = TestApp::new().await;
    let root = app.root();
    let with = |field: &str, value: Value| {
        let mut body = json!({"name": "t", "scopes": ["secrets:read"]});
        body[field] = value;
        root.post("/v1/auth/tokens", body)
    };
    with("expires_in", json!("30")).await.expect_error(400, "invalid_duration");
    with("expires_in", json!("366d")).await.expect(201);
    let ranges = |count: usize| json!((0..count).map(|n| format!("10.{n}.0.0/16")).collect::<Vec<_>>());
    with("ip_ranges", ranges(20)).await.expect(201);
    with("ip_ranges", ranges(21)).await.expect_fault("ip_ranges", "range");
    with("name", json!("n".repeat(128))).await.expect(201);
    with("name", json!("n".repeat(129))).await.expect(422);
    with("scopes", json!(all_scopes())).await.expect(201);
}

#[tokio::test]
async fn a_6_no_token_has_scopes_beyond_the_one_it_is_made_with() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read", "secrets:list"], &[]).await;
    let ask = |scopes: Value| mia.post("/v1/auth/tokens", json!({"name": "t", "scopes": scopes}));
    ask(json!(["secrets:list"])).await.expect(201);
    ask(json!(["secrets:list", "secrets:write"])).await.expect_fault("scopes[1]", "not_allowed");
    // Nor has one that an administrator makes with a narrow token.
    let body = json!({"name": "narrow", "scopes": ["identity:admin", "secrets:read"]});
    let narrow = app.root().post("/v1/auth/tokens", body).await.expect(201).json();
    let narrow = app.with_token(narrow["token"].as_str().unwrap());
    let for_mia =
        |scope: &str| narrow.post("/v1/auth/tokens", json!({"name": "t", "identity_id": mia.id, "scopes": [scope]}));
    for_mia("secrets:read").await.expect(201);
    for_mia("secrets:list").await.expect_fault("scopes[0]", "not_allowed");
}

#[tokio::test]
async fn a_6_no_token_has_scopes_beyond_the_ceiling() {
    let app = TestApp::new().await;
    let root = app.root();
    let target = format!("/v1/identity/tenants/{HOME}/users");
    let user = root.post(&target, json!({"email": "plain@test.example"})).await.expect(201).json();
    let default = [
        "secrets:read",
        "secrets:write",
        "secrets:delete",
        "secrets:list",
        "secrets:rotate",
        "policies:read",
        "pki:issue",
        "dynamic:read",
        "subscriptions:read",
        "subscriptions:write",
        "identity:read",
    ];
    let mut allowed: Vec<&str> =
        user["allowed_scopes"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    allowed.sort_unstable();
    let mut sorted = default.to_vec();
    sorted.sort_unstable();
    assert_eq!(allowed, sorted);
    let make = |scopes: Value| {
        root.post("/v1/auth/tokens", json!({"name": "t", "identity_id": "user:plain@test.example", "scopes": scopes}))
    };
    make(json!(default)).await.expect(201);
    for scope in all_scopes().into_iter().filter(|scope| !default.contains(scope)) {
        make(json!([scope])).await.expect_fault("scopes[0]", "not_allowed");
    }
    // tenant_admin and above: all.
    set_roles(&root, user["id"].as_str().unwrap(), &["tenant_admin"]).await;
    make(json!(all_scopes())).await.expect(201);
}

#[tokio::test]
async fn a_7_tokens_for_others_need_the_role_and_the_scope() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let ask = |identity: &str| json!({"name": "t", "identity_id": identity, "scopes": ["secrets:read"]});
    let plain = holder(&app, HOME, &[]).await;
    plain.post("/v1/auth/tokens", ask(&mia.id)).await.expect_error(403, "forbidden");
    mia.post("/v1/auth/tokens", ask(&plain.identity_id)).await.expect_error(403, "forbidden");
    // Whether somebody exists is not for a plain user to learn.
    plain.post("/v1/auth/tokens", ask("user:nobody@test.example")).await.expect_error(403, "forbidden");
    let admin = holder(&app, HOME, &["tenant_admin"]).await;
    for form in [&mia.id, &mia.identity_id] {
        let made = admin.post("/v1/auth/tokens", ask(form)).await.expect(201).json();
        assert_eq!(made["identity_id"], mia.identity_id.as_str());
    }
    admin.post("/v1/auth/tokens", ask("user:nobody@test.example")).await.expect_error(404, "identity_not_found");
    admin.post("/v1/auth/tokens", ask("group:none")).await.expect_error(404, "identity_not_found");
    let body = json!({"name": "scopeless", "scopes": ["secrets:read", "identity:read"]});
    let scopeless = admin.post("/v1/auth/tokens", body).await.expect(201).json();
    let scopeless = app.with_token(scopeless["token"].as_str().unwrap());
    scopeless.post("/v1/auth/tokens", ask(&mia.id)).await.expect_error(403, "insufficient_scope");
    scopeless.post("/v1/auth/tokens", ask(&admin.id)).await.expect(201);
}

#[tokio::test]
async fn nobody_becomes_somebody_above_by_a_token() {
    let app = TestApp::new().await;
    let (tenant_admin, partner_admin) =
        (holder(&app, HOME, &["tenant_admin"]).await, holder(&app, HOME, &["partner_admin"]).await);
    let ask = |identity: &str| json!({"name": "t", "identity_id": identity, "scopes": ["admin"]});
    tenant_admin.post("/v1/auth/tokens", ask(&partner_admin.id)).await.expect_error(403, "forbidden");
    partner_admin.post("/v1/auth/tokens", ask("user:admin@localhost")).await.expect_error(403, "forbidden");
    partner_admin.post("/v1/auth/tokens", ask(&tenant_admin.id)).await.expect(201);
}

#[tokio::test]
async fn no_token_outlives_the_one_it_is_made_with_but_an_administrators() {
    let app = TestApp::new().await;
    let root = app.root();
    for (roles, capped) in [
        (&[][..], true),
        (&["tenant_admin"][..], false),
        (&["partner_admin"][..], false),
        (&["super_admin"][..], false),
    ] {
        let actor = holder(&app, HOME, roles).await;
        let body = json!({"name": "t", "scopes": ["secrets:read"], "expires_in": "10d"});
        let parent = actor.post("/v1/auth/tokens", body).await.expect(201).json();
        let parent = app.with_token(parent["token"].as_str().unwrap());
        let ask = |span: &str| json!({"name": "t", "scopes": ["secrets:read"], "expires_in": span});
        parent.post("/v1/auth/tokens", ask("10d")).await.expect(201);
        let longer = parent.post("/v1/auth/tokens", ask("10d1s")).await;
        if capped {
            longer.expect_fault("expires_in", "range");
            // Nobody said how long: as long as it can be.
            let body = json!({"name": "t", "scopes": ["secrets:read"]});
            let child = parent.post("/v1/auth/tokens", body).await.expect(201).json();
            assert_eq!(child["expires_at"], "2026-05-11T10:00:00Z");
        } else {
            longer.expect(201);
            parent.post("/v1/auth/tokens", ask("366d")).await.expect(201);
            parent.post("/v1/auth/tokens", ask("367d")).await.expect_fault("expires_in", "range");
        }
    }
    assert_eq!(root.get("/v1/auth/whoami").await.expect(200).json()["roles"], json!(["super_admin"]));
}

#[tokio::test]
async fn the_longest_life_is_the_servers_to_set() {
    let app = TestApp::builder().settings(|settings| settings.token_max_ttl_seconds = 30 * DAY).start().await;
    let ask = |body: Value| app.root().post("/v1/auth/tokens", body);
    ask(json!({"name": "t", "scopes": ["admin"], "expires_in": "30d1s"})).await.expect_fault("expires_in", "range");
    let default = ask(json!({"name": "t", "scopes": ["admin"]})).await.expect(201).json();
    assert_eq!(default["expires_at"], "2026-05-31T10:00:00Z");
}

#[rstest]
#[case("10.1.2.3", true)]
#[case("::ffff:10.1.2.3", true)]
#[case("2001:db8::7", true)]
#[case("10.2.0.1", false)]
#[case("2001:db9::7", false)]
#[case("127.0.0.1", false)]
#[tokio::test]
async fn ip_ranges_bind_a_token_to_its_places(#[case] address: &str, #[case] allowed: bool) {
    let app = TestApp::new().await;
    let body = json!({"name": "t", "scopes": ["secrets:read"], "ip_ranges": ["10.1.0.0/16", "2001:db8::/32"]});
    let made = app.root().post("/v1/auth/tokens", body).await.expect(201).json();
    let actor = app.with_token(made["token"].as_str().unwrap()).from_address(address);
    for target in ["/v1/auth/whoami", "/v1/secrets/a", "/v1/secrets?prefix=a"] {
        let answer = actor.get(target).await;
        if allowed {
            assert_ne!(answer.details()["failed_condition"], "token_ip_ranges", "{target}");
        } else {
            // Step 6: before the scope and before what the address says.
            let refused = answer.expect_error(403, "ip_not_allowed");
            assert_eq!(refused.details()["failed_condition"], "token_ip_ranges", "{target}");
        }
    }
}

#[tokio::test]
async fn an_idempotency_key_makes_no_token_come_twice() {
    let app = TestApp::new().await;
    let body = json!({"name": "t", "scopes": ["secrets:read"]});
    let ask = || app.root().post("/v1/auth/tokens", body.clone()).header("idempotency-key", "k1");
    let (first, second) = (ask().await.expect(201), ask().await.expect(201));
    assert_ne!(first.json()["token"], second.json()["token"]);
    assert_eq!(second.header("idempotent-replayed"), None);
}
