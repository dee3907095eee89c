//! Whether the server can do its work: for probes, which learn nothing about it, and for administrators.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use scaivault_domain::access::Permit;
use scaivault_domain::time::Timestamp;
use scaivault_store::{Database, ReadView, StoreResult, instance, job, webhook_delivery};

use crate::context::Context;
use crate::error::Result;
use crate::job::JobKind;
use crate::metrics::Stopwatch;
use crate::operation::{Query, tenant_operation};
use crate::vault::Vault;

/// Whether the parts that requests need work: the database, the keys, the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    pub database: bool,
    pub encryption: bool,
    /// The trail lies in the database, but a full disk stops entries while reads still work.
    pub audit: bool,
    pub shutting_down: bool,
}

impl Readiness {
    pub fn is_ready(&self) -> bool {
        self.database && self.encryption && self.audit && !self.shutting_down
    }

    /// What is wrong, by the check's name, in words that name no host, path or key.
    pub fn errors(&self) -> Vec<(&'static str, &'static str)> {
        let faults = [
            (self.database, ("database", "unavailable")),
            (self.encryption, ("encryption", "sealed")),
            (self.audit, ("audit", "unavailable")),
            (!self.shutting_down, ("server", "shutting_down")),
        ];
        faults.into_iter().filter(|(well, _)| !well).map(|(_, fault)| fault).collect()
    }
}

impl Vault {
    /// For `GET /v1/health/ready`. After a failed write this really writes, so that a full disk shows, and shows again when it
    /// is over, without a restart.
    pub async fn readiness(&self) -> Readiness {
        let works = self.store.check().await.is_ok();
        Readiness {
            database: works,
            encryption: !self.is_sealed(),
            audit: works,
            shutting_down: self.draining.load(Ordering::Acquire),
        }
    }

    /// From here on the server is not ready: balancers send it nothing new while it finishes what it has.
    pub fn begin_shutdown(&self) {
        self.draining.store(true, Ordering::Release);
        self.listening.ring_all();
    }
}

/// `GET /v1/health/detailed`
#[derive(Debug, Clone, Copy, Default)]
pub struct DetailedHealth;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthDetails {
    pub uptime_seconds: i64,
    pub database: bool,
    pub database_latency_ms: i64,
    pub engine: &'static str,
    pub pool_size: usize,
    pub pool_available: usize,
    pub unsealed: bool,
    pub provider: &'static str,
    /// The newest checkpoint this server knows of, of any stream.
    pub last_checkpoint: Option<Timestamp>,
    /// How long the newest entry took to become durable.
    pub audit_lag_ms: i64,
    /// Deliveries that wait for an attempt.
    pub webhook_queue: i64,
    /// Rotations that are due.
    pub rotation_queue: i64,
}

impl HealthDetails {
    pub fn is_healthy(&self) -> bool {
        self.database && self.unsealed
    }
}

tenant_operation!(DetailedHealth, HealthDetailed, HealthDetails);

impl Query for DetailedHealth {
    fn run(&self, _permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<HealthDetails> {
        let vault: &Arc<Vault> = cx.vault;
        let stopwatch = Stopwatch::start();
        // A database that fails is what this answer is for; it must not be the end of it.
        let database = instance::exists(view).is_ok();
        let latency = stopwatch.elapsed();
        let rotation_queue = rotation_queue(view, cx.now).unwrap_or_default();
        let webhook_queue = webhook_delivery::count_waiting(view).unwrap_or_default();
        let (pool_size, pool_available) = vault.store.pool();
        Ok(HealthDetails {
            uptime_seconds: cx.now.micros_since(vault.started_at).max(0) / 1_000_000,
            database,
            database_latency_ms: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX),
            engine: vault.store.engine_name(),
            pool_size,
            pool_available,
            unsealed: !vault.is_sealed(),
            provider: vault.provider_name(),
            last_checkpoint: vault.growth.last_checkpoint(),
            audit_lag_ms: vault.metrics.audit_lag_millis(),
            webhook_queue,
            rotation_queue,
        })
    }
}

/// Rotations that are due and were not looked at yet.
pub(super) fn rotation_queue(db: &mut impl Database, now: Timestamp) -> StoreResult<i64> {
    job::count_due(db, JobKind::Rotation.as_str(), now)
}
