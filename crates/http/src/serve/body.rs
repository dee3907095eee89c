//! Bodies on their way in and out, as far as the connection has to know of them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::delivery::{Delivery, Portion};
use crate::answer_budget::Charge;

/// What the connection gets at a time: a frame of HTTP/2. The rest stays here, where it is seen to wait.
const PORTION: usize = 16 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request, with an end to the patience.
pub(super) struct Timed {
    incoming: Incoming,
    activity: Arc<Activity>,
    limit: Duration,
    /// Made with the first wait: most bodies are there when the handler asks.
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

/// The body as handlers get it. One that is empty costs nothing.
pub(super) fn request_body(incoming: Incoming, activity: &Arc<Activity>, limit: Duration) -> Body {
    if incoming.is_end_stream() {
        return Body::empty();
    }
    Body::new(Timed { incoming, activity: Arc::clone(activity), limit, timer: None, ended: false })
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.ended = frame.is_none() || this.incoming.is_end_stream();
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let limit = this.limit;
                let timer =
                    this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
                timer.as_mut().poll(cx).map(|()| Some(Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        if !self.ended && !self.incoming.is_end_stream() {
            self.activity.leaves_input_unread();
        }
    }
}

/// Open from the head of a request to the end of its answer's body.
pub(super) struct OpenRequest(Arc<Activity>);

impl OpenRequest {
    pub(super) fn begin(activity: &Arc<Activity>, multiplexed: bool) -> Self {
        activity.request_began(multiplexed);
        Self(Arc::clone(activity))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// The body of an answer, given out in portions; its request is open until the last of them has left.
pub(super) struct Answer {
    body: Body,
    /// What the body gave and no portion has yet.
    rest: Bytes,
    /// `None`: there is nothing to deliver.
    delivery: Option<Arc<Delivery>>,
}

impl Answer {
    pub(super) fn new(body: Body, activity: &Arc<Activity>, charge: Option<Charge>, request: OpenRequest) -> Self {
        let delivery = (!body.is_end_stream()).then(|| Delivery::begin(activity, charge, request));
        Self { body, rest: Bytes::new(), delivery }
    }
}

impl HttpBody for Answer {
    type Data = Portion;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Portion>, axum::Error>>> {
        let this = &mut *self;
        let Some(delivery) = &this.delivery else { return Poll::Ready(None) };
        if this.rest.is_empty() {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
                delivery.pause();
                return Poll::Pending;
            };
            match frame.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => this.rest = data,
                Some(Err(frame)) => {
                    return Poll::Ready(frame.into_trailers().ok().map(|trailers| Ok(Frame::trailers(trailers))));
                }
                None => return Poll::Ready(None),
            }
        }
        let length = this.rest.len().min(PORTION);
        let portion = delivery.hand_out(this.rest.split_to(length));
        Poll::Ready(Some(Ok(Frame::data(portion))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}
