//! `POST /v1/secrets/{path}/move` and `/copy` (contract 01 section 13)

use std::sync::atomic::{AtomicBool, Ordering};

use scaivault_testkit::{Actor, Answer, Call, Engine, TestApp, TestDatabase};
use serde_json::{Value, json};

use super::{
    HOUR, at, list, listed, metadata, put, put_versions, put_with, rotation_policy, state, states, url, value,
};

pub(super) fn transfer<'a>(actor: &Actor<'a>, verb: &str, from: &str, to: &str) -> Call<'a> {
    actor.post(&url(&format!("{from}/{verb}")), json!({"destination": to}))
}

pub(super) fn all_below<'a>(actor: &Actor<'a>, verb: &str, from: &str, to: &str) -> Call<'a> {
    actor.post(&url(&format!("{from}/{verb}")), json!({"destination": to, "recursive": true}))
}

/// The entries that an answer left, the oldest first.
pub(super) async fn entries(root: &Actor<'_>, answer: &Answer) -> Vec<Value> {
    let id = answer.header("x-request-id").unwrap();
    let found = root.get(&format!("/v1/audit/logs?limit=1000&request_id={id}")).await.expect(200).json();
    let mut entries = found["logs"].as_array().unwrap().clone();
    entries.reverse();
    entries
}

/// A secret with everything that can go along: a tombstone (1), a retired version (2), one in grace (3), a current one (4).
pub(super) async fn eventful(app: &TestApp, root: &Actor<'_>, path: &str) {
    rotation_policy(root, "manual", json!({})).await;
    let body = json!({"data": {"v": "1"}, "secret_type": "json",
        "metadata": {"tags": ["t", "u"], "owner": "team:a", "custom": {"k": "v"}, "description": "d"},
        "options": {"expires_in": "300d", "max_versions": 7, "notify_before": "3d"}});
    put_with(root, path, body).await;
    app.clock.advance(1);
    put(root, path, "2").await;
    root.delete(&url(&format!("{path}?version=1"))).await.expect(200);
    app.clock.advance(1);
    let rotate = json!({"new_value": {"v": "3"}, "grace_period": "1s"});
    root.post(&url(&format!("{path}/rotate")), rotate).await.expect(200);
    app.clock.advance(5);
    let rotate = json!({"new_value": {"v": app.canary()}, "grace_period": "1h"});
    root.post(&url(&format!("{path}/rotate")), rotate).await.expect(200);
    root.patch(&url(path), json!({"options": {"rotation_policy_id": "rot_manual"}})).await.expect(200);
    app.clock.advance(60);
}

fn without(mut object: Value, fields: &[&str]) -> Value {
    for field in fields {
        object.as_object_mut().unwrap().remove(*field);
    }
    object
}

