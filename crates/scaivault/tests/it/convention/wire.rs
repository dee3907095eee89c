//! A real server on a port of its own, and raw bytes to talk to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use scaivault_http::HttpSettings;
use scaivault_http::serve::{self, Options};
use scaivault_testkit::TestApp;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Longer than any wait of a test that goes right.
pub(crate) const LONG: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    pub(crate) app: TestApp,
    pub(crate) address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Server {
    pub(crate) async fn start(change: impl FnOnce(&mut Options)) -> Self {
        let app = TestApp::new().await;
        let listener = serve::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let mut options = Options::new(Arc::new(|| "req_00000000000000000000000000".to_owned()));
        change(&mut options);
        let router = scaivault_http::app(Arc::clone(&app.vault), HttpSettings::default());
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve::serve(listener, router, options, stopped));
        Self { app, address, _stop: stop }
    }

    /// A request head of the administrator's without the blank line at its end.
    pub(crate) fn head(&self, line: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n", self.app.root().token())
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        timeout(LONG, TcpStream::connect(self.address)).await.unwrap().unwrap()
    }

    /// Sends `bytes` on a connection of their own and answers all that comes until the server closes it.
    pub(crate) async fn talk(&self, bytes: impl AsRef<[u8]>) -> Vec<Message> {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        until_closed(&mut stream).await
    }

    /// That a normal request gets its answer, and soon.
    pub(crate) async fn answers_quickly(&self) {
        let asked = tokio::time::Instant::now();
        let request = format!("{}Connection: close\r\n\r\n", self.head("GET /v1/secrets"));
        let answers = self.talk(request).await;
        assert_eq!(answers[0].status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
}

pub(crate) async fn until_closed(stream: &mut TcpStream) -> Vec<Message> {
    let mut bytes = Vec::new();
    // A reset instead of an orderly end would also do.
    let _ = timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("the server closes the connection");
    messages(&bytes)
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Message {
    /// Asserts an error envelope.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(self.head.contains("content-type: application/json\r\n"), "{self:?}");
        let id = body["error"]["request_id"].as_str().unwrap();
        assert!(id.starts_with("req_") && id.len() == 30, "{body}");
        assert!(self.head.contains(&format!("x-request-id: {}\r\n", id.to_lowercase())), "{self:?}");
        body["error"].clone()
    }
}

/// The answers in a stream of bytes; every one has a length.
fn messages(bytes: &[u8]) -> Vec<Message> {
    let mut found = Vec::new();
    let mut rest = String::from_utf8(bytes.to_vec()).unwrap();
    while !rest.is_empty() {
        let (head, tail) = rest.split_once("\r\n\r\n").unwrap_or_else(|| panic!("half an answer: {rest}"));
        let head = format!("{}\r\n", head.to_lowercase());
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length =
            head.split("content-length: ").nth(1).map_or(0, |text| text.split("\r\n").next().unwrap().parse().unwrap());
        let (body, behind) = tail.split_at(length);
        found.push(Message { status, head, body: body.to_owned() });
        rest = behind.to_owned();
    }
    found
}
