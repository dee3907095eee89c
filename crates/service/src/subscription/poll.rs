//! `GET /v1/subscriptions/{id}/poll`: looks, and waits where there is nothing yet. No database connection is held meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use scaivault_domain::access::{Permit, TenantScope};
use scaivault_domain::action::Action;
use scaivault_store::event::EventRecord;
use scaivault_store::subscription::SubscriptionRecord;
use scaivault_store::{Lane, ReadView, subscription_buffer};
use tokio::time::Instant;

use super::{lapsed_before, must_be_polled, own};
use crate::admit::Admitted;
use crate::context::{Context, Outcome};
use crate::error::Result;
use crate::event::{Sight, envelope, is_held};
use crate::operation::{Query, tenant_operation};
use crate::page::one_more;
use crate::pipeline::Answer;
use crate::vault::Vault;

/// Rows of a buffer that are looked at in one go: some more than are wanted, for those that the owner no longer sees.
const STEPS: std::ops::RangeInclusive<i64> = 50..=500;
/// Rows that the owner does not see and that are passed over in a look like any other. One that meets more is a scan.
const PASSED_OVER: usize = 1000;

#[derive(Debug, Clone)]
pub struct PollSubscription {
    pub id: String,
    /// Only events behind this one.
    pub since_event_id: Option<String>,
    pub max_events: usize,
    /// How long to wait where there is nothing.
    pub timeout: Duration,
}

/// What a poll came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polled {
    /// Envelopes, oldest first.
    pub events: Vec<String>,
    pub has_more: bool,
    /// Events that were pushed out of the full buffer. Told again until something is acknowledged, for this answer may be lost.
    pub dropped: i64,
    /// The event to begin behind is not held any more.
    pub gap: bool,
}

/// One look into the buffer.
#[derive(Debug, Clone)]
struct Look {
    id: String,
    since_event_id: Option<String>,
    /// Everything up to here was looked at before.
    after: String,
    max_events: usize,
    /// It has a place for scans.
    scans: bool,
}

#[derive(Debug)]
struct Looked {
    polled: Polled,
    /// The newest row that was looked at.
    reached: String,
    /// It was given up, and takes a place for scans.
    too_long: bool,
}

/// Whether nothing is lost of what followed an event: it waits, or what was taken out since, the owner took out itself.
fn follows_on(
    view: &mut ReadView<'_>,
    scope: &TenantScope,
    record: &SubscriptionRecord,
    since: &str,
    dropped: i64,
) -> Result<bool> {
    if subscription_buffer::holds(view, scope, &record.id, since)? {
        return Ok(true);
    }
    // The newest one that was pushed out is not held any more. It may also be where the subscription began: then nothing is missing.
    let begins = record.start_id.as_str();
    if since < begins || (since == begins && dropped > 0) {
        return Ok(false);
    }
    is_held(view, scope.tenant().as_str(), since)
}

tenant_operation!(Look, SubscriptionPoll, Looked);

impl Query for Look {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Looked> {
        cx.touched(&self.id);
        let scope = permit.tenant();
        let record = own(view, permit, cx, &self.id)?;
        must_be_polled(&record)?;
        let mut polled =
            Polled { dropped: subscription_buffer::dropped(view, scope, &record.id)?, ..Polled::default() };
        let mut reached = self.after.clone();
        if let (Some(since), true) = (&self.since_event_id, self.after.is_empty()) {
            match follows_on(view, scope, &record, since, polled.dropped)? {
                true => reached.clone_from(since),
                false => polled.gap = true,
            }
        }
        let sight = Sight::of(&cx.caller.standing, &cx.caller.facts(cx.now, cx.vault.settings.mfa_max_age_seconds));
        let lapsed = lapsed_before(cx.now);
        let wanted = self.max_events.saturating_add(1);
        let step = one_more(self.max_events).clamp(*STEPS.start(), *STEPS.end());
        let mut seen: Vec<EventRecord> = Vec::new();
        let mut looked_at: usize = 0;
        while seen.len() < wanted {
            let found = subscription_buffer::after(view, scope, &record.id, &reached, lapsed.as_str(), step)?;
            let Some(last) = found.last() else { break };
            reached.clone_from(&last.id);
            looked_at = looked_at.saturating_add(found.len());
            seen.extend(found.into_iter().filter(|found| sight.sees(&found.event)));
            if !self.scans && looked_at.saturating_sub(seen.len()) > PASSED_OVER {
                cx.nothing_to_record();
                return Ok(Looked { polled, reached, too_long: true });
            }
        }
        polled.has_more = seen.len() > self.max_events;
        seen.truncate(self.max_events);
        polled.events = seen.iter().map(envelope).collect::<Result<_>>()?;
        match seen.last() {
            // Nothing leaves, so there is nothing to tell of (contract 06 section 2).
            None => cx.nothing_to_record(),
            Some(last) => {
                cx.note("returned", seen.len());
                cx.note("last_event_id", last.id.as_str());
            }
        }
        Ok(Looked { polled, reached, too_long: false })
    }
}

impl Vault {
    /// Runs a poll. Its events leave only after the entry that tells of them is durable; one that finds nothing leaves none.
    ///
    /// # Errors
    /// 404 for what is not the caller's own, 409 for what is delivered by webhook; 401 or 403 if the caller lost its rights while it
    /// waited. All of them are recorded.
    pub async fn poll(self: &Arc<Self>, admitted: &Admitted, poll: PollSubscription) -> Result<Answer<Polled>> {
        let deadline = Instant::now() + poll.timeout;
        let mut ear = self.listening.listen(&poll.id);
        let mut admitted = admitted.clone();
        let mut look = Look {
            id: poll.id,
            since_event_id: poll.since_event_id,
            after: String::new(),
            max_events: poll.max_events,
            scans: false,
        };
        let first = self.look_into(&admitted, &look).await?;
        // Only now: it is the caller's own, and an older poll of it ends whatever this one finds.
        let turn = self.listening.begin_poll(&look.id);
        let (mut polled, gap) = (first.polled.clone(), first.polled.gap);
        look.after = first.reached;
        while polled.events.is_empty() && !self.draining.load(Ordering::Acquire) {
            tokio::select! {
                biased;
                () = turn.ended() => break,
                () = tokio::time::sleep_until(deadline) => break,
                () = ear.heard() => {}
            }
            let fresh = self.revisit(&admitted.caller, Action::SubscriptionPoll).await;
            admitted.caller = match fresh {
                Ok(caller) => Arc::new(caller),
                Err(error) => return Err(self.refuse(&admitted, Action::SubscriptionPoll, None, error).await),
            };
            let looked = self.look_into(&admitted, &look).await?;
            (polled, look.after) = (looked.polled, looked.reached);
        }
        polled.gap = gap;
        if polled.dropped > 0 {
            let (tenant_id, dropped) = (admitted.caller.tenant_id().clone(), polled.dropped);
            let lane = Lane::Tenant(tenant_id.as_str().to_owned());
            self.store
                .write(lane, move |tx| subscription_buffer::told(tx, tenant_id.as_str(), &look.id, dropped))
                .await?;
        }
        Ok(Answer { output: polled, outcome: Outcome::Done })
    }

    /// Scans take long; all at once they would take every read connection from those who read one row.
    async fn look_into(self: &Arc<Self>, admitted: &Admitted, look: &Look) -> Result<Looked> {
        let looked = self.query(admitted, look.clone()).await?.output;
        if !looked.too_long {
            return Ok(looked);
        }
        let _place = self.scans.acquire().await.ok();
        Ok(self.query(admitted, Look { scans: true, ..look.clone() }).await?.output)
    }
}
