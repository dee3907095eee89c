//! One connection from its handshake to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::activity::{Activity, Patience, Verdict};
use super::exchange::Exchange;
use super::watched::Watched;
use super::{Door, Mood, Stage, Tls};

/// Serves one peer until it goes, its time is over, or the listener reaches `leave_at`.
pub(super) async fn visit(
    door: Arc<Door>,
    stream: TcpStream,
    peer: SocketAddr,
    leave_at: Stage,
    mood: watch::Receiver<Mood>,
) {
    // Answers are small and written at once: waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY is not set");
    }
    match &door.tls {
        None => converse(&door, stream, peer, leave_at, mood).await,
        // On the heap: the state of a handshake would make every connection's task larger, those without TLS too.
        Some(tls) => Box::pin(greet(&door, tls, stream, peer, leave_at, mood)).await,
    }
}

async fn greet(
    door: &Door,
    tls: &Tls,
    stream: TcpStream,
    peer: SocketAddr,
    leave_at: Stage,
    mut mood: watch::Receiver<Mood>,
) {
    let greeted = tokio::select! {
        biased;
        // Nobody waits for an answer yet.
        _ = mood.wait_for(|mood| mood.stage >= leave_at) => return,
        greeted = tokio::time::timeout(door.timeouts.head, tls.accept(stream)) => greeted,
    };
    match greeted {
        Ok(Ok(stream)) => converse(door, stream, peer, leave_at, mood).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

/// What a connection that was told to leave gets for its goodbye.
const FAREWELL: Duration = Duration::from_secs(5);

enum Event {
    Ended(Result<(), Box<dyn std::error::Error + Send + Sync>>),
    TimerRang,
    MoodChanged,
}

async fn converse<S>(door: &Door, stream: S, peer: SocketAddr, leave_at: Stage, mut mood: watch::Receiver<Mood>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::new(Activity::new());
    let exchange =
        Exchange { app: door.app.clone(), peer, activity: Arc::clone(&activity), body_limit: door.timeouts.body };
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity), Arc::clone(&door.request_ids)));
    let builder = if leave_at == Stage::Closing { &door.parting } else { &door.staying };
    let mut connection = pin!(builder.serve_connection(io, exchange));
    let mut timer = pin!(tokio::time::sleep(door.timeouts.head));
    let mut leaving = false;
    loop {
        let mut step = std::future::poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(Event::Ended(ended));
            }
            if let Some(deadline) = activity.near_deadline(&door.timeouts)
                && deadline < timer.deadline()
            {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().poll(cx).map(|()| Event::TimerRang)
        });
        let event = tokio::select! {
            biased;
            event = &mut step => event,
            _ = mood.changed(), if !leaving => Event::MoodChanged,
        };
        if let Event::Ended(ended) = event {
            if let Err(error) = ended {
                tracing::debug!(error, "connection ended early");
            }
            return;
        }
        let Mood { stage, crowded } = *mood.borrow_and_update();
        let patience = match (leaving, crowded) {
            (true, _) => Patience::None,
            (false, true) => Patience::Crowded,
            (false, false) => Patience::Usual,
        };
        let verdict = activity.verdict(Instant::now(), &door.timeouts, patience);
        if !leaving && (stage >= leave_at || verdict == Verdict::Leave) {
            leaving = true;
            connection.as_mut().graceful_shutdown();
            timer.as_mut().reset(Instant::now() + FAREWELL);
            continue;
        }
        match verdict {
            Verdict::Wait(until) => timer.as_mut().reset(until),
            Verdict::Cut | Verdict::Leave => return,
        }
    }
}
