//! The real listener under clients that dawdle, crowd and never end.

use std::time::Duration;

use scaivault_http::AnswerBudget;
use scaivault_testkit::TestApp;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::secret_count;
use super::wire::{LONG, Server, until_closed};

const SHORT: Duration = Duration::from_millis(400);
const CHUNKED: &str = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_body_that_never_ends_is_refused_when_its_time_is_over() {
    let server = Server::start(|options| options.timeouts.body = SHORT).await;
    let silent = format!(
        "{}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"data\":{{}}",
        server.head("PUT /v1/secrets/a")
    );
    let answers = server.talk(silent).await;
    assert_eq!(answers.len(), 1);
    let error = answers[0].expect_error(400, "invalid_request");
    assert_eq!(error["details"]["reason"], "body_timeout");

    let (mut reader, mut writer) = server.connect().await.into_split();
    let head = format!("{}{CHUNKED}", server.head("PUT /v1/secrets/a"));
    let dripping = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await.unwrap();
        while writer.write_all(b"1\r\n \r\n").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let asked = Instant::now();
    let mut answer = vec![0; 4096];
    let length = tokio::time::timeout(LONG, reader.read(&mut answer)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("body_timeout"), "{text}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    dripping.abort();
    assert_eq!(secret_count(&server.app.root()).await, 0);
    server.answers_quickly().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let server = Server::start(|_| ()).await;
    let head = server.head("PUT /v1/secrets/a");
    for request in [
        format!("{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"data\":{{}}}}"),
        format!("{head}{CHUNKED}b\r\n{{\"data\":{{}}}}\r\n"),
        format!("{head}{CHUNKED}ff\r\n{{\"data\":{{}}}}"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answers = until_closed(&mut stream).await;
        assert!(answers.iter().all(|answer| answer.status == 400), "{answers:?}");
    }
    assert_eq!(secret_count(&server.app.root()).await, 0);
}

#[tokio::test]
async fn what_was_announced_too_large_is_not_awaited() {
    let server = Server::start(|_| ()).await;
    let head = server.head("PUT /v1/secrets/a");
    let large = format!("{head}Content-Type: application/json\r\nContent-Length: 3000000\r\n\r\n");
    server.talk(&large).await[0].expect_error(413, "payload_too_large");
    // Nobody has to send what will be refused.
    let expecting = large.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    server.talk(&expecting).await[0].expect_error(413, "payload_too_large");
    let wrong_type = large.replace("application/json", "text/plain");
    server.talk(&wrong_type).await[0].expect_error(415, "unsupported_media_type");
    let nobody = large.replace("Authorization", "X-Nothing");
    server.talk(&nobody).await[0].expect_error(401, "authentication_required");
    // Whoever sends it all the same gets the answer and no reset.
    let body = vec![b' '; 3_000_000];
    let answers = server.talk([large.as_bytes(), &body].concat()).await;
    answers[0].expect_error(413, "payload_too_large");
    let chunk = format!("{:x}\r\n{}\r\n", 1_000_000, " ".repeat(1_000_000));
    let answers = server.talk(format!("{head}{CHUNKED}{chunk}{chunk}{chunk}0\r\n\r\n")).await;
    answers[0].expect_error(413, "payload_too_large");
}

#[tokio::test]
async fn a_head_that_drips_is_cut() {
    let server = Server::start(|options| options.timeouts.head = SHORT).await;
    let mut stream = server.connect().await;
    let asked = Instant::now();
    let head = server.head("GET /v1/secrets");
    for byte in head.as_bytes() {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
        if asked.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    let answers = until_closed(&mut stream).await;
    assert!(answers.iter().all(|answer| answer.status >= 400), "{answers:?}");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    server.answers_quickly().await;
}

#[tokio::test]
async fn connections_at_rest_are_closed_in_time() {
    let server = Server::start(|options| {
        // The timer is looked at when the time for a head is over.
        options.timeouts.head = SHORT;
        options.timeouts.idle = SHORT;
    })
    .await;
    let mut fresh = server.connect().await;
    let mut used = server.connect().await;
    used.write_all(format!("{}\r\n", server.head("GET /v1/secrets")).as_bytes()).await.unwrap();
    assert_eq!(until_closed(&mut used).await.len(), 1);
    assert!(until_closed(&mut fresh).await.is_empty());
}

/// 10,000 if the process may open that many files: both ends of each are here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_do_not_disturb() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = usize::try_from(files.saturating_sub(2_000) / 2).unwrap().min(10_000);
    assert!(count >= 1_000, "raise the limit of open files ({files})");
    let server = Server::start(|_| ()).await;
    let mut idle: Vec<TcpStream> = Vec::with_capacity(count);
    for _ in 0..count {
        idle.push(server.connect().await);
    }
    for _ in 0..5 {
        server.answers_quickly().await;
    }
    let last = idle.last_mut().unwrap();
    last.write_all(format!("{}Connection: close\r\n\r\n", server.head("GET /v1/secrets")).as_bytes()).await.unwrap();
    assert_eq!(until_closed(last).await[0].status, 200);
}

#[tokio::test]
async fn when_all_places_are_taken_those_at_rest_make_room() {
    let server = Server::start(|options| {
        options.max_connections = 20;
        options.timeouts.idle_crowded = SHORT;
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(server.connect().await);
    }
    let asked = Instant::now();
    let answers = server.talk(format!("{}Connection: close\r\n\r\n", server.head("GET /v1/secrets"))).await;
    assert_eq!(answers[0].status, 200);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn http_2_works_without_an_upgrade() {
    let server = Server::start(|_| ()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let base = format!("http://{}/v1", server.address);
    let token = server.app.root().token().to_owned();
    let put =
        client.put(format!("{base}/secrets/a")).bearer_auth(&token).json(&super::some_data()).send().await.unwrap();
    assert_eq!((put.version(), put.status().as_u16()), (http::Version::HTTP_2, 201));
    let read = client.get(format!("{base}/secrets/a")).bearer_auth(&token).send().await.unwrap();
    assert_eq!((read.headers()["etag"].to_str().unwrap(), read.status().as_u16()), ("\"1\"", 200));
    let many = (0..50).map(|_| client.get(format!("{base}/secrets/none")).bearer_auth(&token).send());
    for answer in many.map(tokio::spawn).collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap().unwrap().status(), 404);
    }
    let long = client.get(format!("{base}/health")).header("x-long", "x".repeat(40_000)).send().await.unwrap();
    assert_eq!(long.status(), 431);
    let id = long.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: serde_json::Value = long.json().await.unwrap();
    assert_eq!((&body["error"]["code"], &body["error"]["request_id"]), (&"headers_too_large".into(), &id.into()));
}

#[tokio::test]
async fn while_too_many_answers_wait_large_ones_are_refused() {
    const KIB: u64 = 1024;
    let answers = AnswerBudget::of_kib(100);
    let shared = answers.clone();
    let app = TestApp::builder().http(move |http| http.answers = shared).start().await;
    let root = app.root();
    root.put("/v1/secrets/large", json!({"data": {"text": "x".repeat(50_000)}})).await.expect(201);
    root.put("/v1/secrets/small", super::some_data()).await.expect(201);
    let held = answers.charge(80 * KIB);
    let refused = root.get("/v1/secrets/large").await;
    let error = refused.expect_error(503, "service_unavailable");
    assert_eq!(error.json()["error"]["details"]["reason"], "storage");
    assert_eq!(error.header("retry-after"), Some("5"));
    assert_eq!(error.header("etag"), None);
    assert!(error.header("x-request-id").is_some());
    for path in ["/v1/secrets/small", "/v1/health", "/v1/openapi.json"] {
        root.get(path).await.expect(200);
    }
    drop(held);
    root.get("/v1/secrets/large").await.expect(200);
    assert_eq!(answers.left_kib(), 100, "an answer that is gone waits no longer");
}
