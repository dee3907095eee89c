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
        if pending.reads.is_empty() && pending.tokens.is_empty() {
            return Ok(());
        }
        let batch = pending.clone();
        let written = self
            .store
            .write(Lane::Beside, move |tx| {
                for ((secret_id, hour), (reads, last)) in &batch.reads {
                    access_count::add(tx, secret_id, *hour, *reads, *last)?;
                }
                for (id, at) in &batch.tokens {
                    token::touch(tx, id, *at)?;
                }
                Ok(())
            })
            .await;
        if written.is_err() {
            let mut now = self.statistics.pending.lock();
            for (key, (reads, last)) in pending.reads {
                let entry = now.reads.entry(key).or_insert((0, last));
                entry.0 = entry.0.saturating_add(reads);
                entry.1 = entry.1.max(last);
            }
            for (id, at) in pending.tokens {
                now.tokens.entry(id).or_insert(at);
            }
        }
        Ok(written?)
    }
}
