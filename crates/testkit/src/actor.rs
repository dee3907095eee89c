//! Somebody who calls the API.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::answer::Answer;
use crate::app::TestApp;

#[derive(Clone)]
pub struct Actor<'a> {
    app: &'a TestApp,
    token: Option<String>,
    address: SocketAddr,
    /// `usr_...`; empty for actors made from a bare token.
    pub id: String,
    /// `user:...`; empty for actors made from a bare token.
    pub identity_id: String,
}

/// A request that can still be changed; `.await` sends it.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<'a> {
    actor: Actor<'a>,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl<'a> Actor<'a> {
    pub(crate) fn new(app: &'a TestApp, token: String) -> Self {
        Self { token: Some(token), ..Self::anonymous(app) }
    }

    pub(crate) fn anonymous(app: &'a TestApp) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 50_000));
        Self { app, token: None, address, id: String::new(), identity_id: String::new() }
    }

    /// The same actor from another address.
    pub fn from_address(mut self, ip: &str) -> Self {
        self.address = SocketAddr::new(ip.parse().unwrap(), 50_000);
        self
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub fn call(&self, method: Method, target: &str) -> Call<'a> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            headers.insert(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        Call { actor: self.clone(), method, target: target.to_owned(), headers, body: Vec::new() }
    }

    pub fn get(&self, target: &str) -> Call<'a> {
        self.call(Method::GET, target)
    }

    pub fn head(&self, target: &str) -> Call<'a> {
        self.call(Method::HEAD, target)
    }

    pub fn put(&self, target: &str, body: Value) -> Call<'a> {
        self.call(Method::PUT, target).json(&body)
    }

    pub fn post(&self, target: &str, body: Value) -> Call<'a> {
        self.call(Method::POST, target).json(&body)
    }

    pub fn post_empty(&self, target: &str) -> Call<'a> {
        self.call(Method::POST, target)
    }

    pub fn patch(&self, target: &str, body: Value) -> Call<'a> {
        self.call(Method::PATCH, target).json(&body)
    }

    pub fn delete(&self, target: &str) -> Call<'a> {
        self.call(Method::DELETE, target)
    }
}

impl<'a> Call<'a> {
    /// Bytes, because headers may hold what is no UTF-8.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn in_tenant(self, tenant: &str) -> Self {
        self.header("x-tenant-id", tenant)
    }

    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string().as_bytes())
    }

    pub fn raw(mut self, content_type: &str, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self.header("content-type", content_type)
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut request = Request::builder()
                .method(self.method.clone())
                .uri(&self.target)
                .body(Body::from(self.body))
                .unwrap_or_else(|error| panic!("{}: {error}", self.target));
            *request.headers_mut() = self.headers;
            request.extensions_mut().insert(ConnectInfo(self.actor.address));
            let response = self.actor.app.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let answer = Answer {
                what: format!("{} {}", self.method, self.target),
                status: parts.status,
                headers: parts.headers,
                body,
            };
            answer.check_always(self.actor.app.canary());
            answer
        })
    }
}
