//! What happens in a cycle, at its time (R-3 to; contract 04 section 3).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{
    DAY, HOUR, POLICIES, attach, entries, events, history, policy_with, put, put_under, rotation_policy, state, status,
    told, version, versions, words,
};

async fn quarterly(app: &TestApp) -> String {
    policy_with(app, "quarterly", json!({"interval": "90d", "warn_before": "7d,1d", "grace_period": "48h"})).await
}

#[tokio::test]
async fn r_3_a_cycle_with_a_put_in_time() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = quarterly(&app).await;
    put(&root, "db", "one").await;
    put(&root, "db", "two").await;
    put(&root, "db", "three").await;
    attach(&root, &id, "db").await;
    app.pass(90 * DAY).await;
    assert_eq!(words(&told(&app, "db")), [(83 * DAY, "due 7d"), (89 * DAY, "due 1d"), (90 * DAY, "due 0s")]);
    let (_, _, _, data) = events(&app).into_iter().find(|(_, name, ..)| name == "rotation.due").unwrap();
    // E-18
    let expected = json!({"rotation_policy_id": id, "rotation_policy_name": "quarterly", "threshold": "7d",
        "warn_before": "7d", "due_now": false, "due_at": "2026-07-30T10:00:00Z", "current_version": 3});
    assert_eq!(data, expected);
    assert_eq!(status(&app, "db").await, "due");
    let waiting = &history(&app, &id, "?status=pending").await[0];
    assert_eq!((&waiting["trigger"], &waiting["old_version"]), (&json!("scheduled"), &json!(3)));
    assert_eq!((&waiting["new_version"], &waiting["completed_at"]), (&Value::Null, &Value::Null));

    app.pass(DAY / 10).await;
    let written = put(&root, "db", "four").await;
    assert_eq!((&written["version"], &written["previous_version"]), (&json!(4), &json!(3)));
    let said = events(&app);
    let said: Vec<_> = said.iter().rev().take(3).rev().map(|(_, name, _, data)| (name.as_str(), data)).collect();
    let ends = "2026-08-01T12:24:00Z";
    let expected = [
        (
            "secret.updated",
            json!({"old_version": 3, "new_version": 4, "updated_by": "user:admin@localhost", "is_rotation": true}),
        ),
        (
            "secret.rotated",
            json!({"old_version": 3, "new_version": 4, "rotation_policy_id": id, "rotation_policy_name": "quarterly",
            "grace_period_ends": ends, "auto_generated": false, "reason": null}),
        ),
        (
            "rotation.completed",
            json!({"rotation_policy_id": id, "old_version": 3, "new_version": 4, "trigger": "write"}),
        ),
    ];
    assert_eq!(said, expected.iter().map(|(name, data)| (*name, data)).collect::<Vec<_>>());
    let done = history(&app, &id, "").await;
    assert_eq!(done.len(), 1, "the waiting item was completed");
    assert_eq!((&done[0]["id"], &done[0]["status"]), (&waiting["id"], &json!("success")));
    assert_eq!((&done[0]["trigger"], &done[0]["new_version"]), (&json!("write"), &json!(4)));
    assert_eq!(
        (&done[0]["started_at"], &done[0]["completed_at"]),
        (&json!("2026-07-30T10:00:00Z"), &json!("2026-07-30T12:24:00Z"))
    );

    // Day 92.1
    app.pass(2 * DAY).await;
    root.get("/v1/secrets/db?version=3").await.expect_error(404, "version_not_found");
    assert_eq!((status(&app, "db").await.as_str(), told(&app, "db").len()), ("ok", 5));
}

#[tokio::test]
async fn r_4_without_a_put_it_is_overdue_once() {
    let app = TestApp::new().await;
    let id = quarterly(&app).await;
    put_under(&app, &id, "db").await;
    app.pass(92 * DAY - 1).await;
    assert_eq!(status(&app, "db").await, "due");
    app.pass(200 * DAY).await;
    let expected = [(83 * DAY, "due 7d"), (89 * DAY, "due 1d"), (90 * DAY, "due 0s"), (92 * DAY, "overdue")];
    assert_eq!(words(&told(&app, "db")), expected);
    let (_, _, _, data) = events(&app).into_iter().find(|(_, name, ..)| name == "rotation.overdue").unwrap();
    let expected =
        json!({"rotation_policy_id": id, "due_at": "2026-07-30T10:00:00Z", "overdue_since": "2026-08-01T10:00:00Z"});
    assert_eq!(data, expected);
    assert_eq!(status(&app, "db").await, "overdue");
    put(&app.root(), "db", "two").await;
    assert_eq!(status(&app, "db").await, "ok");
    // The next cycle has moments of its own.
    app.pass(92 * DAY).await;
    assert_eq!(told(&app, "db").len(), 4 + 2 + 4);
}

