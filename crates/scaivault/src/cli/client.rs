//! One request to a server and its answer: headers, repetition, what is told under `--debug`.

mod answer;
mod body;
mod fault;
mod parameter;
mod request;
mod stream;

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect;
use reqwest::{Response, Url};
use scaivault_crypto::entropy::{Entropy as _, SystemEntropy};
use zeroize::Zeroizing;

pub(crate) use answer::Answer;
pub(crate) use body::Body;
pub(crate) use parameter::{Id, Page};
pub(crate) use request::{Request, delete, get, patch, post, put};
pub(crate) use stream::{Event, Stream};

use super::settings::{Settings, TokenSource};
use crate::build_info;
use crate::failure::Failure;
use crate::output;

/// How often a request is repeated that the server had no time for.
const REPETITIONS: u32 = 5;
/// Who is told to come back later than this is told so instead of waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Key pairs take seconds to generate, and a poll waits for up to a minute.
const ANSWER_WITHIN: Duration = Duration::from_secs(180);

pub(crate) struct Client {
    http: reqwest::Client,
    base_url: Url,
    token: TokenSource,
    tenant: Option<HeaderValue>,
    debug: bool,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        let mut http = reqwest::Client::builder()
            .user_agent(format!("scaivault-cli/{}", build_info::BUILD.version))
            .connect_timeout(CONNECT_WITHIN)
            // A redirect would take the token along to wherever it leads.
            .redirect(redirect::Policy::none());
        if settings.base_url.scheme() == "http" {
            // A proxy would read token and values. Over TLS it only passes them on.
            http = http.no_proxy();
        }
        let tenant = settings.tenant_id.as_deref().map(HeaderValue::from_str).transpose();
        Ok(Self {
            http: http.build().map_err(|error| Failure::general(format!("no HTTP client: {error}")))?,
            base_url: settings.base_url.clone(),
            token: settings.token.clone(),
            tenant: tenant.map_err(|_| Failure::usage("the tenant's id holds characters that no id has"))?,
            debug: settings.debug,
        })
    }

    /// The same client with another token.
    pub(crate) fn with_token(mut self, token: TokenSource) -> Self {
        self.token = token;
        self
    }

    /// Sends a request, waits where the server asks for it, and answers what it said at last.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let response = self.accepted(request).await?;
        let body = response.bytes().await.map_err(|error| self.unreachable(error))?;
        Ok(Answer::new(Zeroizing::new(Vec::from(body))))
    }

    /// Opens an answer without end.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(crate) async fn open(&self, request: &Request) -> Result<Stream, Failure> {
        self.accepted(request).await.map(Stream::new)
    }

    async fn accepted(&self, request: &Request) -> Result<Response, Failure> {
        let response = self.patiently(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(|error| self.unreachable(error))?;
        Err(fault::failure(status.as_u16(), &headers, &body))
    }

    async fn patiently(&self, request: &Request) -> Result<Response, Failure> {
        let headers = self.headers(request)?;
        let mut repetition = 0;
        loop {
            let response = self.once(request, headers.clone()).await?;
            match pause(&response) {
                Some(pause) if repetition < REPETITIONS && pause <= LONGEST_WAIT => {
                    repetition += 1;
                    self.tell(|| format!("waits {} s, then repeats ({repetition} of {REPETITIONS})", pause.as_secs()));
                    tokio::time::sleep(pause).await;
                }
                _ => return Ok(response),
            }
        }
    }

    async fn once(&self, request: &Request, headers: HeaderMap) -> Result<Response, Failure> {
        let target = request.target();
        let url = format!("{}{target}", self.base_url.as_str().trim_end_matches('/'));
        let mut call = self.http.request(request.method(), url).headers(headers);
        if let Some(body) = request.content() {
            call = call.header("Content-Type", "application/json").body(body.as_bytes().to_vec());
        }
        if !request.is_endless() {
            call = call.timeout(ANSWER_WITHIN);
        }
        let begun = Instant::now();
        let answered = call.send().await;
        let took = begun.elapsed().as_millis();
        match answered {
            Ok(response) => {
                let (status, id) = (response.status().as_u16(), fault::request_id(response.headers()));
                self.tell(|| format!("{} {target} -> {status} in {took} ms, {id}", request.method()));
                Ok(response)
            }
            Err(error) => {
                self.tell(|| format!("{} {target} -> no answer in {took} ms", request.method()));
                Err(self.unreachable(error))
            }
        }
    }

    fn headers(&self, request: &Request) -> Result<HeaderMap, Failure> {
        let mut headers = request.headers()?;
        if request.has_token()
            && let Some(token) = self.token.read()?
        {
            let value = Zeroizing::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                Failure::usage("the token holds characters that no token has; look at where it comes from")
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(tenant) = &self.tenant {
            headers.insert("X-Tenant-ID", tenant.clone());
        }
        if request.is_keyed() {
            headers.insert("Idempotency-Key", fresh_key()?);
        }
        Ok(headers)
    }

    /// What went wrong before there was an answer.
    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let timed_out = error.is_timeout();
        let base = self.base_url.as_str().trim_end_matches('/');
        let cause = fault::innermost(&error.without_url());
        if timed_out {
            return Failure::general(format!("{base} did not answer in time; try again, or look at the server"));
        }
        Failure::general(format!("can't reach {base}: {cause}; is the server running, and is --url right?"))
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        if self.debug {
            output::notice(format_args!("scaivault: debug: {}", line()));
        }
    }
}

/// The server's wish to be asked again, and when.
fn pause(response: &Response) -> Option<Duration> {
    if !matches!(response.status().as_u16(), 429 | 503) {
        return None;
    }
    fault::retry_after(response.headers()).map(Duration::from_secs)
}

/// One for each command: a repetition has the same, the next command another.
fn fresh_key() -> Result<HeaderValue, Failure> {
    let mut bytes = [0; 16];
    SystemEntropy::default().fill(&mut bytes).map_err(|error| Failure::general(format!("no randomness: {error}")))?;
    HeaderValue::from_str(&hex::encode(bytes)).map_err(Failure::general)
}
