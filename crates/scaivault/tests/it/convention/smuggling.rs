//! Bytes that two readers could read differently, and bytes that nobody can read.

use super::secret_count;
use super::wire::Server;

const BODY: &str = "{\"data\":{}}";

#[tokio::test]
async fn what_is_no_http_gets_the_envelope_and_is_closed() {
    let server = Server::start(|_| ()).await;
    let auth = server.head("GET /v1/health");
    let rubbish = [
        "GET /v1/secrets/a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\nHost x\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\nHo st: x\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\nX: a\0b\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "GET /v1/health\r\n\r\n".to_owned(),
        "GE(T /v1/health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(),
        format!("{auth}\u{e9}: 1\r\n\r\n"),
    ];
    for bytes in rubbish {
        let answers = server.talk(&bytes).await;
        assert_eq!(answers.len(), 1, "{bytes:?}: {answers:?}");
        answers[0].expect_error(400, "invalid_request");
    }
    server.answers_quickly().await;
}

#[tokio::test]
async fn too_many_bytes_of_headers_are_431_at_any_size() {
    let server = Server::start(|_| ()).await;
    let head = server.head("GET /v1/secrets") + "Connection: close\r\n";
    for size in [33_000, 70_000, 1_000_000] {
        let answers = server.talk(format!("{head}X-Long: {}\r\n\r\n", "x".repeat(size))).await;
        answers[0].expect_error(431, "headers_too_large");
    }
    let answers = server.talk(format!("{head}{}\r\n", "X-Many: 1\r\n".repeat(5_000))).await;
    answers[0].expect_error(431, "headers_too_large");
    let answers = server.talk(format!("GET /v1/secrets/{} HTTP/1.1\r\n\r\n", "x".repeat(70_000))).await;
    answers[0].expect_error(431, "headers_too_large");
    let fine = server.talk(format!("{head}X-Long: {}\r\n\r\n", "x".repeat(31_000))).await;
    assert_eq!(fine[0].status, 200);
}

/// Whatever the framing pretends, at most one request runs on the connection, and never the hidden one.
#[tokio::test]
async fn a_request_can_not_be_hidden_in_another() {
    let server = Server::start(|_| ()).await;
    let put = format!("{}Content-Type: application/json\r\n", server.head("PUT /v1/secrets/open"));
    let hidden = format!(
        "{}Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{BODY}",
        server.head("PUT /v1/secrets/hidden")
    );
    let refused = [
        "Content-Length: 11\r\nContent-Length: 12\r\n",
        "Content-Length: 11, 12\r\n",
        "Content-Length: +11\r\n",
        "Content-Length: 0x0b\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 11 11\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 11\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
    ];
    for framing in refused {
        let answers = server.talk(format!("{put}{framing}\r\n{BODY}{hidden}")).await;
        assert_eq!(answers.len(), 1, "{framing}: {answers:?}");
        answers[0].expect_error(400, "invalid_request");
    }
    // Both at once: RFC 9112 section 6.1 lets the chunks win, but then the connection has to end.
    for framing in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"]
    {
        let answers = server.talk(format!("{put}{framing}\r\n0\r\n\r\n{hidden}")).await;
        assert_eq!(answers.len(), 1, "{framing}: {answers:?}");
        assert!(answers[0].status >= 400, "{answers:?}");
    }
    for chunks in [
        "b\n{BODY}\r\n0\r\n\r\n",
        "+b\r\n{BODY}\r\n0\r\n\r\n",
        "0x0b\r\n{BODY}\r\n0\r\n\r\n",
        "b\r\n{BODY}XX0\r\n\r\n",
        "fffffffffffffffff\r\n",
    ] {
        let chunks = chunks.replace("{BODY}", BODY);
        let answers = server.talk(format!("{put}Transfer-Encoding: chunked\r\n\r\n{chunks}{hidden}")).await;
        assert_eq!(answers.len(), 1, "{chunks}: {answers:?}");
        answers[0].expect_error(400, "invalid_request");
    }
    assert_eq!(secret_count(&server.app.root()).await, 0);
}

