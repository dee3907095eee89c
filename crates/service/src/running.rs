//! Requests with an Idempotency-Key that are under way on this node.

use std::collections::HashSet;

use parking_lot::Mutex;

#[derive(Default)]
pub(crate) struct Running {
    keys: Mutex<HashSet<[u8; 32]>>,
}

/// Held while the request runs; gives the key free when dropped.
pub(crate) struct Turn<'r> {
    running: &'r Running,
    key: [u8; 32],
}

impl Running {
    /// `None` while another request holds `key`.
    pub(crate) fn begin(&self, key: [u8; 32]) -> Option<Turn<'_>> {
        // Not `then_some`: a turn made in vain would give the key free when it is dropped.
        let is_first = self.keys.lock().insert(key);
        is_first.then(|| Turn { running: self, key })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.running.keys.lock().remove(&self.key);
    }
}
