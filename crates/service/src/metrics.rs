//! Figures about the service, in a registry of its own (a process may hold several vaults: the tests do).

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use scaivault_domain::rate::RateCategory;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CategoryLabel {
    category: String,
}

#[derive(Default)]
pub struct Metrics {
    rate_limit_hits: Family<CategoryLabel, Counter>,
    audit_failures: Counter,
}

impl Metrics {
    pub(crate) fn rate_limited(&self, category: RateCategory) {
        self.rate_limit_hits.get_or_create(&CategoryLabel { category: category.as_str().to_owned() }).inc();
    }

    pub(crate) fn audit_failed(&self) {
        self.audit_failures.inc();
    }
}
