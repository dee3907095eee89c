//! Peers on HTTP/2 that ask for much and take little.

use super::*;

use axum::Extension;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::answer_budget::AnswerBudget;

const LARGE: usize = 200_000;
const WRITE: Duration = Duration::from_millis(400);

struct Served {
    address: SocketAddr,
    budget: AnswerBudget,
    _stop: watch::Sender<bool>,
}

fn start() -> Served {
    let budget = AnswerBudget::of_kib(10_000);
    let purse = budget.clone();
    let large = async move || {
        let charge = purse.charge(LARGE as u64).unwrap();
        (Extension(charge), vec![b'x'; LARGE]).into_response()
    };
    let app = Router::new().route("/large", get(large)).route("/small", get(async || "0123456789"));
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let mut options = Options::new(Arc::new(|| "req_test".to_owned()));
    options.timeouts.write = WRITE;
    tokio::spawn(serve(listener, app, options, stopped));
    Served { address, budget, _stop: stop }
}

impl Served {
    /// A connection whose streams may each carry `window` bytes, and its end.
    async fn connect(&self, window: u32) -> (SendRequest<Bytes>, JoinHandle<()>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (client, connection) = Builder::new().initial_window_size(window).handshake(stream).await.unwrap();
        (client.ready().await.unwrap(), tokio::spawn(async move { drop(connection.await) }))
    }

    async fn idle(&self) {
        let paid_back = async {
            while self.budget.left_kib() < 10_000 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(2), paid_back).await.expect("the budget is paid back");
    }
}

async fn ask(client: &mut SendRequest<Bytes>, path: &str) -> RecvStream {
    let request = http::Request::get(format!("http://a{path}")).body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    answer.await.unwrap().into_body()
}

/// How long until the server cuts the connection.
async fn cut(connection: JoinHandle<()>) -> Duration {
    let asked = Instant::now();
    tokio::time::timeout(Duration::from_secs(10), connection).await.expect("the connection is cut").unwrap();
    asked.elapsed()
}

#[tokio::test]
async fn without_a_window_answers_are_cut_and_their_memory_comes_back() {
    let served = start();
    let (mut client, connection) = served.connect(0).await;
    let mut bodies = Vec::new();
    for _ in 0..20 {
        bodies.push(ask(&mut client, "/large").await);
    }
    assert_eq!(served.budget.left_kib(), 10_000 - 20 * LARGE.div_ceil(1024));
    let took = cut(connection).await;
    assert!(took > WRITE / 2 && took < WRITE * 4, "{took:?}");
    served.idle().await;
}

/// The body has given all it has, and the rest waits in the connection.
#[tokio::test]
async fn an_answer_counts_until_its_last_byte_has_left() {
    let served = start();
    let (mut client, connection) = served.connect(3).await;
    let mut body = ask(&mut client, "/small").await;
    assert_eq!(body.data().await.unwrap().unwrap(), "012");
    cut(connection).await;

    let (mut client, connection) = served.connect(u32::try_from(LARGE).unwrap() - 1).await;
    let body = ask(&mut client, "/large").await;
    tokio::time::sleep(WRITE / 4).await;
    assert_eq!(served.budget.left_kib(), 10_000 - LARGE.div_ceil(1024));
    cut(connection).await;
    served.idle().await;
    drop(body);
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_it() {
    let served = start();
    let (mut client, connection) = served.connect(20_000).await;
    let asked = Instant::now();
    let mut body = ask(&mut client, "/large").await;
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        length += data.len();
        tokio::time::sleep(WRITE / 20).await;
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(length, LARGE);
    assert!(asked.elapsed() > WRITE, "{:?}", asked.elapsed());
    served.idle().await;
    assert!(!connection.is_finished(), "a connection at rest is kept");
}

#[tokio::test]
async fn one_that_is_read_does_not_keep_the_others_for_ever() {
    let served = start();
    let (mut client, connection) = served.connect(20_000).await;
    let still = ask(&mut client, "/large").await;
    let reading = tokio::spawn(async move {
        loop {
            let request = http::Request::get("http://a/small").body(()).unwrap();
            let Ok((answer, _)) = client.send_request(request, true) else { return };
            let Ok(answer) = answer.await else { return };
            let mut body = answer.into_body();
            while let Some(Ok(_)) = body.data().await {}
            tokio::time::sleep(WRITE / 10).await;
        }
    });
    let took = cut(connection).await;
    assert!(took > WRITE * 2 && took < WRITE * 8, "{took:?}");
    reading.await.unwrap();
    drop(still);
    served.idle().await;
}