#[tokio::test]
async fn r_5_a_policy_that_generates_rotates_at_the_due_time() {
    let app = TestApp::new().await;
    let id = policy_with(
        &app,
        "auto",
        json!({"interval": "30d", "warn_before": "1d", "auto_generate": true, "grace_period": "1h"}),
    )
    .await;
    put_under(&app, &id, "db").await;
    app.pass(30 * DAY - 1).await;
    assert_eq!(version(&app, "db").await, 1);
    app.pass(1).await;
    assert_eq!(version(&app, "db").await, 2);
    assert_eq!(
        words(&told(&app, "db")),
        [(29 * DAY, "due 1d"), (30 * DAY, "secret.rotated"), (30 * DAY, "completed scheduled")]
    );
    let value = app.root().get("/v1/secrets/db").await.expect(200).json();
    assert_eq!(value["data"]["user"], "u");
    assert_ne!(value["data"]["password"], app.canary());
    let list = app.root().get("/v1/secrets/db/versions").await.expect(200).json();
    assert_eq!(list["versions"][0]["created_by"], "system:rotation-scheduler");
    assert_eq!(versions(&app, "db").await[1], ("grace".to_owned(), json!("2026-05-31T11:00:00Z")));
    let items = history(&app, &id, "").await;
    let expected = json!([{"id": items[0]["id"], "policy_id": id, "secret_path": "db", "status": "success", "trigger": "scheduled",
        "old_version": 1, "new_version": 2, "started_at": "2026-05-31T10:00:00Z", "completed_at": "2026-05-31T10:00:00Z",
        "error": null}]);
    assert_eq!(json!(items), expected);
    let entry = &entries(&app, "rotate").await[0];
    assert_eq!(
        (&entry["identity_id"], &entry["identity_type"]),
        (&json!("system:rotation-scheduler"), &json!("system"))
    );
    assert_eq!(
        (&entry["secret_path"], &entry["resource_id"], &entry["success"]),
        (&json!("db"), &json!(id), &json!(true))
    );
    let said = events(&app).into_iter().rev().find(|(_, name, ..)| name == "secret.updated").unwrap().3;
    assert_eq!((&said["updated_by"], &said["is_rotation"]), (&json!("system:rotation-scheduler"), &json!(true)));
    assert_eq!(state(&app, "db").await["next_rotation"], "2026-06-30T10:00:00Z");
    app.pass(300 * DAY).await;
    assert_eq!(version(&app, "db").await, 12);
    let shown = app.root().get("/v1/metrics").await.expect(200).text();
    assert!(shown.contains("scaivault_secret_rotations_total{status=\"success\"} 11"), "{shown}");
}

#[tokio::test]
async fn r_6_a_rotation_that_nobody_heard_of_is_not_done_again() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "auto", json!({"interval": "1d", "auto_generate": true})).await;
    put_under(&app, &id, "db").await;
    app.clock.advance(DAY);
    // What the run came to is dropped with it: effect and completion are one transaction.
    let vault = std::sync::Arc::clone(&app.vault);
    drop(tokio::spawn(async move { vault.run_due_jobs().await }).await);
    let app = app.restart().await;
    app.settle().await;
    app.settle().await;
    assert_eq!((version(&app, "db").await, history(&app, &id, "").await.len()), (2, 1));
    assert_eq!((entries(&app, "rotate").await.len(), told(&app, "db").len()), (1, 2));
}

#[tokio::test]
async fn r_10_after_down_time_one_event_is_told() {
    let app = TestApp::new().await;
    let id = quarterly(&app).await;
    put_under(&app, &id, "db").await;
    app.pass(80 * DAY).await;
    app.clock.advance(11 * DAY);
    let app = app.restart().await;
    app.settle().await;
    assert_eq!(words(&told(&app, "db")), [(91 * DAY, "due 0s")]);
    // Of warnings that were missed only the latest.
    put(&app.root(), "db", "two").await;
    app.clock.advance(89 * DAY + HOUR);
    let app = app.restart().await;
    app.settle().await;
    let told = told(&app, "db");
    assert_eq!(words(&told[3..]), [(180 * DAY + HOUR, "due 1d")]);
}

