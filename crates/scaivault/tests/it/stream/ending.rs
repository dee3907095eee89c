//! How streams end.

use std::time::Duration;

use serde_json::json;

use super::{LONG, Reader, STREAM};
use crate::subscription::live::Live;
use crate::subscription::{SCOPES, listener, write};

const SECOND: Duration = Duration::from_secs(1);

async fn token_of(live: &Live, id: &str) -> String {
    let tokens = live.app.root().get(&format!("/v1/auth/tokens?identity_id={id}")).await.expect(200).json();
    tokens["tokens"][0]["id"].as_str().unwrap().to_owned()
}

// E-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_20_a_revoked_token_ends_its_streams_within_a_second() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let mut reader = Reader::open(&live, &mia, "", None).await;
    assert!(reader.is_quiet().await);
    let token = token_of(&live, &mia.id).await;
    live.app.root().delete(&format!("/v1/auth/tokens/{token}")).await.expect(204);
    write(&live.app, "a").await;
    let (rest, took) = reader.rest().await;
    assert!(rest.is_empty() && took < SECOND, "{rest:?} {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_with_whatever_they_rest_on() {
    let live = Live::start().await;
    let (app, root) = (&live.app, live.app.root());
    let open = async |name: &str| {
        let actor = listener(app, name, "**").await;
        let reader = Reader::open(&live, &actor, "", None).await;
        (actor, reader)
    };
    let (mia, mut of_mia) = open("suspended").await;
    root.patch(&format!("/v1/identity/users/{}", mia.id), json!({"status": "SUSPENDED"})).await.expect(200);
    let (ben, mut of_ben) = open("deleted").await;
    root.delete(&format!("/v1/identity/users/{}", ben.id)).await.expect(204);
    let (eva, mut of_eva) = open("unscoped").await;
    root.patch(&format!("/v1/identity/users/{}", eva.id), json!({"allowed_scopes": ["secrets:read"]}))
        .await
        .expect(200);
    let (_, mut of_tim) = open("expired").await;
    for reader in [&mut of_mia, &mut of_ben, &mut of_eva] {
        let (rest, took) = reader.rest().await;
        assert!(rest.is_empty() && took < SECOND, "{rest:?} {took:?}");
    }
    assert!(of_tim.is_quiet().await);
    app.clock.advance(400 * 86_400);
    let (rest, took) = of_tim.rest().await;
    assert!(rest.is_empty() && took < SECOND, "{rest:?} {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_lost_ends_streams_in_other_tenants() {
    let live = Live::start().await;
    let (app, root) = (&live.app, live.app.root());
    let other = app.tenant("other").await;
    let mia = app.user("mia", SCOPES, &[]).await;
    let roles = format!("/v1/identity/users/{}/roles", mia.id);
    root.put(&roles, json!({"roles": ["partner_admin"]})).await.expect(200);
    let mut abroad = Reader::of(live.get(&mia, STREAM).header("X-Tenant-ID", &other).send().await.unwrap()).await;
    root.put("/v1/secrets/a", json!({"data": {}})).in_tenant(&other).await.expect(201);
    assert_eq!(abroad.next().await.path(), "a");
    root.put(&roles, json!({"roles": []})).await.expect(200);
    root.put("/v1/secrets/b", json!({"data": {}})).in_tenant(&other).await.expect(201);
    let (rest, took) = abroad.rest().await;
    assert!(rest.is_empty() && took < SECOND, "{rest:?} {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealing_and_stopping_close_streams() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let mut reader = Reader::open(&live, &mia, "", None).await;
    live.app.root().post_empty("/v1/sys/seal").await.expect(200);
    let (_, took) = reader.rest().await;
    assert!(took < SECOND, "{took:?}");

    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let mut reader = Reader::open(&live, &mia, "", None).await;
    let begun = tokio::time::Instant::now();
    live.shut_down();
    reader.rest().await;
    assert_eq!(tokio::time::timeout(LONG, live.ended()).await.unwrap(), scaivault_http::serve::Ending::Drained);
    assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_limits_of_ordinary_answers_do_not_end_a_stream() {
    let limit = Duration::from_millis(300);
    let live = Live::with(|options| {
        options.timeouts.head = limit;
        options.timeouts.idle = limit;
        options.timeouts.write = limit;
        options.timeouts.body = limit;
    })
    .await;
    let mia = listener(&live.app, "mia", "**").await;
    let mut reader = Reader::open(&live, &mia, "", None).await;
    for path in ["a", "b", "c"] {
        tokio::time::sleep(2 * limit).await;
        write(&live.app, path).await;
        assert_eq!(reader.next().await.path(), path);
    }
}
