//! The listener: accepts connections, ends TLS, speaks HTTP/1.1 and HTTP/2, and closes in an orderly way.
//!
//! Nothing a peer does may take the process down or keep it from stopping: the number of connections is bounded below the
//! number of files the process may open, every phase of a connection has a limit of its own (`serve/activity.rs`), and what
//! has not ended when the drain time is over is cut.

mod activity;
mod body;
mod connection;
mod delivery;
mod exchange;
mod metrics;
mod refusal;
mod tls;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use axum::Router;

pub use activity::Timeouts;
pub use metrics::only_metrics;
pub use tls::{Tls, TlsError};

/// The contract's limit for a header block is 32 KiB. The connection takes more, so that our own 431 can be answered with a
/// body and a request id instead of the parser's bare one.
const HEADER_BUFFER: usize = 64 * 1024;

/// The kernel cuts it to `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Requests of one HTTP/2 connection at a time. Each may have an answer in memory.
const MAX_STREAMS: u32 = 64;

/// A peer on HTTP/2 that sends nothing this long is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// What late callers get, once all others have ended, to take their answer.
const LAST_CALL: Duration = Duration::from_secs(2);

/// How a listener serves.
pub struct Options {
    pub tls: Option<Tls>,
    /// Connections at a time; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// How long requests that are open when the server stops may take.
    pub drain: Duration,
    pub timeouts: Timeouts,
    /// Ids for answers to what never becomes a request: heads that can't be parsed.
    pub request_ids: RequestIds,
}

/// Makes a new request id, `req_` and a ULID.
pub type RequestIds = Arc<dyn Fn() -> String + Send + Sync>;

impl Options {
    /// Plain HTTP with the usual limits.
    pub fn new(request_ids: RequestIds) -> Self {
        Self {
            tls: None,
            max_connections: 16_384,
            drain: Duration::from_secs(30),
            timeouts: Timeouts::default(),
            request_ids,
        }
    }
}

/// How [`serve`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every open request got its answer.
    Drained,
    /// The time was over; so many connections were cut.
    Cut(usize),
}

/// Binds a listener with a queue that takes a burst of connections. Port 0 takes a free one.
///
/// # Errors
/// The address is taken, not ours, or not allowed.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait until the last connections of the process before have left the kernel.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `app` until `stop` turns true (or its sender goes away), then drains.
///
/// While it drains, new connections are still taken, for one answer each: a readiness probe has to see its 503, and a load
/// balancer that has not noticed yet gets an answer instead of a refused connection.
pub async fn serve(listener: TcpListener, app: Router, options: Options, mut stop: watch::Receiver<bool>) -> Ending {
    let (mood, _) = watch::channel(Mood::default());
    let door = Arc::new(Door {
        app,
        staying: builder(true),
        parting: builder(false),
        timeouts: options.timeouts,
        request_ids: options.request_ids,
        places: Arc::new(Semaphore::new(options.max_connections)),
        max_connections: options.max_connections,
        tls: options.tls,
        mood,
    });
    let mut helpers = JoinSet::new();
    if let Some(tls) = &door.tls {
        helpers.spawn(tls.clone().keep_current());
    }

    let mut visitors = JoinSet::new();
    let stopped = async {
        // An error means that the sender is gone, and with it whoever could stop us: that is a stop.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    door.receive(&listener, &mut visitors, Stage::Draining, stopped).await;

    let deadline = Instant::now() + options.drain;
    door.enter(Stage::Draining);
    let mut late = JoinSet::new();
    let gone = async {
        let _ = tokio::time::timeout_at(deadline, empty(&mut visitors)).await;
    };
    door.receive(&listener, &mut late, Stage::Closing, gone).await;

    drop(listener);
    door.enter(Stage::Closing);
    let last = deadline.max(Instant::now() + Duration::from_millis(100)).min(Instant::now() + LAST_CALL);
    let _ = tokio::time::timeout_at(last, empty(&mut late)).await;
    match visitors.len() + late.len() {
        0 => Ending::Drained,
        cut => Ending::Cut(cut),
    }
}

async fn empty(visitors: &mut JoinSet<()>) {
    while visitors.join_next().await.is_some() {}
}

fn builder(keep_alive: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Ours (serve/activity.rs) tells a connection at rest from one that dawdles over a head; hyper's does not.
        .header_read_timeout(None)
        .keep_alive(keep_alive)
        .max_buf_size(HEADER_BUFFER);
    let header_list = u32::try_from(HEADER_BUFFER).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(header_list)
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PONG_WITHIN);
    builder
}

/// How far the listener has got; a connection leaves when its own stage is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Stage {
    #[default]
    Open,
    Draining,
    Closing,
}

/// What all connections of a listener hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mood {
    stage: Stage,
    /// All places are taken: who does nothing has to leave sooner.
    crowded: bool,
}

/// What all connections of one listener share.
struct Door {
    app: Router,
    staying: auto::Builder<TokioExecutor>,
    /// For connections that come while the server stops: one answer, then goodbye.
    parting: auto::Builder<TokioExecutor>,
    timeouts: Timeouts,
    request_ids: RequestIds,
    places: Arc<Semaphore>,
    max_connections: usize,
    tls: Option<Tls>,
    mood: watch::Sender<Mood>,
}

impl Door {
    fn enter(&self, stage: Stage) {
        self.mood.send_modify(|mood| mood.stage = stage);
    }

    /// Takes connections into `visitors` until `until` is ready.
    async fn receive(
        self: &Arc<Self>,
        listener: &TcpListener,
        visitors: &mut JoinSet<()>,
        leave_at: Stage,
        until: impl Future<Output = ()>,
    ) {
        tokio::select! {
            biased;
            () = until => {}
            () = self.accept(listener, visitors, leave_at) => {}
        }
    }

    /// Never ends: whatever `accept` fails with concerns one connection, or passes.
    async fn accept(self: &Arc<Self>, listener: &TcpListener, visitors: &mut JoinSet<()>, leave_at: Stage) {
        let mut backoff = BACKOFF_MIN;
        loop {
            let place = self.place().await;
            while visitors.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, peer)) => {
                    backoff = BACKOFF_MIN;
                    let visit = connection::visit(Arc::clone(self), stream, peer, leave_at, self.mood.subscribe());
                    visitors.spawn(async move {
                        visit.await;
                        drop(place);
                    });
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    // Out of file descriptors or memory: trying again at once would only spin.
                    tracing::warn!(%error, "can't accept connections at the moment");
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            // Not at the first free place: turning to and fro would wake every connection each time.
            if self.places.available_permits() > self.max_connections / 8 {
                self.set_crowded(false);
            }
            return place;
        }
        if self.set_crowded(true) {
            tracing::warn!(
                connections = self.max_connections,
                "all connections are taken; idle ones are closed early, new ones wait"
            );
        }
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Nobody closes the semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    fn set_crowded(&self, crowded: bool) -> bool {
        self.mood.send_if_modified(|mood| std::mem::replace(&mut mood.crowded, crowded) != crowded)
    }
}

fn concerns_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;
