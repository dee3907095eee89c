//! Which secrets a policy serves (R-9, R-15, the rules of attaching).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, POLICIES, attach, put, rotation_policy, state};

#[tokio::test]
async fn attaching_counts_from_the_time_of_the_current_version() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a/b", "one").await;
    app.clock.advance(10 * DAY);
    let made = attach(&root, &id, "a/b").await;
    let expected = json!({"policy_id": id, "secret_path": "a/b", "assigned_at": "2026-05-11T10:00:00Z",
        "assigned_by": "user:admin@localhost", "last_rotated_at": "2026-05-01T10:00:00Z",
        "next_rotation": "2026-07-30T10:00:00Z"});
    assert_eq!(made, expected);
    let list = root.get(&format!("{POLICIES}/{id}/secrets")).await.expect(200).json();
    assert_eq!(list, json!({"data": [expected], "cursor": null, "has_more": false}));
    let told = json!({"id": id, "next_rotation": "2026-07-30T10:00:00Z", "last_rotated_at": "2026-05-01T10:00:00Z",
        "status": "ok"});
    assert_eq!(state(&app, "a/b").await, told);
    assert_eq!(root.get("/v1/secrets/a/b").await.expect(200).json()["rotation_policy_id"], id.as_str());
    assert_eq!(root.get(&format!("{POLICIES}/{id}")).await.expect(200).json()["secrets_count"], 1);
    // Again: nothing changes.
    app.clock.advance(DAY);
    let again = root.post(&format!("{POLICIES}/{id}/secrets"), json!({"secret_path": "a/b"})).await.expect(200).json();
    assert_eq!(again, expected);
}

#[tokio::test]
async fn a_secret_has_one_policy_and_moves_over() {
    let app = TestApp::new().await;
    let root = app.root();
    let (first, second) = (rotation_policy(&app, "first", "90d").await, rotation_policy(&app, "second", "30d").await);
    put(&root, "a", "one").await;
    attach(&root, &first, "a").await;
    let moved = attach(&root, &second, "a").await;
    assert_eq!((&moved["policy_id"], &moved["next_rotation"]), (&json!(second), &json!("2026-05-31T10:00:00Z")));
    let counts = [&first, &second].map(|id| format!("{POLICIES}/{id}"));
    assert_eq!(root.get(&counts[0]).await.expect(200).json()["secrets_count"], 0);
    assert_eq!(root.get(&counts[1]).await.expect(200).json()["secrets_count"], 1);
    let old = format!("{POLICIES}/{first}/secrets/a");
    root.delete(&old).await.expect_error(404, "secret_not_found");
}

#[tokio::test]
async fn attaching_needs_the_secret_the_policy_and_write_on_the_path() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "app/a", "one").await;
    put(&root, "gone", "one").await;
    root.delete("/v1/secrets/gone").await.expect(200);
    let target = format!("{POLICIES}/{id}/secrets");
    let ask = |path: &str| json!({"secret_path": path});
    root.post(&target, ask("nowhere")).await.expect_error(404, "secret_not_found");
    root.post(&target, ask("gone")).await.expect_error(404, "secret_not_found");
    root.post(&target, ask("/a")).await.expect_error(400, "invalid_path");
    root.post(&target, json!({})).await.expect_fault("secret_path", "required");
    let absent = format!("{POLICIES}/rot_none/secrets");
    root.post(&absent, ask("app/a")).await.expect_error(404, "rotation_policy_not_found");
    let scopes = ["admin", "secrets:read", "secrets:write"];
    let reader = app.user("reader", &scopes, &[("**", &["read", "list", "rotate", "delete"])]).await;
    for path in ["app/a", "nowhere"] {
        reader.post(&target, ask(path)).await.expect_error(403, "access_denied");
    }
    let writer = app.user("writer", &scopes, &[("app/*", &["write"])]).await;
    writer.post(&target, ask("app/a")).await.expect(201);
    writer.post(&target, ask("other")).await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn options_attach_and_detach_too() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    let with = |policy: Value| json!({"data": {"v": 1}, "options": {"rotation_policy_id": policy}});
    let writer = app.user("writer", &["secrets:write"], &[("**", &["write"])]).await;
    writer.put("/v1/secrets/a", with(json!(id))).await.expect(201);
    assert_eq!(state(&app, "a").await["last_rotated_at"], "2026-05-01T10:00:00Z");
    app.clock.advance(DAY);
    root.patch("/v1/secrets/a", json!({"options": {"rotation_policy_id": null}})).await.expect(200);
    assert_eq!(state(&app, "a").await, Value::Null);
    root.patch("/v1/secrets/a", json!({"options": {"rotation_policy_id": id}})).await.expect(200);
    assert_eq!(state(&app, "a").await["last_rotated_at"], "2026-05-01T10:00:00Z");
    writer.put("/v1/secrets/a", with(Value::Null)).await.expect(200);
    assert_eq!(state(&app, "a").await, Value::Null);
    for call in
        [writer.put("/v1/secrets/a", with(json!("rot_none"))), writer.put("/v1/secrets/b", with(json!("rot_none")))]
    {
        call.await.expect_error(404, "rotation_policy_not_found");
    }
    root.get("/v1/secrets/b").await.expect_error(404, "secret_not_found");
    assert_eq!(root.get("/v1/secrets/a").await.expect(200).json()["version"], 2);
}

