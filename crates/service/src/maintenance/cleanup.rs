//! Rows whose time has passed and that leave no trace in the trail.

use std::sync::Arc;

use scaivault_store::{access_count, event, idempotency};

use crate::error::Result;
use crate::replay::KEPT_SECONDS;
use crate::vault::Vault;

const BATCH: i64 = 1000;
/// How far back a stream can be resumed (contract 07 section 5).
pub(crate) const EVENTS_KEPT_SECONDS: i64 = 7 * 86_400;

impl Vault {
    /// Drops kept answers that are too old to be given again. Answers how many.
    ///
    /// # Errors
    /// Without the database.
    pub async fn idempotency_step(self: &Arc<Self>) -> Result<usize> {
        let before = self.clock.now().plus_seconds(-KEPT_SECONDS);
        let dropped = self.store.write(move |tx| idempotency::drop_old(tx, before, BATCH)).await?;
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }

    /// Drops access counts that left their window.
    ///
    /// # Errors
    /// Without the database.
    pub async fn access_count_step(self: &Arc<Self>) -> Result<()> {
        let now = self.clock.now();
        Ok(self.store.write(move |tx| access_count::prune(tx, now).map(|_| ())).await?)
    }

    /// Drops events that nobody can ask for any more. Answers how many.
    ///
    /// # Errors
    /// Without the database.
    pub async fn event_step(self: &Arc<Self>) -> Result<usize> {
        let now = self.clock.now();
        let before = now.plus_seconds(-EVENTS_KEPT_SECONDS);
        let dropped = self.store.write(move |tx| event::drop_old(tx, before, now, BATCH)).await?;
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }
}
