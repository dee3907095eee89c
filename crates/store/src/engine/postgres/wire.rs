//! Getting to a server, and moving its messages on the thread that waits for them.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Socket};

use crate::error::{StoreError, StoreResult};

/// For a host to accept, to encrypt, to let in and to say whether it takes writes: six or seven times to and fro.
pub(super) const CONNECT_SILENCE: Duration = Duration::from_secs(6);
/// How long an answer may still take when the feed has heard nothing.
const ALARMED: Duration = Duration::from_millis(1500);

pub(super) type Driver =
    Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> + Send>;

/// The driver's own words, and those of what lies below: refused, timed out, TLS. Never what was sent.
pub(super) fn described(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(source) = below {
        text = format!("{text}: {source}");
        below = source.source();
    }
    text
}

/// Asks all hosts at once and takes the first that takes writes.
pub(super) fn begin<T>(
    runtime: &Reactor,
    hosts: &[tokio_postgres::Config],
    tls: &T,
    patience: Duration,
) -> StoreResult<(Arc<tokio_postgres::Client>, Driver)>
where
    T: MakeTlsConnect<Socket> + Clone + Send,
    T::Stream: Send + Unpin + 'static,
    T::TlsConnect: Send,
{
    let mut attempts: Vec<_> = hosts
        .iter()
        .map(|host| {
            let tls = tls.clone();
            Some(Box::pin(async move { tokio::time::timeout(patience, host.connect(tls)).await.ok() }))
        })
        .collect();
    let mut why = "no host is named".to_owned();
    let first = poll_fn(|cx| {
        for attempt in &mut attempts {
            let Some(Poll::Ready(answer)) = attempt.as_mut().map(|attempt| attempt.as_mut().poll(cx)) else { continue };
            *attempt = None;
            match answer {
                Some(Ok(connected)) => return Poll::Ready(Some(connected)),
                Some(Err(error)) => why = described(&error),
                None => "it does not answer".clone_into(&mut why),
            }
        }
        if attempts.iter().all(Option::is_none) { Poll::Ready(None) } else { Poll::Pending }
    });
    let connected = runtime.block_on(first);
    let (client, mut connection) =
        connected.ok_or_else(|| StoreError::Unavailable(format!("no connection to the database: {why}")))?;
    Ok((Arc::new(client), Box::new(move |cx| connection.poll_message(cx))))
}

/// Told by the change feed, which hears of the database four times a second, when it does not any more: what waits for an answer that may
/// never come learns of it long before its own patience ends.
#[derive(Clone)]
pub(super) struct Alarm {
    told: watch::Receiver<u64>,
    /// What had been told when this began.
    known: u64,
}

impl Alarm {
    pub(super) fn of(told: &watch::Sender<u64>) -> Self {
        let told = told.subscribe();
        let known = *told.borrow();
        Self { told, known }
    }

    /// One that nobody raises.
    pub(super) fn silent() -> Self {
        Self::of(&watch::Sender::new(0))
    }

    pub(super) fn is_raised(&self) -> bool {
        *self.told.borrow() > self.known
    }

    /// Some time after it was raised; never, if it is not.
    pub(super) async fn over(&mut self) {
        let known = self.known;
        match self.told.wait_for(|told| *told > known).await {
            Ok(_) => {}
            Err(_) => std::future::pending().await,
        }
        tokio::time::sleep(ALARMED).await;
    }
}

/// What the server said unasked.
#[derive(Default)]
pub(super) struct Heard {
    /// Something was told on the channel that this connection listens to.
    pub(super) rung: bool,
    pub(super) warned: bool,
}

/// The connection's own event loop; it runs while somebody waits for an answer.
pub(super) struct Reactor(Option<Runtime>);

impl Reactor {
    pub(super) fn new() -> StoreResult<Self> {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
        built
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| StoreError::Unavailable(format!("event loop: {error}")))
    }

    /// Blocks the thread. Where that is one of an async runtime, its other tasks are handed to another thread first.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = Option<T>>) -> Option<T> {
        let runtime = self.0.as_ref()?;
        match tokio::runtime::Handle::try_current() {
            Ok(_) => tokio::task::block_in_place(|| runtime.block_on(future)),
            Err(_) => runtime.block_on(future),
        }
    }
}

impl Drop for Reactor {
    /// In the background: whoever drops a connection may not be allowed to block.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Moves messages until there are none.
pub(super) fn drive(driver: &mut Option<Driver>, heard: &mut Heard, cx: &mut Context<'_>) {
    while let Some(poll) = driver {
        match poll(cx) {
            Poll::Ready(Some(Ok(AsyncMessage::Notification(_)))) => heard.rung = true,
            // Warnings only, see `set_up`.
            Poll::Ready(Some(Ok(_))) => heard.warned = true,
            Poll::Ready(Some(Err(_)) | None) => *driver = None,
            Poll::Pending => return,
        }
    }
}
