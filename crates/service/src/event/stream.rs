//! `GET /v1/events/stream`: what happens, as it happens, to one caller. Nothing of it is stored: whoever comes back names the last event
//! it has.
//!
//! Each stream has a task of its own that reads the outbox after every commit that wrote an event. It looks at the caller's rights after
//! it read and before it hands on, so that what happened after a right was lost is not told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::rate::RateCategory;
use scaivault_store::event::{self, EventRecord};
use scaivault_store::{Database, ReadView};
use tokio::sync::mpsc;

use super::listening::{Ear, STREAMS_OF_AN_IDENTITY, StreamPlace};
use super::{Interest, Sight, envelope};
use crate::admit::Admitted;
use crate::caller::Caller;
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::operation::{Operation, Query};
use crate::vault::Vault;

/// Events of one look into the outbox.
const BATCH: i64 = 200;
/// Events on their way to the reader.
const ON_THE_WAY: usize = 32;
/// A reader that takes nothing this long is cut off. It waits in a task of its own: nobody else waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon a token that ended ends its streams, whether something happens or not.
const LOOK_AT_TOKEN: Duration = Duration::from_millis(400);
/// Events under load come by the thousand a second: they are read together.
const GATHER: Duration = Duration::from_millis(50);
/// What the 17th stream is told to wait before it tries again, in seconds.
const TRY_AGAIN: u64 = 15;

/// Opens a stream. Its entry tells that somebody listens, and to what; events carry no values, so that they need none of their own.
#[derive(Debug, Clone)]
pub struct OpenStream {
    pub interest: Interest,
    /// The last event that the caller has; `None`: what happens from now on.
    pub last_event_id: Option<String>,
}

/// What a stream says next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// The event that the caller has is not held any more: what follows begins with the oldest that is.
    Gap,
    Event {
        id: String,
        event_type: String,
        envelope: String,
    },
}

/// Where an opened stream begins.
#[derive(Debug, Clone)]
pub struct Start {
    after: String,
    gap: bool,
}

impl Operation for OpenStream {
    type Output = Start;
    const ACTION: Action = Action::EventStream;

    fn target(&self) -> Target {
        Target::Listing { space: Space::Tenant, prefix: None }
    }
}

impl Query for OpenStream {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Start> {
        let paths: Vec<&str> = self.interest.paths.iter().map(|glob| glob.as_str()).collect();
        cx.note("paths", paths);
        cx.note("events", self.interest.events.texts().to_vec());
        let tenant_id = permit.tenant().tenant().as_str();
        let start = match &self.last_event_id {
            None => Start { after: event::last_id(view, tenant_id)?.unwrap_or_default(), gap: false },
            Some(last) if is_held(view, tenant_id, last)? => Start { after: last.clone(), gap: false },
            Some(_) => Start { after: String::new(), gap: true },
        };
        if let Some(last) = &self.last_event_id {
            cx.note("last_event_id", last.as_str());
        }
        Ok(start)
    }
}

/// Whether all that followed an event can still be told: the event is there, or nothing came after it.
pub(crate) fn is_held(db: &mut impl Database, tenant_id: &str, event_id: &str) -> Result<bool> {
    if event::find(db, tenant_id, event_id)?.is_some() {
        return Ok(true);
    }
    Ok(event::last_id(db, tenant_id)?.as_deref() == Some(event_id))
}

/// An open stream; dropping it closes it.
#[derive(Debug)]
pub struct EventStream {
    items: mpsc::Receiver<StreamItem>,
}

impl EventStream {
    pub fn new(items: mpsc::Receiver<StreamItem>) -> Self {
        Self { items }
    }

    /// `None` at its end: the token ended, the reader was too slow, or the server stops.
    pub fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<StreamItem>> {
        self.items.poll_recv(cx)
    }
}

