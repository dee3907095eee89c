//! `scaivault_rate_limit_bucket_fill`: how much of its rate limit each identity has used.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::rate::UsedBucket;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FillLabels {
    category: &'static str,
    identity: String,
}

#[derive(Clone, Default)]
pub(super) struct BucketFill(pub(super) Family<FillLabels, Gauge<f64, AtomicU64>>);

impl BucketFill {
    /// Shows these and no others: a bucket that is full again has nothing to say.
    pub(super) fn show(&self, buckets: Vec<UsedBucket>) {
        self.0.clear();
        for bucket in buckets {
            let labels = FillLabels { category: bucket.category.as_str(), identity: bucket.identity };
            self.0.get_or_create(&labels).set(bucket.used);
        }
    }
}
