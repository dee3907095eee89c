//! `scaivault database copy`: an instance moves to another database and back, whatever happens on the way. From SQLite to SQLite, and
//! where there is a PostgreSQL (`scripts/postgres run -- ...`) to it and back.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::{Client, Method};
use scaivault_testkit::{Engine, TestDatabase};
use serde_json::{Value, json};
use tempfile::TempDir;

const VALUE: &str = "päss'word\u{1f511}";

/// The URL of a schema that nobody else uses; `None` where there is no server.
fn postgres() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    #[allow(clippy::disallowed_methods, reason = "a test has no settings")]
    let url = std::env::var("SCAIVAULT_TEST_POSTGRES").ok()?;
    let schema = format!("moved_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    Some(format!("{url}{}schema={schema}", if url.contains('?') { '&' } else { '?' }))
}

fn sqlite(directory: &Path, name: &str) -> String {
    format!("sqlite:{}", directory.join(name).display())
}

/// Where an instance may move to.
fn destinations(directory: &Path) -> Vec<String> {
    std::iter::once(sqlite(directory, "moved.db")).chain(postgres()).collect()
}

/// A server in another process, on the root key of `directory`.
struct Server {
    child: Child,
    base: String,
    token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server(directory: &Path, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
    command.env_clear().args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.join("data"));
    command.env("RATE_LIMIT_ENABLED", "false").env("DATABASE_URL", url).env("LOG_LEVEL", "error");
    if !directory.join("token").exists() {
        command.env("SCAIVAULT_INIT_TOKEN_FILE", directory.join("token"));
    }
    command.stdout(Stdio::piped());
    command
}

