//! The one way a request takes: authenticate -> tenant -> limit -> scope -> (the door parses) -> authorise -> execute -> audit ->
//! commit -> respond (contract 00 section 3).

use std::sync::Arc;

use scaivault_crypto::digest::sha256;
use scaivault_domain::access::{self, Denial, Permit, Target};
use scaivault_domain::action::{AccessRule, Action, ScopeRule};
use scaivault_domain::audit::AuditAction;
use scaivault_domain::condition::holds_address;
use scaivault_domain::policy::DenialReason;
use scaivault_domain::rate::RateCategory;
use scaivault_domain::time::Timestamp;
use scaivault_store::{StoreError, StoreResult, WriteTx, idempotency, token};

use crate::caller::{Caller, RequestMeta};
use crate::context::{AfterCommit, Context, Notes, Outcome};
use crate::error::{Code, Error, FaultCode, Result};
use crate::kept::Kept;
use crate::metrics::Stopwatch;
use crate::operation::{Command, Query};
use crate::rate::Decision;
use crate::session::{TenantChoice, token_revoked};
use crate::trail::{Subject, audit_action};
use crate::vault::Vault;
use crate::warm::WarmKeys;

/// How long the answer to an Idempotency-Key is kept.
pub(crate) const KEPT_SECONDS: i64 = 24 * 3600;
const KEPT_PURPOSE: &str = "idempotent_reply";

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

/// What an operation came to, and how.
#[derive(Debug)]
pub struct Answer<T> {
    pub output: T,
    pub outcome: Outcome,
}

/// A command's answer: run just now, or kept from the first time.
#[derive(Debug)]
pub enum Reply<T> {
    Fresh(Answer<T>),
    /// What `render` made of the first answer.
    Replayed(Vec<u8>),
}

/// An Idempotency-Key with all it is bound to (contract 00 section 7).
pub struct Idempotency<T> {
    pub key: String,
    pub method: String,
    /// As the client sent it, so that another query is another request.
    pub url: String,
    pub body_hash: [u8; 32],
    /// Turns the first answer into the bytes that are kept, sealed under the tenant's key.
    pub render: Box<dyn Fn(&Answer<T>) -> Vec<u8> + Send + Sync>,
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

