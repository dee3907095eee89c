//! `GET /v1/events/stream`: server-sent events.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;
use scaivault_service::event::{EventStream, Interest, OpenStream, StreamItem};
use scaivault_service::{Admitted, FaultCode, Result, Vault};
use tokio::time::{Instant, Sleep};

use super::subscription::{MAX_EVENTS, MAX_PATHS, event_id, globs, patterns};
use crate::extract::{Faults, QueryReader, Text, present};
use crate::input::Input;
use crate::reply::Reply;

const LAST_EVENT_ID: &str = "last-event-id";

/// How often a comment goes out, so that nobody in between takes the connection for dead.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
const GAP: &str = "event: gap\ndata: {}\n\n";

pub(crate) fn open(input: &Input<'_>) -> Result<OpenStream> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let paths = globs(&repeated(&mut query, "paths", "**", MAX_PATHS), &faults);
    let events = patterns(repeated(&mut query, "events", "*", MAX_EVENTS), "events", &faults);
    query.finish();
    let last_event_id = last_event_id(input, &faults);
    faults.finish()?;
    let interest = Interest { paths: present(paths)?, events: present(events)?, secret_type: None, tags: Vec::new() };
    Ok(OpenStream { interest, last_event_id })
}

fn repeated(query: &mut QueryReader<'_>, name: &str, default: &str, most: usize) -> Vec<String> {
    let texts = query.strings(name, &Text::max(usize::MAX));
    if texts.len() > most {
        query.fault(name, FaultCode::Range, &format!("must be given at most {most} times"));
        return Vec::new();
    }
    if texts.is_empty() { vec![default.to_owned()] } else { texts }
}

/// An empty one is what a client sends that has seen no event yet.
fn last_event_id(input: &Input<'_>, faults: &Faults) -> Option<String> {
    let mut values = input.headers.get_all(LAST_EVENT_ID).iter();
    let value = values.next()?;
    if values.next().is_some() {
        faults.field("Last-Event-ID", FaultCode::Conflict, "must not be repeated");
        return None;
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    if text.is_empty() { None } else { event_id(&text, "Last-Event-ID", faults) }
}

pub(crate) async fn opened(vault: Arc<Vault>, admitted: Admitted, open: OpenStream) -> Result<Reply> {
    let stream = vault.open_stream(&admitted, open).await?;
    Ok(Reply::stream(Body::new(Messages::new(stream)), "text/event-stream"))
}

/// The body: messages as they come, and comments.
struct Messages {
    stream: EventStream,
    next_comment: Pin<Box<Sleep>>,
}

impl Messages {
    fn new(stream: EventStream) -> Self {
        Self { stream, next_comment: Box::pin(tokio::time::sleep(COMMENT_EVERY)) }
    }
}

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Poll::Ready(item) = self.stream.poll_next(cx) {
            return Poll::Ready(item.map(|item| Ok(Frame::data(message(&item)))));
        }
        if self.next_comment.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.next_comment.as_mut().reset(Instant::now() + COMMENT_EVERY);
        // Polled once more, so that the new time wakes somebody.
        let _ = self.next_comment.as_mut().poll(cx);
        Poll::Ready(Some(Ok(Frame::data(COMMENT))))
    }
}

/// An envelope is JSON on one line, and neither an id nor a name has a line break.
fn message(item: &StreamItem) -> Bytes {
    match item {
        StreamItem::Gap => Bytes::from_static(GAP.as_bytes()),
        StreamItem::Event { id, event_type, envelope } => {
            let mut text = String::with_capacity(id.len() + event_type.len() + envelope.len() + 32);
            // Writing to a string can't fail.
            let _ = write!(text, "id: {id}\nevent: {event_type}\ndata: {envelope}\n\n");
            text.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_comment_goes_out_every_fifteen_seconds_whatever_happens() {
        let (sender, items) = mpsc::channel(1);
        let mut body = Messages::new(EventStream::new(items));
        let begun = Instant::now();
        let next = async |body: &mut Messages| {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            (begun.elapsed().as_secs(), frame)
        };
        assert_eq!(next(&mut body).await, (15, COMMENT));
        tokio::time::advance(Duration::from_secs(5)).await;
        sender.send(StreamItem::Gap).await.unwrap();
        assert_eq!(next(&mut body).await, (20, Bytes::from(GAP)));
        assert_eq!(next(&mut body).await, (30, COMMENT));
        assert_eq!(next(&mut body).await, (45, COMMENT));
        drop(sender);
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn a_message_has_three_lines_and_a_blank_one() {
        let item = StreamItem::Event {
            id: "evt_1".to_owned(),
            event_type: "secret.updated".to_owned(),
            envelope: r#"{"event_id":"evt_1"}"#.to_owned(),
        };
        let text = "id: evt_1\nevent: secret.updated\ndata: {\"event_id\":\"evt_1\"}\n\n";
        assert_eq!(message(&item), text);
        assert_eq!(message(&StreamItem::Gap), GAP);
    }
}
