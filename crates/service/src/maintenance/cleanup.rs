//! Rows whose time has passed and that leave no trace in the trail.

use std::sync::Arc;

use scaivault_store::{Lane, WriteTx, access_count, event, idempotency, rotation_history, subscription_buffer};

use crate::error::{Error, Result};
use crate::replay::KEPT_SECONDS;
use crate::vault::Vault;

const BATCH: i64 = 1000;
/// Two years.
const ROTATIONS_KEPT_SECONDS: i64 = 730 * 86_400;
/// Buffers of one transaction; most of what lapses was acknowledged long before.
const BUFFERS: i64 = 50;
/// How far back a stream can be resumed (contract 07 section 5).
pub(crate) const EVENTS_KEPT_SECONDS: i64 = 7 * 86_400;

impl Vault {
    /// Drops kept answers that are too old to be given again. Answers how many.
    ///
    /// # Errors
    /// Without the database.
    pub async fn idempotency_step(self: &Arc<Self>) -> Result<usize> {
        let before = self.clock.now().plus_seconds(-KEPT_SECONDS);
        let dropped = self.store.write(Lane::Upkeep, move |tx| idempotency::drop_old(tx, before, BATCH)).await?;
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }

    /// Drops access counts that left their window.
    ///
    /// # Errors
    /// Without the database.
    pub async fn access_count_step(self: &Arc<Self>) -> Result<()> {
        let now = self.clock.now();
        Ok(self.store.write(Lane::Upkeep, move |tx| access_count::prune(tx, now).map(|_| ())).await?)
    }

    /// Drops events that nobody can ask for any more. Answers how many.
    ///
    /// # Errors
    /// Without the database.
    pub async fn event_step(self: &Arc<Self>) -> Result<usize> {
        let now = self.clock.now();
        let before = now.plus_seconds(-EVENTS_KEPT_SECONDS);
        let dropped = self.store.write(Lane::Upkeep, move |tx| event::drop_old(tx, before, now, BATCH)).await?;
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }

    /// Takes out of buffers what lapsed there. Answers how many buffers had some.
    ///
    /// # Errors
    /// Without the database.
    pub async fn buffer_step(self: &Arc<Self>) -> Result<usize> {
        let lapsed_before = crate::subscription::lapsed_before(self.clock.now());
        let (vault, before) = (Arc::clone(self), lapsed_before.clone());
        let look = move || vault.store.read(|view| subscription_buffer::with_lapsed(view, before.as_str(), BUFFERS));
        let found = tokio::task::spawn_blocking(look).await.map_err(Error::internal)??;
        let count = found.len();
        if count > 0 {
            let drop_lapsed = move |tx: &mut WriteTx<'_>| {
                found.iter().try_for_each(|(tenant_id, subscription_id)| {
                    subscription_buffer::drop_lapsed(tx, tenant_id, subscription_id, lapsed_before.as_str())
                })
            };
            self.store.write(Lane::Whole, drop_lapsed).await?;
        }
        Ok(count)
    }

    /// Drops what is too old of the rotation history; the trail has it. Answers how many.
    ///
    /// # Errors
    /// Without the database.
    pub async fn rotation_history_step(self: &Arc<Self>) -> Result<usize> {
        let before = self.clock.now().plus_seconds(-ROTATIONS_KEPT_SECONDS);
        let dropped = self.store.write(Lane::Upkeep, move |tx| rotation_history::drop_old(tx, before, BATCH)).await?;
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }
}
