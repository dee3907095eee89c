//! `/v1/health`, `/v1/version`, `/v1/metrics` and `/v1/sys`

use std::sync::Arc;

use scaivault_api::system as wire;
use scaivault_crypto::SecretBytes;
use scaivault_domain::action::Action;
use scaivault_domain::time::Timestamp;
use scaivault_service::seal::SealStatus;
use scaivault_service::system::{
    API_VERSION, DetailedHealth, HealthDetails, JobOverview, KeyOverview, ListKeys, LookAtJobs, ReadMetrics,
    RetriedJob, RetryJob, SealServer,
};
use scaivault_service::{Code, Error, FaultCode, METRICS_CONTENT_TYPE, Readiness, Result};

use crate::app::body;
use crate::endpoint::{Answered, Call, Endpoint, Pending, query};
use crate::extract::headers::BodyType;
use crate::extract::{Boolean, Faults, Json, ObjectReader, Query, QueryReader, SecretText, Text, headers, present};
use crate::input::Input;
use crate::reply::Reply;
use crate::settings::MetricsExposure;

/// Bodies of `/v1/sys` are small; these routes ask for no token.
const BODY_LIMIT: usize = 16 * 1024;
const PASSPHRASE_CHARS: usize = 1024;
const DEFAULT_DEAD_JOBS: u32 = 50;
const MAX_DEAD_JOBS: u32 = 200;
const JOB_NAME_CHARS: usize = 500;

pub(crate) async fn health(call: Call) -> Result<Reply> {
    no_parameters(&call)?;
    let timestamp = call.vault.now().to_rfc3339_seconds();
    Ok(Reply::json(&wire::Health { status: "healthy".to_owned(), timestamp }))
}

pub(crate) async fn ready(call: Call) -> Result<Reply> {
    no_parameters(&call)?;
    let readiness = call.vault.readiness().await;
    let errors = readiness.errors().into_iter().map(|(part, fault)| (part.to_owned(), fault.to_owned())).collect();
    let is_ready = readiness.is_ready();
    let body = wire::Ready {
        status: if is_ready { "ready" } else { "not_ready" }.to_owned(),
        checks: ready_checks(readiness),
        errors: (!is_ready).then_some(errors),
    };
    Ok(Reply::json(&body).status(if is_ready { 200 } else { 503 }))
}

fn ready_checks(readiness: Readiness) -> wire::ReadyChecks {
    wire::ReadyChecks {
        database: state(readiness.database),
        redis: NOT_CONFIGURED.to_owned(),
        encryption: state(readiness.encryption),
        audit: state(readiness.audit),
    }
}

const NOT_CONFIGURED: &str = "not_configured";

fn state(is_well: bool) -> String {
    if is_well { "ok" } else { "error" }.to_owned()
}

pub(crate) async fn version(call: Call) -> Result<Reply> {
    no_parameters(&call)?;
    let build = call.settings.build;
    Ok(Reply::json(&wire::Version {
        version: build.version.to_owned(),
        api_version: API_VERSION.to_owned(),
        commit: build.commit.to_owned(),
        built_at: build.built_at.to_owned(),
    }))
}

/// An unknown parameter is refused everywhere (contract 00 section 1).
fn no_parameters(call: &Call) -> Result<()> {
    let faults = Faults::new();
    let query = Query::parse(call.parts.uri.query());
    QueryReader::new(&query, &faults).finish();
    faults.finish()
}

fn no_filters(input: &Input<'_>) -> Result<()> {
    let faults = Faults::new();
    input.query(&faults).finish();
    faults.finish()
}

pub(crate) fn detailed(input: &Input<'_>) -> Result<DetailedHealth> {
    no_filters(input).map(|()| DetailedHealth)
}

