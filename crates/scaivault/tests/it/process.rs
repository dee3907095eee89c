//! The program as another process: killed without warning, started with another root key.
//!
//! The long form of these, under load and ten times over, is `tests/crash/kill9.py` at the top of the repository.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

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

impl Server {
    /// Starts on `directory`; the first start leaves its token in a file beside the data.
    fn start(directory: &Path) -> Self {
        let token_file = directory.join("token");
        let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
        command.env_clear().args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.join("data"));
        command.env("RATE_LIMIT_ENABLED", "false").stdout(Stdio::piped()).stderr(Stdio::null());
        if !token_file.exists() {
            command.env("SCAIVAULT_INIT_TOKEN_FILE", &token_file);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned)).unwrap();
        let token = std::fs::read_to_string(&token_file).unwrap_or_default().trim().to_owned();
        Self { child, base, token }
    }

    async fn call(&self, method: Method, target: &str, body: Option<Value>) -> Response {
        let call = Client::new().request(method, format!("{}{target}", self.base)).bearer_auth(&self.token);
        let call = match body {
            Some(body) => call.json(&body),
            None => call,
        };
        call.send().await.unwrap()
    }

    async fn get(&self, target: &str) -> Value {
        self.call(Method::GET, target, None).await.json().await.unwrap()
    }
}

fn request_id(answer: &Response) -> String {
    answer.headers()["x-request-id"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn u_4_a_killed_server_lacks_nothing_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let mut acknowledged = Vec::new();
    for number in 0..40 {
        let target = format!("/v1/secrets/kill/{number}");
        let write = server.call(Method::PUT, &target, Some(json!({"data": {"n": number}}))).await;
        let read = server.call(Method::GET, &target, None).await;
        assert_eq!((write.status(), read.status()), (201.try_into().unwrap(), 200.try_into().unwrap()));
        acknowledged.extend([request_id(&write), request_id(&read)]);
    }
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let server = Server::start(directory.path());
    for number in 0..40 {
        assert_eq!(server.get(&format!("/v1/secrets/kill/{number}")).await["data"]["n"], number);
    }
    let logs = server.get("/v1/audit/logs?limit=1000").await;
    let found: Vec<&str> = logs["logs"].as_array().unwrap().iter().filter_map(|e| e["request_id"].as_str()).collect();
    for id in &acknowledged {
        assert!(found.contains(&id.as_str()), "{id} has no entry");
    }
    assert_eq!(server.get("/v1/audit/verify").await["valid"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn s_33_a_count_that_was_shown_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    server.call(Method::PUT, "/v1/secrets/a", Some(json!({"data": {}}))).await;
    server.call(Method::GET, "/v1/secrets/a", None).await;
    let mut shown = json!(0);
    for _ in 0..100 {
        shown = server.get("/v1/secrets/metadata/a").await["access_count_30d"].clone();
        if shown == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(shown, 1, "a read is counted within ten seconds");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let server = Server::start(directory.path());
    assert_eq!(server.get("/v1/secrets/metadata/a").await["access_count_30d"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn y_2_a_wrong_root_key_opens_nothing_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root_key = directory.path().join("data/root.key");
    let server = Server::start(directory.path());
    server.call(Method::PUT, "/v1/secrets/a", Some(json!({"data": {"k": "v"}}))).await;
    drop(server);
    let right = std::fs::read(&root_key).unwrap();
    for wrong in [Some("00".repeat(32)), Some("not a key".to_owned()), None] {
        match &wrong {
            Some(text) => std::fs::write(&root_key, text).unwrap(),
            None => std::fs::remove_file(&root_key).unwrap(),
        }
        let server = Server::start(directory.path());
        assert_eq!(server.get("/v1/sys/seal-status").await["sealed"], true);
        let refused = server.call(Method::GET, "/v1/secrets/a", None).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.json::<Value>().await.unwrap()["error"]["details"]["reason"], "sealed");
        assert_eq!(server.call(Method::GET, "/v1/health", None).await.status(), 200);
        drop(server);
        assert_eq!(root_key.exists(), wrong.is_some(), "no new key is made for a database that has one");
    }
    std::fs::write(&root_key, right).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&root_key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(Server::start(directory.path()).get("/v1/secrets/a").await["data"]["k"], "v");
}
