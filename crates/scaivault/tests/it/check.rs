//! `scaivault check` on the trail of a real database: the program itself, as another process.

use std::process::{Command, Output};

use scaivault_testkit::{Engine, TestApp};
use serde_json::json;

fn check(app: &TestApp) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
    let Output { status, stdout, .. } =
        command.env_clear().arg("check").arg("--data-dir").arg(app.data_dir()).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap())
}

#[track_caller]
fn says(app: &TestApp, success: bool, line: &str) {
    let (succeeded, text) = check(app);
    assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    assert_eq!(succeeded, success, "{text}");
}

async fn with_entries() -> TestApp {
    let app = TestApp::builder().engine(Engine::Sqlite).start().await;
    let other = app.tenant("Other").await;
    for n in 0..3 {
        app.root().put(&format!("/v1/secrets/{n}"), json!({"data": {"k": app.canary()}})).await.expect(201);
        app.root().put(&format!("/v1/secrets/{n}"), json!({"data": {"k": n}})).in_tenant(&other).await.expect(201);
    }
    app.vault.write_checkpoints(true).await.unwrap();
    app.root().get("/v1/secrets/1").await.expect(200);
    app
}

fn tamper(app: &TestApp, sql: &str) {
    app.raw().batch(sql);
}

/// Stops the server as the end of its process does: nothing is left in the log.
async fn stop(app: &TestApp) {
    app.vault.shut_down().await;
    app.raw().empty_log();
}

/// Streams, entries and checkpoints.
fn counts(app: &TestApp) -> (i64, i64, i64) {
    let raw = app.raw();
    let count = |what: &str| raw.count(&format!("SELECT COUNT({what}"));
    (count("DISTINCT stream) FROM audit_entry"), count("*) FROM audit_entry"), count("*) FROM audit_checkpoint"))
}

fn files(app: &TestApp) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        std::fs::read_dir(app.data_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_trail_is_valid_beside_a_server_and_without_one() {
    let app = with_entries().await;
    let (streams, entries, checkpoints) = counts(&app);
    let line = |how: &str| {
        format!(
            "ok       audit trail     valid; streams: {streams}, entries: {entries}, checkpoints: {checkpoints}, {how}"
        )
    };
    says(&app, true, &line("and their signatures"));
    app.root().put("/v1/secrets/after", json!({"data": {"k": 1}})).await.expect(201);
    stop(&app).await;
    let before = files(&app);
    let entries = entries + 1;
    let line = format!(
        "ok       audit trail     valid; streams: {streams}, entries: {entries}, checkpoints: {checkpoints}, and their signatures"
    );
    says(&app, true, &line);
    assert_eq!(files(&app), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_invalid_entry_of_each_stream_is_named() {
    let mut app = with_entries().await;
    app.expect_damage();
    tamper(&app, "UPDATE audit_entry SET secret_path = 'x' WHERE stream = 'tnt_default' AND seq >= 3");
    says(&app, false, "FAULT    audit trail     tnt_default is invalid from seq 3 on: hash_mismatch");
    stop(&app).await;
    says(&app, false, "FAULT    audit trail     tnt_default is invalid from seq 3 on: hash_mismatch");

    let mut app = with_entries().await;
    app.expect_damage();
    tamper(&app, "DELETE FROM audit_entry WHERE stream = 'tnt_default'");
    says(&app, false, "FAULT    audit trail     tnt_default is invalid from seq 1 on: truncated");
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_count_where_the_root_key_opens() {
    let mut app = with_entries().await;
    app.expect_damage();
    let (streams, entries, checkpoints) = counts(&app);
    tamper(&app, "UPDATE audit_checkpoint SET signature = zeroblob(64) WHERE stream = 'tnt_default'");
    let (_, text) = check(&app);
    assert!(
        text.contains("audit trail     tnt_default is invalid from seq ") && text.contains(" on: bad_signature"),
        "{text}"
    );
    // Another root key opens nothing, and the rest of the trail is still told of.
    std::fs::write(app.data_dir().join("root.key"), [7; 32]).unwrap();
    let line = format!(
        "ok       audit trail     valid; streams: {streams}, entries: {entries}, checkpoints: {checkpoints}, without their signatures, which need the root key"
    );
    says(&app, false, &line);
}