#[tokio::test]
async fn r_12_a_thousand_at_one_moment() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "auto", json!({"interval": "1d", "auto_generate": true})).await;
    for number in 0..1000 {
        put_under(&app, &id, &format!("many/{number:04}")).await;
    }
    app.clock.advance(DAY);
    let shown = app.root().get("/v1/metrics").await.expect(200).text();
    assert!(shown.contains("scaivault_rotation_queue_depth 1000"));
    let health = app.root().get("/v1/health/detailed").await.expect(200).json();
    assert_eq!(health["checks"]["jobs"]["rotation_queue"], 1000);
    app.settle().await;
    let mut paths: Vec<String> =
        entries(&app, "rotate").await.iter().map(|entry| entry["secret_path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 1000, "one entry each");
    assert_eq!(history(&app, &id, "?status=success&limit=200").await.len(), 200);
    for number in [0, 500, 999] {
        assert_eq!(version(&app, &format!("many/{number:04}")).await, 2);
    }
    let rotated = events(&app).into_iter().filter(|(_, name, ..)| name == "secret.rotated").count();
    assert_eq!(rotated, 1000);
    let shown = app.root().get("/v1/metrics").await.expect(200).text();
    assert!(shown.contains("scaivault_rotation_queue_depth 0"));
}

#[tokio::test]
async fn an_expired_secret_rotates_and_renews() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "auto", json!({"interval": "10d", "auto_generate": true})).await;
    let body = json!({"data": {"password": "p"}, "options": {"rotation_policy_id": id, "expires_in": "5d"}});
    app.root().put("/v1/secrets/db", body).await.expect(201);
    app.pass(6 * DAY).await;
    app.root().get("/v1/secrets/db").await.expect_error(410, "secret_expired");
    app.pass(4 * DAY).await;
    assert_eq!(app.root().get("/v1/secrets/db").await.expect(200).json()["expires_at"], "2026-05-16T10:00:00Z");
}

#[tokio::test]
async fn in_the_trash_it_rests_and_comes_back_due() {
    let app = TestApp::new().await;
    let id = rotation_policy(&app, "p", "10d").await;
    put_under(&app, &id, "db").await;
    app.pass(9 * DAY).await;
    app.root().delete("/v1/secrets/db").await.expect(200);
    app.pass(6 * DAY).await;
    assert!(told(&app, "db").is_empty());
    app.root().post_empty("/v1/secrets/db/restore").await.expect(200);
    app.settle().await;
    assert_eq!(words(&told(&app, "db")), [(15 * DAY, "due 0s"), (15 * DAY, "overdue")]);
    app.root().delete("/v1/secrets/db?permanent=true").await.expect(200);
    assert_eq!(history(&app, &id, "").await[0]["status"], "failed", "nothing is waited for any more");
    app.pass(100 * DAY).await;
    assert_eq!(told(&app, "db").len(), 2);
}

#[tokio::test]
async fn a_moved_secret_keeps_its_schedule_and_a_copy_has_one() {
    let app = TestApp::new().await;
    let id = policy_with(&app, "p", json!({"interval": "10d", "warn_before": "5d", "grace_period": "1d"})).await;
    put_under(&app, &id, "old").await;
    app.pass(6 * DAY).await;
    app.root().post("/v1/secrets/old/copy", json!({"destination": "twin"})).await.expect(200);
    app.root().post("/v1/secrets/old/move", json!({"destination": "new"})).await.expect(200);
    app.pass(5 * DAY).await;
    assert_eq!(words(&told(&app, "old")), [(5 * DAY, "due 5d")]);
    assert_eq!(words(&told(&app, "new")), [(10 * DAY, "due 0s"), (11 * DAY, "overdue")]);
    assert_eq!(words(&told(&app, "twin")), [(6 * DAY, "due 5d"), (10 * DAY, "due 0s"), (11 * DAY, "overdue")]);
    put(&app.root(), "new", "two").await;
    let paths = history(&app, &id, "?status=success").await;
    assert_eq!(paths[0]["secret_path"], "new");
}

