//! Lists, and whose subscriptions are seen.

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, listener, subscribe};

fn names(page: &Value) -> Vec<String> {
    page["subscriptions"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn everybody_sees_its_own_and_scope_admin_all() {
    let app = TestApp::new().await;
    let (mia, ben) = (listener(&app, "mia", "**").await, listener(&app, "ben", "**").await);
    let root = app.root();
    for name in ["c", "a", "b"] {
        subscribe(&mia, name, &["**"]).await;
    }
    let bens = subscribe(&ben, "b", &["**"]).await;
    assert_eq!(names(&mia.get(SUBSCRIPTIONS).await.expect(200).json()), ["a", "b", "c"]);
    assert_eq!(names(&ben.get(SUBSCRIPTIONS).await.expect(200).json()), ["b"]);

    let first = root.get(&format!("{SUBSCRIPTIONS}?limit=3")).await.expect(200).json();
    let cursor = first["cursor"].as_str().unwrap();
    let second = root.get(&format!("{SUBSCRIPTIONS}?limit=3&cursor={cursor}")).await.expect(200).json();
    assert_eq!((names(&first), names(&second)), (vec!["a".into(), "b".into(), "b".into()], vec!["c".to_owned()]));
    assert_eq!((&second["has_more"], &second["cursor"]), (&json!(false), &Value::Null));

    let target = format!("{SUBSCRIPTIONS}/{bens}");
    mia.get(&target).await.expect_error(404, "subscription_not_found");
    mia.patch(&target, json!({"enabled": false})).await.expect_error(404, "subscription_not_found");
    mia.delete(&target).await.expect_error(404, "subscription_not_found");
    let paused = root.patch(&target, json!({"enabled": false})).await.expect(200).json();
    assert_eq!((&paused["identity_id"], &paused["status"]), (&json!(ben.identity_id), &json!("paused")));
    root.delete(&target).await.expect(204);
    ben.get(&target).await.expect_error(404, "subscription_not_found");
}

#[tokio::test]
async fn another_tenant_sees_none_of_it() {
    let app = TestApp::new().await;
    let other = app.tenant("other").await;
    let mia = listener(&app, "mia", "**").await;
    let id = subscribe(&mia, "crm", &["**"]).await;
    let target = format!("{SUBSCRIPTIONS}/{id}");
    let root = app.root();
    assert!(names(&root.get(SUBSCRIPTIONS).in_tenant(&other).await.expect(200).json()).is_empty());
    for refused in [
        root.get(&target).in_tenant(&other).await,
        root.patch(&target, json!({})).in_tenant(&other).await,
        root.delete(&target).in_tenant(&other).await,
        root.get(&format!("{target}/poll?timeout=0")).in_tenant(&other).await,
        root.post(&format!("{target}/ack"), json!({"event_ids": ["evt_1"]})).in_tenant(&other).await,
    ] {
        refused.expect_error(404, "subscription_not_found");
    }
}
