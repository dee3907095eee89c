//! The way in: seal, token, tenant, rate, addresses, scope (contract 00 section 3, steps 2 to 6), and what is recorded of who is
//! turned away.

use std::sync::Arc;

use scaivault_domain::access::{self, Denial, Target};
use scaivault_domain::action::{Action, ScopeRule};
use scaivault_domain::audit::AuditAction;
use scaivault_domain::condition::holds_address;
use scaivault_domain::policy::DenialReason;
use scaivault_domain::rate::RateCategory;
use scaivault_domain::time::Timestamp;

use crate::caller::{Caller, RequestMeta};
use crate::context::Notes;
use crate::error::{Code, Error, Result};
use crate::rate::Decision;
use crate::session::TenantChoice;
use crate::trail::{Subject, audit_action};
use crate::vault::Vault;

/// What a token with the scope may ask of a sealed server (contract 00 section 3, step 2): neither needs a key nor an entry.
const WORKS_SEALED: [Action; 2] = [Action::HealthDetailed, Action::Metrics];

/// A request that passed every check that comes before its content is read.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub caller: Arc<Caller>,
    pub rate: Decision,
}

/// A request that was refused before its content was read. Its audit entry is already durable.
#[derive(Debug)]
pub struct Refused {
    pub error: Error,
    /// `None` before an identity is known.
    pub rate: Option<Decision>,
}

impl Vault {
    /// Steps 2 to 6: seal, token, tenant, rate, IP ranges, scope. `target` is what the address names, if it can be read.
    ///
    /// # Errors
    /// The refusal, audited as the contract says.
    pub async fn admit(
        self: &Arc<Self>,
        meta: RequestMeta,
        bearer: Option<&str>,
        choice: TenantChoice<'_>,
        action: Action,
        target: Option<&Target>,
    ) -> Result<Admitted, Refused> {
        if self.keyring.is_sealed() && !WORKS_SEALED.contains(&action) {
            let error = self.keyring.unsealed().err().unwrap_or_else(|| Error::internal("sealed"));
            return Err(Refused { error, rate: None });
        }
        // `Cache-Control: no-cache`: what other nodes did up to now counts, for rights as for values.
        if meta.fresh
            && bearer.is_some()
            && let Err(error) = self.store.catch_up().await
        {
            return Err(Refused { error: error.into(), rate: None });
        }
        let now = self.clock.now();
        let session = match self.authenticate(bearer, now).await {
            Ok(session) => session,
            Err(error) => return Err(self.refuse_stranger(&meta, bearer.is_some(), error, now).await),
        };
        self.statistics.token_used(&session.token.id, now);
        let caller = match self.enter(meta.clone(), Arc::clone(&session), choice).await {
            Ok(caller) => caller,
            Err(error) => {
                let bucket = &session.identity.internal_id;
                let draw = |category| self.limiter.admit(bucket, category, now.as_micros());
                let rate = action.spec().rate.map_or(Decision::UNLIMITED, draw);
                let error = self.refuse_at_border(&meta, &session, action, target, error, rate.allowed).await;
                return Err(Refused { error, rate: Some(rate) });
            }
        };
        let rate = match action.spec().rate {
            Some(category) => self.draw(&caller.session.identity.internal_id, category, now)?,
            None => Decision::UNLIMITED,
        };
        let admitted = Admitted { caller: Arc::new(caller), rate };
        let passed = check_token_address(&admitted.caller).and_then(|()| check_scopes(&admitted.caller, action));
        match passed {
            Ok(()) => Ok(admitted),
            Err(error) => Err(Refused { error: self.refuse(&admitted, action, target, error).await, rate: Some(rate) }),
        }
    }

    /// Takes a unit of the identity's bucket. Where values are paid for afterwards, their bucket must not be empty either; it is asked
    /// first, because a refused request costs nothing.
    fn draw(&self, bucket: &str, category: RateCategory, now: Timestamp) -> Result<Decision, Refused> {
        let refused = |category: RateCategory, rate: Decision| {
            self.metrics.rate_limited(category);
            Err(Refused { error: rate_limited(category, rate.retry_after_seconds), rate: Some(rate) })
        };
        if let Some(payer) = category.paid_by_value() {
            let rate = self.limiter.look(bucket, payer, now.as_micros());
            if !rate.allowed {
                return refused(payer, rate);
            }
        }
        let rate = self.limiter.admit(bucket, category, now.as_micros());
        if rate.allowed { Ok(rate) } else { refused(category, rate) }
    }

    /// Records that an admitted request failed before its operation could run (bad input, missing scope), and answers the error to
    /// tell: the given one, or that the audit trail can't be written.
    pub async fn refuse(&self, admitted: &Admitted, action: Action, target: Option<&Target>, error: Error) -> Error {
        let Some(audited) = audit_action(action) else { return error };
        let subject = Subject::of(audited, target, None);
        let recorded = match self.draft(&admitted.caller, &subject, &Notes::default(), Err(&error)) {
            Ok(draft) => self.record(draft).await,
            Err(error) => Err(error),
        };
        recorded.err().unwrap_or(error)
    }