    /// Takes a unit of the identity's bucket.
    fn draw(&self, bucket: &str, category: RateCategory, now: Timestamp) -> Result<Decision, Refused> {
        let rate = self.limiter.admit(bucket, category, now.as_micros());
        if rate.allowed {
            return Ok(rate);
        }
        self.metrics.rate_limited(category);
        Err(Refused { error: rate_limited(category, rate.retry_after_seconds), rate: Some(rate) })
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

    /// Runs a query: steps 8 to 10. Its output leaves only after its audit entry is durable.
    pub async fn query<Q: Query>(self: &Arc<Self>, admitted: &Admitted, query: Q) -> Result<Answer<Q::Output>> {
        let caller = Arc::clone(&admitted.caller);
        let now = self.clock.now();
        let target = query.target();
        let (action, permit) = (query.action(), self.permit(&caller, query.action(), &target, now));
        let (result, notes, grant) = match permit {
            Err(error) => (Err(error), Notes::default(), None),
            Ok(permit) => {
                let at_hand = self.warm_keys(&caller, &target, now).and_then(|keys| {
                    let mut cx = Context::new(self, &caller, now, keys);
                    let result = query.from_cache(&permit, self, &mut cx)?;
                    Some((result, cx.notes))
                });
                match at_hand {
                    Some((result, notes)) => (result, notes, Some(permit.grant().clone())),
                    None => {
                        let (vault, caller, target) = (Arc::clone(self), Arc::clone(&caller), target.clone());
                        let _place = self.scan_place(action).await;
                        tokio::task::spawn_blocking(move || {
                            let keys = vault.load_keys(&caller, &target, now);
                            let mut cx = Context::new(&vault, &caller, now, keys);
                            let result = vault.store.read(|view| query.run(&permit, view, &mut cx));
                            (result, cx.notes, Some(permit.grant().clone()))
                        })
                        .await
                        .unwrap_or_else(|panicked| (Err(Error::internal(panicked)), Notes::default(), None))
                    }
                }
            }
        };
        if let Some(audited) = audit_action(action) {
            let subject = Subject::of(audited, Some(&target), grant.as_ref());
            let fate = result.as_ref().map(|_| notes.outcome.status());
            self.record(self.draft(&caller, &subject, &notes, fate)?).await?;
        }
        if let (Ok(_), Some((secret_id, secret_type))) = (&result, &notes.read_secret) {
            self.metrics.secret_read(caller.standing.tenant.as_str(), *secret_type);
            self.statistics.secret_read(secret_id, now);
        }
        result.map(|output| Answer { output, outcome: notes.outcome })
    }

    /// Runs a command: its change, its audit entry and its kept answer commit together or not at all.
    pub async fn command<C: Command>(
        self: &Arc<Self>,
        admitted: &Admitted,
        command: C,
        idempotency: Option<Idempotency<C::Output>>,
    ) -> Result<Reply<C::Output>> {
        let in_flight = idempotency.as_ref().map(|kept| request_key(&admitted.caller, kept));
        let turn = in_flight.map(|key| self.running.begin(key));
        let target = command.target();
        if let Some(None) = turn {
            let message = "A request with this Idempotency-Key is still running; try again in a moment";
            let error = Error::new(Code::RequestInProgress, message);
            return Err(self.refuse(admitted, command.action(), Some(&target), error).await);
        }
        let (vault, caller) = (Arc::clone(self), Arc::clone(&admitted.caller));
        let keys = self.keys_for(&caller, target).await?;
        let stopwatch = Stopwatch::start();
        let done = self
            .store
            .write(move |tx| vault.command_in_tx(tx, &caller, &command, &keys, in_flight.zip(idempotency.as_ref())))
            .await
            .inspect_err(|error| {
                if matches!(error, StoreError::Audit(_)) {
                    self.metrics.audit_failed();
                }
            })?;
        if let Some(entry) = &done.entry {
            self.metrics.committed(stopwatch.elapsed());
            self.published(entry);
        }
        if let (Ok(_), Some(effect)) = (&done.result, done.after_commit) {
            effect(self);
        }
        done.result
    }

    /// Scans take long; all at once they would take every read connection from those who read one row.
    async fn scan_place(&self, action: Action) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let spec = action.spec();
        let scans = matches!(spec.access, AccessRule::Listing(_)) || spec.rate == Some(RateCategory::AuditQuery);
        if scans { self.scans.acquire().await.ok() } else { None }
    }

    async fn keys_for(self: &Arc<Self>, caller: &Arc<Caller>, target: Target) -> Result<WarmKeys> {
        let now = self.clock.now();
        if let Some(keys) = self.warm_keys(caller, &target, now) {
            return Ok(keys);
        }
        let (vault, caller) = (Arc::clone(self), Arc::clone(caller));
        tokio::task::spawn_blocking(move || vault.load_keys(&caller, &target, now)).await.map_err(Error::internal)
    }

    fn command_in_tx<C: Command>(
        self: &Arc<Self>,
        tx: &mut WriteTx<'_>,
        caller: &Caller,
        command: &C,
        keys: &WarmKeys,
        kept: Option<([u8; 32], &Idempotency<C::Output>)>,
    ) -> StoreResult<Done<C::Output>> {
        let now = self.clock.now();
        let target = command.target();
        let mut cx = Context::new(self, caller, now, keys.clone());
        let mut grant = None;
        // A body may take minutes to arrive: what was valid when the request began may have been revoked since.
        let permit = token_still_lives(tx, caller)?.and_then(|()| self.permit(caller, command.action(), &target, now));
        let result = match permit {
            Err(error) => Err(error),
            Ok(permit) => {
                grant = Some(permit.grant().clone());
                tx.attempt(|tx| run_once(tx, &mut cx, command, &permit, kept))?
            }
        };
        let mut done = Done { result, entry: None, after_commit: cx.notes.after_commit };
        if let Some(audited) = audit_action(command.action()) {
            let subject = Subject::of(audited, Some(&target), grant.as_ref());
            let fate = done.result.as_ref().map(|_| cx.notes.outcome.status());
            match self.draft(caller, &subject, &cx.notes, fate) {
                Ok(mut draft) => {
                    draft.append(tx)?;
                    done.entry = Some(draft.entry);
                }
                Err(error) => return Err(StoreError::Audit(format!("{error:?}"))),
            }
        }
        Ok(done)
    }