pub(crate) fn detailed_view(health: HealthDetails, input: &Input<'_>) -> Result<Reply> {
    let status = if health.is_healthy() { "healthy" } else { "degraded" };
    Ok(Reply::json(&wire::DetailedHealth {
        status: status.to_owned(),
        version: input.settings.build.version.to_owned(),
        uptime_seconds: health.uptime_seconds,
        checks: wire::DetailedChecks {
            database: wire::DatabaseCheck {
                status: state(health.database),
                latency_ms: health.database_latency_ms,
                engine: health.engine.to_owned(),
                pool_size: health.pool_size,
                pool_available: health.pool_available,
            },
            encryption: wire::EncryptionCheck {
                status: state(health.unsealed),
                provider: health.provider.to_owned(),
                key_status: if health.unsealed { "active" } else { "sealed" }.to_owned(),
                last_rotation: None,
            },
            audit: wire::AuditCheck {
                status: state(health.database),
                last_checkpoint: health.last_checkpoint.map(Timestamp::to_rfc3339_seconds),
                lag_ms: health.audit_lag_ms,
            },
            jobs: wire::JobsCheck {
                status: state(true),
                rotation_queue: health.rotation_queue,
                webhook_queue: health.webhook_queue,
                leases: 0,
            },
            object_store: wire::ObjectStoreCheck { status: NOT_CONFIGURED.to_owned() },
        },
    }))
}

/// `GET /v1/metrics`: whether it asks for a token, and whether it is here at all, the operator decides.
pub(crate) fn metrics() -> Box<dyn Endpoint> {
    struct Metrics(Box<dyn Endpoint>);
    impl Endpoint for Metrics {
        fn action(&self) -> Option<Action> {
            Some(Action::Metrics)
        }

        fn call(&self, call: Call) -> Pending {
            match call.settings.metrics {
                MetricsExposure::Token => self.0.call(call),
                MetricsExposure::Open => Box::pin(async move { Answered::of(scrape(call).await, None) }),
                MetricsExposure::Elsewhere => {
                    Box::pin(async { Answered::error(Error::new(Code::NotFound, "There is no such route"), None) })
                }
            }
        }
    }
    Box::new(Metrics(query(metrics_op, metrics_text)))
}

/// The metrics without a token: on the main port if the operator says so, and on a port of their own.
pub(crate) async fn scrape(call: Call) -> Result<Reply> {
    let content_type = metrics_type(&call.parts.headers);
    Ok(Reply::text(call.vault.scrape().await?, content_type))
}

fn metrics_op(input: &Input<'_>) -> Result<ReadMetrics> {
    no_filters(input).map(|()| ReadMetrics)
}

fn metrics_text(text: String, input: &Input<'_>) -> Result<Reply> {
    Ok(Reply::text(text, metrics_type(input.headers)))
}

/// The text is OpenMetrics, which readers of the older format take as well: what differs are comments to them. It is called by
/// the name that the client asked for, and by the older one to who asked for none.
fn metrics_type(headers: &http::HeaderMap) -> &'static str {
    let accepts = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/openmetrics-text") {
        METRICS_CONTENT_TYPE
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    }
}

pub(crate) async fn seal_status(call: Call) -> Result<Reply> {
    no_parameters(&call)?;
    Ok(status_view(&call.vault.seal_status().await?))
}

pub(crate) async fn unseal(call: Call) -> Result<Reply> {
    no_parameters(&call)?;
    let bytes = body::read(call.body, &call.parts.headers, BODY_LIMIT).await?;
    if !bytes.is_empty() {
        headers::content_type(&call.parts.headers, BodyType::Json)?;
    }
    let given = read_unseal(&if bytes.is_empty() { Json::empty() } else { Json::from_body(bytes)? })?;
    let vault = Arc::clone(&call.vault);
    let status = match given {
        Unseal::Passphrase(passphrase) => vault.unseal(&call.meta, passphrase).await?,
        Unseal::Reset => vault.reset_unseal().await?,
        Unseal::Share => return Err(vault.refuse_share()),
    };
    Ok(status_view(&status))
}

enum Unseal {
    Passphrase(SecretBytes),
    Reset,
    Share,
}

