//! A stream whose reads and writes are noted in the connection's [`Activity`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::refusal::Refusal;
use super::{RequestIds, refusal};

pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    request_ids: RequestIds,
    /// What goes out in place of a bare refusal of the parser's.
    refusal: Option<Refusal>,
    /// Our direction is closed; what the peer still sends is read and thrown away.
    half_closed: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, request_ids: RequestIds) -> Self {
        Self { stream, activity, request_ids, refusal: None, half_closed: false }
    }

    fn note(&self, outcome: &Poll<io::Result<usize>>) {
        match outcome {
            Poll::Pending => self.activity.stalled(),
            Poll::Ready(_) => self.activity.sent(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.activity.received();
        }
        outcome
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refusal.is_none()
            && let Some(kind) = refusal::bare(buf)
        {
            this.activity.leaves_input_unread();
            this.refusal = Some(Refusal::new(kind, buf.len(), &(this.request_ids)()));
        }
        let outcome = match &mut this.refusal {
            None => Pin::new(&mut this.stream).poll_write(cx, buf),
            Some(refusal) => refusal.poll_write(Pin::new(&mut this.stream), cx),
        };
        if this.refusal.is_some() && outcome.is_ready() {
            this.refusal = None;
        }
        this.note(&outcome);
        outcome
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A refusal of the parser's has no body and comes as one piece.
        let mut filled = bufs.iter().filter(|buf| !buf.is_empty());
        if let (Some(one), None) = (filled.next(), filled.next()) {
            return self.poll_write(cx, one);
        }
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.note(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Closing a socket whose input was not read resets it, and the reset can overtake the answer: whoever sends a body that is
    /// too large would see a broken connection instead of our 413. So the rest is read, for as long as the activity allows.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.half_closed {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.half_closed = true;
        }
        if !this.activity.lingers() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
