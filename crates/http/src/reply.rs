//! What a handler renders: a body and its headers, not yet tied to a request.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use scaivault_service::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) struct Reply {
    /// `None`: the outcome of the operation says it.
    status: Option<u16>,
    headers: HeaderMap,
    body: Bytes,
    /// In place of `body`: what goes on for as long as it likes, and costs no more memory than it has in hand.
    stream: Option<Body>,
    /// All requests get these same bytes: the answer costs no memory of its own.
    shared: bool,
    /// An error's envelope gets the request's id when it is sent.
    error: Option<Map<String, Value>>,
}

/// A reply as it is kept for an Idempotency-Key.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Reply {
    pub(crate) fn json(body: &impl Serialize) -> Self {
        let mut reply = Self::empty();
        // Our own wire types always serialise; should one not, the client gets an empty body and the test suite a failure.
        reply.body = serde_json::to_vec(body).unwrap_or_default().into();
        reply.headers.insert(CONTENT_TYPE, JSON);
        reply
    }

    pub(crate) fn text(body: String, content_type: &'static str) -> Self {
        let mut reply = Self::empty();
        reply.body = body.into();
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        reply
    }

    /// A document that is the same for everybody and made once.
    pub(crate) fn document(body: Bytes, content_type: &'static str) -> Self {
        let mut reply = Self { body, shared: true, ..Self::empty() };
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        reply
    }

    /// A body that comes as it comes. Nobody in between is to keep it or to hold it back.
    pub(crate) fn stream(body: Body, content_type: &'static str) -> Self {
        let mut reply = Self { stream: Some(body), ..Self::empty() }.no_store();
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        reply.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        reply
    }

    /// The memory that the body holds as long as it waits for the client.
    pub(crate) fn held_bytes(&self) -> u64 {
        if self.shared { 0 } else { self.body.len() as u64 }
    }

    pub(crate) fn empty() -> Self {
        Self { status: None, headers: HeaderMap::new(), body: Bytes::new(), stream: None, shared: false, error: None }
    }

    pub(crate) fn error_body(status: u16, error: Map<String, Value>) -> Self {
        Self { status: Some(status), error: Some(error), ..Self::empty() }
    }

    /// The version of a secret's value.
    #[must_use]
    pub(crate) fn etag(mut self, version: i64) -> Self {
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
            self.headers.insert(ETAG, tag);
        }
        self
    }

    /// For what carries a secret value, a key or a token (contract 00 section 1).
    #[must_use]
    pub(crate) fn no_store(mut self) -> Self {
        self.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self
    }

    /// For doors without an operation, whose status nobody else knows.
    #[must_use]
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    #[must_use]
    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.status = Some(outcome.status());
        self
    }

    /// The bytes that are kept (sealed) for a repetition of the request.
    pub(crate) fn to_kept(&self) -> Vec<u8> {
        let headers = self
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let kept = Kept {
            status: self.status.unwrap_or(200),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&self.body).into_owned(),
        };
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    pub(crate) fn from_kept(bytes: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(bytes).ok()?;
        let mut reply = Self::empty().status(kept.status);
        for (name, value) in kept.headers {
            reply.headers.insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        reply.body = kept.body.into();
        reply.headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        Some(reply)
    }

    /// The answer to one request. `head` leaves the body out and keeps its length.
    pub(crate) fn into_response(mut self, request_id: &str, head: bool) -> Response {
        if let Some(mut error) = self.error.take() {
            error.insert("request_id".to_owned(), request_id.into());
            self.body = serde_json::json!({"error": error}).to_string().into();
            self.headers.insert(CONTENT_TYPE, JSON);
        }
        let status = self.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
        if let Ok(id) = HeaderValue::from_str(request_id) {
            self.headers.insert("x-request-id", id);
        }
        let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let stream = self.stream.take();
        // Nobody knows how long a stream will be.
        if head && !bodiless && stream.is_none() {
            self.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        if bodiless {
            self.headers.remove(CONTENT_TYPE);
        }
        let body = match stream {
            _ if head || bodiless => Body::empty(),
            Some(stream) => stream,
            None => Body::from(self.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// What a command renders that has nothing to say.
pub(crate) fn nothing(_done: &()) -> Reply {
    Reply::empty()
}
