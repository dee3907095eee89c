//! Access counts and last uses, summed in memory and written every few seconds, so that a read never waits for them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use scaivault_domain::time::Timestamp;
use scaivault_store::{Lane, access_count, token};

use crate::error::Result;
use crate::vault::Vault;

/// Entries after which the maintenance task is not waited for (a bound on memory, not on correctness).
const FLUSH_LIMIT: usize = 100_000;

/// Rows of one transaction: some ten milliseconds during which other upkeep waits.
const BATCH: usize = 500;

#[derive(Default)]
pub(crate) struct Statistics {
    pending: Mutex<Pending>,
}

#[derive(Default, Clone)]
struct Pending {
    /// By secret and hour: reads, newest.
    reads: HashMap<(String, i64), (i64, Timestamp)>,
    tokens: HashMap<String, Timestamp>,
}

impl Statistics {
    pub(crate) fn secret_read(&self, secret_id: &str, at: Timestamp) {
        let mut pending = self.pending.lock();
        if pending.reads.len() < FLUSH_LIMIT {
            let entry = pending.reads.entry((secret_id.to_owned(), access_count::hour_of(at))).or_insert((0, at));
            entry.0 = entry.0.saturating_add(1);
            entry.1 = entry.1.max(at);
        }
    }

    pub(crate) fn token_used(&self, token_id: &str, at: Timestamp) {
        let tokens = &mut self.pending.lock().tokens;
        if let Some(last) = tokens.get_mut(token_id) {
            *last = (*last).max(at);
        } else if tokens.len() < FLUSH_LIMIT {
            tokens.insert(token_id.to_owned(), at);
        }
    }
}

impl Vault {
    /// Writes what has gathered. What can't be written now is kept for the next time.
    pub async fn flush_statistics(self: &Arc<Self>) -> Result<()> {
        let pending = std::mem::take(&mut *self.statistics.pending.lock());
        // In one order on all nodes, so that two of them never wait for each other's rows in a circle.
        let mut reads: Vec<_> = pending.reads.into_iter().collect();
        let mut tokens: Vec<_> = pending.tokens.into_iter().collect();
        reads.sort_unstable();
        tokens.sort_unstable();
        let mut failed = None;
        while failed.is_none() && !(reads.is_empty() && tokens.is_empty()) {
            let (reads_now, tokens_now) = (last_of(&mut reads), last_of(&mut tokens));
            let batch = (reads_now.clone(), tokens_now.clone());
            let written = self.store.write(Lane::Upkeep, move |tx| {
                for ((secret_id, hour), (reads, last)) in &batch.0 {
                    access_count::add(tx, secret_id, *hour, *reads, *last)?;
                }
                batch.1.iter().try_for_each(|(id, at)| token::touch(tx, id, *at))
            });
            if let Err(error) = written.await {
                failed = Some(error);
                reads.extend(reads_now);
                tokens.extend(tokens_now);
            }
        }
        let Some(error) = failed else { return Ok(()) };
        let mut now = self.statistics.pending.lock();
        for (key, (reads, last)) in reads {
            let entry = now.reads.entry(key).or_insert((0, last));
            entry.0 = entry.0.saturating_add(reads);
            entry.1 = entry.1.max(last);
        }
        for (id, at) in tokens {
            now.tokens.entry(id).or_insert(at);
        }
        Err(error.into())
    }
}

/// Takes a transaction's worth from the end.
fn last_of<T>(all: &mut Vec<T>) -> Vec<T> {
    all.split_off(all.len().saturating_sub(BATCH))
}
