//! The program with a port of its own for metrics.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// For localhost, made for this test and known to everybody.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgp8TH+DpcJGzwk4Sb
Noz42cj8lbFzCOniB7Sm+E/urVmhRANCAAT4g/0o7NDAisRIIW/taPcbuS5YAvvX
5QN9gKdYpQRgd5otDCL+0qQ2PZKiWhq7hUYNhIxP4WFtDM1WRNpyHknY
-----END PRIVATE KEY-----";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIULUqwQp+K8qDofAwWZQUMWTST70owCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE2MjAwNFoYDzIxMjYxMDMw
MTYyMDA0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT4g/0o7NDAisRIIW/taPcbuS5YAvvX5QN9gKdYpQRgd5otDCL+0qQ2
PZKiWhq7hUYNhIxP4WFtDM1WRNpyHknYo2kwZzAdBgNVHQ4EFgQUDl+duuBNz6uP
ER1eE3BOT+8KAAUwHwYDVR0jBBgwFoAUDl+duuBNz6uPER1eE3BOT+8KAAUwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAKtVSe0tHE+aUxv/LxNrH2b/O13ni70nW8MVOkPQg19UAiEA1sSgRJ0E
XZt1zcaoGHvrj1AX4CiDFjfNOdz3SFMEEZU=
-----END CERTIFICATE-----";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the port answers to a request in the clear.
fn in_the_clear(address: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /v1/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is no matter.
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A server with these variables beside the usual ones, and where its metrics are.
fn start(directory: &tempfile::TempDir, variables: &[(&str, &str)]) -> (Running, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
    command.env_clear().arg("server").stdout(Stdio::null()).stderr(Stdio::piped());
    command.env("DATA_DIR", directory.path().join("data")).env("BIND_ADDRESS", "127.0.0.1:0");
    command.env("SCAIVAULT_INIT_TOKEN_FILE", directory.path().join("token"));
    command.env("METRICS_BIND_ADDRESS", "127.0.0.1:0").env("METRICS_AUTH", "token");
    let mut server = Running(command.envs(variables.iter().copied()).spawn().unwrap());
    let mut address = None;
    for line in BufReader::new(server.0.stderr.as_mut().unwrap()).lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["message"] == "metrics have a port of their own" {
            address = line["address"].as_str().map(|address| address.parse().unwrap());
        }
        if line["message"] == "listening" {
            break;
        }
    }
    (server, address.expect("the log names the port"))
}

#[test]
fn tokens_for_metrics_are_taken_over_tls_where_the_server_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_plain, address) = start(&directory, &[]);
    assert!(in_the_clear(address).starts_with(b"HTTP/1.1 401 "));

    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("cert.pem", CERTIFICATE), file("key.pem", KEY));
    let (_tls, address) = start(&directory, &[("TLS_CERT_FILE", &certificate), ("TLS_KEY_FILE", &key)]);
    let answer = in_the_clear(address);
    // An alert of TLS, or nothing.
    assert!(answer.first().is_none_or(|first| *first == 0x15), "{answer:?}");
}