#[tokio::test]
async fn s_39_a_move_takes_everything_along_and_frees_the_source() {
    let app = TestApp::new().await;
    let root = app.root();
    eventful(&app, &root, "a/b").await;
    root.get(&url("a/b")).await.expect(200);
    app.vault.flush_statistics().await.unwrap();
    // Counted, but not yet written when the secret moves.
    root.get(&url("a/b")).await.expect(200);
    let (before, old) = (metadata(&root, "a/b").await, root.get(&url("a/b?version=3")).await.expect(200).json());
    let moved = transfer(&root, "move", "a/b", "c/d").await.expect(200);
    assert_eq!(moved.json(), json!({"moved": [{"from": "a/b", "to": "c/d", "version": 4}]}));

    let read = root.get(&url("c/d")).await.expect(200);
    assert_eq!((read.header("etag"), &read.json()["data"]["v"]), (Some("\"4\""), &json!(app.canary())));
    let grace = root.get(&url("c/d?version=3")).await.expect(200).json();
    let moving = ["path", "updated_at"];
    assert_eq!(without(grace.clone(), &moving), without(old, &moving));
    assert_eq!(grace["readable_until"], at(&app, HOUR - 60));
    root.get(&url("c/d?version=2")).await.expect_error(404, "version_not_found");
    assert_eq!(value(&root, "c/d?version=2&include_retired=true").await, "2");
    root.get(&url("c/d?version=1&include_retired=true")).await.expect_error(404, "version_not_found");
    let known = [state(4, "current"), state(3, "grace"), state(2, "retired")];
    assert_eq!(states(&root, "c/d").await, known);
    root.get(&format!("{}?at={}", url("c/d"), at(&app, -60 - 6))).await.expect_error(404, "version_not_found");

    app.vault.flush_statistics().await.unwrap();
    let after = metadata(&root, "c/d").await;
    assert_eq!((&before["access_count_30d"], &after["access_count_30d"]), (&json!(1), &json!(6)));
    let changed = ["path", "updated_at", "access_count_30d", "last_accessed_at"];
    assert_eq!(without(after, &changed), without(before, &changed));
    assert_eq!(listed(&root, "tag=u&owner=team:a").await, ["c/d"]);
    let attached = root.get("/v1/rotation/policies/rot_manual/secrets").await.expect(200).json();
    assert_eq!(attached["data"][0]["secret_path"], "c/d");

    root.get(&url("a/b")).await.expect_error(404, "secret_not_found");
    root.get("/v1/secrets/metadata/a/b?include_deleted=true").await.expect_error(404, "secret_not_found");
    assert_eq!(put(&root, "a/b", "new").await, 1);
    assert_eq!((value(&root, "a/b").await.as_str(), put(&root, "c/d", "5").await), ("new", 5));
    app.clock.advance(HOUR);
    root.get(&url("c/d?version=3")).await.expect_error(404, "version_not_found");
    let trail = root.get("/v1/audit/secrets/a/b").await.expect(200).json();
    assert!(trail["logs"].as_array().unwrap().iter().any(|entry| entry["action"] == "rotate"), "the trail stays");
}

#[tokio::test]
async fn s_39_no_cache_answers_for_the_path_that_was_left() {
    let app = TestApp::new().await;
    let root = app.root();
    put(&root, "a", "first").await;
    for (from, to) in [("a", "b"), ("b", "a"), ("a", "b")] {
        assert_eq!(value(&root, from).await, "first");
        root.get(&url(to)).await.expect_error(404, "secret_not_found");
        transfer(&root, "move", from, to).await.expect(200);
        root.get(&url(from)).await.expect_error(404, "secret_not_found");
        assert_eq!(value(&root, to).await, "first");
    }
    let app = app.restart().await;
    assert_eq!(value(&app.root(), "b").await, "first");
}