#[tokio::test]
async fn r_15_detaching_takes_a_slash_in_either_spelling() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a/b", "one").await;
    for spelling in ["a%2Fb", "a/b", "a%2fb"] {
        attach(&root, &id, "a/b").await;
        let target = format!("{POLICIES}/{id}/secrets/{spelling}");
        root.delete(&target).await.expect(204);
        assert_eq!(state(&app, "a/b").await, Value::Null);
        root.delete(&target).await.expect_error(404, "secret_not_found");
    }
    let base = format!("{POLICIES}/{id}/secrets");
    root.delete(&format!("{base}/a%252Fb")).await.expect_error(400, "invalid_path");
    root.delete(&format!("{base}/nowhere")).await.expect_error(404, "secret_not_found");
    root.delete(&format!("{POLICIES}/rot_none/secrets/a/b")).await.expect_error(404, "rotation_policy_not_found");
}

#[tokio::test]
async fn r_9_deleting_a_policy_detaches_its_secrets() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    for path in ["a", "b", "trashed"] {
        put(&root, path, "one").await;
        attach(&root, &id, path).await;
    }
    root.delete("/v1/secrets/trashed").await.expect(200);
    root.delete(&format!("{POLICIES}/{id}")).await.expect(204);
    root.post_empty("/v1/secrets/trashed/restore").await.expect(200);
    for path in ["a", "b", "trashed"] {
        assert_eq!(state(&app, path).await, Value::Null, "{path}");
        assert_eq!(
            root.get(&format!("/v1/secrets/{path}")).await.expect(200).json()["rotation_policy_id"],
            Value::Null
        );
    }
    root.delete(&format!("{POLICIES}/{id}")).await.expect_error(404, "rotation_policy_not_found");
    // A new one of that name starts without them.
    assert_eq!(rotation_policy(&app, "quarterly", "90d").await, id);
    assert_eq!(root.get(&format!("{POLICIES}/{id}/secrets")).await.expect(200).json()["data"], json!([]));
    put(&root, "a", "two").await;
    root.get("/v1/secrets/a?version=1").await.expect(200);
}

#[tokio::test]
async fn assignments_are_walked_by_path() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    for path in ["c", "a/b", "a", "b"] {
        put(&root, path, "one").await;
        attach(&root, &id, path).await;
    }
    let base = format!("{POLICIES}/{id}/secrets");
    let first = root.get(&format!("{base}?limit=3")).await.expect(200).json();
    let second = root.get(&format!("{base}?cursor={}", first["cursor"].as_str().unwrap())).await.expect(200).json();
    let pages = [&first, &second];
    let paths: Vec<&Value> = pages.into_iter().flat_map(|page| page["data"].as_array().unwrap()).collect();
    let paths: Vec<&str> = paths.into_iter().map(|item| item["secret_path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["a", "a/b", "b", "c"]);
    root.get(&format!("{POLICIES}/rot_none/secrets")).await.expect_error(404, "rotation_policy_not_found");
}

#[tokio::test]
async fn trashed_secrets_are_not_among_them_until_they_return() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "quarterly", "90d").await;
    put(&root, "a", "one").await;
    attach(&root, &id, "a").await;
    root.delete("/v1/secrets/a").await.expect(200);
    let base = format!("{POLICIES}/{id}/secrets");
    assert_eq!(root.get(&base).await.expect(200).json()["data"], json!([]));
    root.post_empty("/v1/secrets/a/restore").await.expect(200);
    assert_eq!(root.get(&base).await.expect(200).json()["data"][0]["secret_path"], "a");
    assert_eq!(state(&app, "a").await["id"], id.as_str());
}