fn read_unseal(json: &Json) -> Result<Unseal> {
    let secret = SecretText(Text::chars(1..=PASSPHRASE_CHARS));
    let faults = Faults::new();
    let mut body = ObjectReader::new(json, &faults);
    let count = ["passphrase", "share", "reset"].iter().filter(|field| body.has(field)).count();
    let passphrase = body.get("passphrase", &secret);
    let share = body.get("share", &secret);
    let reset = body.get("reset", &Boolean);
    if count == 0 {
        body.fault("passphrase", FaultCode::Required, "is required (or share, or reset)");
    } else if count > 1 {
        body.fault("passphrase", FaultCode::Conflict, "give one of passphrase, share and reset");
    } else if reset == Some(false) {
        body.fault("reset", FaultCode::NotAllowed, "can only be true");
    }
    body.finish();
    faults.finish()?;
    match (passphrase, share) {
        (Some(passphrase), _) => Ok(Unseal::Passphrase(SecretBytes::new(passphrase.as_bytes().to_vec()))),
        (None, Some(_)) => Ok(Unseal::Share),
        (None, None) => Ok(Unseal::Reset),
    }
}

pub(crate) fn seal(input: &Input<'_>) -> Result<SealServer> {
    let faults = Faults::new();
    input.query(&faults).finish();
    input.body(&faults).finish();
    faults.finish()?;
    Ok(SealServer)
}

pub(crate) fn status_view(status: &SealStatus) -> Reply {
    Reply::json(&wire::SealStatus {
        sealed: status.sealed,
        provider: status.provider.to_owned(),
        threshold: status.threshold,
        shares: status.shares,
        progress: status.progress,
        initialized: status.initialized,
    })
}

pub(crate) fn keys(input: &Input<'_>) -> Result<ListKeys> {
    no_filters(input).map(|()| ListKeys)
}

pub(crate) fn key_list(keys: Vec<KeyOverview>, _input: &Input<'_>) -> Result<Reply> {
    let keys = keys.into_iter().map(|key| wire::Key {
        level: key.level,
        id: key.owner_id,
        key_id: key.key_id,
        created_at: key.created_at.to_rfc3339_seconds(),
        status: if key.is_active { "active" } else { "retiring" }.to_owned(),
    });
    Ok(Reply::json(&wire::Keys { keys: keys.collect(), jobs: Vec::new() }))
}

pub(crate) fn jobs(input: &Input<'_>) -> Result<LookAtJobs> {
    let faults = Faults::new();
    let mut query = input.query(&faults);
    let limit = query.limit(DEFAULT_DEAD_JOBS, MAX_DEAD_JOBS);
    query.finish();
    faults.finish()?;
    Ok(LookAtJobs { limit })
}

pub(crate) fn job_overview(jobs: JobOverview, _input: &Input<'_>) -> Result<Reply> {
    let dead = jobs.dead.into_iter().map(|dead| wire::DeadJob {
        kind: dead.key.kind,
        subject: dead.key.subject,
        tenant_id: Some(dead.tenant_id).filter(|id| !id.is_empty()),
        failures: dead.failures,
        error: dead.error,
        died_at: dead.died_at.to_rfc3339_seconds(),
    });
    let dead = dead.collect();
    Ok(Reply::json(&wire::Jobs { waiting: jobs.waiting, due: jobs.due, dead_count: jobs.dead_count, dead }))
}

pub(crate) fn retry_job(input: &Input<'_>) -> Result<RetryJob> {
    let faults = Faults::new();
    input.query(&faults).finish();
    let mut body = input.body(&faults);
    let kind = body.require("kind", &Text::chars(1..=JOB_NAME_CHARS));
    let subject = body.require("subject", &Text::chars(1..=JOB_NAME_CHARS));
    body.finish();
    faults.finish()?;
    Ok(RetryJob { kind: present(kind)?, subject: present(subject)? })
}

pub(crate) fn retried_job(job: &RetriedJob) -> Reply {
    Reply::json(&wire::RetriedJob {
        kind: job.kind.clone(),
        subject: job.subject.clone(),
        run_at: job.run_at.to_rfc3339_seconds(),
    })
}
