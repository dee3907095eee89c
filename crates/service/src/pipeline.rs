//! The one way a request takes: authenticate -> tenant -> limit -> scope -> (the door parses) -> authorise -> execute -> audit ->
//! commit -> respond (contract 00 section 3).

use std::sync::Arc;

use scaivault_domain::access::{self, Permit, Target};
use scaivault_domain::action::{AccessRule, Action};
use scaivault_domain::rate::RateCategory;
use scaivault_domain::time::Timestamp;
use scaivault_store::{StoreError, StoreResult, WriteTx, token};

use crate::admit::{Admitted, check_scopes, denied};
use crate::caller::Caller;
use crate::context::{AfterCommit, Context, Notes, Outcome};
use crate::error::{Code, Error, Result};
use crate::event::Origin;
use crate::making::Making;
use crate::metrics::Stopwatch;
use crate::operation::{Command, Query};
use crate::replay::{Idempotency, request_key, run_once};
use crate::session::token_revoked;
use crate::trail::{Subject, audit_action, unrecorded};
use crate::vault::Vault;
use crate::warm::WarmKeys;

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

impl Vault {
    /// Runs a query: steps 8 to 10. Its output leaves only after its audit entry is durable.
    pub async fn query<Q: Query>(self: &Arc<Self>, admitted: &Admitted, query: Q) -> Result<Answer<Q::Output>> {
        let caller = Arc::clone(&admitted.caller);
        let now = self.clock.now();
        let target = query.target();
        let (action, permit) = (query.action(), self.permit(&caller, query.action(), &target, now));
        let (result, mut notes, grant) = match permit {
            Err(error) => (Err(error), Notes::default(), None),
            Ok(permit) => {
                let at_hand = self.warm_keys(&caller, &target, now).and_then(|keys| {
                    let mut cx = Context::new(self, &caller, now, keys);
                    let result = query.cached_answer(&permit, self, &mut cx)?;
                    Some((result, cx.into_notes().0))
                });
                match at_hand {
                    Some((result, notes)) => (result, notes, Some(permit.grant().clone())),
                    None => {
                        let grant = permit.grant().clone();
                        let _place = self.scan_place(action).await;
                        let (result, notes) = self.look(&caller, &target, now, Arc::new((query, permit))).await;
                        (result, notes, Some(grant))
                    }
                }
            }
        };
        let unrecorded = result.is_ok() && notes.unrecorded;
        if let Some(audited) = audit_action(action).filter(|_| !unrecorded) {
            let subject = Subject::of(audited, Some(&target), grant.as_ref());
            let fate = result.as_ref().map(|_| notes.outcome.status());
            let draft = self.draft(&caller, &subject, &notes, fate)?;
            let happenings = match &result {
                Ok(_) => std::mem::take(&mut notes.events),
                Err(error) => self.violation(&caller, &target, error, false, now).into_iter().collect(),
            };
            self.record_and_tell(&caller, vec![draft], happenings, now).await?;
        }
        if result.is_ok() {
            self.count_access(&caller, &notes, now);
        }
        result.map(|output| Answer { output, outcome: notes.outcome })
    }

    /// Counts the value that was read, if one was: after its entry is durable, so that what was withheld does not count.
    pub(crate) fn count_access(&self, caller: &Caller, notes: &Notes, now: Timestamp) {
        if let Some((secret_id, secret_type)) = &notes.read_secret {
            self.metrics.secret_read(caller.standing.tenant.as_str(), *secret_type);
            self.statistics.secret_read(secret_id, now);
        }
    }

