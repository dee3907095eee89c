//! What a stream tells, and to whom.

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{Reader, STREAM};
use crate::subscription::live::Live;
use crate::subscription::{SCOPES, listener, trail, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_after_the_connect_is_told_as_it_happens() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    write(&live.app, "before").await;
    let mut reader = Reader::open(&live, &mia, "", None).await;
    write(&live.app, "app/db").await;
    let first = reader.next().await;
    assert_eq!((first.event.as_str(), first.path()), ("secret.created", "app/db"));
    assert_eq!(first.data["event_id"], first.id);
    assert_eq!(
        (&first.data["event_type"], &first.data["tenant_id"]),
        (&json!("secret.created"), &json!("tnt_default"))
    );
    assert!(first.data["request_id"].is_string() && first.data["timestamp"].is_string());
    assert!(!first.data.to_string().contains(live.app.canary()));
    for path in ["a", "b", "c"] {
        write(&live.app, path).await;
    }
    let mut last = first.id;
    for path in ["a", "b", "c"] {
        let message = reader.next().await;
        assert_eq!(message.path(), path);
        assert!(message.id > last);
        last = message.id;
    }
    // A read names nobody who asked for it; a policy has no path.
    live.app.root().get("/v1/secrets/a").await.expect(200);
    live.app.policy_in("tnt_default", "p", &[("x", &["read"])], &[]).await;
    assert!(reader.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_events_filter_and_both_may_be_repeated() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let query = "?paths=a/**&paths=b&events=secret.updated&events=secret.deleted";
    let mut reader = Reader::open(&live, &mia, query, None).await;
    for path in ["a/x", "a/x", "b", "c", "c", "b"] {
        write(&live.app, path).await;
    }
    assert_eq!(reader.next().await.path(), "a/x");
    assert_eq!(reader.next().await.path(), "b");
    assert!(reader.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_caller_may_read_or_list_now_is_told() {
    let live = Live::start().await;
    let app = &live.app;
    let mia = app.user("mia", SCOPES, &[("r/*", &["read"]), ("w/*", &["write"])]).await;
    let policy = app.policy_in("tnt_default", "l", &[("l/*", &["list"])], &[("user", &mia.id)]).await;
    let mut reader = Reader::open(&live, &mia, "", None).await;
    for path in ["w/x", "l/x", "other", "r/x"] {
        write(app, path).await;
    }
    assert_eq!((reader.next().await.path(), reader.next().await.path()), ("l/x", "r/x"));
    app.root().patch(&format!("/v1/policies/{policy}"), json!({"is_active": false})).await.expect(200);
    write(app, "l/y").await;
    write(app, "r/y").await;
    assert_eq!(reader.next().await.path(), "r/y");
    app.root().patch(&format!("/v1/policies/{policy}"), json!({"is_active": true})).await.expect(200);
    write(app, "l/z").await;
    assert_eq!(reader.next().await.path(), "l/z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_are_those_of_the_caller_itself() {
    let live = Live::start().await;
    let root = live.app.root();
    let mia = live.app.user("mia", SCOPES, &[]).await;
    let rule = |pattern: &str, range: &str| json!({"path_pattern": pattern, "permissions": ["read"], "conditions": {"ip_ranges": [range]}});
    let rules = json!([rule("near", "127.0.0.0/8"), rule("far", "203.0.113.0/24")]);
    let policy = root.post("/v1/policies", json!({"name": "p", "rules": rules})).await.expect(201).json();
    let bind = format!("/v1/policies/{}/bindings", policy["id"].as_str().unwrap());
    root.post(&bind, json!({"identity_type": "user", "identity_id": mia.id})).await.expect(201);
    let mut reader = Reader::open(&live, &mia, "", None).await;
    write(&live.app, "far").await;
    write(&live.app, "near").await;
    assert_eq!(reader.next().await.path(), "near");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_apart_and_share_what_their_partner_shares() {
    let live = Live::start().await;
    let app = &live.app;
    let root = app.root();
    let other = app.tenant("other").await;
    let guest = app.user_in(&other, "guest", SCOPES, &[("**", &["admin"])]).await;
    let mut home = Reader::open(&live, &root, "", None).await;
    let mut abroad = Reader::of(live.get(&root, STREAM).header("X-Tenant-ID", &other).send().await.unwrap()).await;
    let mut guests = Reader::open(&live, &guest, "", None).await;
    write(app, "at-home").await;
    root.put("/v1/secrets/there", json!({"data": {}})).in_tenant(&other).await.expect(201);
    root.put("/v1/partner/secrets/shared", json!({"data": {}})).await.expect(201);
    assert_eq!((home.next().await.path(), home.next().await.path()), ("at-home", "shared"));
    for reader in [&mut abroad, &mut guests] {
        let (first, second) = (reader.next().await, reader.next().await);
        assert_eq!((first.path(), second.path()), ("there", "shared"));
        assert_eq!((&first.data["tenant_id"], &second.data["tenant_id"]), (&json!(other), &json!(other)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_carries_several_streams_on_one_connection() {
    let live = Live::start().await;
    let mia = listener(&live.app, "mia", "**").await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let open = async |query: &str| {
        let call = client.get(live.url(&format!("{STREAM}{query}"))).bearer_auth(mia.token());
        let response = call.send().await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        Reader::of(response).await
    };
    let (mut a, mut b) = (open("?paths=a").await, open("?paths=b").await);
    write(&live.app, "b").await;
    write(&live.app, "a").await;
    assert_eq!((a.next().await.path(), b.next().await.path()), ("a", "b"));
    let other = client.get(live.url("/v1/secrets/a")).bearer_auth(mia.token()).send().await.unwrap();
    assert_eq!(other.status(), 200, "the connection serves other requests meanwhile");
}

#[tokio::test]
async fn a_stream_leaves_one_entry_when_it_opens() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    let head = mia.head(&format!("{STREAM}?paths=a/**")).await.expect(200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let entries = trail(&app, "subscription_event").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["extra_data"]["paths"], json!(["a/**"]));
    assert_eq!(entries[0]["extra_data"]["events"], json!(["*"]));
    assert_eq!((&entries[0]["identity_id"], &entries[0]["success"]), (&json!(mia.identity_id), &json!(true)));
}

#[tokio::test]
async fn bad_streams_are_refused_and_recorded() {
    let app = TestApp::new().await;
    let mia = listener(&app, "mia", "**").await;
    mia.get(&format!("{STREAM}?events=secret.read")).await.expect_fault("events[0]", "format");
    mia.get(&format!("{STREAM}?path=a")).await.expect_fault("path", "unknown");
    mia.get(&format!("{STREAM}?paths=/a")).await.expect_error(400, "invalid_glob");
    mia.get(&format!("{STREAM}?{}", "paths=a&".repeat(101))).await.expect_fault("paths", "range");
    mia.get(STREAM).header("Last-Event-ID", "7").await.expect_fault("Last-Event-ID", "format");
    assert_eq!(trail(&app, "subscription_event").await.len(), 5);
}
