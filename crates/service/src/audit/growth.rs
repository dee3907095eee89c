//! How far each chain has grown, and how far it is signed: what tells the checkpoint job where to look.
//!
//! Only a hint. What a checkpoint says is read from the database; a chain that this memory missed (an entry whose request
//! was cut off after the commit) is found by the next reconciliation.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::Chain;
use tokio::sync::Notify;

/// Entries after which a checkpoint is due (contract 06 section 4).
pub(crate) const CHECKPOINT_ENTRIES: i64 = 1000;
/// Time after which it is due while entries come: five minutes, less the step of the job that looks.
const CHECKPOINT_SECONDS: i64 = 5 * 60 - 5;

#[derive(Default)]
pub(crate) struct Growth {
    chains: Mutex<HashMap<Chain, Stand>>,
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
    pub(crate) fn appended(&self, chain: Chain, seq: i64) {
        let mut chains = self.chains.lock();
        let Some(stand) = chains.get_mut(&chain) else {
            chains.insert(chain, Stand { last_seq: seq, ..Stand::default() });
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
    pub(crate) fn last_known(&self, chain: &Chain) -> i64 {
        self.chains.lock().get(chain).map_or(0, |stand| stand.last_seq)
    }

    pub(crate) fn needs_reconciliation(&self) -> bool {
        !self.reconciled.load(Ordering::Acquire)
    }

    pub(crate) fn forget_reconciliation(&self) {
        self.reconciled.store(false, Ordering::Release);
    }

    /// Takes over what the database says: (chain, last number, last signed number).
    pub(crate) fn reconcile(&self, found: Vec<(Chain, i64, i64)>) {
        let mut chains = self.chains.lock();
        for (chain, last_seq, signed_seq) in found {
            let stand = chains.entry(chain).or_default();
            stand.last_seq = stand.last_seq.max(last_seq);
            stand.signed_seq = stand.signed_seq.max(signed_seq);
        }
        drop(chains);
        self.reconciled.store(true, Ordering::Release);
    }

    /// Chains whose checkpoint is due, with the last number known of each. `all`: every chain that grew at all.
    pub(crate) fn due(&self, now: Timestamp, all: bool) -> Vec<(Chain, i64)> {
        let mut due = Vec::new();
        for (chain, stand) in self.chains.lock().iter_mut() {
            let unsigned = stand.last_seq.saturating_sub(stand.signed_seq);
            if unsigned <= 0 {
                continue;
            }
            let since = *stand.waiting_since.get_or_insert(now);
            if all || unsigned >= CHECKPOINT_ENTRIES || since.plus_seconds(CHECKPOINT_SECONDS) <= now {
                due.push((chain.clone(), stand.last_seq));
            }
        }
        due
    }

    /// Notes that a checkpoint up to `seq` stands in the database.
    pub(crate) fn signed(&self, chain: &Chain, seq: i64, at: Timestamp) {
        if let Some(stand) = self.chains.lock().get_mut(chain) {
            stand.signed_seq = stand.signed_seq.max(seq);
            stand.waiting_since = None;
            stand.told = false;
        }
        self.saw_checkpoint(at);
    }

    /// A stream that can't be signed now is looked at again after the usual time, not at every step.
    pub(crate) fn postpone(&self, chain: &Chain, now: Timestamp) {
        if let Some(stand) = self.chains.lock().get_mut(chain) {
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

    fn chain(stream: &str) -> Chain {
        Chain::embedded(stream)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_checkpoint_is_due_after_a_thousand_entries_or_five_minutes() {
        let growth = Growth::default();
        assert!(growth.due(at(0), true).is_empty());
        growth.appended(chain("tnt_a"), 1);
        assert!(growth.due(at(0), false).is_empty());
        assert_eq!(growth.due(at(0), true), [(chain("tnt_a"), 1)]);
        assert_eq!(growth.due(at(298), false), [(chain("tnt_a"), 1)]);
        growth.signed(&chain("tnt_a"), 1, at(298));
        assert!(growth.due(at(10_000), true).is_empty());
        growth.appended(chain("tnt_a"), 1000);
        assert!(growth.due(at(10_000), false).is_empty());
        growth.appended(chain("tnt_a"), 1001);
        assert_eq!(growth.due(at(10_000), false), [(chain("tnt_a"), 1001)]);
        assert_eq!(growth.last_checkpoint(), Some(at(298)));
    }

    #[test]
    fn reconciliation_never_moves_backwards() {
        let growth = Growth::default();
        growth.appended(chain("tnt_a"), 9);
        growth.reconcile(vec![(chain("tnt_a"), 7, 5), (chain("system"), 3, 3)]);
        assert!(!growth.needs_reconciliation());
        assert_eq!(growth.last_known(&chain("tnt_a")), 9);
        assert_eq!(growth.due(at(0), true), [(chain("tnt_a"), 9)]);
    }
}
