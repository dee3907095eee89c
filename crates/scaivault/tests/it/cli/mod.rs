//! The command line client: the program itself against a server of its own, both as other processes.

mod config;
mod event;
mod exit;
mod leak;
mod listing;
mod policy;
mod repetition;
mod run;
mod seal;
mod secret;
mod token;
mod value;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use reqwest::{Client, Method};
use serde_json::Value;
use tempfile::TempDir;

/// In every value that must stay where it is.
const CANARY: &str = "canary-5b1f";

/// A running server, and a home directory for the client.
struct Bench {
    child: Child,
    base: String,
    token: String,
    home: TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bench {
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// With variables for the server.
    fn start_with(variables: &[(&str, &Path)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let token_file = home.path().join("first-token");
        let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
        command.env_clear().args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("data"));
        command.env("RATE_LIMIT_ENABLED", "false").env("SCAIVAULT_INIT_TOKEN_FILE", &token_file);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned)).unwrap();
        let token = std::fs::read_to_string(&token_file).unwrap().trim().to_owned();
        Self { child, base, token, home }
    }

    /// The client with the first token.
    fn cli(&self) -> Cli {
        self.nobody().var("SCAIVAULT_TOKEN", &self.token)
    }

    /// The client without a token.
    fn nobody(&self) -> Cli {
        Cli::new(self.home.path()).var("SCAIVAULT_URL", &self.base)
    }

    /// Runs a line of words; it must succeed. Its standard output.
    #[track_caller]
    fn ok(&self, line: &str) -> String {
        self.cli().words(line).ok()
    }

    /// The same as JSON.
    #[track_caller]
    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.cli().words(line).arg("--json").ok()).unwrap()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A token of a service account that no policy knows.
    #[track_caller]
    fn stranger(&self, scope: &str) -> String {
        let address = format!("{}/v1/identity/tenants/tnt_default/service-accounts", self.base);
        let body = serde_json::json!({"name": "stranger"});
        let call = Client::new().post(address).bearer_auth(&self.token).json(&body);
        tokio::runtime::Runtime::new().unwrap().block_on(call.send()).unwrap();
        let made = self.json(&format!("auth tokens create --name t --scope {scope} --identity sa:stranger"));
        made["token"].as_str().unwrap().to_owned()
    }

    /// What the API answers, byte for byte.
    fn body(&self, target: &str) -> Vec<u8> {
        let call = Client::new().request(Method::GET, format!("{}{target}", self.base)).bearer_auth(&self.token);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { call.send().await.unwrap().bytes().await.unwrap().to_vec() })
    }
}

/// One run of the client.
struct Cli {
    command: Command,
    input: Vec<u8>,
}

impl Cli {
    fn new(home: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
        command.env_clear().env("HOME", home).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, input: Vec::new() }
    }

    fn var(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    fn words(mut self, line: &str) -> Self {
        self.command.args(line.split_whitespace());
        self
    }

    fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    fn input(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = bytes.as_ref().to_vec();
        self
    }

    fn output(mut self) -> Output {
        let mut child = self.command.spawn().unwrap();
        // Who needs no input closes it early.
        let _ = child.stdin.take().unwrap().write_all(&self.input);
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    fn ok(self) -> String {
        let Output { status, stdout, stderr } = self.output();
        assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// It must end with this code and one line of explanation.
    #[track_caller]
    fn fails(self, code: i32) -> String {
        let Output { status, stderr, .. } = self.output();
        let text = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{text}");
        text.trim_end().to_owned()
    }
}
