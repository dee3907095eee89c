//! From a route's parse and render functions to something the router can call: the steps of the pipeline around them, written once.

use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::request::Parts;
use scaivault_crypto::digest::sha256;
use scaivault_domain::access::{Space, Target};
use scaivault_domain::action::{AccessRule, Action};
use scaivault_domain::path::SecretPath;
use scaivault_domain::rate::RateCategory;
use scaivault_service::rate::Decision;
use scaivault_service::{
    Admitted, Batch, Code, Command, Error, Found, Idempotency, LARGEST_BATCH_IN_SECRETS, Operation, Query, Refused,
    Reply as CommandReply, RequestMeta, Result, TenantChoice, Vault,
};

use crate::answer_budget::Turn;
use crate::app::body;
use crate::extract::headers::BodyType;
use crate::extract::{self, Faults, Json};
use crate::input::Input;
use crate::pattern::Captures;
use crate::reply::Reply;
use crate::settings::HttpSettings;

/// A request on its way to its handler.
pub(crate) struct Call {
    pub(crate) vault: Arc<Vault>,
    pub(crate) settings: Arc<HttpSettings>,
    pub(crate) meta: RequestMeta,
    pub(crate) parts: Parts,
    pub(crate) body: Body,
    pub(crate) captures: Captures,
    /// Named by the address (`/v1/t/{tenant_id}/`), which goes before the header.
    pub(crate) tenant_in_path: Option<String>,
    pub(crate) route: RouteTraits,
}

/// What the table says of a route beside its handler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RouteTraits {
    pub(crate) pattern: &'static str,
    pub(crate) space: Space,
    /// Naming a tenant has no effect here.
    pub(crate) at_home: bool,
    /// Repeating with an Idempotency-Key has no effect here.
    pub(crate) repeatable: bool,
}

/// What goes back, with the state of the caller's rate bucket.
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) rate: Option<Decision>,
    /// For the log only.
    pub(crate) error: Option<Error>,
    /// For answers that may hold a value.
    pub(crate) turn: Option<Turn>,
}

impl Answered {
    pub(crate) fn error(error: Error, rate: Option<Decision>) -> Self {
        Self { reply: Reply::from(&error), rate, error: Some(error), turn: None }
    }

    pub(crate) fn of(result: Result<Reply>, rate: Option<Decision>) -> Self {
        match result {
            Ok(reply) => Self { reply, rate, error: None, turn: None },
            Err(error) => Self::error(error, rate),
        }
    }
}

pub(crate) type Pending = Pin<Box<dyn Future<Output = Answered> + Send>>;

pub(crate) trait Endpoint: Send + Sync {
    /// `None` for routes that ask for no token.
    fn action(&self) -> Option<Action>;
    fn call(&self, call: Call) -> Pending;
}

