//! From hyper's request to the router and back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::future::RouteFuture;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use tower::Service as _;

use super::activity::Activity;
use super::body::{Answer, OpenRequest, request_body};
use crate::answer_budget::Charge;

/// Answers the requests of one connection.
pub(super) struct Exchange {
    pub(super) app: Router,
    pub(super) peer: SocketAddr,
    pub(super) activity: Arc<Activity>,
    pub(super) body_limit: Duration,
}

impl hyper::service::Service<Request<Incoming>> for Exchange {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let open = OpenRequest::begin(&self.activity, request.version() == Version::HTTP_2);
        let mut request = request.map(|incoming| request_body(incoming, &self.activity, self.body_limit));
        request.extensions_mut().insert(ConnectInfo(self.peer));
        // The router is a handle; it is always ready.
        Answering { route: self.app.clone().call(request), activity: Arc::clone(&self.activity), open: Some(open) }
    }
}

pub(super) struct Answering {
    route: RouteFuture<Infallible>,
    activity: Arc<Activity>,
    /// Until the answer's body takes it over.
    open: Option<OpenRequest>,
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answer = ready!(Pin::new(&mut self.route).poll(cx))?;
        match self.open.take() {
            Some(open) => {
                let charge = answer.extensions_mut().remove::<Charge>();
                Poll::Ready(Ok(answer.map(|body| Answer::new(body, &self.activity, charge, open))))
            }
            // Polled again after it was ready, which no caller may do.
            None => Poll::Pending,
        }
    }
}
