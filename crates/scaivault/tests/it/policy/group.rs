//! Rights through groups (L-7, L-8).

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{SECRETS, secret};
use crate::identity::{HOME, group_in, join};

#[tokio::test]
async fn l_7_membership_counts_from_the_next_request_on() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let group = group_in(&app, HOME, "sre").await;
    app.policy_in(HOME, "p", &[("a", &["read"])], &[("group", "group:sre")]).await;
    let member = format!("/v1/identity/groups/{group}/members/{}", mia.id);
    for _ in 0..2 {
        mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
        join(&app, &group, &mia.identity_id).await;
        mia.get("/v1/secrets/a").await.expect(200);
        app.root().delete(&member).await.expect(204);
    }
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    join(&app, &group, &mia.id).await;
    mia.get("/v1/secrets/a").await.expect(200);
    app.root().delete(&format!("/v1/identity/groups/{group}")).await.expect(204);
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn l_8_nested_groups_pass_rights_inwards() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let root = app.root();
    let (mia, boss) = (app.user("mia", &SECRETS, &[]).await, app.user("boss", &SECRETS, &[]).await);
    let (outer, middle, inner) = (
        group_in(&app, HOME, "outer").await,
        group_in(&app, HOME, "middle").await,
        group_in(&app, HOME, "inner").await,
    );
    app.policy_in(HOME, "p", &[("a", &["read"])], &[("group", &middle)]).await;
    join(&app, &inner, &mia.id).await;
    join(&app, &outer, &boss.id).await;
    join(&app, &outer, &middle).await;
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    join(&app, &middle, "group:inner").await;
    mia.get("/v1/secrets/a").await.expect(200);
    // What the middle may, the outer may not.
    boss.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    root.delete(&format!("/v1/identity/groups/{middle}/members/{inner}")).await.expect(204);
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
    join(&app, &middle, &inner).await;
    mia.get("/v1/secrets/a").await.expect(200);
    root.delete(&format!("/v1/identity/groups/{middle}")).await.expect(204);
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn l_8_of_two_ways_to_a_policy_one_is_enough() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let root = app.root();
    let mia = app.user("mia", &SECRETS, &[]).await;
    let group = group_in(&app, HOME, "sre").await;
    join(&app, &group, &mia.id).await;
    let policy = app.policy_in(HOME, "p", &[("a", &["read"])], &[("group", &group)]).await;
    let bindings = format!("/v1/policies/{policy}/bindings");
    let direct = json!({"identity_type": "user", "identity_id": mia.id, "expires_at": "2026-05-01T10:00:10Z"});
    root.post(&bindings, direct).await.expect(201);
    // The binding that lasts longer counts, whichever it is.
    app.clock.advance(20);
    mia.get("/v1/secrets/a").await.expect(200);
    root.delete(&format!("/v1/identity/groups/{group}/members/{}", mia.id)).await.expect(204);
    mia.get("/v1/secrets/a").await.expect_error(403, "access_denied");
}
