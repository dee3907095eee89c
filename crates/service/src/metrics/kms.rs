//! `scaivault_kms_latency_seconds`: the work of the root key and of the key that signs the trail.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use super::Stopwatch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KmsOperation {
    Encrypt,
    Decrypt,
    Sign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperationLabel {
    operation: &'static str,
}

pub(super) type Latencies = Family<OperationLabel, Histogram, fn() -> Histogram>;

/// Clones observe into the same figures: whoever holds a key holds one.
#[derive(Clone)]
pub(crate) struct KmsLatency(Latencies);

impl KmsLatency {
    /// For work that no server does.
    pub(crate) fn unobserved() -> Self {
        Self::new()
    }

    pub(super) fn new() -> Self {
        Self(Family::new_with_constructor(latencies))
    }

    pub(super) fn figures(&self) -> Latencies {
        self.0.clone()
    }

    /// Runs `work` and observes how long it took, however it ended: a provider that fails slowly should show.
    pub(crate) fn time<T>(&self, operation: KmsOperation, work: impl FnOnce() -> T) -> T {
        let stopwatch = Stopwatch::start();
        let outcome = work();
        let operation = match operation {
            KmsOperation::Encrypt => "encrypt",
            KmsOperation::Decrypt => "decrypt",
            KmsOperation::Sign => "sign",
        };
        self.0.get_or_create(&OperationLabel { operation }).observe(stopwatch.elapsed().as_secs_f64());
        outcome
    }
}

fn latencies() -> Histogram {
    // 1 microsecond (a key in memory) to 17 seconds (a provider that hangs).
    Histogram::new(exponential_buckets(0.000_001, 4.0, 13))
}
