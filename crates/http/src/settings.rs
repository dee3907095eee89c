//! What the operator decides about this door.

use ipnet::IpNet;

use crate::answer_budget::AnswerBudget;

#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Empty: CORS is off.
    pub cors_origins: Vec<String>,
    pub metrics: MetricsExposure,
    /// Shared by all doors of the process.
    pub answers: AnswerBudget,
    pub build: BuildInfo,
}

/// Who may read `GET /v1/metrics` on the main port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsExposure {
    /// Anybody who reaches the port.
    Open,
    /// Nobody: metrics have a port of their own.
    Elsewhere,
    /// A token with scope admin.
    Token,
}

#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    pub version: &'static str,
    pub commit: &'static str,
    pub built_at: &'static str,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            metrics: MetricsExposure::Token,
            answers: AnswerBudget::default(),
            build: BuildInfo { version: env!("CARGO_PKG_VERSION"), commit: "unknown", built_at: "unknown" },
        }
    }
}
