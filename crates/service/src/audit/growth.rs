//! How far each stream has grown, and how far it is signed: what tells the checkpoint job where to look.
//!
//! Only a hint. What a checkpoint says is read from the database; a stream that this memory missed (an entry whose request
//! was cut off after the commit) is found by the next reconciliation.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use scaivault_domain::time::Timestamp;
use tokio::sync::Notify;

/// Entries after which a checkpoint is due (contract 06 section 4).
pub(crate) const CHECKPOINT_ENTRIES: i64 = 1000;
/// Time after which it is due while entries come: five minutes, less the step of the job that looks.
const CHECKPOINT_SECONDS: i64 = 5 * 60 - 5;

#[derive(Default)]
pub(crate) struct Growth {
    streams: Mutex<HashMap<String, Stand>>,
    reconciled: AtomicBool,
    last_checkpoint: Mutex<Option<Timestamp>>,
    /// Told when a stream has grown by a checkpoint's worth.
    due_now: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct Stand {
    last_seq: i64,
    signed_seq: i64,
    /// When the job first saw entries that no checkpoint covers.
    waiting_since: Option<Timestamp>,
    /// The job was told of this stream and has not signed it yet.
    told: bool,
}

impl Growth {
    /// Notes a durable entry.
    pub(crate) fn appended(&self, stream: &str, seq: i64) {
        let mut streams = self.streams.lock();
        let Some(stand) = streams.get_mut(stream) else {
            streams.insert(stream.to_owned(), Stand { last_seq: seq, ..Stand::default() });
            return;
        };
        stand.last_seq = stand.last_seq.max(seq);
        if !stand.told && stand.last_seq.saturating_sub(stand.signed_seq) >= CHECKPOINT_ENTRIES {
            stand.told = true;
            self.due_now.notify_one();
        }
    }

    /// Waits until a stream has grown by a checkpoint's worth.
    pub(crate) async fn wait_until_due(&self) {
        self.due_now.notified().await;
    }

    /// The highest number that was made durable in this process; the stream can't be shorter unless somebody shortened it.
    pub(crate) fn last_known(&self, stream: &str) -> i64 {
        self.streams.lock().get(stream).map_or(0, |stand| stand.last_seq)
    }

    pub(crate) fn needs_reconciliation(&self) -> bool {
        !self.reconciled.load(Ordering::Acquire)
    }

    pub(crate) fn forget_reconciliation(&self) {
        self.reconciled.store(false, Ordering::Release);
    }

    /// Takes over what the database says: (stream, last number, last signed number).
    pub(crate) fn reconcile(&self, found: Vec<(String, i64, i64)>) {
        let mut streams = self.streams.lock();
        for (stream, last_seq, signed_seq) in found {
            let stand = streams.entry(stream).or_default();
            stand.last_seq = stand.last_seq.max(last_seq);
            stand.signed_seq = stand.signed_seq.max(signed_seq);
        }
        drop(streams);
        self.reconciled.store(true, Ordering::Release);
    }

    /// Streams whose checkpoint is due, with the last number known of each. `all`: every stream that grew at all.
    pub(crate) fn due(&self, now: Timestamp, all: bool) -> Vec<(String, i64)> {
        let mut due = Vec::new();
        for (stream, stand) in self.streams.lock().iter_mut() {
            let unsigned = stand.last_seq.saturating_sub(stand.signed_seq);
            if unsigned <= 0 {
                continue;
            }
            let since = *stand.waiting_since.get_or_insert(now);
            if all || unsigned >= CHECKPOINT_ENTRIES || since.plus_seconds(CHECKPOINT_SECONDS) <= now {
                due.push((stream.clone(), stand.last_seq));
            }
        }
        due
    }

    /// Notes that a checkpoint up to `seq` stands in the database.
    pub(crate) fn signed(&self, stream: &str, seq: i64, at: Timestamp) {
        if let Some(stand) = self.streams.lock().get_mut(stream) {
            stand.signed_seq = stand.signed_seq.max(seq);
            stand.waiting_since = None;
            stand.told = false;
        }
        self.saw_checkpoint(at);
    }

    /// A stream that can't be signed now is looked at again after the usual time, not at every step.
    pub(crate) fn postpone(&self, stream: &str, now: Timestamp) {
        if let Some(stand) = self.streams.lock().get_mut(stream) {
            stand.signed_seq = stand.signed_seq.max(stand.last_seq.saturating_sub(1));
            stand.waiting_since = Some(now);
            stand.told = false;
        }
    }

    pub(crate) fn saw_checkpoint(&self, at: Timestamp) {
        let mut last = self.last_checkpoint.lock();
        *last = (*last).max(Some(at));
    }

    pub(crate) fn last_checkpoint(&self) -> Option<Timestamp> {
        *self.last_checkpoint.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_checkpoint_is_due_after_a_thousand_entries_or_five_minutes() {
        let growth = Growth::default();
        assert!(growth.due(at(0), true).is_empty());
        growth.appended("tnt_a", 1);
        assert!(growth.due(at(0), false).is_empty());
        assert_eq!(growth.due(at(0), true), [("tnt_a".to_owned(), 1)]);
        assert_eq!(growth.due(at(298), false), [("tnt_a".to_owned(), 1)]);
        growth.signed("tnt_a", 1, at(298));
        assert!(growth.due(at(10_000), true).is_empty());
        growth.appended("tnt_a", 1000);
        assert!(growth.due(at(10_000), false).is_empty());
        growth.appended("tnt_a", 1001);
        assert_eq!(growth.due(at(10_000), false), [("tnt_a".to_owned(), 1001)]);
        assert_eq!(growth.last_checkpoint(), Some(at(298)));
    }

    #[test]
    fn reconciliation_never_moves_backwards() {
        let growth = Growth::default();
        growth.appended("tnt_a", 9);
        growth.reconcile(vec![("tnt_a".to_owned(), 7, 5), ("system".to_owned(), 3, 3)]);
        assert!(!growth.needs_reconciliation());
        assert_eq!(growth.last_known("tnt_a"), 9);
        assert_eq!(growth.due(at(0), true), [("tnt_a".to_owned(), 9)]);
    }
}
