//! Each event once for its cause, with exactly its fields (E-1).

use scaivault_testkit::{Answer, TestApp};
use serde_json::{Value, json};

use super::{DAY, HOME, data, keys, mark, names, only, places, since, url};
use crate::identity::id_of;

/// What an event has to say beside its `data`.
struct Expected<'a> {
    name: &'a str,
    path: Option<&'a str>,
    data: Value,
}

/// Whether the events since `mark` are these alone, made by the root user in the request that `answer` is the answer of.
#[track_caller]
fn check(app: &TestApp, mark: &str, answer: &Answer, expected: &[Expected<'_>]) {
    let events = since(app, mark);
    assert_eq!(names(&events), expected.iter().map(|one| one.name).collect::<Vec<_>>());
    for (event, expected) in events.iter().zip(expected) {
        let name = expected.name;
        assert_eq!(data(event), expected.data, "{name}");
        assert_eq!(keys(&data(event)), keys(&expected.data), "{name}");
        assert!(event.id.starts_with("evt_") && event.id.len() == 30, "{name}: {}", event.id);
        let event = &event.event;
        assert_eq!(event.path.as_deref(), expected.path, "{name}");
        assert_eq!((event.tenant_id.as_str(), event.partner_id.as_str()), (HOME, "ptn_default"), "{name}");
        assert_eq!(event.identity_id, root_identity(), "{name}");
        assert_eq!(event.request_id, answer.header("x-request-id").unwrap(), "{name}");
        assert_eq!(event.at, app.now(), "{name}");
    }
}

fn root_identity() -> &'static str {
    "user:admin@localhost"
}

fn time(app: &TestApp, seconds: i64) -> String {
    app.now().plus_seconds(seconds).to_rfc3339_seconds()
}