    /// Scope again (an option may ask for more than the route announced), then policy.
    fn permit(&self, caller: &Caller, action: Action, target: &Target, now: Timestamp) -> Result<Permit> {
        check_scopes(caller, action)?;
        let facts = caller.facts(now, self.settings.mfa_max_age_seconds);
        access::decide(action, target, &caller.standing, &facts).map_err(|denial| denied(&denial, target))
    }
}

/// Suspending and deleting identities revoke their tokens, so one look is enough for all of them.
fn token_still_lives(tx: &mut WriteTx<'_>, caller: &Caller) -> StoreResult<Result<()>> {
    let found = token::find(tx, &caller.session.token.id)?;
    let lives = found.is_some_and(|token| token.revoked_at.is_none());
    Ok(if lives { Ok(()) } else { Err(token_revoked()) })
}

struct Done<T> {
    result: Result<Reply<T>>,
    entry: Option<scaivault_domain::audit::AuditEntry>,
    after_commit: Option<AfterCommit>,
}

fn run_once<C: Command>(
    tx: &mut WriteTx<'_>,
    cx: &mut Context<'_>,
    command: &C,
    permit: &Permit,
    kept: Option<([u8; 32], &Idempotency<C::Output>)>,
) -> Result<Reply<C::Output>> {
    let Some((request_key, idempotency)) = kept else {
        let output = command.run(permit, tx, cx)?;
        return Ok(Reply::Fresh(Answer { output, outcome: cx.notes.outcome }));
    };
    let scope = permit.tenant();
    let item_id = hex::encode(request_key);
    if let Some(earlier) = idempotency::find(tx, &request_key, cx.now.plus_seconds(-KEPT_SECONDS))? {
        if earlier.body_hash != idempotency.body_hash {
            return Err(Error::field("Idempotency-Key", FaultCode::Conflict, "was used before with another body"));
        }
        still_allowed(tx, cx, command, permit)?;
        let reply = cx.tenant_keys(scope)?.open_item(KEPT_PURPOSE, &item_id, &earlier.reply)?;
        let kept = Kept::parse(reply.expose())?;
        cx.notes = Notes { outcome: kept.outcome, resource_id: kept.resource_id, ..Notes::default() };
        cx.note("replayed", true);
        return Ok(Reply::Replayed(kept.rendered));
    }
    let output = command.run(permit, tx, cx)?;
    let answer = Answer { output, outcome: cx.notes.outcome };
    let rendered = (idempotency.render)(&answer);
    let kept = Kept { outcome: answer.outcome, resource_id: cx.notes.resource_id.clone(), rendered }.to_bytes();
    let sealed = cx.tenant_keys(scope)?.seal_item(KEPT_PURPOSE, &item_id, &kept, &*cx.vault.entropy)?;
    let reply = idempotency::KeptReply { body_hash: idempotency.body_hash.to_vec(), reply: sealed };
    idempotency::keep(tx, &request_key, scope.tenant().as_str(), &reply, cx.now)?;
    Ok(Reply::Fresh(answer))
}

/// Roles are an operation's own matter, so a replay asks it: it runs once more and is undone, and only a refusal counts. Anything
/// else that it may say (the name is taken by now: by the first time) is what the kept answer is for.
fn still_allowed<C: Command>(tx: &mut WriteTx<'_>, cx: &mut Context<'_>, command: &C, permit: &Permit) -> Result<()> {
    let tried = tx.attempt(|tx| Err::<(), _>(command.run(permit, tx, cx).err()))?;
    cx.notes = Notes::default();
    match tried {
        Err(Some(refusal)) if refusal.code().status() == 403 => Err(refusal),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn request_key<T>(caller: &Caller, kept: &Idempotency<T>) -> [u8; 32] {
    let parts = [caller.standing.tenant.as_str(), &caller.identity().internal_id, &kept.method, &kept.url, &kept.key];
    // Lengths in front of the parts, so that no two requests share an encoding.
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256(&bytes)
}

fn check_token_address(caller: &Caller) -> Result<()> {
    let ranges = &caller.session.ip_ranges;
    let inside = caller.meta.source_ip.is_some_and(|ip| ranges.iter().any(|range| holds_address(range, ip)));
    if ranges.is_empty() || inside {
        return Ok(());
    }
    Err(Error::new(Code::IpNotAllowed, "This token may not be used from your address")
        .with("failed_condition", "token_ip_ranges"))
}

fn check_scopes(caller: &Caller, action: Action) -> Result<()> {
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
fn denied(denial: &Denial, target: &Target) -> Error {
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
