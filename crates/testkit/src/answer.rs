//! What came back.

use axum::body::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) what: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Asserts the status and answers itself.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.what, self.text());
        self
    }

    /// Asserts status and code of an error envelope.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.json()["error"]["code"], code, "{}: {}", answer.what, answer.text());
        answer
    }

    /// Asserts a 422 that names `field` with `code`.
    #[track_caller]
    pub fn expect_fault(self, field: &str, code: &str) -> Self {
        let answer = self.expect_error(422, "validation_error");
        let named = answer.faults().iter().any(|(name, found)| name == field && found == code);
        assert!(named, "{}: no fault {field}/{code} in {}", answer.what, answer.text());
        answer
    }

    /// (field, code) of a 422.
    pub fn faults(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fields = self.json()["error"]["details"]["fields"].as_array().cloned().unwrap_or_default();
        fields.iter().map(|fault| (text(&fault["field"]), text(&fault["code"]))).collect()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text()))
    }

    pub fn details(&self) -> Value {
        self.json()["error"]["details"].clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What holds for every answer there is (C-16).
    #[track_caller]
    pub(crate) fn check_always(&self, canary: &str) {
        let id = self.header("x-request-id").unwrap_or_default();
        assert!(id.starts_with("req_") && id.len() == 30, "{}: X-Request-ID is '{id}'", self.what);
        if self.status.is_client_error() || self.status.is_server_error() {
            assert!(!self.text().contains(canary), "{}: an error shows a value: {}", self.what, self.text());
            // The one answer above 400 that is no error: it tells a probe what is wrong.
            let is_error = !self.what.ends_with("/v1/health/ready");
            if is_error && !self.body.is_empty() {
                assert_eq!(self.json()["error"]["request_id"], id, "{}", self.what);
            }
        }
    }
}
