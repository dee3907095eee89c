//! What the client repeats, and when it stops. The server here says what a test tells it to.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::Cli;

/// Gives these answers, one a connection, and hands on what was asked.
pub(super) fn scripted(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (send, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 64 * 1024];
            let mut length = 0;
            // The bodies of these tests end with a brace.
            loop {
                length += stream.read(&mut request[length..]).unwrap();
                let text = String::from_utf8_lossy(&request[..length]);
                if text.contains("\r\n\r\n") && (text.starts_with("GET") || text.ends_with('}')) {
                    break;
                }
            }
            send.send(String::from_utf8_lossy(&request[..length]).into_owned()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (base, asked)
}

pub(super) fn answer(status: &str, header: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{header}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn busy(status: &str, header: &str) -> String {
    let code = if status.starts_with("429") { "rate_limited" } else { "service_unavailable" };
    let body = format!(r#"{{"error":{{"code":"{code}","message":"Busy","request_id":"req_1"}}}}"#);
    answer(status, header, &body)
}

fn key(request: &str) -> &str {
    let line = request.lines().find(|line| line.to_lowercase().starts_with("idempotency-key:")).unwrap();
    line.split_once(": ").unwrap().1
}

fn cli(base: &str) -> Cli {
    Cli::new(std::path::Path::new("/nonexistent")).var("SCAIVAULT_URL", base).var("SCAIVAULT_TOKEN", "skt_x")
}

#[test]
fn a_busy_server_is_asked_again_with_the_same_key() {
    let done = answer("201 Created", "", r#"{"path":"a","version":1,"created":true}"#);
    let (base, asked) = scripted(vec![
        busy("429 Too Many Requests", "Retry-After: 1\r\n"),
        busy("503 Service Unavailable", "Retry-After: 1\r\n"),
        done,
    ]);
    let begun = Instant::now();
    cli(&base).words("secrets write a k=v --tenant tnt_x").ok();
    assert!(begun.elapsed() >= Duration::from_secs(2));
    let requests: Vec<String> = asked.iter().collect();
    assert_eq!(requests.len(), 3);
    assert!(
        requests.iter().all(|request| key(request) == key(&requests[0]) && request.ends_with(r#"{"data":{"k":"v"}}"#))
    );
    let lower = requests[0].to_lowercase();
    for header in [
        "user-agent: scaivault-cli/",
        "x-tenant-id: tnt_x",
        "authorization: bearer skt_x",
        "content-type: application/json",
    ] {
        assert!(lower.contains(header), "{header} is missing in\n{lower}");
    }
}

#[test]
fn patience_ends_after_five_repetitions() {
    let (base, asked) = scripted(vec![busy("429 Too Many Requests", "Retry-After: 0\r\n"); 6]);
    let line = cli(&base).words("secrets list").fails(1);
    assert!(line.contains("rate_limited"), "{line}");
    assert_eq!(asked.iter().count(), 6);
}

#[test]
fn nothing_is_repeated_that_was_not_asked_for() {
    for told in [
        busy("503 Service Unavailable", ""),
        busy("429 Too Many Requests", "Retry-After: 900\r\n"),
        busy("500 Error", "Retry-After: 0\r\n"),
    ] {
        let (base, asked) = scripted(vec![told]);
        cli(&base).words("secrets list").fails(1);
        assert_eq!(asked.iter().count(), 1);
    }
}

#[test]
fn a_redirect_gets_no_token() {
    let (base, asked) = scripted(vec![answer("302 Found", "Location: http://127.0.0.1:1/\r\n", "")]);
    assert!(cli(&base).words("secrets list").fails(1).contains("redirect"));
    assert_eq!(asked.iter().count(), 1);
    let (base, _asked) = scripted(vec![answer("200 OK", "", "<html>")]);
    assert!(cli(&base).words("secrets list").fails(1).contains("can't be read"));
}

#[test]
fn a_proxy_sees_nothing_that_is_not_encrypted() {
    let (base, asked) = scripted(vec![answer("200 OK", "", r#"{"secrets":[],"cursor":null,"has_more":false}"#)]);
    let (proxy, at_proxy) = scripted(vec![answer("200 OK", "", "{}")]);
    cli(&base).var("http_proxy", &proxy).var("ALL_PROXY", &proxy).words("secrets list").ok();
    assert_eq!(asked.iter().count(), 1);
    assert!(at_proxy.try_recv().is_err());
}

#[test]
fn a_watch_goes_on_where_it_was_cut() {
    let event = |id: &str| format!("id: {id}\nevent: secret.created\ndata: {{\"event_type\":\"{id}\"}}\n\n");
    let unauthorised = r#"{"error":{"code":"token_revoked","message":"Over","request_id":"req_1"}}"#;
    let (base, asked) = scripted(vec![
        answer("200 OK", "Content-Type: text/event-stream\r\n", &format!(": hello\n\n{}", event("evt_1"))),
        answer("200 OK", "Content-Type: text/event-stream\r\n", &event("evt_2")),
        answer("401 Unauthorized", "", unauthorised),
    ]);
    let output = cli(&base).words("watch app/** b --json").output();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "{\"event_type\":\"evt_1\"}\n{\"event_type\":\"evt_2\"}\n");
    let requests: Vec<String> = asked.iter().map(|request| request.to_lowercase()).collect();
    assert!(requests[0].starts_with("get /v1/events/stream?paths=app%2f%2a%2a&paths=b http"), "{}", requests[0]);
    assert!(!requests[0].contains("last-event-id"));
    assert!(requests[1].contains("last-event-id: evt_1") && requests[2].contains("last-event-id: evt_2"));
}
