//! An HTTP server that does what a test tells it to.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a request is answered with.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Status(u16),
    /// With a body of so many bytes.
    Bytes(u16, usize),
    /// Somewhere else.
    Redirect(String),
    /// Nothing, and the connection stays open.
    Silence,
    /// 200, and a body without end.
    Endless,
    /// The status line after so many milliseconds.
    Late(u64),
}

#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) line: String,
    /// Lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    got: Vec<Got>,
    script: VecDeque<Answer>,
    /// Bytes of endless answers that were taken.
    sent: usize,
    at_once: usize,
    most_at_once: usize,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Answers what the script says, then always `rest`.
    pub(crate) async fn start(script: &[Answer], rest: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(Mutex::new(State { script: script.iter().cloned().collect(), ..State::default() }));
        let receiver = Self { address: listener.local_addr().unwrap(), state };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (receiver, rest) = (serving.clone(), rest.clone());
                tokio::spawn(async move {
                    let _ = receiver.serve(stream, rest).await;
                });
            }
        });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.state.lock().got.clone()
    }

    pub(crate) fn script(&self, answers: &[Answer]) {
        self.state.lock().script = answers.iter().cloned().collect();
    }

    pub(crate) fn sent(&self) -> usize {
        self.state.lock().sent
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.state.lock().most_at_once
    }

    pub(crate) async fn wait_for(&self, count: usize) {
        let begun = Instant::now();
        while self.state.lock().got.len() < count {
            assert!(begun.elapsed() < Duration::from_secs(8), "only {} requests came", self.state.lock().got.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn serve(&self, mut stream: TcpStream, rest: Answer) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let Some(got) = read_request(&mut stream, &mut buffer).await? else { return Ok(()) };
            let answer = {
                let mut state = self.state.lock();
                state.got.push(got);
                state.at_once += 1;
                state.most_at_once = state.most_at_once.max(state.at_once);
                state.script.pop_front().unwrap_or_else(|| rest.clone())
            };
            let answered = self.answer(&mut stream, answer).await;
            self.state.lock().at_once -= 1;
            answered?;
        }
    }

    async fn answer(&self, stream: &mut TcpStream, answer: Answer) -> std::io::Result<()> {
        let bare = |status: u16| format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        match answer {
            Answer::Status(status) => stream.write_all(bare(status).as_bytes()).await,
            Answer::Bytes(status, length) => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&vec![b'x'; length]).await
            }
            Answer::Redirect(to) => {
                let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).await
            }
            Answer::Silence => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Ok(())
            }
            Answer::Late(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                stream.write_all(bare(200).as_bytes()).await
            }
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n").await?;
                let chunk = vec![b'x'; 16 * 1024];
                loop {
                    stream.write_all(&chunk).await?;
                    self.state.lock().sent += chunk.len();
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Got>> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap_or_default().to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            let whole = end + 4 + length;
            while buffer.len() < whole {
                let read = stream.read(&mut chunk).await?;
                if read == 0 {
                    return Ok(None);
                }
                buffer.extend_from_slice(&chunk[..read]);
            }
            let body = String::from_utf8(buffer[end + 4..whole].to_vec()).unwrap();
            buffer.drain(..whole);
            return Ok(Some(Got { line, headers, body }));
        }
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(None);
        }
        buffer.extend_from_slice(&chunk[..read]);
    }
}