impl Server {
    fn start(directory: &Path, url: &str) -> Self {
        let mut child = server(directory, url).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned)).unwrap();
        let token = std::fs::read_to_string(directory.join("token")).unwrap().trim().to_owned();
        Self { child, base, token }
    }

    async fn call(&self, method: Method, target: &str, body: Option<Value>) -> Value {
        let call = Client::new().request(method, format!("{}{target}", self.base)).bearer_auth(&self.token);
        let call = match body {
            Some(body) => call.json(&body),
            None => call,
        };
        let answer = call.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{target}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    async fn get(&self, target: &str) -> Value {
        self.call(Method::GET, target, None).await
    }

    /// In order: on PostgreSQL a node that is killed counts as alive for a minute.
    fn stop(mut self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

/// An instance with something of everything.
async fn filled(directory: &Path, url: &str) -> Server {
    let server = Server::start(directory, url);
    let (post, put, delete) = (Method::POST, Method::PUT, Method::DELETE);
    for number in 0..30 {
        let body =
            json!({"data": {"password": VALUE, "n": number}, "metadata": {"tags": ["a", "b"], "description": "x"}});
        server.call(put.clone(), &format!("/v1/secrets/app/{number}"), Some(body)).await;
    }
    for number in 0..5 {
        server.call(put.clone(), "/v1/secrets/app/0", Some(json!({"data": {"password": VALUE, "n": number}}))).await;
    }
    server.call(delete.clone(), "/v1/secrets/app/1", None).await;
    server.call(delete, "/v1/secrets/app/2?permanent=true", None).await;
    let rules = json!([{"path_pattern": "app/**", "permissions": ["read"]}]);
    server.call(post.clone(), "/v1/policies", Some(json!({"name": "readers", "rules": rules}))).await;
    let events = json!(["secret.created", "secret.updated"]);
    let webhook = json!({"name": "hook", "url": "https://hooks.example.com/in", "secret": "0123456789abcdef0123456789abcdef", "events": events});
    server.call(post.clone(), "/v1/webhooks", Some(webhook)).await;
    server.call(post.clone(), "/v1/rotation/policies", Some(json!({"name": "monthly", "interval": "30d"}))).await;
    server.call(put, "/v1/secrets/app/after", Some(json!({"data": {"password": VALUE}}))).await;
    server
}

/// Starts a server on a copy: it knows what the first one knew, and its trail is whole.
async fn serves(directory: &Path, url: &str) {
    let server = Server::start(directory, url);
    assert_eq!(server.get("/v1/secrets/app/0").await["data"], json!({"password": VALUE, "n": 4}));
    assert_eq!(server.get("/v1/secrets/app/0?version=1").await["data"]["n"], 0);
    assert_eq!(server.get("/v1/secrets/app/after").await["data"]["password"], VALUE);
    assert_eq!(server.get("/v1/webhooks").await["webhooks"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/v1/audit/verify").await["valid"], true);
    let written = json!({"data": {"password": "new"}});
    server.call(Method::PUT, "/v1/secrets/app/new", Some(written)).await;
    assert_eq!(server.get("/v1/secrets/app/new").await["data"]["password"], "new");
    server.call(Method::DELETE, "/v1/secrets/app/new?permanent=true", None).await;
    assert_eq!(server.get("/v1/audit/verify").await["valid"], true);
    server.stop();
}

/// The command, with both URLs in variables.
fn copy(directory: &Path, from: &str, to: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
    command.env_clear().args(["database", "copy", "--from-env", "OLD", "--to-env", "NEW", "--json", "--data-dir"]);
    command.arg(directory.join("data")).env("OLD", from).env("NEW", to).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn copied(directory: &Path, from: &str, to: &str) -> Value {
    let output = copy(directory, from, to).output().unwrap();
    assert!(output.status.success(), "{from}: {}", text(&output.stderr));
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["audit"]["signatures_checked"], true);
    assert_eq!(done["audit"]["broken"], json!([]));
    done
}

#[track_caller]
fn refused(output: &Output, exit_code: i32, words: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit_code), "{said}");
    assert!(said.contains(words), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_moves_there_and_back() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path();
    let from = sqlite(directory, "scaivault.db");
    // Killed: what is in the log only has to come along.
    drop(filled(directory, &from).await);
    assert!(std::fs::metadata(directory.join("scaivault.db-wal")).unwrap().len() > 0);
    for (number, to) in destinations(directory).into_iter().enumerate() {
        let there = copied(directory, &from, &to);
        let back = sqlite(directory, &format!("back{number}.db"));
        let again = copied(directory, &to, &back);
        assert_eq!(there["tables"], again["tables"]);
        let rows = |table: &str| {
            let found = there["tables"].as_array().unwrap().iter().find(|one| one["table"] == table).cloned().unwrap();
            found["rows"].as_u64().unwrap()
        };
        assert!(rows("secret_version") > 30 && rows("audit_entry") > 30 && rows("event") > 30 && rows("job") > 0);
        serves(directory, &to).await;
        // With what was written there, by a node that has chains of its own.
        let last = sqlite(directory, &format!("last{number}.db"));
        copied(directory, &to, &last);
        serves(directory, &last).await;
        serves(directory, &back).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_again_and_again_is_like_one_that_was_not() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path();
    let from = sqlite(directory, "scaivault.db");
    filled(directory, &from).await.stop();
    // Enough that it takes a while.
    raw(directory, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
             INSERT INTO secret_access (secret_id, hour, reads, last_at) SELECT 's' || (i % 100), 1000 + i, i, i FROM n;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
             INSERT INTO secret_tag (namespace, tag, path, secret_id) SELECT 'tnt_x', 't' || (i % 7), 'p/' || i, 's' || i FROM n");
    let whole = copied(directory, &from, &sqlite(directory, "whole.db"));
    let seconds = whole["seconds"].as_f64().unwrap();
    for to in destinations(directory) {
        let (mut resumed, mut rounds, mut random) = (0, 0, u64::from(std::process::id()));
        let done = loop {
            let mut child = copy(directory, &from, &to).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let patience = seconds * ((random >> 33) as f64 / f64::from(1_u32 << 31)) * 0.6;
            let mut said = String::new();
            let mut stderr = BufReader::new(child.stderr.take().unwrap());
            if rounds % 4 > 0 {
                // From its first words on; the other rounds end anywhere, also before there is a table.
                stderr.read_line(&mut said).unwrap();
            }
            if rounds < 12 {
                tokio::time::sleep(Duration::from_secs_f64(patience)).await;
                let _ = child.kill();
            }
            rounds += 1;
            stderr.read_to_string(&mut said).unwrap();
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                break Some(serde_json::from_slice::<Value>(&output.stdout).unwrap());
            }
            assert!(!said.contains("scaivault:"), "it failed by itself: {said}");
            resumed += i32::from(said.contains("going on with an unfinished copy"));
            if said.contains("rows") {
                // No server begins on half an instance; on a whole one, whose copy was killed after the last commit, it does.
                let mut server = server(directory, &to).stderr(Stdio::piped()).spawn().unwrap();
                let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
                if lines.any(|line| line.unwrap().starts_with("listening on ")) {
                    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
                    server.wait().unwrap();
                    break None;
                }
                let refusal = text(&server.wait_with_output().unwrap().stderr);
                assert!(refusal.contains("unfinished copy"), "{refusal}");
                let mut check = Command::new(env!("CARGO_BIN_EXE_scaivault"));
                check.env_clear().args(["check", "--data-dir"]).arg(directory.join("data")).env("DATABASE_URL", &to);
                let report = check.output().unwrap();
                assert!(text(&report.stdout).contains("unfinished copy"), "{}", text(&report.stdout));
                assert_eq!(report.status.code(), Some(1));
            }
        };
        if let Some(done) = done {
            assert_eq!(done["tables"], whole["tables"]);
        }
        assert!(resumed > 0, "it was never taken up again");
        serves(directory, &to).await;
    }
}

/// Changes the database that all of this begins with, behind the server's back.
fn raw(directory: &Path, sql: &str) {
    TestDatabase::new(Engine::Sqlite, directory).raw().batch(sql);
}

/// A data directory and a database with an instance, at rest.
async fn rested() -> (TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let url = sqlite(home.path(), "scaivault.db");
    filled(home.path(), &url).await.stop();
    (home, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_or_filled_is_left_alone() {
    let (home, from) = rested().await;
    let directory = home.path();
    for to in destinations(directory) {
        let running = Server::start(directory, &from);
        refused(&copy(directory, &from, &to).output().unwrap(), 1, "another ScaiVault server");
        running.stop();
        assert!(!directory.join("moved.db").exists() || to.starts_with("postgres"), "nothing was made");
        copied(directory, &from, &to);
        let again = copy(directory, &from, &to).arg("--restart").arg("--quiet").output().unwrap();
        refused(&again, 1, "nothing was changed");
        let running = Server::start(directory, &to);
        let words = if to.starts_with("sqlite") { "another ScaiVault server" } else { "stop all nodes" };
        refused(&copy(directory, &to, &sqlite(directory, "third.db")).output().unwrap(), 1, words);
        refused(&copy(directory, &from, &to).output().unwrap(), 1, words);
        running.stop();
    }
    // Another instance is there.
    let other = tempfile::tempdir().unwrap();
    let full = sqlite(other.path(), "full.db");
    Server::start(other.path(), &full).stop();
    refused(&copy(directory, &from, &full).output().unwrap(), 1, "is not empty");
    refused(&copy(directory, &from, &from).output().unwrap(), 5, "the same file");
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_and_chains_that_are_not_right_are_refused() {
    let (home, from) = rested().await;
    let directory = home.path();
    let change = |sql: &str| raw(directory, sql);
    let run = |name: &str| copy(directory, &from, &sqlite(directory, name)).arg("--quiet").output().unwrap();
    change(
        "UPDATE schema_migration SET version = version + 1000 WHERE version = (SELECT MAX(version) FROM schema_migration)",
    );
    refused(&run("a.db"), 1, "use the newer program");
    std::fs::write(directory.join("empty.db"), "").unwrap();
    let empty = copy(directory, &sqlite(directory, "empty.db"), &sqlite(directory, "a.db")).output().unwrap();
    refused(&empty, 1, "holds no ScaiVault instance");
    change("UPDATE schema_migration SET version = version - 1000 WHERE version > 1000");
    let last = "DELETE FROM schema_migration WHERE version = (SELECT MAX(version) FROM schema_migration)";
    change("CREATE TABLE kept AS SELECT * FROM schema_migration");
    change(last);
    refused(&run("a.db"), 1, "start the server of this program on it once");
    change("INSERT OR IGNORE INTO schema_migration SELECT * FROM kept; DROP TABLE kept");
    assert!(!directory.join("a.db").exists(), "nothing was made");

    change("UPDATE audit_entry SET action = action || 'x' WHERE seq = 7 AND stream <> 'system'");
    refused(&run("a.db"), 1, "audit chains are broken in both");
    let finished = copy(directory, &from, &sqlite(directory, "a.db")).arg("--allow-broken-audit").output().unwrap();
    assert!(finished.status.success(), "{}", text(&finished.stderr));
    let done: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert!(done["audit"]["broken"][0].as_str().unwrap().contains("from seq 7 on"), "{done}");
}

#[test]
fn urls_are_checked_and_passwords_are_not_taken_from_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
        command.env_clear().args(["database", "copy"]).args(arguments).current_dir(directory).output().unwrap()
    };
    let fine = "sqlite:a.db";
    for (arguments, words) in [
        (["--from", fine, "--to", "postgresql://me:s3cret@db/vault"], "--to-env"),
        (["--from", "postgresql://db/vault?user=me&password=s3cret", "--to", fine], "--from-file"),
        (["--from", fine, "--to", "mysql://db/vault"], "--to must begin with sqlite: or postgresql://"),
        (["--from", fine, "--to", "postgresql://db/vault"], "--to it names no user"),
        (["--from", fine, "--to", "sqlite:none/b.db"], "the directory none does not exist"),
        (["--from", fine, "--to-env", "NONE"], "--to-env names a variable that is not set"),
        (["--from-file", "none", "--to", fine], "--from-file names a file that can't be read"),
    ] {
        let output = run(&arguments);
        refused(&output, 5, words);
        assert!(!text(&output.stderr).contains("s3cret"));
    }
    refused(
        &run(&["--from", fine, "--to", "sqlite:b.db"]),
        1,
        "source: storage unavailable: a.db: there is no such file",
    );
    assert_eq!(run(&["--from", fine, "--from-env", "X", "--to", "sqlite:b.db"]).status.code(), Some(5));
    assert_eq!(run(&["--to", "sqlite:b.db"]).status.code(), Some(5));
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 0, "nothing was made");
}
