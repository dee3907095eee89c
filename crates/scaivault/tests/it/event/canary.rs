//! No event holds a value, whatever is done (E-1).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, HOME, names, since, since_in, url};

#[tokio::test]
async fn e_1_no_event_holds_a_value() {
    let app = TestApp::new().await;
    let (root, value) = (app.root(), json!({"v": app.canary(), "password": app.canary()}));
    let sibling = app.tenant("sibling").await;
    for base in ["/v1/secrets", "/v1/partner/secrets"] {
        let at = |rest: &str| format!("{base}/{rest}");
        let data = || json!({"data": value, "options": {"expires_in": "40d"}});
        root.put(&at("a/b"), data()).await.expect(201);
        root.put(&at("a/b"), data()).await.expect(200);
        root.post(&at("a/b/rotate"), json!({"new_value": value, "reason": "a reason"})).await.expect(200);
        root.post(&at("a/b/rotate"), json!({"generate": true})).await.expect(200);
        root.patch(&at("a/b"), json!({"metadata": {"description": "words", "tags": ["t"]}})).await.expect(200);
        root.get(&at("a/b")).await.expect(200);
        root.delete(&at("a/b?version=1")).await.expect(200);
        root.post(&at("a/b/copy"), json!({"destination": "a/c"})).await.expect(200);
        root.post(&at("a/move"), json!({"destination": "d", "recursive": true})).await.expect(200);
        root.delete(&at("d/b")).await.expect(200);
        root.post_empty(&at("d/b/restore")).await.expect(200);
        root.delete(&at("d/c?permanent=true")).await.expect(200);
    }
    let mia = app.user("mia", &["secrets:read", "secrets:write", "secrets:rotate"], &[("b", &["list"])]).await;
    mia.put(&url("d/b"), json!({"data": value})).await.expect_error(403, "access_denied");
    mia.post(&url("d/b/rotate"), json!({"new_value": value})).await.expect_error(403, "access_denied");
    root.post("/v1/secrets/batch", json!({"paths": ["d/b"]})).await.expect(200);
    app.pass(60 * DAY).await;
    let events = since(&app, "");
    let kinds: std::collections::BTreeSet<_> = names(&events).into_iter().collect();
    assert!(kinds.len() > 8, "{kinds:?}");
    for event in events.iter().chain(&since_in(&app, &sibling, "")) {
        let shown = format!("{event:?}");
        assert!(!shown.contains(app.canary()), "{shown}");
        assert!(serde_json::from_str::<Value>(&event.event.data).unwrap().is_object());
        assert!(event.event.tenant_id == HOME || event.event.tenant_id == sibling);
    }
}
