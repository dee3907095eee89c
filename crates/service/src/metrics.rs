//! Figures about the service, in a registry of its own (a process may hold several vaults: the tests do). Names and labels are
//! those of contract 12 section 1; a label never holds a path, a token or a value.

mod fill;
mod kms;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use scaivault_domain::audit::{AuditAction, AuditEntry};
use scaivault_domain::rate::RateCategory;
use scaivault_domain::secret::SecretType;

use self::fill::BucketFill;
pub(crate) use self::kms::{KmsLatency, KmsOperation};
use crate::rate::UsedBucket;

/// What [`Metrics::render`] writes, for the `Content-Type` of the answer.
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `path_category` of routes that no rate limit counts: health, version, metrics.
const UNLIMITED: &str = "none";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    path_category: &'static str,
    status: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    path_category: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathCategoryLabel {
    path_category: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CategoryLabel {
    category: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TenantLabel {
    tenant: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    tenant: String,
    secret_type: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    commit: &'static str,
}

/// The state of things at the moment of a scrape, which nobody counts while it changes.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    pub(crate) sealed: bool,
    /// Connections of the read pool: in all, and free.
    pub(crate) pool: (usize, usize),
    /// Secrets by tenant; `None` when the database can't be asked.
    pub(crate) secrets: Option<Vec<(String, i64)>>,
    /// Deliveries that wait for an attempt; `None` when the database can't be asked.
    pub(crate) webhook_queue: Option<i64>,
    /// Rotations that are due and were not looked at yet; `None` when the database can't be asked.
    pub(crate) rotation_queue: Option<i64>,
    /// Rate limits by identity; empty unless the operator wants them.
    pub(crate) buckets: Vec<UsedBucket>,
}

pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    active_requests: Family<PathCategoryLabel, Gauge>,
    rate_limit_hits: Family<CategoryLabel, Counter>,
    secrets: Family<TenantLabel, Gauge>,
    secret_reads: Family<ReadLabels, Counter>,
    secret_writes: Family<TenantLabel, Counter>,
    secret_rotations: Family<StatusLabel, Counter>,
    webhook_deliveries: Family<StatusLabel, Counter>,
    webhook_queue: Gauge,
    rotation_queue: Gauge,
    db_latency: Histogram,
    db_pool_size: Gauge,
    db_pool_available: Gauge,
    audit_entries: Counter,
    audit_commits: Histogram,
    audit_failures: Counter,
    cache_hits: Counter,
    cache_misses: Counter,
    sealed: Gauge,
    kms: KmsLatency,
    bucket_fill: BucketFill,
    /// Held while a scrape sets its gauges and writes them: two at once would see each other's half.
    rendering: Mutex<()>,
    last_audit_commit_micros: AtomicI64,
}

impl Metrics {
    /// `commit` is what the program was built from; `per_identity` also shows rate limits by identity.
    pub(crate) fn new(commit: &'static str, per_identity: bool) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_durations: Family::new_with_constructor(durations),
            active_requests: Family::default(),
            rate_limit_hits: Family::default(),
            secrets: Family::default(),
            secret_reads: Family::default(),
            secret_writes: Family::default(),
            secret_rotations: Family::default(),
            webhook_deliveries: Family::default(),
            webhook_queue: Gauge::default(),
            rotation_queue: Gauge::default(),
            db_latency: durations(),
            db_pool_size: Gauge::default(),
            db_pool_available: Gauge::default(),
            audit_entries: Counter::default(),
            audit_commits: durations(),
            audit_failures: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            sealed: Gauge::default(),
            kms: KmsLatency::new(),
            bucket_fill: BucketFill::default(),
            rendering: Mutex::new(()),
            last_audit_commit_micros: AtomicI64::new(0),
        };
        metrics.registry = metrics.registered(commit, per_identity);
        metrics
    }
}

fn durations() -> Histogram {
    // 100 microseconds to 6.5 seconds: from a cached read to the write timeout of a slow disk.
    Histogram::new(exponential_buckets(0.000_1, 2.0, 17))
}

