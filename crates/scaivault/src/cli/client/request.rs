//! A request as a command describes it: nothing is sent yet.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use scaivault_domain::path::SecretPath;
use zeroize::Zeroizing;

use super::body::Body;
use super::parameter::{Id, Page};
use crate::failure::Failure;

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Debug)]
pub(crate) struct Request {
    method: Method,
    address: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, String)>,
    body: Option<Body>,
    anonymous: bool,
    unkeyed: bool,
    endless: bool,
    every_page: bool,
}

pub(crate) fn get(address: impl Into<String>) -> Request {
    Request::new(Method::GET, address)
}

pub(crate) fn post(address: impl Into<String>) -> Request {
    Request::new(Method::POST, address)
}

pub(crate) fn put(address: impl Into<String>) -> Request {
    Request::new(Method::PUT, address)
}

pub(crate) fn patch(address: impl Into<String>) -> Request {
    Request::new(Method::PATCH, address)
}

pub(crate) fn delete(address: impl Into<String>) -> Request {
    Request::new(Method::DELETE, address)
}

impl Request {
    fn new(method: Method, address: impl Into<String>) -> Self {
        Self {
            method,
            address: address.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            anonymous: false,
            unkeyed: false,
            endless: false,
            every_page: false,
        }
    }

    /// One more segment.
    pub(crate) fn id(mut self, id: &Id) -> Self {
        self.address.push('/');
        self.address.extend(utf8_percent_encode(id.as_str(), RESERVED));
        self
    }

    /// The segments of a path, which need no escapes.
    pub(crate) fn path(self, path: &SecretPath) -> Self {
        self.then(path.as_str())
    }

    /// What follows an id: `bindings`.
    pub(crate) fn then(mut self, tail: &str) -> Self {
        self.address.push('/');
        self.address.push_str(tail);
        self
    }

    /// A parameter, if it was given.
    pub(crate) fn query<T: fmt::Display>(mut self, name: &'static str, value: Option<T>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// A parameter once for each value.
    pub(crate) fn queries<T: fmt::Display>(mut self, name: &'static str, values: &[T]) -> Self {
        self.query.extend(values.iter().map(|value| (name, value.to_string())));
        self
    }

    /// `name=true`, if it is so.
    pub(crate) fn flag(self, name: &'static str, is_set: bool) -> Self {
        self.query(name, is_set.then_some(true))
    }

    pub(crate) fn page(mut self, page: &Page) -> Self {
        self.every_page = page.all;
        self.query("limit", page.limit).query("cursor", page.cursor.as_ref())
    }

    /// `If-Match`: the version that must be current. Zero: there must be nothing.
    pub(crate) fn if_version(self, version: Option<u64>) -> Self {
        match version {
            None => self,
            Some(0) => self.header(reqwest::header::IF_NONE_MATCH, "*"),
            Some(version) => self.header(reqwest::header::IF_MATCH, format!("\"{version}\"")),
        }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks without a token.
    pub(crate) fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// A POST that changes nothing, or that the server answers anew each time whatever its key.
    pub(crate) fn unkeyed(mut self) -> Self {
        self.unkeyed = true;
        self
    }

    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// The next page of a list. The cursor knows the filters; they may be named again.
    pub(crate) fn turn_to(&mut self, cursor: String) {
        self.query.retain(|(name, _)| *name != "cursor");
        self.query.push(("cursor", cursor));
    }

    pub(super) fn method(&self) -> Method {
        self.method.clone()
    }

    /// Address and query, as they stand in the request line.
    pub(super) fn target(&self) -> String {
        let mut target = self.address.clone();
        for (number, (name, value)) in self.query.iter().enumerate() {
            target.push(if number == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.extend(utf8_percent_encode(value, RESERVED));
        }
        target
    }

    pub(super) fn content(&self) -> Option<Zeroizing<String>> {
        self.body.as_ref().map(Body::text)
    }

    pub(super) fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = HeaderValue::from_str(value);
            headers.insert(name.clone(), value.map_err(|_| Failure::usage(format!("{name} can't be sent")))?);
        }
        Ok(headers)
    }

    pub(super) fn has_token(&self) -> bool {
        !self.anonymous
    }

    /// Repeating it must not do it twice (contract 00 section 7).
    pub(super) fn is_keyed(&self) -> bool {
        !self.unkeyed && !self.anonymous && matches!(self.method, Method::PUT | Method::POST)
    }

    pub(super) fn is_endless(&self) -> bool {
        self.endless
    }

    /// The reader wants all pages, not one.
    pub(crate) fn wants_every_page(&self) -> bool {
        self.every_page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_nothing_that_could_lead_elsewhere() {
        let id: Id = "a/b?c d".parse().unwrap();
        let request = get("/v1/policies").id(&id).then("bindings").query("q", Some("x&y=+ä")).flag("force", true);
        assert_eq!(request.target(), "/v1/policies/a%2Fb%3Fc%20d/bindings?q=x%26y%3D%2B%C3%A4&force=true");
    }

    #[test]
    fn a_cursor_replaces_the_last_one() {
        let page = Page { limit: Some(2), cursor: Some("a".to_owned()), all: true };
        let mut request = get("/v1/secrets").query("prefix", Some("p/")).page(&page);
        request.turn_to("b".to_owned());
        assert_eq!(request.target(), "/v1/secrets?prefix=p%2F&limit=2&cursor=b");
        assert!(request.wants_every_page());
    }

    #[test]
    fn writes_have_a_key_and_others_do_not() {
        assert!(put("/x").is_keyed() && post("/x").is_keyed());
        assert!(!post("/x").unkeyed().is_keyed() && !post("/x").anonymous().is_keyed() && !get("/x").is_keyed());
    }
}