#[tokio::test]
async fn slow_recipes_are_made_before_the_rotation() {
    let app = TestApp::new().await;
    let fields = json!([{"name": "password", "generator": "bcrypt_hash", "config": {"rounds": 4}}]);
    app.root().post("/v1/secret-policies", json!({"name": "slow", "fields": fields})).await.expect(201);
    let id = policy_with(&app, "auto", json!({"interval": "1d", "auto_generate": true, "secret_policy_id": "sp_slow"}))
        .await;
    for path in ["a", "b", "c"] {
        put_under(&app, &id, path).await;
    }
    app.pass(DAY).await;
    let mut hashes = Vec::new();
    for path in ["a", "b", "c"] {
        let data = app.root().get(&format!("/v1/secrets/{path}")).await.expect(200).json()["data"].clone();
        hashes.push(data["password_hash"].as_str().unwrap().to_owned());
        assert_eq!(version(&app, path).await, 2);
    }
    hashes.dedup();
    assert_eq!((hashes.len(), entries(&app, "rotate").await.len()), (3, 3));
    assert_eq!(history(&app, &id, "").await.len(), 3);
    // At once too, each with values of its own.
    let report = app.root().post(&format!("{POLICIES}/{id}/rotate"), json!({})).await.expect(200).json();
    assert_eq!(report.as_array().unwrap().iter().filter(|item| item["status"] == "success").count(), 3, "{report}");
    let mut hashes = Vec::new();
    for path in ["a", "b", "c"] {
        let data = app.root().get(&format!("/v1/secrets/{path}")).await.expect(200).json()["data"].clone();
        hashes.push(data["password_hash"].as_str().unwrap().to_owned());
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!((hashes.len(), entries(&app, "rotate").await.len()), (3, 6));
}

#[tokio::test]
async fn a_call_to_rotate_tells_of_it_with_and_without_a_policy() {
    let app = TestApp::new().await;
    let root = app.root();
    let id = rotation_policy(&app, "p", "10d").await;
    put(&root, "free", "one").await;
    put_under(&app, &id, "bound").await;
    for path in ["free", "bound"] {
        let body = json!({"new_value": {"password": app.canary()}, "reason": "leaked", "grace_period": "1h"});
        root.post(&format!("/v1/secrets/{path}/rotate"), body).await.expect(200);
    }
    let of = |path: &str, name: &str| {
        events(&app).into_iter().find(|(_, found, about, _)| found == name && about == path).unwrap().3
    };
    let rotated = of("free", "secret.rotated");
    let expected = json!({"old_version": 1, "new_version": 2, "rotation_policy_id": null, "rotation_policy_name": null,
        "grace_period_ends": "2026-05-01T11:00:00Z", "auto_generated": false, "reason": "leaked"});
    assert_eq!(rotated, expected);
    let completed = json!({"rotation_policy_id": null, "old_version": 1, "new_version": 2, "trigger": "manual"});
    assert_eq!(of("free", "rotation.completed"), completed);
    assert_eq!(of("bound", "secret.rotated")["rotation_policy_id"], id.as_str());
    let items = history(&app, &id, "").await;
    assert_eq!((items.len(), &items[0]["trigger"], &items[0]["secret_path"]), (1, &json!("manual"), &json!("bound")));
}

#[tokio::test]
async fn plain_writes_are_told_of_as_such() {
    let app = TestApp::new().await;
    let root = app.root();
    let body = json!({"data": {"p": app.canary()}, "secret_type": "json", "metadata": {"tags": ["t"]}, "options": {"expires_in": "1d"}});
    root.put("/v1/secrets/a", body).await.expect(201);
    put(&root, "a", "two").await;
    let said: Vec<_> = events(&app).into_iter().map(|(_, name, path, data)| (name, path, data)).collect();
    let created = json!({"version": 1, "secret_type": "json", "created_by": "user:admin@localhost", "tags": ["t"],
        "expires_at": "2026-05-02T10:00:00Z"});
    let updated =
        json!({"old_version": 1, "new_version": 2, "updated_by": "user:admin@localhost", "is_rotation": false});
    let expected = [("secret.created", created), ("secret.updated", updated)];
    let of_a: Vec<_> =
        said.iter().filter(|(_, path, _)| path == "a").map(|(name, _, data)| (name.as_str(), data)).collect();
    assert_eq!(of_a, expected.iter().map(|(name, data)| (*name, data)).collect::<Vec<_>>());
}
