//! `GET /v1/metrics`

use std::sync::Arc;

use scaivault_domain::access::Permit;
use scaivault_domain::time::Timestamp;
use scaivault_store::{ReadView, figures, webhook_delivery};

use super::health::rotation_queue;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::metrics::Scrape;
use crate::operation::{Query, tenant_operation};
use crate::vault::Vault;

/// Counting a million secrets takes a tenth of a second; scrapes that follow each other share one count.
const COUNTS_VALID_SECONDS: i64 = 15;

/// Rate limits shown by identity: those that are used most. Bounds what a scrape costs on both sides.
const SHOWN_BUCKETS: usize = 10_000;

/// Secrets by tenant, and when they were counted.
pub(crate) type Counted = Option<(Timestamp, Vec<(String, i64)>)>;

/// The metrics, for doors that ask for a token (`METRICS_AUTH=token`).
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadMetrics;

tenant_operation!(ReadMetrics, Metrics, String);

impl Query for ReadMetrics {
    fn run(&self, _permit: &Permit, _view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<String> {
        Ok(cx.vault.render_metrics())
    }
}

impl Vault {
    /// The figures as text of type [`crate::METRICS_CONTENT_TYPE`]. Blocks: it counts secrets.
    pub fn render_metrics(&self) -> String {
        let buckets = match self.settings.metrics_per_identity {
            true => self.limiter.used(self.clock.now().as_micros(), SHOWN_BUCKETS),
            false => Vec::new(),
        };
        let (sealed, pool, secrets) = (self.is_sealed(), self.store.pool(), self.count_secrets());
        let webhook_queue = self.store.read(|view| webhook_delivery::count_waiting(view)).ok();
        let rotation_queue = self.store.read(|view| rotation_queue(view, self.clock.now())).ok();
        self.metrics.render(Scrape { sealed, pool, secrets, webhook_queue, rotation_queue, buckets })
    }

    /// As [`Vault::render_metrics`], for doors that ask for no token.
    ///
    /// # Errors
    /// 500 if the server stops meanwhile.
    pub async fn scrape(self: &Arc<Self>) -> Result<String> {
        let vault = Arc::clone(self);
        tokio::task::spawn_blocking(move || vault.render_metrics()).await.map_err(Error::internal)
    }

    /// Held while counting: of many scrapes at once, one asks the database.
    fn count_secrets(&self) -> Option<Vec<(String, i64)>> {
        let now = self.clock.now();
        let mut counted = self.secrets_counted.lock();
        let fresh = |at: Timestamp| at <= now && now < at.plus_seconds(COUNTS_VALID_SECONDS);
        if let Some((at, counts)) = counted.as_ref()
            && fresh(*at)
        {
            return Some(counts.clone());
        }
        match self.store.read(|view| figures::secrets_by_namespace(view)) {
            Ok(counts) => {
                let counts: Vec<(String, i64)> = counts.into_iter().collect();
                *counted = Some((now, counts.clone()));
                Some(counts)
            }
            Err(error) => {
                tracing::warn!(%error, "secrets can't be counted for the metrics");
                None
            }
        }
    }
}
