//! `GET /v1/events/stream` (contract 07 section 5).

mod ending;
mod limit;
mod resume;
mod telling;

use std::time::Duration;

use reqwest::Response;
use scaivault_testkit::Actor;
use serde_json::Value;
use tokio::time::timeout;

use crate::subscription::live::Live;

const STREAM: &str = "/v1/events/stream";
/// Longer than any wait of a test that goes right.
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    id: String,
    event: String,
    data: Value,
}

impl Message {
    fn path(&self) -> &str {
        self.data["path"].as_str().unwrap()
    }
}

/// The client's end of a stream.
struct Reader {
    response: Response,
    text: String,
}

impl Reader {
    async fn open(live: &Live, actor: &Actor<'_>, query: &str, last: Option<&str>) -> Self {
        let mut call = live.get(actor, &format!("{STREAM}{query}"));
        if let Some(last) = last {
            call = call.header("Last-Event-ID", last);
        }
        Self::of(call.send().await.unwrap()).await
    }

    async fn of(response: Response) -> Self {
        if response.status() != 200 {
            panic!("{}: {}", response.status(), response.text().await.unwrap());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, text: String::new() }
    }

    /// `None` at the end of the stream.
    async fn try_next(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                let found = (!message.starts_with(':')).then(|| Message {
                    id: field("id"),
                    event: field("event"),
                    data: serde_json::from_str(&field("data")).unwrap(),
                });
                self.text = rest.to_owned();
                match found {
                    Some(found) => return Some(found),
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn next(&mut self) -> Message {
        timeout(LONG, self.try_next()).await.expect("a message comes").expect("the stream goes on")
    }

    /// That nothing comes for a while, and the stream stays open.
    async fn is_quiet(&mut self) -> bool {
        timeout(SHORT, self.try_next()).await.is_err()
    }

    /// What still comes until the stream ends, and how long that took.
    async fn rest(&mut self) -> (Vec<Message>, Duration) {
        let begun = tokio::time::Instant::now();
        let mut rest = Vec::new();
        while let Some(message) = timeout(LONG, self.try_next()).await.expect("the stream ends") {
            rest.push(message);
        }
        (rest, begun.elapsed())
    }
}