type Parse<T> = fn(&Input<'_>) -> Result<T>;
type RenderBatch<B> = fn(Found<<<B as Batch>::Part as Operation>::Output>, &Input<'_>) -> Result<Reply>;

/// A route without a token.
pub(crate) fn open<F>(handle: fn(Call) -> F) -> Box<dyn Endpoint>
where
    F: Future<Output = Result<Reply>> + Send + 'static,
{
    struct Open<F>(fn(Call) -> F);
    impl<F: Future<Output = Result<Reply>> + Send + 'static> Endpoint for Open<F> {
        fn action(&self) -> Option<Action> {
            None
        }

        fn call(&self, call: Call) -> Pending {
            let handled = (self.0)(call);
            Box::pin(async move { Answered::of(handled.await, None) })
        }
    }
    Box::new(Open(handle))
}

/// A route that only looks.
pub(crate) fn query<Q: Query>(
    parse: Parse<Q>,
    render: fn(Q::Output, &Input<'_>) -> Result<Reply>,
) -> Box<dyn Endpoint> {
    struct Looks<Q: Query>(Parse<Q>, fn(Q::Output, &Input<'_>) -> Result<Reply>);
    impl<Q: Query> Endpoint for Looks<Q> {
        fn action(&self) -> Option<Action> {
            Some(Q::ACTION)
        }

        fn call(&self, call: Call) -> Pending {
            let (parse, render) = (self.0, self.1);
            Box::pin(async move {
                let (mut request, op) = match Request::begin(call, Q::ACTION, parse).await {
                    Ok(begun) => begun,
                    Err(answered) => return answered,
                };
                let rate = Some(request.admitted.rate);
                let turn = match Q::ACTION.spec().rate {
                    Some(RateCategory::Read) => Some(request.call.settings.answers.turn().await),
                    _ => None,
                };
                let result = request.call.vault.query(&request.admitted, op).await;
                let reply = result.and_then(|answer| {
                    request
                        .with_input(|input| render(answer.output, input))
                        .map(|reply| reply.with_outcome(answer.outcome))
                });
                Answered { turn, ..Answered::of(reply, rate) }
            })
        }
    }
    Box::new(Looks(parse, render))
}

/// A route that takes longer than an operation does: it waits, or its answer goes on and on. What it does meanwhile are operations.
pub(crate) fn lasting<T, F>(action: Action, parse: Parse<T>, run: fn(Arc<Vault>, Admitted, T) -> F) -> Box<dyn Endpoint>
where
    T: Send + 'static,
    F: Future<Output = Result<Reply>> + Send + 'static,
{
    struct Lasts<T, F>(Action, Parse<T>, fn(Arc<Vault>, Admitted, T) -> F);
    impl<T: Send + 'static, F: Future<Output = Result<Reply>> + Send + 'static> Endpoint for Lasts<T, F> {
        fn action(&self) -> Option<Action> {
            Some(self.0)
        }

        fn call(&self, call: Call) -> Pending {
            let (action, parse, run) = (self.0, self.1, self.2);
            Box::pin(async move {
                let (request, op) = match Request::begin(call, action, parse).await {
                    Ok(begun) => begun,
                    Err(answered) => return answered,
                };
                let rate = Some(request.admitted.rate);
                let (vault, admitted) = (Arc::clone(&request.call.vault), request.admitted.clone());
                // What was read of the request is not kept while it lasts.
                drop(request);
                Answered::of(run(vault, admitted, op).await, rate)
            })
        }
    }
    Box::new(Lasts(action, parse, run))
}

/// A route that looks at several things, each on its own account.
pub(crate) fn batch<B: Batch>(parse: Parse<B>, render: RenderBatch<B>) -> Box<dyn Endpoint> {
    struct LooksAtMany<B: Batch>(Parse<B>, RenderBatch<B>);
    impl<B: Batch> Endpoint for LooksAtMany<B> {
        fn action(&self) -> Option<Action> {
            Some(B::ACTION)
        }

        fn call(&self, call: Call) -> Pending {
            let (parse, render) = (self.0, self.1);
            Box::pin(async move {
                let (mut request, op) = match Request::begin(call, B::ACTION, parse).await {
                    Ok(begun) => begun,
                    Err(answered) => return answered,
                };
                let rate = Some(request.admitted.rate);
                let turn = Some(request.call.settings.answers.turns(LARGEST_BATCH_IN_SECRETS).await);
                let found = request.call.vault.batch(&request.admitted, op).await;
                let reply = found.and_then(|found| request.with_input(|input| render(found, input)));
                Answered { turn, ..Answered::of(reply, rate) }
            })
        }
    }
    Box::new(LooksAtMany(parse, render))
}

/// A route that changes something.
pub(crate) fn command<C: Command>(parse: Parse<C>, render: fn(&C::Output) -> Reply) -> Box<dyn Endpoint> {
    struct Changes<C: Command>(Parse<C>, fn(&C::Output) -> Reply);
    impl<C: Command> Endpoint for Changes<C> {
        fn action(&self) -> Option<Action> {
            Some(C::ACTION)
        }

        fn call(&self, call: Call) -> Pending {
            let (parse, render) = (self.0, self.1);
            Box::pin(async move {
                let (mut request, op) = match Request::begin(call, C::ACTION, parse).await {
                    Ok(begun) => begun,
                    Err(answered) => return answered,
                };
                let rate = Some(request.admitted.rate);
                let idempotency = request.idempotency_key.take().map(|key| Idempotency {
                    key,
                    method: request.call.parts.method.as_str().to_owned(),
                    // Not the whole URI: HTTP/2 sends scheme and host with it, HTTP/1.1 does not.
                    url: request.call.parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
                    body_hash: request.body_hash,
                    render: Box::new(move |answer| render(&answer.output).with_outcome(answer.outcome).to_kept()),
                });
                let result = request.call.vault.command(&request.admitted, op, idempotency).await;
                let reply = result.and_then(|reply| match reply {
                    CommandReply::Fresh(answer) => Ok(render(&answer.output).with_outcome(answer.outcome)),
                    CommandReply::Replayed(bytes) => {
                        Reply::from_kept(&bytes).ok_or_else(|| Error::internal("a kept answer can't be read"))
                    }
                });
                Answered::of(reply, rate)
            })
        }
    }
    Box::new(Changes(parse, render))
}

/// An admitted request.
struct Request {
    call: Call,
    admitted: Admitted,
    action: Action,
    target: Option<Target>,
    json: Json,
    body_hash: [u8; 32],
    idempotency_key: Option<String>,
    walk: OnceCell<extract::Query>,
}

impl Request {
    /// Everything before the operation: admission, body, shape. What is refused on the way is audited and answered.
    async fn begin<T>(call: Call, action: Action, parse: Parse<T>) -> Result<(Self, T), Answered> {
        let admitted = Self::admit(call, action).await;
        let mut request = admitted.map_err(|refused| Answered::error(refused.error, refused.rate))?;
        match request.read(parse).await {
            Ok(op) => Ok((request, op)),
            Err(error) => Err(request.refuse(error).await),
        }
    }

    async fn admit(mut call: Call, action: Action) -> Result<Self, Refused> {
        let target = address_target(&call, action);
        let named = match &call.tenant_in_path {
            Some(id) => Some(id.clone()),
            None => tenant_header(&call.parts.headers),
        };
        let choice = if call.route.at_home { TenantChoice::Home } else { TenantChoice::Named(named.as_deref()) };
        call.meta.fresh = extract::headers::no_cache(&call.parts.headers);
        let bearer = extract::headers::bearer(&call.parts.headers).ok();
        let admitted = call.vault.admit(call.meta.clone(), bearer, choice, action, target.as_ref()).await?;
        Ok(Self {
            call,
            admitted,
            action,
            target,
            json: Json::empty(),
            body_hash: [0; 32],
            idempotency_key: None,
            walk: OnceCell::new(),
        })
    }

    /// Body, then shape (contract 00 section 3 step 7).
    async fn read<T>(&mut self, parse: Parse<T>) -> Result<T> {
        let method = self.call.parts.method.clone();
        if method == http::Method::PUT || method == http::Method::POST || method == http::Method::PATCH {
            self.read_body(if method == http::Method::PATCH { BodyType::JsonOrMergePatch } else { BodyType::Json })
                .await?;
        }
        let faults = Faults::new();
        if self.call.route.repeatable && (method == http::Method::PUT || method == http::Method::POST) {
            self.idempotency_key = extract::headers::idempotency_key(&self.call.parts.headers, &faults);
        }
        let op = self.with_input(parse);
        if faults.is_empty() {
            return op;
        }
        // The header's fault is told together with those that the handler found.
        let op = faults.take(op);
        faults.finish().and_then(|()| extract::present(op))
    }

    /// Type before size before content. A body that is announced and of another type is not waited for.
    async fn read_body(&mut self, allowed: BodyType) -> Result<()> {
        let limit = body::limit(self.call.vault.settings().max_secret_bytes);
        let body = std::mem::take(&mut self.call.body);
        if body.size_hint().lower() > 0 {
            extract::headers::content_type(&self.call.parts.headers, allowed)?;
        }
        let read = body::read(body, &self.call.parts.headers, limit).await;
        if read.as_ref().is_ok_and(Bytes::is_empty) {
            return Ok(());
        }
        if read.as_ref().is_ok() || read.as_ref().is_err_and(|error| error.code() == Code::PayloadTooLarge) {
            extract::headers::content_type(&self.call.parts.headers, allowed)?;
        }
        let bytes = read?;
        self.body_hash = sha256(&bytes);
        self.json = Json::from_body(bytes)?;
        Ok(())
    }

    fn with_input<T>(&mut self, work: impl FnOnce(&Input<'_>) -> Result<T>) -> Result<T> {
        let mut input = Input {
            vault: &self.call.vault,
            caller: &self.admitted.caller,
            settings: &self.call.settings,
            headers: &self.call.parts.headers,
            now: self.call.meta.started,
            space: self.call.route.space,
            route: self.call.route.pattern,
            captures: &self.call.captures,
            query: extract::Query::parse(self.call.parts.uri.query()),
            body: std::mem::replace(&mut self.json, Json::empty()),
            walk: std::mem::take(&mut self.walk),
        };
        let result = work(&input);
        self.walk = std::mem::take(&mut input.walk);
        result
    }

    async fn refuse(self, error: Error) -> Answered {
        let rate = Some(self.admitted.rate);
        let error = self.call.vault.refuse(&self.admitted, self.action, self.target.as_ref(), error).await;
        Answered::error(error, rate)
    }
}

/// What the address names, for the audit entry of a request that is refused before it is read.
///
/// Only where the path is what the action is about: a refused look at the trail of a path must not appear in that trail.
fn address_target(call: &Call, action: Action) -> Option<Target> {
    if !matches!(action.spec().access, AccessRule::Path(_)) {
        return None;
    }
    let path = SecretPath::from_url(call.captures.raw("path")?).ok()?;
    Some(Target::Secret { space: call.route.space, path })
}

/// Of several values none is believed: together they name no tenant that exists.
fn tenant_header(headers: &http::HeaderMap) -> Option<String> {
    let values: Vec<_> =
        headers.get_all("x-tenant-id").iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}