async fn write(app: &TestApp, path: &str) {
    let body = json!({"data": {"v": app.canary()}, "metadata": {"tags": ["prod"]}, "secret_type": "json"});
    let answer = app.root().put(&url(path), body).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

#[tokio::test]
async fn e_1_secret_metadata_updated() {
    let app = TestApp::new().await;
    write(&app, "app/db").await;
    let before = mark(&app);
    let patch = json!({"metadata": {"owner": "team:crm", "tags": ["a"]}, "options": {"max_versions": 3}});
    let answer = app.root().patch(&url("app/db"), patch).await.expect(200);
    let changed = json!(["metadata.tags", "metadata.owner", "options.max_versions"]);
    let data = json!({"updated_by": root_identity(), "changed": changed});
    check(&app, &before, &answer, &[Expected { name: "secret.metadata_updated", path: Some("app/db"), data }]);
    let event = &since(&app, &before)[0].event;
    assert_eq!((event.secret_type.as_deref(), event.tags.as_slice()), (Some("json"), ["a".to_owned()].as_slice()));
    // What changes nothing is no event.
    let before = mark(&app);
    app.root().patch(&url("app/db"), json!({})).await.expect(200);
    assert_eq!(since(&app, &before), []);
}

#[tokio::test]
async fn e_1_e_19_secret_deleted() {
    let app = TestApp::new().await;
    write(&app, "app/db").await;
    write(&app, "app/db").await;
    let before = mark(&app);
    let answer = app.root().delete(&url("app/db")).await.expect(200);
    let until = answer.json()["recoverable_until"].clone();
    assert_eq!(until, json!(time(&app, 30 * DAY)));
    let by = root_identity();
    let data = json!({"version_count": 2, "deleted_by": by, "permanent": false, "recoverable_until": until});
    check(&app, &before, &answer, &[Expected { name: "secret.deleted", path: Some("app/db"), data }]);

    let before = mark(&app);
    let answer = app.root().delete(&url("app/db?permanent=true")).await.expect(200);
    let data = json!({"version_count": 2, "deleted_by": by, "permanent": true});
    check(&app, &before, &answer, &[Expected { name: "secret.deleted", path: Some("app/db"), data }]);
}

#[tokio::test]
async fn e_1_secret_version_deleted() {
    let app = TestApp::new().await;
    for _ in 0..3 {
        write(&app, "app/db").await;
    }
    for (version, current) in [(1, 3), (3, 2)] {
        let before = mark(&app);
        let answer = app.root().delete(&url(&format!("app/db?version={version}"))).await.expect(200);
        let data = json!({"version": version, "current_version": current, "deleted_by": root_identity()});
        check(&app, &before, &answer, &[Expected { name: "secret.version_deleted", path: Some("app/db"), data }]);
    }
}

#[tokio::test]
async fn e_1_secret_restored() {
    let app = TestApp::new().await;
    write(&app, "app/db").await;
    app.root().delete(&url("app/db")).await.expect(200);
    let before = mark(&app);
    let answer = app.root().post_empty(&url("app/db/restore")).await.expect(200);
    let data = json!({"version": 1, "restored_by": root_identity()});
    check(&app, &before, &answer, &[Expected { name: "secret.restored", path: Some("app/db"), data }]);
}

#[tokio::test]
async fn e_1_secret_moved_is_told_at_both_paths() {
    let app = TestApp::new().await;
    write(&app, "app/db").await;
    write(&app, "app/db").await;
    let before = mark(&app);
    let answer = app.root().post(&url("app/db/move"), json!({"destination": "new/db"})).await.expect(200);
    let data = json!({"from": "app/db", "to": "new/db", "version": 2, "moved_by": root_identity()});
    let at = |path| Expected { name: "secret.moved", path: Some(path), data: data.clone() };
    check(&app, &before, &answer, &[at("app/db"), at("new/db")]);

    write(&app, "new/other").await;
    let before = mark(&app);
    let folder = json!({"destination": "old", "recursive": true});
    app.root().post(&url("new/move"), folder).await.expect(200);
    let moved = since(&app, &before);
    let mut places = places(&moved);
    places.sort_unstable();
    let expected = ["new/db", "new/other", "old/db", "old/other"].map(|path| ("secret.moved", path));
    assert_eq!(places, expected);
}

#[tokio::test]
async fn e_1_a_copy_is_created() {
    let app = TestApp::new().await;
    write(&app, "app/db").await;
    write(&app, "app/db").await;
    app.root().patch(&url("app/db"), json!({"options": {"expires_in": "90d"}})).await.expect(200);
    for (include_versions, version) in [(true, 2), (false, 1)] {
        let before = mark(&app);
        let to = format!("copy/{version}");
        let body = json!({"destination": to, "include_versions": include_versions});
        let answer = app.root().post(&url("app/db/copy"), body).await.expect(200);
        let data = json!({"version": version, "secret_type": "json", "created_by": root_identity(), "tags": ["prod"],
            "expires_at": time(&app, 90 * DAY)});
        check(&app, &before, &answer, &[Expected { name: "secret.created", path: Some(&to), data }]);
    }
}

#[tokio::test]
async fn e_1_policy_events() {
    let app = TestApp::new().await;
    let root = app.root();
    let rules = json!([{"path_pattern": "app/**", "permissions": ["read"]}]);
    let before = mark(&app);
    let answer = root.post("/v1/policies", json!({"name": "p", "rules": rules})).await.expect(201);
    let id = id_of(&answer.json());
    let about = |name: &str| json!({"policy_id": id, "policy_name": name, "changed_by": root_identity()});
    check(&app, &before, &answer, &[Expected { name: "policy.created", path: None, data: about("p") }]);

    let policy = format!("/v1/policies/{id}");
    let before = mark(&app);
    let answer = root.patch(&policy, json!({"name": "q"})).await.expect(200);
    check(&app, &before, &answer, &[Expected { name: "policy.updated", path: None, data: about("q") }]);
    let before = mark(&app);
    root.patch(&policy, json!({})).await.expect(200);
    assert_eq!(since(&app, &before), []);

    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let before = mark(&app);
    let body = json!({"identity_type": "user", "identity_id": mia.id, "expires_at": time(&app, 60)});
    let answer = root.post(&format!("{policy}/bindings"), body).await.expect(201);
    let binding = id_of(&answer.json());
    let bound = json!({"policy_id": id, "binding_id": binding, "identity_type": "user",
        "bound_identity_id": mia.identity_id, "expires_at": time(&app, 60)});
    let made = Expected { name: "policy.binding.created", path: None, data: bound.clone() };
    check(&app, &before, &answer, &[made]);

    let before = mark(&app);
    let answer = root.delete(&format!("{policy}/bindings/{binding}")).await.expect(204);
    check(&app, &before, &answer, &[Expected { name: "policy.binding.deleted", path: None, data: bound }]);

    let before = mark(&app);
    let answer = root.delete(&policy).await.expect(204);
    check(&app, &before, &answer, &[Expected { name: "policy.deleted", path: None, data: about("q") }]);
    app.pass(120).await;
    assert_eq!(names(&since(&app, &before)), ["policy.deleted"]);
}

#[tokio::test]
async fn e_1_policy_violation() {
    let app = TestApp::new().await;
    write(&app, "app/db").await;
    let mia = app.user("mia", &["secrets:read"], &[]).await;
    let before = mark(&app);
    let answer = mia.get(&url("app/db")).await.expect_error(403, "access_denied");
    let events = since(&app, &before);
    let event = only(&events, "policy.violation");
    assert_eq!(data(event), json!({"permission": "read", "code": "access_denied", "source_ip": "127.0.0.1"}));
    let event = &event.event;
    assert_eq!((event.path.as_deref(), event.identity_id.as_str()), (Some("app/db"), mia.identity_id.as_str()));
    assert_eq!(event.request_id, answer.header("x-request-id").unwrap());
    // Whether there is a secret, and which, is for those to know who may see it.
    assert_eq!((event.secret_type.as_deref(), event.tags.len()), (None, 0));
}

#[tokio::test]
async fn e_1_secret_expiring_and_expired() {
    let app = TestApp::new().await;
    write(&app, "app/db").await;
    app.root().patch(&url("app/db"), json!({"options": {"expires_in": "8d"}})).await.expect(200);
    let (before, end) = (mark(&app), time(&app, 8 * DAY));
    app.pass(20 * DAY).await;
    let events = since(&app, &before);
    assert_eq!(names(&events), ["secret.expiring", "secret.expiring", "secret.expired"]);
    let expected = [
        (DAY, json!({"expires_at": end, "days_remaining": 7, "threshold": "7d"})),
        (7 * DAY, json!({"expires_at": end, "days_remaining": 1, "threshold": "1d"})),
        (8 * DAY, json!({"expires_at": end, "version": 1})),
    ];
    for (event, (seconds, expected)) in events.iter().zip(expected) {
        assert_eq!(data(event), expected);
        let event = &event.event;
        assert_eq!(event.at, app.now().plus_seconds(seconds - 20 * DAY));
        assert_eq!((event.path.as_deref(), event.identity_id.as_str()), (Some("app/db"), "system:expiry"));
        assert!(event.request_id.starts_with("req_"), "{event:?}");
        assert_eq!(event.tags, ["prod"]);
    }
}