impl Vault {
    /// Opens a stream for the caller.
    ///
    /// # Errors
    /// 429 if the identity has as many as it may have; it is not recorded, as no other request beyond a limit is.
    pub async fn open_stream(self: &Arc<Self>, admitted: &Admitted, open: OpenStream) -> Result<EventStream> {
        let caller = Arc::clone(&admitted.caller);
        let place = self.listening.open_stream(&caller.identity().internal_id).ok_or_else(|| {
            self.metrics.rate_limited(RateCategory::SubscriptionPoll);
            too_many()
        })?;
        // Before the beginning is looked up, so that nothing falls between.
        let ear = self.listening.listen(caller.tenant_id().as_str());
        let interest = open.interest.clone();
        let start = self.query(admitted, open).await?.output;
        let (sender, items) = mpsc::channel(ON_THE_WAY);
        let pump = Pump { vault: Arc::clone(self), caller, interest, after: start.after, sender, _place: place };
        tokio::spawn(pump.run(start.gap, ear));
        Ok(EventStream::new(items))
    }
}

fn too_many() -> Error {
    let message = format!("An identity may have {STREAMS_OF_AN_IDENTITY} event streams open; close one of them");
    Error::new(Code::RateLimited, message)
        .with("category", RateCategory::SubscriptionPoll.as_str())
        .with("retry_after", TRY_AGAIN)
        .with("limit", STREAMS_OF_AN_IDENTITY)
        .retry_after(TRY_AGAIN)
}

/// Carries events from the outbox to one reader.
struct Pump {
    vault: Arc<Vault>,
    caller: Arc<Caller>,
    interest: Interest,
    /// Everything up to here was handed on or passed over.
    after: String,
    sender: mpsc::Sender<StreamItem>,
    _place: StreamPlace,
}

/// Why a stream is over.
struct Over;

impl Pump {
    async fn run(mut self, gap: bool, mut ear: Ear) {
        let pumped = async {
            if gap {
                self.hand_over(StreamItem::Gap).await?;
            }
            loop {
                while self.carry().await? {}
                tokio::time::sleep(GATHER).await;
                while !self.was_rung(&mut ear).await? {
                    self.look_at_rights().await?;
                }
            }
        };
        let _: Result<std::convert::Infallible, Over> = pumped.await;
    }

    /// Waits for a commit, but not longer than rights may go unlooked at.
    async fn was_rung(&self, ear: &mut Ear) -> Result<bool, Over> {
        tokio::select! {
            biased;
            () = self.sender.closed() => Err(Over),
            () = ear.heard() => Ok(true),
            () = tokio::time::sleep(LOOK_AT_TOKEN) => Ok(false),
        }
    }

    async fn look_at_rights(&mut self) -> Result<(), Over> {
        if self.vault.draining.load(Ordering::Acquire) {
            return Err(Over);
        }
        self.caller = match self.vault.revisit(&self.caller, Action::EventStream).await {
            Ok(caller) => Arc::new(caller),
            Err(_) => return Err(Over),
        };
        Ok(())
    }

    /// Hands on one batch. Answers whether there may be more.
    async fn carry(&mut self) -> Result<bool, Over> {
        let batch = self.read().await.map_err(|error| {
            let detail = error.internal_detail().map(crate::error::Internal::for_log);
            tracing::warn!(code = error.code().as_str(), detail, "an event stream ends: the outbox can't be read");
            Over
        })?;
        self.look_at_rights().await?;
        let has_more = i64::try_from(batch.len()).unwrap_or(i64::MAX) >= BATCH;
        let facts = self.caller.facts(self.vault.now(), self.vault.settings.mfa_max_age_seconds);
        let sight = Sight::of(&self.caller.standing, &facts);
        for record in batch {
            if self.interest.wants(&record.event) && sight.sees(&record.event) {
                let Ok(envelope) = envelope(&record) else { return Err(Over) };
                let (id, event_type) = (record.id.clone(), record.event.event_type);
                self.hand_over(StreamItem::Event { id, event_type, envelope }).await?;
            }
            self.after = record.id;
        }
        Ok(has_more)
    }

    async fn read(&self) -> Result<Vec<EventRecord>> {
        let (vault, tenant_id, after) = (Arc::clone(&self.vault), self.caller.tenant_id().clone(), self.after.clone());
        let read = move || vault.store.read(|view| event::after(view, tenant_id.as_str(), &after, BATCH));
        Ok(tokio::task::spawn_blocking(read).await.map_err(Error::internal)??)
    }

    async fn hand_over(&self, item: StreamItem) -> Result<(), Over> {
        match tokio::time::timeout(PATIENCE, self.sender.send(item)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                tracing::debug!("an event stream is cut off: its reader takes nothing");
                Err(Over)
            }
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