    /// Runs a command: its change, its audit entry and its kept answer commit together or not at all.
    pub async fn command<C: Command>(
        self: &Arc<Self>,
        admitted: &Admitted,
        mut command: C,
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
        command.prepare(self, &admitted.caller).await;
        let lane = command.lane(&admitted.caller);
        let asked = Arc::new((command, idempotency));
        let mut making = Making::default();
        let (done, stopwatch) = loop {
            let (vault, caller, asked) = (Arc::clone(self), Arc::clone(&admitted.caller), Arc::clone(&asked));
            let keys = self.keys_for(&caller, target.clone()).await?;
            let stopwatch = Stopwatch::start();
            let mut done = self
                .store
                .write(lane.clone(), move |tx| {
                    let (command, kept) = (&asked.0, in_flight.zip(asked.1.as_ref()));
                    vault.command_in_tx(tx, &caller, command, (&keys, &making), kept)
                })
                .await
                .inspect_err(|error| {
                    self.violations.forget(&admitted.caller.meta.request_id);
                    if matches!(error, StoreError::Audit(_)) {
                        self.metrics.audit_failed();
                    }
                })?;
            match self.make(std::mem::take(&mut done.making)).await {
                Some(made) => making = made,
                None => break (done, stopwatch),
            }
        };
        self.metrics.committed(stopwatch.elapsed());
        if let (Ok(_), Some(effect)) = (&done.result, done.after_commit) {
            effect(self);
        }
        done.result
    }

    /// Runs a query over a snapshot, again if it lacked a value that takes long to make: no snapshot waits for it.
    async fn look<Q: Query>(
        self: &Arc<Self>,
        caller: &Arc<Caller>,
        target: &Target,
        now: Timestamp,
        asked: Arc<(Q, Permit)>,
    ) -> (Result<Q::Output>, Notes) {
        let mut making = Making::default();
        loop {
            let (vault, caller, target, asked) =
                (Arc::clone(self), Arc::clone(caller), target.clone(), Arc::clone(&asked));
            let looked = tokio::task::spawn_blocking(move || {
                let keys = vault.load_keys(&caller, &target, now);
                if matches!(asked.0.action(), Action::SecretRead | Action::SecretReadRetired) {
                    vault.learn_who_hears_reads(asked.1.secrets());
                }
                let mut cx = Context::new(&vault, &caller, now, keys);
                cx.making = making;
                let result = vault.store.read(|view| asked.0.run(&asked.1, view, &mut cx));
                let (notes, making) = cx.into_notes();
                (result, notes, making)
            });
            let (result, notes, after) = match looked.await {
                Ok(looked) => looked,
                Err(panicked) => return (Err(Error::internal(panicked)), Notes::default()),
            };
            match self.make(after).await {
                Some(made) => making = made,
                None => return (result, notes),
            }
        }
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
        (keys, making): (&WarmKeys, &Making),
        kept: Option<([u8; 32], &Idempotency<C::Output>)>,
    ) -> StoreResult<Done<C::Output>> {
        let now = self.clock.now();
        let target = command.target();
        let mut cx = Context::new(self, caller, now, keys.clone());
        cx.making.clone_from(making);
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
        let (notes, making) = cx.into_notes();
        // What succeeded stands, whatever it had asked for on its way.
        let making = if result.is_ok() { Making::default() } else { making };
        let done = Done { result, after_commit: notes.after_commit, making };
        if done.making.lacks_something() {
            return Ok(done);
        }
        let happenings = match &done.result {
            Ok(_) => notes.events.clone(),
            Err(error) => self.violation(caller, &target, error, true, now).into_iter().collect(),
        };
        self.append_events(tx, &Origin::of(caller), &happenings, now)?;
        if let Some(audited) = audit_action(command.action()) {
            let subject = Subject::of(audited, Some(&target), grant.as_ref());
            let fate = done.result.as_ref().map(|_| notes.outcome.status());
            let drafts = self.drafts(caller, &subject, &notes, fate);
            drafts.map_err(unrecorded)?.into_iter().try_for_each(|draft| draft.append(tx))?;
        }
        Ok(done)
    }

    /// Scope again (an option may ask for more than the route announced), then policy.
    pub(crate) fn permit(&self, caller: &Caller, action: Action, target: &Target, now: Timestamp) -> Result<Permit> {
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
    after_commit: Option<AfterCommit>,
    /// Nothing happened if it lacks something.
    making: Making,
}