#[tokio::test]
async fn s_40_a_move_needs_delete_there_and_write_here_and_no_read() {
    let app = TestApp::new().await;
    let root = app.root();
    put_versions(&root, "from/a", 2).await;
    put(&root, "from/b", app.canary()).await;
    let scopes = ["secrets:write", "secrets:delete"];
    let refused: &[&[(&str, &[&str])]] = &[
        &[],
        &[("from/**", &["delete"])],
        &[("to/**", &["write"])],
        &[("from/**", &["read", "write", "list", "rotate"]), ("to/**", &["write"])],
        &[("from/**", &["delete"]), ("to/**", &["read", "delete", "list", "rotate"])],
        &[("from/a", &["delete"]), ("to/b", &["write"])],
    ];
    for rules in refused {
        let caller = app.user("mover", &scopes, rules).await;
        for there in ["from/a", "from/nothing"] {
            let answer = transfer(&caller, "move", there, "to/a").await.expect_error(403, "access_denied");
            let left = entries(&root, &answer).await;
            assert_eq!((left.len(), &left[0]["action"], &left[0]["secret_path"]), (1, &json!("move"), &json!(there)));
        }
        all_below(&caller, "move", "from", "to").await.expect_error(403, "access_denied");
        assert_eq!(listed(&root, "").await, ["from/a", "from/b"]);
    }
    // One path of the folder is enough to refuse all, and is not named.
    for rules in [
        &[("from/a", &["delete"][..]), ("to/**", &["write"][..])][..],
        &[("from/**", &["delete"][..]), ("to/a", &["write"][..])][..],
    ] {
        let caller = app.user("mover", &scopes, rules).await;
        let answer = all_below(&caller, "move", "from", "to").await.expect_error(403, "access_denied");
        assert!(!answer.text().contains("from/b") && !answer.text().contains("to/b"), "{}", answer.text());
        assert_eq!(entries(&root, &answer).await.len(), 1);
        assert_eq!(listed(&root, "").await, ["from/a", "from/b"]);
    }
    let mover = app.user("mover", &scopes, &[("from/**", &["delete"]), ("to/**", &["write"])]).await;
    mover.get(&url("from/a")).await.expect_error(403, "insufficient_scope");
    transfer(&mover, "move", "from/a", "to/a").await.expect(200);
    all_below(&mover, "move", "from", "to").await.expect(200);
    assert_eq!(
        (value(&root, "to/a?version=1").await.as_str(), value(&root, "to/b").await.as_str()),
        ("1", app.canary())
    );
    for scope in ["secrets:write", "secrets:delete"] {
        let half = app.user("half", &[scope], &[("**", &["admin"])]).await;
        transfer(&half, "move", "to/a", "x").await.expect_error(403, "insufficient_scope");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_41_a_folder_of_a_thousand_goes_whole_or_not_at_all() {
    let app = TestApp::new().await;
    let root = app.root();
    for number in 0..1001 {
        put(&root, &format!("old/{:02}/{number:04}", number % 7), "v").await;
    }
    all_below(&root, "move", "old", "new").await.expect_fault("recursive", "range");
    all_below(&root, "copy", "old", "new").await.expect_fault("recursive", "range");
    assert_eq!((list(&root, "prefix=new/").await["total_count"].clone(), 1001), (json!(0), 1001));
    root.delete(&url("old/00/0000")).await.expect(200);

    // It breaks off in the middle: of the statement alone, or of the whole transaction, as when the server dies.
    let raw = app.raw();
    for &how in raw.refusals() {
        raw.refuse("secret", "UPDATE", "NEW.path = 'new/03/0500'", how);
        let broken = all_below(&root, "move", "old", "new").await;
        assert!(broken.status.is_server_error(), "{how}: {}", broken.text());
        raw.allow("secret");
        assert_eq!(list(&root, "prefix=new/").await["total_count"], 0, "{how}");
        assert_eq!(list(&root, "prefix=old/").await["total_count"], 1000, "{how}");
        assert_eq!(value(&root, "old/03/0500").await, "v");
    }
    put(&root, "new/05/0999", "taken").await;
    let taken = all_below(&root, "move", "old", "new").await.expect_error(409, "version_conflict");
    assert_eq!(taken.details(), json!({"current_version": 1, "path": "new/05/0999"}));
    assert_eq!(entries(&root, &taken).await.len(), 1);
    assert_eq!(list(&root, "prefix=old/").await["total_count"], 1000);
    root.delete(&url("new/05/0999?permanent=true")).await.expect(200);

    let moved = all_below(&root, "move", "old", "new").await.expect(200);
    let pairs = moved.json()["moved"].as_array().unwrap().clone();
    assert_eq!((pairs.len(), &pairs[0]), (1000, &json!({"from": "old/00/0007", "to": "new/00/0007", "version": 1})));
    assert_eq!(list(&root, "prefix=old/").await["total_count"], 0);
    assert_eq!(list(&root, "prefix=new/").await["total_count"], 1000);
    for path in ["new/00/0007", "new/03/0500", "new/05/0999"] {
        assert_eq!(value(&root, path).await, "v");
    }
    let left = entries(&root, &moved).await;
    assert_eq!(left.len(), 1000);
    for entry in &left {
        let to = entry["secret_path"].as_str().unwrap().replace("old/", "new/");
        assert_eq!((&entry["action"], &entry["success"]), (&json!("move"), &json!(true)));
        assert_eq!(entry["extra_data"]["destination"], to);
    }
    // What is deleted stays where it was.
    root.post_empty(&url("old/00/0000/restore")).await.expect(200);
    let app = app.restart().await;
    assert_eq!(value(&app.root(), "new/03/0500").await, "v");
}

/// Moves a folder and looks all the time; `look` counts what is in the old folder and in the new one.
async fn never_half_a_folder(app: &TestApp, look: impl Fn() -> (i64, i64)) {
    let root = app.root();
    for number in 0..SECRETS {
        put(&root, &format!("old/{number:04}"), "v").await;
    }
    app.raw().empty_log();
    let done = AtomicBool::new(false);
    let going = async {
        all_below(&root, "move", "old", "new").await.expect(200);
        done.store(true, Ordering::SeqCst);
    };
    let looking = async {
        let mut looks = 0;
        while !done.load(Ordering::SeqCst) {
            let found = look();
            assert!([(SECRETS, 0), (0, SECRETS)].contains(&found), "{found:?}");
            looks += 1;
            tokio::task::yield_now().await;
        }
        looks
    };
    let ((), looks) = tokio::join!(going, looking);
    assert!(looks > 1, "{looks}");
    assert_eq!(list(&root, "prefix=new/").await["total_count"], SECRETS);
}

const SECRETS: i64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn s_41_nobody_sees_half_a_folder() {
    let app = TestApp::new().await;
    let raw = app.raw();
    never_half_a_folder(&app, || {
        let count = |folder: &str| format!("(SELECT COUNT(*) FROM secret WHERE path LIKE '{folder}/%')");
        let found = raw.rows(&format!("SELECT {}, {}", count("old"), count("new")));
        (found[0][0].int(), found[0][1].int())
    })
    .await;
}

/// What a kill leaves is the files as they are at that moment.
#[tokio::test(flavor = "multi_thread")]
async fn s_41_the_files_never_hold_half_a_folder() {
    let app = TestApp::builder().engine(Engine::Sqlite).start().await;
    // Long enough for some looks in the middle.
    app.raw().batch(
        "CREATE TRIGGER slow BEFORE UPDATE OF path ON secret WHEN NEW.path LIKE 'new/0%0' BEGIN
           SELECT COUNT(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n);
         END",
    );
    never_half_a_folder(&app, || {
        let copy = tempfile::tempdir().unwrap();
        // The database before its log: what the log gets meanwhile is whole transactions or nothing.
        for name in ["scaivault.db", "scaivault.db-wal"] {
            std::fs::copy(app.data_dir().join(name), copy.path().join(name)).unwrap();
        }
        let found = TestDatabase::new(Engine::Sqlite, copy.path()).raw();
        let count = |folder: &str| found.count(&format!("SELECT COUNT(*) FROM secret WHERE path LIKE '{folder}/%'"));
        (count("old"), count("new"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s_42_rows_copied_by_hand_do_not_open_and_moved_ones_do() {
    let mut app = TestApp::builder().settings(|settings| settings.key_cache_ttl_seconds = 0).start().await;
    {
        let root = app.root();
        put(&root, "a", app.canary()).await;
        let raw = app.raw();
        let copy_row = |table: &str, set: &[(&str, &str)]| {
            let names = raw.columns(table);
            let given =
                |name: &String| set.iter().find(|(column, _)| column == name).map(|(_, value)| format!("'{value}'"));
            let values: Vec<String> = names.iter().map(|name| given(name).unwrap_or_else(|| name.clone())).collect();
            let (names, values) = (names.join(", "), values.join(", "));
            raw.execute(&format!("INSERT INTO {table} ({names}) SELECT {values} FROM {table}"));
        };
        let refused = async |path: &str| {
            let read = root.get(&url(path)).header("cache-control", "no-cache").await;
            read.expect_error(500, "internal_error");
        };
        // Under an id of its own, and under the same one (which the key of the table allows only in place of the other).
        copy_row("secret", &[("id", "sec_by_hand"), ("path", "b")]);
        copy_row("secret_version", &[("secret_id", "sec_by_hand")]);
        refused("b").await;
        transfer(&root, "move", "b", "c").await.expect_error(500, "internal_error");
        transfer(&root, "copy", "b", "c").await.expect_error(500, "internal_error");
        raw.batch("DELETE FROM secret_version WHERE secret_id = 'sec_by_hand'; DELETE FROM secret WHERE path = 'b'");
        assert_eq!(raw.execute("UPDATE secret SET path = 'b' WHERE path = 'a'"), 1);
        refused("b").await;
        assert_eq!(raw.execute("UPDATE secret SET path = 'a' WHERE path = 'b'"), 1);

        let sealed = || raw.rows("SELECT data_key, ciphertext FROM secret_version").remove(0);
        let before = sealed();
        transfer(&root, "move", "a", "b").await.expect(200);
        let after = sealed();
        assert_eq!((value(&root, "b").await.as_str(), before[1] == after[1]), (app.canary(), true), "never opened");
        assert_ne!(before[0], after[0], "wrapped anew");
        assert_eq!(raw.execute("UPDATE secret SET path = 'a' WHERE path = 'b'"), 1);
        refused("a").await;
    }
    app.expect_damage();
}

#[tokio::test]
async fn s_43_a_copy_needs_read_and_leaves_the_source_alone() {
    let app = TestApp::new().await;
    let root = app.root();
    eventful(&app, &root, "a/b").await;
    root.get(&url("a/b")).await.expect(200);
    let scopes = ["secrets:read", "secrets:write"];
    for rules in [
        &[("a/**", &["write", "delete", "list", "rotate"][..]), ("c/**", &["admin"][..])][..],
        &[("a/**", &["read"][..]), ("c/**", &["read"][..])][..],
        &[][..],
    ] {
        let caller = app.user("copier", &scopes, rules).await;
        for there in ["a/b", "a/nothing"] {
            transfer(&caller, "copy", there, "c/d").await.expect_error(403, "access_denied");
        }
        all_below(&caller, "copy", "a", "c").await.expect_error(403, "access_denied");
    }
    let writer = app.user("writer", &["secrets:write", "secrets:delete"], &[("**", &["admin"])]).await;
    transfer(&writer, "copy", "a/b", "c/d").await.expect_error(403, "insufficient_scope");
    assert_eq!(listed(&root, "").await, ["a/b"]);

    let copier = app.user("copier", &scopes, &[("a/**", &["read"]), ("c/**", &["write"])]).await;
    let copied = transfer(&copier, "copy", "a/b", "c/d").await.expect(200);
    assert_eq!(copied.json(), json!({"copied": [{"from": "a/b", "to": "c/d", "version": 4}]}));
    let left = entries(&root, &copied).await;
    assert_eq!((left.len(), &left[0]["action"], &left[0]["secret_path"]), (1, &json!("copy"), &json!("a/b")));
    assert_eq!(left[0]["extra_data"]["destination"], "c/d");
    app.vault.flush_statistics().await.unwrap();
    let (source, copy) = (metadata(&root, "a/b").await, metadata(&root, "c/d").await);
    assert_eq!((&source["access_count_30d"], &copy["access_count_30d"]), (&json!(1), &json!(0)));
    let own = ["path", "updated_at", "access_count_30d", "last_accessed_at", "version_count"];
    assert_eq!(without(source, &own), without(copy, &own));
    assert_eq!(value(&root, "c/d").await, app.canary());
    assert_eq!(value(&root, "c/d?version=3").await, "3");
    // A retired value is more than read opens: only its number goes along.
    assert_eq!(states(&root, "c/d").await, [state(4, "current"), state(3, "grace")]);
    root.get(&url("c/d?version=2&include_retired=true")).await.expect_error(404, "version_not_found");
    assert_eq!(put(&root, "c/d", "5").await, 5);
    assert_eq!(value(&root, "a/b").await, app.canary());
    root.delete(&url("a/b?permanent=true")).await.expect(200);
    assert_eq!(value(&root, "c/d?version=4").await, app.canary());
}