impl Metrics {
    /// The names. Those of counters go without `_total` here and that of an info without `_info`: the encoder adds them.
    fn registered(&self, commit: &'static str, per_identity: bool) -> Registry {
        let mut registry = Registry::with_prefix("scaivault");
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register("request_duration_seconds", "Time to answer a request", self.request_durations.clone());
        registry.register("active_requests", "Requests being answered", self.active_requests.clone());
        registry.register("rate_limit_hits", "Requests refused by a rate limit", self.rate_limit_hits.clone());
        registry.register("secrets_total", "Secrets that are not deleted", self.secrets.clone());
        registry.register("secret_reads", "Values read", self.secret_reads.clone());
        registry.register("secret_writes", "Secrets written", self.secret_writes.clone());
        registry.register("secret_rotations", "Rotations", self.secret_rotations.clone());
        registry.register("rotation_queue_depth", "Rotations that are due", self.rotation_queue.clone());
        registry.register("webhook_queue_depth", "Deliveries that wait for an attempt", self.webhook_queue.clone());
        registry.register("webhook_deliveries", "Deliveries that are over", self.webhook_deliveries.clone());
        registry.register("db_latency_seconds", "Time of a durable write", self.db_latency.clone());
        registry.register("db_pool_size", "Connections for reading", self.db_pool_size.clone());
        registry.register("db_pool_available", "Connections for reading that are free", self.db_pool_available.clone());
        registry.register("audit_entries", "Audit entries written", self.audit_entries.clone());
        registry.register("audit_commit_seconds", "Time until an audit entry is durable", self.audit_commits.clone());
        registry.register("audit_failures", "Audit entries that could not be written", self.audit_failures.clone());
        registry.register("cache_hits", "Reads answered from memory", self.cache_hits.clone());
        registry.register("cache_misses", "Reads that went to the database", self.cache_misses.clone());
        registry.register(
            "kms_latency_seconds",
            "Time of an operation with the root key or the signing key",
            self.kms.figures(),
        );
        if per_identity {
            registry.register("rate_limit_bucket_fill", "Used part of a rate limit", self.bucket_fill.0.clone());
        }
        registry.register("sealed", "1 while the server is sealed", self.sealed.clone());
        let build = BuildLabels { version: crate::system::VERSION, commit };
        registry.register("build", "What runs here", Info::new(build));
        registry
    }

    /// Counts an answered request. `category` is `None` for routes without a rate limit.
    pub fn request(&self, method: &str, category: Option<RateCategory>, status: u16, seconds: f64) {
        let (method, path_category) = (method_label(method), category_label(category));
        self.requests.get_or_create(&RequestLabels { method, path_category, status: u32::from(status) }).inc();
        self.request_durations.get_or_create(&RouteLabels { method, path_category }).observe(seconds);
    }

    /// Counts a request as being answered until the guard is dropped, however the request ends.
    pub fn in_flight(&self, category: Option<RateCategory>) -> InFlight {
        let gauge =
            self.active_requests.get_or_create_owned(&PathCategoryLabel { path_category: category_label(category) });
        gauge.inc();
        InFlight(gauge)
    }

    pub fn rate_limited(&self, category: RateCategory) {
        self.rate_limit_hits.get_or_create(&CategoryLabel { category: category.as_str() }).inc();
    }

    pub(crate) fn kms(&self) -> &KmsLatency {
        &self.kms
    }

    pub(crate) fn cache_hit(&self) {
        self.cache_hits.inc();
    }

    pub(crate) fn cache_miss(&self) {
        self.cache_misses.inc();
    }

    pub(crate) fn secret_read(&self, tenant: &str, secret_type: SecretType) {
        let labels = ReadLabels { tenant: tenant.to_owned(), secret_type: secret_type.as_str() };
        self.secret_reads.get_or_create(&labels).inc();
    }

    /// Counts an entry that is durable, and what it tells of: a write or a rotation that is not in the trail did not happen.
    pub(crate) fn audited(&self, entry: &AuditEntry) {
        self.audit_entries.inc();
        if entry.extra_data.contains_key("replayed") {
            return;
        }
        match AuditAction::parse(&entry.action) {
            Some(AuditAction::Write) if entry.success => {
                let tenant = entry.tenant_id.clone().unwrap_or_default();
                self.secret_writes.get_or_create(&TenantLabel { tenant }).inc();
                if entry.extra_data.get("is_rotation").is_some_and(|is_rotation| is_rotation == true) {
                    self.secret_rotations.get_or_create(&StatusLabel { status: "success" }).inc();
                }
            }
            Some(AuditAction::Rotate) => {
                let status = if entry.success { "success" } else { "failed" };
                self.secret_rotations.get_or_create(&StatusLabel { status }).inc();
            }
            _ => {}
        }
    }

    /// Counts a delivery that is over.
    pub(crate) fn webhook_delivered(&self, arrived: bool) {
        let status = if arrived { "success" } else { "failed" };
        self.webhook_deliveries.get_or_create(&StatusLabel { status }).inc();
    }

    pub(crate) fn audit_failed(&self) {
        self.audit_failures.inc();
    }

