//! `GET /v1/auth/tokens`, `GET` and `DELETE /v1/auth/tokens/{id}`

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{HOME, all_scopes, holder, id_of};

/// Tokens are listed in the order in which they were made, and the clock stands still.
async fn later(app: &TestApp, by: &Actor<'_>, name: &str) -> Value {
    app.clock.advance(1);
    made(by, name).await
}

async fn made(by: &Actor<'_>, name: &str) -> Value {
    by.post("/v1/auth/tokens", json!({"name": name, "scopes": ["secrets:read"]})).await.expect(201).json()
}

async fn names(by: &Actor<'_>, query: &str) -> Vec<String> {
    let list = by.get(&format!("/v1/auth/tokens{query}")).await.expect(200).json();
    list["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn one_sees_ones_own_and_with_identity_admin_those_of_the_tenant() {
    let app = TestApp::new().await;
    let other = app.tenant("other").await;
    app.user_in(&other, "foreign", &["secrets:read"], &[]).await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    later(&app, &mia, "mias").await;
    let plain = app.user("plain", &["identity:read"], &[]).await;
    assert_eq!(names(&mia, "").await, ["test", "mias"]);
    assert_eq!(names(&plain, "").await, ["test"]);
    let target = format!("/v1/auth/tokens?identity_id={}", mia.id);
    plain.get(&target).await.expect_error(403, "insufficient_scope");
    let seer = app.user("seer", &["identity:admin"], &[]).await;
    let all = seer.get("/v1/auth/tokens").await.expect(200).json();
    let tokens = all["tokens"].as_array().unwrap();
    assert!(tokens.iter().all(|token| token["tenant_id"] == HOME && token["token"].is_null()));
    assert_eq!(tokens.len(), 5, "{all}");
    for form in [&mia.id, &mia.identity_id] {
        assert_eq!(names(&seer, &format!("?identity_id={form}")).await, ["test", "mias"]);
    }
    seer.get("/v1/auth/tokens?identity_id=user:no@test.example").await.expect_error(404, "identity_not_found");
    seer.get("/v1/auth/tokens?identity_id=mia").await.expect_fault("identity_id", "format");
}

#[tokio::test]
async fn lists_leave_out_what_is_over_unless_asked() {
    let app = TestApp::new().await;
    let mia = holder(&app, HOME, &[]).await;
    let revoked = later(&app, &mia, "revoked").await;
    let short = json!({"name": "short", "scopes": ["secrets:read"], "expires_in": "1h"});
    app.clock.advance(1);
    mia.post("/v1/auth/tokens", short).await.expect(201);
    mia.delete(&format!("/v1/auth/tokens/{}", id_of(&revoked))).await.expect(204);
    let own = format!("identity_id={}", mia.id);
    assert_eq!(names(&mia, &format!("?{own}")).await, ["test", "short"]);
    app.clock.advance(3600);
    assert_eq!(names(&mia, &format!("?{own}")).await, ["test"]);
    assert_eq!(names(&mia, &format!("?{own}&include_inactive=true")).await, ["test", "revoked", "short"]);
    assert_eq!(names(&mia, &format!("?{own}&include_inactive=false")).await, ["test"]);
    mia.get("/v1/auth/tokens?include_inactive=1").await.expect_fault("include_inactive", "type");
}

#[tokio::test]
async fn a_walk_shows_every_token_once() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    for n in 0..4 {
        later(&app, &mia, &format!("t{n}")).await;
    }
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = mia.get(&format!("/v1/auth/tokens{query}")).await.expect(200).json();
        seen.extend(page["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap().to_owned()));
        assert_eq!(page["has_more"], page["cursor"].is_string());
        match page["cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
        later(&app, &mia, "meanwhile").await;
    }
    seen.retain(|name| name != "meanwhile");
    assert_eq!(seen, ["test", "t0", "t1", "t2", "t3"]);
    for bad in ["limit=0", "limit=201", "limit=x"] {
        mia.get(&format!("/v1/auth/tokens?{bad}")).await.expect(422);
    }
}

#[tokio::test]
async fn self_is_the_calling_token() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let second = made(&mia, "second").await;
    let with_second = app.with_token(second["token"].as_str().unwrap());
    assert_eq!(with_second.get("/v1/auth/tokens/self").await.expect(200).json()["id"], second["id"]);
    with_second.delete("/v1/auth/tokens/self").await.expect(204);
    with_second.get("/v1/auth/whoami").await.expect_error(401, "token_revoked");
    mia.get("/v1/auth/whoami").await.expect(200);
}

#[tokio::test]
async fn what_is_absent_or_foreign_answers_alike() {
    let app = TestApp::new().await;
    let other = app.tenant("other").await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let own = id_of(&made(&mia, "own").await);
    let foreign = app.user_in(&other, "foreign", &["secrets:read"], &[]).await;
    let foreign = id_of(&made(&foreign, "foreign").await);
    let plain = app.user("plain", &["secrets:read"], &[]).await;
    let admin = holder(&app, HOME, &["tenant_admin"]).await;
    let cases = [(&plain, own.as_str()), (&plain, "tok_nothing"), (&admin, foreign.as_str()), (&admin, "tok_nothing")];
    for (actor, id) in cases {
        let target = format!("/v1/auth/tokens/{id}");
        actor.get(&target).await.expect_error(404, "token_not_found");
        actor.delete(&target).await.expect_error(404, "token_not_found");
    }
    let target = format!("/v1/auth/tokens/{own}");
    let shown = admin.get(&target).await.expect(200).json();
    assert_eq!((&shown["name"], &shown["identity_id"]), (&json!("own"), &json!(mia.identity_id)));
    assert!(shown["token"].is_null());
    admin.delete(&target).await.expect(204);
    admin.delete(&target).await.expect_error(404, "token_not_found");
}

#[tokio::test]
async fn ending_tokens_of_others_needs_the_role_and_the_rank() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let target = format!("/v1/auth/tokens/{}", id_of(&made(&mia, "t").await));
    let seer = app.user("seer", &["identity:admin"], &[]).await;
    seer.delete(&target).await.expect_error(403, "forbidden");
    let admin = holder(&app, HOME, &["tenant_admin"]).await;
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let bosses = boss.get("/v1/auth/tokens/self").await.expect(200).json();
    admin.delete(&format!("/v1/auth/tokens/{}", id_of(&bosses))).await.expect_error(403, "forbidden");
    admin.delete(&target).await.expect(204);
    // Ending one's own needs no scope at all.
    mia.delete("/v1/auth/tokens/self").await.expect(204);
}

#[tokio::test]
async fn an_administrator_sees_the_tokens_of_the_tenant_it_acts_in() {
    let app = TestApp::new().await;
    let near = app.tenant("near").await;
    let next = app.user_in(&near, "next", &all_scopes(), &[]).await;
    let own = id_of(&next.get("/v1/auth/tokens/self").await.expect(200).json());
    let boss = holder(&app, HOME, &["partner_admin"]).await;
    let target = format!("/v1/auth/tokens/{own}");
    boss.get(&target).await.expect_error(404, "token_not_found");
    boss.get(&target).in_tenant(&near).await.expect(200);
    boss.delete(&format!("/v1/t/{near}/auth/tokens/{own}")).await.expect(204);
    next.get("/v1/auth/whoami").await.expect_error(401, "token_revoked");
}
