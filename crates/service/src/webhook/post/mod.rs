//! One request to somebody else's machine: bounded in time and size, to admitted addresses only.

mod names;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use scaivault_domain::webhook::{ATTEMPT_SECONDS, AddressRules, MAX_ANSWER_BYTES, TargetUrl, UrlHost};

use crate::metrics::Stopwatch;
pub(crate) use names::Names;

/// Connections to one receiver that are kept for a while.
const IDLE_CONNECTIONS: usize = 8;
const IDLE_FOR: Duration = Duration::from_secs(20);

/// How one attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempted {
    /// `None` without an answer.
    pub(crate) code: Option<u16>,
    pub(crate) took: Duration,
    /// What the log of deliveries says; `None` for a success. Never an address: a name may lead into the server's own network.
    pub(crate) error: Option<String>,
}

impl Attempted {
    pub(crate) fn succeeded(&self) -> bool {
        self.error.is_none()
    }

    pub(crate) fn duration_ms(&self) -> i64 {
        i64::try_from(self.took.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Sends deliveries. The clients are made when they are first needed: most servers call nobody.
pub(crate) struct Poster {
    rules: Arc<AddressRules>,
    names: Arc<Names>,
    secure: OnceLock<Option<reqwest::Client>>,
    plain: OnceLock<Option<reqwest::Client>>,
}

impl Poster {
    pub(crate) fn new(rules: &AddressRules) -> Self {
        Self { rules: Arc::new(rules.clone()), names: Arc::default(), secure: OnceLock::new(), plain: OnceLock::new() }
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Posts JSON. Takes ten seconds at the longest.
    pub(crate) async fn post(&self, url: &TargetUrl, headers: &[(&'static str, String)], body: String) -> Attempted {
        let stopwatch = Stopwatch::start();
        let exchange = self.exchange(url, headers, body);
        let (code, error) = match tokio::time::timeout(Duration::from_secs(ATTEMPT_SECONDS), exchange).await {
            Ok((code, Ok(()))) => (code, None),
            Ok((code, Err(error))) => (code, Some(error)),
            Err(_) => (None, Some(format!("no complete answer within {ATTEMPT_SECONDS} s"))),
        };
        Attempted { code, took: stopwatch.elapsed(), error }
    }

    async fn exchange(
        &self,
        url: &TargetUrl,
        headers: &[(&'static str, String)],
        body: String,
    ) -> (Option<u16>, Result<(), String>) {
        let Some(client) = self.client(url.is_plain()) else {
            return (None, Err("this server can't make TLS connections".to_owned()));
        };
        // An address that is written out is never resolved, so the resolver does not see it.
        if let UrlHost::Address(address) = url.host() {
            let plain_refused = url.is_plain() && !self.rules.admits_plain(address);
            if plain_refused || self.rules.check(address).is_err() {
                return (None, Err(NameFault::Refused.to_string()));
            }
        }
        let mut request = client.post(url.as_str()).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return (None, Err(reason(&error))),
        };
        let status = response.status();
        let code = Some(status.as_u16());
        if status.is_redirection() {
            return (code, Err(format!("the receiver answered {}; redirects are not followed", status.as_u16())));
        }
        if !status.is_success() {
            return (code, Err(format!("the receiver answered {}", status.as_u16())));
        }
        let mut read = 0_usize;
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => read = read.saturating_add(chunk.len()),
                Ok(None) => return (code, Ok(())),
                Err(error) => return (code, Err(reason(&error))),
            }
            if read > MAX_ANSWER_BYTES {
                return (code, Err(format!("the answer is longer than {} KiB", MAX_ANSWER_BYTES / 1024)));
            }
        }
    }

    fn client(&self, plain: bool) -> Option<&reqwest::Client> {
        let place = if plain { &self.plain } else { &self.secure };
        let made = place.get_or_init(|| {
            let resolver = Admitting { rules: Arc::clone(&self.rules), names: Arc::clone(&self.names), plain };
            let client = reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .http1_only()
                .https_only(!plain)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .pool_idle_timeout(IDLE_FOR)
                .dns_resolver(Arc::new(resolver))
                .build();
            client
                .inspect_err(|error| tracing::error!(%error, "webhooks can't be sent: no HTTP client can be made"))
                .ok()
        });
        made.as_ref()
    }
}

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameFault {
    #[error("the name can't be resolved")]
    Unknown,
    #[error("the address is not allowed")]
    Refused,
}

/// Resolves for the client. A name is as good as the worst of its addresses: one that also leads into the server's own network is
/// on its way there.
struct Admitting {
    rules: Arc<AddressRules>,
    names: Arc<Names>,
    plain: bool,
}

impl Resolve for Admitting {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, names, plain) = (Arc::clone(&self.rules), Arc::clone(&self.names), self.plain);
        Box::pin(async move {
            let addresses = names.look_up(name.as_str()).await?;
            let admitted = |address| rules.check(address).is_ok() && (!plain || rules.admits_plain(address));
            if !addresses.iter().copied().all(admitted) {
                return Err(NameFault::Refused.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| (address, 0).into()));
            Ok(addresses)
        })
    }
}

/// In words that name no address.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(fault) = current.downcast_ref::<NameFault>() {
            return fault.to_string();
        }
        let text = current.to_string();
        if text.contains("certificate") || text.contains("tls") {
            return "no secure connection could be made: the certificate is not trusted, or the receiver speaks no TLS"
                .to_owned();
        }
        cause = current.source();
    }
    if error.is_connect() { "no connection could be made" } else { "the connection broke off" }.to_owned()
}