    /// A transaction with an audit entry in it became durable.
    pub(crate) fn committed(&self, took: Duration) {
        self.db_latency.observe(took.as_secs_f64());
        self.audit_commits.observe(took.as_secs_f64());
        self.last_audit_commit_micros.store(i64::try_from(took.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// How long the newest entry took to become durable, in milliseconds.
    pub(crate) fn audit_lag_millis(&self) -> i64 {
        self.last_audit_commit_micros.load(Ordering::Relaxed) / 1000
    }

    /// The figures as OpenMetrics text, which Prometheus reads.
    pub(crate) fn render(&self, scrape: Scrape) -> String {
        let _alone = self.rendering.lock();
        self.sealed.set(i64::from(scrape.sealed));
        self.db_pool_size.set(i64::try_from(scrape.pool.0).unwrap_or(i64::MAX));
        self.db_pool_available.set(i64::try_from(scrape.pool.1).unwrap_or(i64::MAX));
        if let Some(secrets) = scrape.secrets {
            // A tenant that is gone must not stay in the picture.
            self.secrets.clear();
            for (tenant, count) in secrets {
                self.secrets.get_or_create(&TenantLabel { tenant }).set(count);
            }
        }
        if let Some(due) = scrape.rotation_queue {
            self.rotation_queue.set(due);
        }
        if let Some(waiting) = scrape.webhook_queue {
            self.webhook_queue.set(waiting);
        }
        self.bucket_fill.show(scrape.buckets);
        let mut out = String::new();
        // Writing into a string can't fail; if it did, half of the figures would be worse than none.
        if text::encode(&mut out, &self.registry).is_err() {
            out.clear();
        }
        out
    }
}

/// Keeps a request counted as active.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Measures how long something took. Not the vault's clock: that tells times of day and may be set.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

fn category_label(category: Option<RateCategory>) -> &'static str {
    category.map_or(UNLIMITED, RateCategory::as_str)
}

/// A client chooses its method, so only those of HTTP become labels.
fn method_label(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        let metrics = Metrics::new("abc1234", false);
        metrics.request("GET", Some(RateCategory::Read), 200, 0.001);
        metrics.request("BREW", None, 405, 0.001);
        metrics.rate_limited(RateCategory::Write);
        metrics.secret_read("tnt_a", SecretType::Kv);
        metrics.committed(Duration::from_millis(3));
        metrics.cache_hit();
        metrics.cache_miss();
        metrics.audit_failed();
        let _active = metrics.in_flight(Some(RateCategory::List));
        metrics.kms().time(KmsOperation::Sign, || ());
        let secrets = Some(vec![("tnt_a".to_owned(), 5)]);
        let text = metrics.render(Scrape {
            sealed: true,
            pool: (8, 7),
            secrets,
            rotation_queue: Some(4),
            ..Scrape::default()
        });
        for line in [
            "scaivault_requests_total{method=\"GET\",path_category=\"read\",status=\"200\"} 1",
            "scaivault_requests_total{method=\"other\",path_category=\"none\",status=\"405\"} 1",
            "scaivault_request_duration_seconds_count{method=\"GET\",path_category=\"read\"} 1",
            "scaivault_active_requests{path_category=\"list\"} 1",
            "scaivault_rate_limit_hits_total{category=\"write\"} 1",
            "scaivault_secrets_total{tenant=\"tnt_a\"} 5",
            "scaivault_secret_reads_total{tenant=\"tnt_a\",secret_type=\"kv\"} 1",
            "scaivault_db_latency_seconds_count 1",
            "scaivault_audit_commit_seconds_count 1",
            "scaivault_db_pool_size 8",
            "scaivault_db_pool_available 7",
            "scaivault_audit_entries_total 0",
            "scaivault_audit_failures_total 1",
            "scaivault_cache_hits_total 1",
            "scaivault_rotation_queue_depth 4",
            "scaivault_cache_misses_total 1",
            "scaivault_sealed 1",
            "scaivault_kms_latency_seconds_count{operation=\"sign\"} 1",
            concat!("scaivault_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\",commit=\"abc1234\"} 1"),
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert_eq!(metrics.audit_lag_millis(), 3);
    }

    #[test]
    fn a_tenant_that_is_gone_leaves_the_picture() {
        let metrics = Metrics::new("abc1234", false);
        let secrets = |tenant: &str| Scrape { secrets: Some(vec![(tenant.to_owned(), 1)]), ..Scrape::default() };
        metrics.render(secrets("tnt_a"));
        let text = metrics.render(secrets("tnt_b"));
        assert!(!text.contains("tnt_a") && text.contains("tnt_b"));
        // Unknown is not none: the last known counts stay.
        assert!(metrics.render(Scrape::default()).contains("tnt_b"));
    }

    #[test]
    fn buckets_show_only_where_they_are_wanted() {
        let used = |identity: &str| Scrape {
            buckets: vec![UsedBucket { category: RateCategory::Read, identity: identity.to_owned(), used: 0.25 }],
            ..Scrape::default()
        };
        assert!(!Metrics::new("abc1234", false).render(used("usr_a")).contains("bucket_fill"));
        let metrics = Metrics::new("abc1234", true);
        let line = "scaivault_rate_limit_bucket_fill{category=\"read\",identity=\"usr_a\"} 0.25";
        assert!(metrics.render(used("usr_a")).contains(line));
        assert!(!metrics.render(used("usr_b")).contains("usr_a"));
    }

    #[test]
    fn a_dropped_request_is_no_longer_active() {
        let metrics = Metrics::new("abc1234", false);
        drop(metrics.in_flight(None));
        assert!(metrics.render(Scrape::default()).contains("scaivault_active_requests{path_category=\"none\"} 0"));
    }
}
