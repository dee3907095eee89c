//! What the threads of this engine have in common.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use scaivault_domain::time::{Clock, SystemClock, Timestamp};
use tokio::sync::{Notify, oneshot, watch};

use super::address::PostgresAddress;
use super::lanes::Lanes;
use super::link::Link;
use super::wire::{Alarm, CONNECT_SILENCE};
use crate::audit::ChainWriter;
use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection as _, params};
use crate::store::Listener;

/// How long a write waits for a database that is gone: a failover takes longer than this only where its callers had better hear of it.
pub(super) const RECONNECT: Duration = Duration::from_secs(4);

pub(super) struct Shared {
    pub(super) address: PostgresAddress,
    /// Where the tables are.
    pub(super) schema: String,
    pub(super) node_id: String,
    /// Of this node since its start; no other has it.
    pub(super) incarnation: String,
    pub(super) lanes: Lanes,
    pub(super) chains: ChainWriter,
    pub(super) listener: Listener,
    pub(super) write_failed: AtomicBool,
    pub(super) outage: Outage,
    /// A commit of this node was in doubt: what the feed says of its own changes counts too, from then on.
    pub(super) hears_itself: AtomicBool,
    pub(super) bell: Bell,
    pub(super) freshness: Freshness,
    pub(super) clock: DatabaseClock,
    /// How often the feed was lost.
    pub(super) alarm: watch::Sender<u64>,
    closing: Mutex<bool>,
    closed: Condvar,
}

impl Shared {
    pub(super) fn new(
        address: PostgresAddress,
        schema: String,
        node_id: String,
        incarnation: String,
        listener: Listener,
    ) -> Self {
        Self {
            address,
            schema,
            chains: ChainWriter::new(&node_id),
            node_id,
            incarnation,
            lanes: Lanes::default(),
            listener,
            write_failed: AtomicBool::new(false),
            outage: Outage::default(),
            hears_itself: AtomicBool::new(false),
            bell: Bell::default(),
            freshness: Freshness::default(),
            clock: DatabaseClock::default(),
            alarm: watch::Sender::new(0),
            closing: Mutex::new(false),
            closed: Condvar::new(),
        }
    }

    /// Once the database has been away for longer than anybody waits for it, the feed alone looks for it: nobody waits in vain.
    pub(super) fn connect(&self) -> StoreResult<Link> {
        let patience = match self.outage.age() {
            Some(age) if age >= RECONNECT => {
                return Err(StoreError::Unavailable("the database has been out of reach for a while".to_owned()));
            }
            Some(age) => RECONNECT.saturating_sub(age),
            None => CONNECT_SILENCE,
        };
        let connected = Link::connect_under(&self.address, Alarm::of(&self.alarm), patience);
        if connected.is_err() {
            self.outage.since();
        }
        connected
    }

    /// Looks for the database however long it has been away.
    pub(super) fn search(&self) -> StoreResult<Link> {
        Link::connect_under(&self.address, Alarm::of(&self.alarm), CONNECT_SILENCE)
    }

    /// Waits, or less long where the store is being closed.
    pub(super) fn pause(&self, time: Duration) {
        let mut closing = self.closing.lock();
        if !*closing {
            self.closed.wait_for(&mut closing, time);
        }
    }

    /// Some time of at most `most`: two that were in each other's way are not again.
    pub(super) fn jitter(&self, most: Duration) -> Duration {
        let random = std::hash::RandomState::new().build_hasher().finish();
        most.mul_f64((random % 1000) as f64 / 1000.0)
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.lock()
    }

    pub(super) fn close(&self) {
        self.lanes.close();
        *self.closing.lock() = true;
        self.closed.notify_all();
        self.bell.ring();
        self.bell.fall_silent();
    }

    /// A commit of its own that says that this node lives. Everything that was committed before it is as durable as it is.
    pub(super) fn touch(&self, link: &mut Link) -> StoreResult<bool> {
        let touched = link.execute(
            concat!("UPDATE node SET seen_at = ", clock!(), " WHERE id = $1 AND incarnation = $2"),
            params![&self.node_id, &self.incarnation],
        )?;
        Ok(touched > 0)
    }
}

/// How long the database has been out of reach.
#[derive(Default)]
pub(super) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    /// When it began: now, if nobody noticed it before.
    pub(super) fn since(&self) -> Instant {
        *self.0.lock().get_or_insert_with(Instant::now)
    }

    fn age(&self) -> Option<Duration> {
        self.0.lock().map(|since| since.elapsed())
    }

    pub(super) fn over(&self) {
        *self.0.lock() = None;
    }
}

/// Wakes the feed: there is something to tell, or somebody wants to know where it stands.
pub(super) struct Bell {
    pub(super) notify: Notify,
    rung: AtomicBool,
    /// `None` when nobody will answer any more.
    waiting: Mutex<Option<Vec<oneshot::Sender<()>>>>,
}

impl Default for Bell {
    fn default() -> Self {
        Self { notify: Notify::new(), rung: AtomicBool::new(false), waiting: Mutex::new(Some(Vec::new())) }
    }
}

impl Bell {
    /// Something was committed here.
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Whether it rang since the last time.
    pub(super) fn answer(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Told when the feed was read from a moment after this one.
    pub(super) fn wait(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if let Some(waiting) = self.waiting.lock().as_mut() {
            waiting.push(sender);
        }
        self.notify.notify_one();
        receiver
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.lock().as_ref().is_some_and(|waiting| !waiting.is_empty())
    }

    pub(super) fn take_waiting(&self) -> Vec<oneshot::Sender<()>> {
        self.waiting.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Nobody is answered any more.
    fn fall_silent(&self) {
        *self.waiting.lock() = None;
    }
}

/// Until when what this node remembers may be used: as long as it surely heard of all that others changed a second ago.
pub(super) struct Freshness {
    begun: Instant,
    /// Microseconds since `begun`.
    until: AtomicI64,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { begun: Instant::now(), until: AtomicI64::new(0) }
    }
}

impl Freshness {
    fn micros(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.begun).as_micros()).unwrap_or(i64::MAX)
    }

    pub(super) fn holds(&self) -> bool {
        self.micros(Instant::now()) < self.until.load(Ordering::Acquire)
    }

    pub(super) fn extend(&self, until: Instant) {
        self.until.store(self.micros(until), Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.until.store(0, Ordering::Release);
    }
}

/// The database's clock, which all nodes go by: theirs may differ, and leases and expiries must not. Between two looks at it this
/// machine's own steady clock counts on, which nobody sets.
#[derive(Default)]
pub(super) struct DatabaseClock(Mutex<Option<(Instant, i64)>>);

/// A difference below this is the reading's.
const READING_ERROR_MICROS: i64 = 2_000_000;

fn micros_between(from: Instant, to: Instant) -> i64 {
    i64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(0)
}

impl DatabaseClock {
    pub(super) fn set(&self, at: Instant, micros: i64) {
        let mut known = self.0.lock();
        // A slow answer is a bad reading by half of its time. Time does not go back for that; only where the database's clock was set back.
        let back =
            known.map_or(0, |(then, clock)| clock.saturating_add(micros_between(then, at)).saturating_sub(micros));
        if !(1..READING_ERROR_MICROS).contains(&back) {
            *known = Some((at, micros));
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        match *self.0.lock() {
            Some((at, micros)) => Timestamp::from_micros(micros.saturating_add(micros_between(at, Instant::now()))),
            None => SystemClock.now(),
        }
    }
}
