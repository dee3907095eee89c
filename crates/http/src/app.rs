//! One request from the socket to the route and back.

pub(crate) mod body;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use scaivault_domain::id::RequestId;
use scaivault_domain::rate::RateCategory;
use scaivault_service::rate::Decision;
use scaivault_service::{Code, Error, Outage, RequestMeta, Vault};

use crate::client_address::client_address;
use crate::endpoint::{Answered, Call};
use crate::reply::Reply;
use crate::router::{Found, RouteTable};
use crate::settings::HttpSettings;

/// Contract 00 section 1.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// What a browser's script may read of an answer beside its body.
const EXPOSED: [&str; 8] = [
    "etag",
    "idempotent-replayed",
    "retry-after",
    "www-authenticate",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
];
/// Of a client's own request id.
const CLIENT_ID_CHARS: usize = 64;

struct App {
    vault: Arc<Vault>,
    settings: Arc<HttpSettings>,
    routes: RouteTable,
}

/// The whole API as one service.
pub fn app(vault: Arc<Vault>, settings: HttpSettings) -> Router {
    let cors = cors(&settings.cors_origins);
    let app = Arc::new(App { vault, routes: RouteTable::new(), settings: Arc::new(settings) });
    let named = Arc::clone(&app);
    let router = Router::new().fallback(move |request: Request<Body>| {
        let app = Arc::clone(&app);
        // A panic is a bug; it costs its request and nothing else.
        async move {
            let panicked_id = app.request_id();
            let head = request.method() == Method::HEAD;
            match tokio::spawn(app.handle(request)).await {
                Ok(response) => response,
                Err(_) => Answered::error(Error::internal("a handler panicked"), None)
                    .reply
                    .into_response(panicked_id.as_deref().unwrap_or("req_0"), head),
            }
        }
    });
    match cors {
        Some(layer) => router.layer(layer).layer(axum::middleware::map_response(move |response| {
            let named = Arc::clone(&named);
            async move { named.with_request_id(response) }
        })),
        None => router,
    }
}

fn cors(origins: &[String]) -> Option<tower_http::cors::CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    Some(
        tower_http::cors::CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::PATCH, Method::DELETE])
            .allow_headers(tower_http::cors::AllowHeaders::mirror_request())
            .expose_headers(EXPOSED.map(http::HeaderName::from_static)),
    )
}

impl App {
    /// Preflights are answered by the layer, which knows of no ids.
    fn with_request_id(&self, mut response: Response) -> Response {
        if let Some(Ok(id)) = self.request_id().map(HeaderValue::try_from) {
            response.headers_mut().entry("x-request-id").or_insert(id);
        }
        response
    }

    fn request_id(&self) -> Option<String> {
        let ulid = self.vault.ulid(self.vault.now()).ok()?;
        Some(RequestId::from_ulid(ulid).as_str().to_owned())
    }

    async fn handle(self: Arc<Self>, request: Request<Body>) -> Response {
        let started = Instant::now();
        let head = request.method() == Method::HEAD;
        let method = request.method().clone();
        // Without randomness there are no ids, and no keys either: nothing could be answered but this.
        let Some(request_id) = self.request_id() else {
            return Answered::error(Error::internal("no randomness"), None).reply.into_response("req_0", head);
        };
        let (answered, category) = self.answer(request, &request_id).await;
        let Answered { reply, rate, mut error, turn } = answered;
        let charge = self.settings.answers.charge(if head { 0 } else { reply.held_bytes() });
        drop(turn);
        let mut response = if let Some(charge) = charge {
            let mut response = reply.into_response(&request_id, head);
            // Goes with the body to the connection, which lets go of it when the last byte has left.
            response.extensions_mut().insert(charge);
            response
        } else {
            let refusal =
                error.insert(Error::unavailable(Outage::Overloaded, "too many answers wait for their clients"));
            Reply::from(&*refusal).into_response(&request_id, head)
        };
        if let Some(rate) = rate.filter(|rate| !rate.is_unlimited()) {
            rate_headers(response.headers_mut(), &rate);
        }
        log(&method, category, response.status(), started, &request_id, error.as_ref());
        self.vault.metrics().request(
            method.as_str(),
            category,
            response.status().as_u16(),
            started.elapsed().as_secs_f64(),
        );
        response
    }

    async fn answer(&self, request: Request<Body>, request_id: &str) -> (Answered, Option<RateCategory>) {
        const NO_CATEGORY: Option<RateCategory> = None;
        let (parts, body) = request.into_parts();
        if header_bytes(&parts.headers) > MAX_HEADER_BYTES {
            let error =
                Error::new(Code::HeadersTooLarge, format!("The headers may have at most {MAX_HEADER_BYTES} bytes"));
            return (Answered::error(error, None), NO_CATEGORY);
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let text =
            |name: &str| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let meta = RequestMeta {
            request_id: request_id.to_owned(),
            client_request_id: text("x-request-id").map(|id| id.chars().take(CLIENT_ID_CHARS).collect()),
            source_ip: client_address(peer, &parts.headers, &self.settings.trusted_proxies),
            user_agent: text("user-agent"),
            started: self.vault.now(),
            fresh: false,
        };
        match self.routes.find(&parts.method, parts.uri.path()) {
            Found::Nothing => {
                (Answered::error(Error::new(Code::NotFound, "There is no such route"), None), NO_CATEGORY)
            }
            Found::OtherMethods(allowed) => {
                let message = format!("Allowed here: {}", allowed.join(", "));
                let error = Error::new(Code::MethodNotAllowed, message).with("allowed", allowed);
                (Answered::error(error, None), NO_CATEGORY)
            }
            Found::Route { route, captures, tenant } => {
                let category = route.endpoint.action().and_then(|action| action.spec().rate);
                let call = Call {
                    vault: Arc::clone(&self.vault),
                    settings: Arc::clone(&self.settings),
                    meta,
                    parts,
                    body,
                    captures,
                    tenant_in_path: tenant,
                    route: route.traits(),
                };
                let _active = self.vault.metrics().in_flight(category);
                (route.endpoint.call(call).await, category)
            }
        }
    }
}

/// Names and values as HTTP/1.1 would send them.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn rate_headers(headers: &mut HeaderMap, rate: &Decision) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(rate.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(rate.remaining));
    headers.insert("x-ratelimit-reset", HeaderValue::from(rate.reset_unix_seconds));
}

/// No path, query, header or body: a path may name what a tenant keeps, and the audit trail has it.
fn log(
    method: &Method,
    category: Option<RateCategory>,
    status: StatusCode,
    started: Instant,
    request_id: &str,
    error: Option<&Error>,
) {
    let millis = started.elapsed().as_millis();
    let (status, category) = (status.as_u16(), category.map_or("none", |category| category.as_str()));
    match error {
        Some(error) if status >= 500 => {
            let detail = error.internal_detail().map_or("", |detail| detail.for_log());
            tracing::error!(%method, category, status, millis, request_id, code = error.code().as_str(), detail, "request failed");
        }
        _ => tracing::debug!(%method, category, status, millis, request_id, "request"),
    }
}
