//! From the service's errors to answers. The status of a code stands beside the code (`scaivault_service::Code::status`), because
//! the audit entry names it too.

use http::{HeaderValue, header};
use scaivault_service::{Code, Error};
use serde_json::Map;

use crate::reply::Reply;

impl From<&Error> for Reply {
    fn from(error: &Error) -> Self {
        let mut body = Map::new();
        body.insert("code".to_owned(), error.code().as_str().into());
        body.insert("message".to_owned(), error.message().into());
        if !error.details().is_empty() {
            body.insert("details".to_owned(), error.details().clone().into());
        }
        let mut reply = Self::error_body(error.code().status(), body);
        if let Some(seconds) = error.retry_after_seconds() {
            reply.set(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if error.code().status() == 401 {
            reply.set(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
        }
        if let (Code::MethodNotAllowed, Some(allowed)) = (error.code(), error.details().get("allowed")) {
            let methods: Vec<&str> =
                allowed.as_array().into_iter().flatten().filter_map(|method| method.as_str()).collect();
            if let Ok(value) = HeaderValue::from_str(&methods.join(", ")) {
                reply.set(header::ALLOW, value);
            }
        }
        reply
    }
}