#[tokio::test]
async fn http_1_0_has_no_chunks() {
    let server = Server::start(|_| ()).await;
    let head = server.head("PUT /v1/secrets/a").replace("HTTP/1.1", "HTTP/1.0");
    let answers = server
        .talk(format!(
            "{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{BODY}\r\n0\r\n\r\n"
        ))
        .await;
    answers[0].expect_error(400, "invalid_request");
    let answers = server.talk(format!("{}\r\n", head.replace("PUT /v1/secrets/a", "GET /v1/health"))).await;
    assert_eq!((answers.len(), answers[0].status), (1, 200));
}

#[tokio::test]
async fn requests_in_a_row_are_answered_up_to_the_first_that_is_none() {
    let server = Server::start(|_| ()).await;
    let get = format!("{}\r\n", server.head("GET /v1/secrets"));
    let answers = server.talk(format!("{get}{get}RUBBISH\0\r\n\r\n{get}")).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 400]);
    answers[2].expect_error(400, "invalid_request");
}

#[tokio::test]
async fn an_ignored_body_is_not_the_next_request() {
    let server = Server::start(|_| ()).await;
    let hidden = server.head("DELETE /v1/secrets/a") + "\r\n";
    let put = format!(
        "{}Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{BODY}",
        server.head("PUT /v1/secrets/a")
    );
    let get = format!("{}Content-Length: {}\r\n\r\n{hidden}", server.head("GET /v1/secrets/a"), hidden.len());
    let last = format!("{}Connection: close\r\n\r\n", server.head("GET /v1/secrets/a"));
    let answers = server.talk(format!("{put}{get}{last}")).await;
    assert!(answers.iter().all(|answer| answer.status < 300), "{answers:?}");
    assert_eq!(secret_count(&server.app.root()).await, 1);
    server.app.root().get("/v1/secrets/a").await.expect(200);
}

#[tokio::test]
async fn repeated_headers_and_bytes_beyond_ascii() {
    let server = Server::start(|_| ()).await;
    let token = server.app.root().token().to_owned();
    let put = format!("{}Connection: close\r\nContent-Length: 11\r\n", server.head("PUT /v1/secrets/a"));
    let json = "Content-Type: application/json\r\n";
    let twice = format!("{put}{json}Authorization: Bearer {token}\r\n\r\n{BODY}");
    server.talk(twice).await[0].expect_error(401, "authentication_required");
    server.talk(format!("{put}{json}{json}\r\n{BODY}")).await[0].expect_error(415, "unsupported_media_type");
    let keys = format!("{put}{json}Idempotency-Key: a\r\nIdempotency-Key: a\r\n\r\n{BODY}");
    let error = server.talk(keys).await[0].expect_error(422, "validation_error");
    assert_eq!(error["details"]["fields"][0]["field"], "Idempotency-Key");
    let mut bytes = format!("{put}{json}X-Request-ID: ").into_bytes();
    bytes.extend_from_slice(b"\xff\xfe\r\nUser-Agent: \xe9\r\n\r\n");
    bytes.extend_from_slice(BODY.as_bytes());
    assert_eq!(server.talk(&bytes).await[0].status, 201);
    let unauthorised = b"GET /v1/secrets HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer \xff\r\n\r\n";
    server.talk(unauthorised).await[0].expect_error(401, "authentication_required");
    let raw_path =
        [server.head("GET /v1/secrets/X").replacen('X', "\u{e9}", 1).as_bytes(), b"Connection: close\r\n\r\n"].concat();
    let answers = server.talk(raw_path).await;
    assert_eq!(answers[0].status, 400, "{answers:?}");
}

#[tokio::test]
async fn targets_in_absolute_form_and_oddities_are_routed_by_their_path() {
    let server = Server::start(|_| ()).await;
    let close = "Connection: close\r\n\r\n";
    let answers = server.talk(format!("{}{close}", server.head("GET http://elsewhere/v1/secrets"))).await;
    assert_eq!(answers[0].status, 200);
    for line in ["OPTIONS *", "CONNECT elsewhere:443", "GET http://elsewhere"] {
        let answers = server.talk(format!("{}{close}", server.head(line))).await;
        answers[0].expect_error(404, "not_found");
    }
}