    async fn refuse_stranger(&self, meta: &RequestMeta, presented: bool, error: Error, now: Timestamp) -> Refused {
        // A request without any token guesses nothing, and an outage is not the client's failure.
        if let (true, Some(ip), Some(throttle)) =
            (presented && error.code().status() == 401, meta.source_ip, &self.throttle)
            && let Some(seconds) = throttle.fail(ip, now.as_micros())
        {
            return Refused { error: rate_limited(RateCategory::Auth, seconds), rate: None };
        }
        let Some(notes) = self.failure_notes(meta, now) else { return Refused { error, rate: None } };
        let recorded = match self.blank(meta, AuditAction::AuthFailure, &notes, Err(&error)) {
            Ok(draft) => self.record(draft).await,
            Err(error) => Err(error),
        };
        Refused { error: recorded.err().unwrap_or(error), rate: None }
    }

    /// `None`: this failure is only counted; the next entry tells of it.
    fn failure_notes(&self, meta: &RequestMeta, now: Timestamp) -> Option<Notes> {
        let suppressed = self.failure_log.admit(meta.source_ip, now)?;
        let mut notes = Notes::default();
        if suppressed > 0 {
            notes.extra.insert("suppressed".to_owned(), suppressed.into());
        }
        Some(notes)
    }

    /// A request to act in a tenant it may not enter is recorded at home: the target's auditors have no business with it, and
    /// it may not even exist.
    async fn refuse_at_border(
        &self,
        meta: &RequestMeta,
        session: &Arc<crate::caller::Session>,
        action: Action,
        target: Option<&Target>,
        error: Error,
        within_rate: bool,
    ) -> Error {
        let Some(audited) = audit_action(action) else { return error };
        // The tenant is decided before the rate, so these can't be refused for their number. Beyond it they are recorded like
        // failed authentications: bounded, the rest counted, so that nobody fills the trail with them.
        let notes = if within_rate { Some(Notes::default()) } else { self.failure_notes(meta, self.clock.now()) };
        let Some(notes) = notes else { return error };
        let identity = &session.identity;
        let standing = access::Standing {
            tenant: identity.tenant.clone(),
            partner: identity.partner.clone(),
            home_tenant: identity.tenant.clone(),
            home_partner: identity.partner.clone(),
            roles: identity.roles,
            policies: Arc::from([]),
        };
        let caller =
            Caller { meta: meta.clone(), session: Arc::clone(session), standing, settings: Default::default() };
        let subject = Subject::of(audited, target, None);
        let recorded = match self.draft(&caller, &subject, &notes, Err(&error)) {
            Ok(mut draft) => {
                draft.entry.target_tenant_id =
                    error.details().get("tenant_id").and_then(|id| id.as_str()).map(str::to_owned);
                self.record(draft).await
            }
            Err(error) => Err(error),
        };
        recorded.err().unwrap_or(error)
    }
}

pub(crate) fn check_token_address(caller: &Caller) -> Result<()> {
    let ranges = &caller.session.ip_ranges;
    let inside = caller.meta.source_ip.is_some_and(|ip| ranges.iter().any(|range| holds_address(range, ip)));
    if ranges.is_empty() || inside {
        return Ok(());
    }
    Err(Error::new(Code::IpNotAllowed, "This token may not be used from your address")
        .with("failed_condition", "token_ip_ranges"))
}

pub(crate) fn check_scopes(caller: &Caller, action: Action) -> Result<()> {
    let held = caller.scopes();
    let (open, needed) = match action.spec().scopes {
        ScopeRule::None => return Ok(()),
        ScopeRule::All(scopes) => (scopes.iter().all(|scope| held.contains(*scope)), scopes),
        ScopeRule::Any(scopes) => (scopes.iter().any(|scope| held.contains(*scope)), scopes),
    };
    if open {
        return Ok(());
    }
    let required: Vec<&str> = needed.iter().map(|scope| scope.as_str()).collect();
    let words = if matches!(action.spec().scopes, ScopeRule::Any(_)) { " or " } else { " and " };
    Err(Error::new(Code::InsufficientScope, format!("The token needs scope {}", required.join(words)))
        .with("required", required))
}

/// The same words whether the path exists or not.
pub(crate) fn denied(denial: &Denial, target: &Target) -> Error {
    match denial {
        Denial::Role { needed } => Error::new(Code::Forbidden, format!("This needs role {needed}"))
            .with("reason", format!("role_{needed}_required")),
        Denial::Policy { reason, failed_condition, permission } => {
            let code = match reason {
                DenialReason::AccessDenied => Code::AccessDenied,
                DenialReason::IpNotAllowed => Code::IpNotAllowed,
                DenialReason::MfaRequired => Code::MfaRequired,
                DenialReason::TimeWindowViolation => Code::TimeWindowViolation,
            };
            let message = match reason {
                DenialReason::AccessDenied => {
                    format!("No policy gives you permission '{}' on this path", permission.as_str())
                }
                DenialReason::IpNotAllowed => "A policy permits this, but not from your address".to_owned(),
                DenialReason::MfaRequired => {
                    "A policy permits this only shortly after a second factor was given".to_owned()
                }
                DenialReason::TimeWindowViolation => "A policy permits this, but not at this time".to_owned(),
            };
            let mut error = Error::new(code, message).with("permission", permission.as_str());
            if let Target::Secret { path, .. } = target {
                error = error.with("path", path.as_str());
            }
            match failed_condition {
                Some(condition) => error.with("failed_condition", *condition),
                None => error,
            }
        }
    }
}

pub(crate) fn rate_limited(category: RateCategory, retry_after: u64) -> Error {
    let message = format!("Too many requests of category '{}'; wait {retry_after} s", category.as_str());
    Error::new(Code::RateLimited, message)
        .with("category", category.as_str())
        .with("retry_after", retry_after)
        .retry_after(retry_after)
}
