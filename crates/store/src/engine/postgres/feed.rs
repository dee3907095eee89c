//! What other nodes changed: a table, read by snapshot, and a bell (LISTEN/NOTIFY) that says when to look.
//!
//! The table makes it exact: a row is read by the first snapshot that sees it. The bell only makes it quick. It is rung after a commit and
//! not in it, because a transaction that notifies holds a lock of the whole database while it waits for the disk.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::link::{Link, lock_key};
use super::shared::Shared;
use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection as _, params};
use crate::tx::Change;

/// The feed is read at least this often, whoever rings or does not.
const EVERY: Duration = Duration::from_millis(250);
/// How long a reading vouches for what this node remembers. Below the second after which others must know (contract 02 section 1).
const VOUCHES: Duration = Duration::from_millis(900);
/// Changes that come thick and fast are told and read together.
const GAP: Duration = Duration::from_millis(10);
/// A feed that does not answer is another feed's turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a node says that it lives and clears up.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Rows older than this concern nobody: who did not read them by now begins anew.
const KEPT_MICROS: i64 = 600 * 1_000_000;
/// Rows that are cleared away at a time.
const CLEARED: i64 = 20_000;
const RETRY: Duration = Duration::from_millis(200);

/// Runs until the store is closed.
pub(super) fn feed_loop(shared: &Shared) {
    while !shared.is_closing() {
        let lost = Feed::open(shared).and_then(|mut feed| feed.run());
        shared.freshness.end();
        shared.outage.since();
        shared.alarm.send_modify(|times| *times = times.wrapping_add(1));
        if let Err(error) = lost {
            tracing::warn!(%error, "the change feed is lost; nothing is served from memory until it is back");
            shared.pause(RETRY);
        }
    }
}

/// Where a reading ended: what a snapshot did not see.
struct Position {
    /// The first transaction id that was not given out yet.
    end: i64,
    /// Those below that were still going on, as `1,2,3`.
    open: String,
}

struct Feed<'s> {
    shared: &'s Shared,
    link: Link,
    channel: String,
    position: Option<Position>,
    /// The database's clock at the last reading.
    read_at: i64,
    /// How long the last reading took.
    took: Duration,
    heartbeat: Instant,
}

impl<'s> Feed<'s> {
    fn open(shared: &'s Shared) -> StoreResult<Self> {
        let mut link = shared.search()?;
        link.set_patience(PATIENCE);
        let channel = format!("scaivault_{:016x}", lock_key(&shared.schema, "feed").cast_unsigned());
        // Nothing that the feed writes has to be durable, so it does not wait for a standby.
        link.simple(&format!("SET synchronous_commit = off; LISTEN {channel}"))?;
        Ok(Self {
            shared,
            link,
            channel,
            position: None,
            read_at: i64::MIN,
            took: Duration::ZERO,
            heartbeat: Instant::now(),
        })
    }

    fn run(&mut self) -> StoreResult<()> {
        while !self.shared.is_closing() {
            if self.shared.bell.answer() {
                self.link.simple(&format!("NOTIFY {}", self.channel))?;
            }
            // What this connection hears of its own ringing is read below.
            self.link.forget_ringing();
            self.read()?;
            if self.heartbeat.elapsed() >= HEARTBEAT {
                self.heartbeat = Instant::now();
                self.beat()?;
            }
            self.wait();
            if self.link.is_broken() {
                return Err(StoreError::Unavailable("the connection ended".to_owned()));
            }
        }
        Ok(())
    }

    fn wait(&mut self) {
        let read_at = Instant::now();
        // Where a reading takes long, the next one begins the sooner: else none would vouch for anything.
        self.link.listen(EVERY.saturating_sub(self.took), &self.shared.bell.notify);
        let early = GAP.saturating_sub(read_at.elapsed());
        if !early.is_zero() && !self.shared.bell.is_waited_for() {
            self.shared.pause(early);
        }
    }

    fn read(&mut self) -> StoreResult<()> {
        let waiting = self.shared.bell.take_waiting();
        let began = Instant::now();
        let first = self.position.is_none();
        let (end, open) =
            self.position.as_ref().map_or((i64::MAX, ""), |position| (position.end, position.open.as_str()));
        let mut changes: Vec<Change> = if first { vec![Change::Everything] } else { Vec::new() };
        let (mut snapshot, mut clock) = (String::new(), 0);
        let myself = if self.shared.hears_itself.load(Ordering::Acquire) { "" } else { &self.shared.incarnation };
        self.link.query(READ, params![myself, end, open], &mut |row| {
            snapshot = row.text(0)?;
            clock = row.int(1)?;
            if let Some(text) = row.opt_text(2)? {
                // What a newer node tells and this one does not know could be anything.
                let told: Vec<Change> = serde_json::from_str(&text).unwrap_or_else(|_| vec![Change::Everything]);
                told.into_iter().for_each(|change| {
                    if !changes.contains(&change) {
                        changes.push(change);
                    }
                });
            }
            Ok(true)
        })?;
        // A node that stood still (a paused machine) for as long as rows are kept has missed some. By the database's clock: this
        // machine's own may have stood still too.
        let away = clock.saturating_sub(self.read_at);
        if !first && !(0..KEPT_MICROS / 4).contains(&away) {
            changes = vec![Change::Everything];
        }
        self.read_at = clock;
        let took = began.elapsed();
        self.took = took;
        self.position = Some(position(&snapshot)?);
        if !changes.is_empty()
            && let Some(listener) = self.shared.listener.get()
        {
            listener.committed(&changes, &[]);
        }
        // The database looked at its clock at some time in between.
        self.shared.clock.set(began + took / 2, clock);
        self.shared.outage.over();
        self.shared.freshness.extend(began + VOUCHES);
        for waiting in waiting {
            let _ = waiting.send(());
        }
        Ok(())
    }

    fn beat(&mut self) -> StoreResult<()> {
        if !self.shared.touch(&mut self.link)? {
            tracing::error!(
                node_id = self.shared.node_id,
                "another node runs under the id of this one; give each its own NODE_ID"
            );
        }
        self.link.execute(
            concat!(
                "DELETE FROM change_feed WHERE (xid, origin) IN (SELECT xid, origin FROM change_feed
               WHERE at < ",
                clock!(),
                " - $1 LIMIT $2)"
            ),
            params![KEPT_MICROS, CLEARED],
        )?;
        Ok(())
    }
}

/// What the snapshot before this one did not see, and where this one ends: one statement, so one snapshot.
const READ: &str = concat!(
    "SELECT s.snapshot, s.clock, f.changes
     FROM (SELECT pg_current_snapshot()::text AS snapshot,
                  ",
    clock!(),
    " AS clock) s
     LEFT JOIN change_feed f
       ON f.origin <> $1 AND f.changes <> '[]' AND (f.xid >= $2 OR f.xid = ANY (string_to_array($3, ',')::bigint[]))"
);

/// `xmin:xmax:xip1,xip2`
fn position(snapshot: &str) -> StoreResult<Position> {
    let mut parts = snapshot.splitn(3, ':').skip(1);
    let end = parts.next().and_then(|end| end.parse().ok());
    match (end, parts.next()) {
        (Some(end), Some(open)) => Ok(Position { end, open: open.to_owned() }),
        _ => Err(StoreError::corrupt("a snapshot that can't be read")),
    }
}
