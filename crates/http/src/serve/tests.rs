use super::*;

use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ending: JoinHandle<Ending>,
}

fn quick() -> Options {
    let timeouts = Timeouts {
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        idle: Duration::from_secs(20),
        idle_crowded: Duration::from_millis(100),
        write: Duration::from_secs(5),
    };
    Options { timeouts, drain: Duration::from_secs(5), ..Options::new(Arc::new(|| "req_test".to_owned())) }
}

fn start(options: Options) -> Served {
    let app = Router::new()
        .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(400)).await))
        .route("/echo", post(async |body: Result<String, _>| body.is_ok().to_string()))
        .route("/deaf", post(async || "not read"));
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    Served { address, stop, ending: tokio::spawn(serve(listener, app, options, stopped)) }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `text` and reads until the server closes.
    async fn ask(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    read.expect("the server does not close").unwrap();
    String::from_utf8(answer).unwrap()
}

async fn some(stream: &mut TcpStream) -> String {
    let mut buf = [0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buf)).await.unwrap().unwrap();
    String::from_utf8(buf[..read].to_vec()).unwrap()
}

#[tokio::test]
async fn handlers_learn_the_peer_address() {
    let served = start(quick());
    let mut stream = served.connect().await;
    stream.write_all(b"GET /peer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    assert!(rest(&mut stream).await.ends_with(&own));
}

#[tokio::test]
async fn a_head_that_dawdles_is_cut_and_a_connection_at_rest_is_kept() {
    let served = start(quick());
    let mut dawdler = served.connect().await;
    dawdler.write_all(b"GET /pe").await.unwrap();
    let mut silent = served.connect().await;
    let mut resting = served.connect().await;
    resting.write_all(b"GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(some(&mut resting).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(&mut dawdler).await, "");
    tokio::time::sleep(Duration::from_millis(400)).await;
    for stream in [&mut resting, &mut silent] {
        stream.write_all(b"GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(some(stream).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_an_error_of_its_reader() {
    let served = start(quick());
    let answer = served.ask("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert!(answer.ends_with("false"), "{answer}");
}

#[tokio::test]
async fn an_answer_arrives_although_the_body_was_not_read() {
    let served = start(quick());
    let mut stream = served.connect().await;
    let (mut reading, mut writing) = stream.split();
    let sending = async {
        let head = b"POST /deaf HTTP/1.1\r\nhost: a\r\ncontent-length: 8000000\r\n\r\n";
        writing.write_all(head).await.unwrap();
        // The server stops listening to it at some point, which is fine.
        let _ = writing.write_all(&vec![b'x'; 8_000_000]).await;
    };
    let receiving = async {
        let mut answer = [0; 12];
        reading.read_exact(&mut answer).await.unwrap();
        answer
    };
    let ((), answer) = tokio::join!(sending, receiving);
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn what_is_no_http_gets_an_error_of_ours() {
    let served = start(quick());
    for (bytes, status, code) in [
        ("nonsense\r\n\r\n".to_owned(), "400", "invalid_request"),
        (format!("GET /peer HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(200_000)), "431", "headers_too_large"),
    ] {
        let answer = served.ask(&bytes).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("x-request-id: req_test\r\n") && answer.contains(code), "{answer}");
    }
}

#[tokio::test]
async fn stopping_closes_what_rests_and_lets_requests_end() {
    let served = start(quick());
    let (mut resting, mut silent, mut busy) = (served.connect().await, served.connect().await, served.connect().await);
    resting.write_all(b"GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    some(&mut resting).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    served.stop.send(true).unwrap();
    assert_eq!(rest(&mut resting).await, "");
    assert_eq!(rest(&mut silent).await, "");
    // Whoever comes now gets one answer.
    let late = served.ask("GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(late.starts_with("HTTP/1.1 200") && late.contains("connection: close"), "{late}");
    assert!(rest(&mut busy).await.starts_with("HTTP/1.1 200"));
    assert_eq!(served.ending.await.unwrap(), Ending::Drained);
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let served = start(Options { drain: Duration::from_millis(50), ..quick() });
    let mut busy = served.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(served.stop);
    assert_eq!(served.ending.await.unwrap(), Ending::Cut(1));
    assert_eq!(rest(&mut busy).await, "");
}

#[tokio::test]
async fn a_full_house_sends_idlers_away_and_serves_who_waits() {
    let served = start(Options { max_connections: 2, ..quick() });
    let (mut first, mut second) = (served.connect().await, served.connect().await);
    let answer = served.ask("GET /peer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(rest(&mut first).await, "");
    assert_eq!(rest(&mut second).await, "");
}

#[tokio::test]
async fn a_metrics_listener_has_no_other_route() {
    let app = Router::new()
        .route("/v1/metrics", get(async || "figures"))
        .route("/v1/health", get(async || "well"))
        .fallback(async || "absent");
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let ending = tokio::spawn(serve(listener, only_metrics(app), quick(), stopped));
    let served = Served { address, stop, ending };
    for (path, body) in [("/v1/metrics", "figures"), ("/v1/metrics?x=1", "figures"), ("/v1/health", "absent")] {
        let answer = served.ask(&format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.ends_with(body), "{path}: {answer}");
    }
}
