//! `POST /v1/auth/introspect`

use rstest::rstest;
use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{HOME, holder};

async fn asked(by: &Actor<'_>, token: &str) -> Value {
    by.post("/v1/auth/introspect", json!({"token": token})).await.expect(200).json()
}

#[rstest]
#[case("garbage")]
#[case("")]
#[case("skt_00000000000000000000000000000000000000000002CZclj")]
#[case("eyJhbGciOiJub25lIn0.e30.")]
#[tokio::test]
async fn a_9_garbage_is_inactive_and_nothing_more(#[case] token: &str) {
    let app = TestApp::new().await;
    assert_eq!(asked(&app.root(), token).await, json!({"active": false}));
}

#[tokio::test]
async fn a_9_the_scope_is_needed_and_the_token_too() {
    let app = TestApp::new().await;
    let (owner, ..) = app.actors().await;
    owner.post("/v1/auth/introspect", json!({"token": "x"})).await.expect_error(403, "insufficient_scope");
    let root = app.root();
    root.post("/v1/auth/introspect", json!({})).await.expect_fault("token", "required");
    root.post("/v1/auth/introspect", json!({"token": 1})).await.expect_fault("token", "type");
}

#[tokio::test]
async fn a_live_token_is_told_with_the_scopes_it_has_now() {
    let app = TestApp::new().await;
    let root = app.root();
    let mia = app.user("mia", &["secrets:read", "secrets:list"], &[]).await;
    let told = asked(&root, mia.token()).await;
    let expected = json!({
        "active": true, "identity_id": mia.identity_id, "identity_type": "user", "tenant_id": HOME,
        "scopes": ["secrets:read", "secrets:list"],
        "expires_at": "2026-07-30T10:00:00Z", "issued_at": "2026-05-01T10:00:00Z",
    });
    assert_eq!(told, expected);
    let user = format!("/v1/identity/users/{}", mia.id);
    root.patch(&user, json!({"allowed_scopes": ["secrets:list"]})).await.expect(200);
    assert_eq!(asked(&root, mia.token()).await["scopes"], json!(["secrets:list"]));
}

#[tokio::test]
async fn what_can_not_be_used_is_inactive() {
    let app = TestApp::new().await;
    let root = app.root();
    let inactive = json!({"active": false});
    let revoked = app.user("revoked", &["secrets:read"], &[]).await;
    revoked.delete("/v1/auth/tokens/self").await.expect(204);
    assert_eq!(asked(&root, revoked.token()).await, inactive);
    let suspended = app.user("suspended", &["secrets:read"], &[]).await;
    root.patch(&format!("/v1/identity/users/{}", suspended.id), json!({"status": "SUSPENDED"})).await.expect(200);
    assert_eq!(asked(&root, suspended.token()).await, inactive);
    let tenant = app.tenant("paused").await;
    let paused = app.user_in(&tenant, "paused", &["secrets:read"], &[]).await;
    root.patch(&format!("/v1/identity/tenants/{tenant}"), json!({"status": "SUSPENDED"})).await.expect(200);
    assert_eq!(asked(&root, paused.token()).await, inactive);
    let expired = app.user("expired", &["secrets:read"], &[]).await;
    let asker = root.post("/v1/auth/tokens", json!({"name": "a", "scopes": ["admin"], "expires_in": "366d"})).await;
    let asker = app.with_token(asker.expect(201).json()["token"].as_str().unwrap());
    app.clock.advance(90 * 86_400);
    assert_eq!(asked(&asker, expired.token()).await, inactive);
}

#[tokio::test]
async fn a_10_tokens_are_told_only_to_who_may_act_in_their_tenant() {
    let app = TestApp::new().await;
    let (near, far_partner) = (app.tenant("near").await, app.partner("Far").await);
    let far = app.tenant_of(&far_partner, "far").await;
    let here = app.user("here", &["secrets:read"], &[]).await;
    let next = app.user_in(&near, "next", &["secrets:read"], &[]).await;
    let away = app.user_in(&far, "away", &["secrets:read"], &[]).await;
    for (role, seen) in [
        ("tenant_admin", [true, false, false]),
        ("partner_admin", [true, true, false]),
        ("super_admin", [true, true, true]),
    ] {
        let asker = holder(&app, HOME, &[role]).await;
        for (actor, seen) in [&here, &next, &away].into_iter().zip(seen) {
            let told = asked(&asker, actor.token()).await;
            assert_eq!(told["active"], seen, "{role} of {}", actor.identity_id);
            assert!(seen || told == json!({"active": false}));
        }
    }
}
