//! Which secrets are due for rotation (contract 04 section 2).

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::scope::Scope;
use scaivault_domain::time::Timestamp;
use scaivault_store::ReadView;
use scaivault_store::rotation_state::{self, DueFilter, DueRecord};

use super::existing;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Operation, Query};
use crate::page::Page;

/// Rows of one look; what the caller may not see is passed over.
const BATCH: i64 = 500;

/// `GET /v1/rotation/due`, soonest first.
#[derive(Debug, Clone)]
pub struct ListDueSecrets {
    pub within_hours: i64,
    /// Also those whose grace is over.
    pub include_overdue: bool,
    pub policy_id: Option<String>,
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSecret {
    pub secret_path: String,
    pub policy_id: String,
    pub next_rotation: Timestamp,
    pub last_rotated_at: Option<Timestamp>,
    /// Rounded up; 0 or negative when it is due.
    pub hours_remaining: i64,
    /// The grace is over too.
    pub is_overdue: bool,
}

impl Operation for ListDueSecrets {
    type Output = Page<DueSecret>;
    const ACTION: Action = Action::RotationDue;

    fn target(&self) -> Target {
        Target::Listing { space: Space::Tenant, prefix: None }
    }
}

impl Query for ListDueSecrets {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<DueSecret>> {
        let scope = permit.tenant();
        cx.note("op", "rotation_due");
        if let Some(id) = &self.policy_id {
            cx.touched(&*existing(view, permit, id)?.id);
        }
        // With scope admin every path is shown; shared secrets are for all of the partner's tenants to see.
        let sees_all = cx.caller.scopes().contains(Scope::Admin);
        let sees = |found: &DueRecord| {
            sees_all || found.namespace != scope.tenant().as_str() || permit.visibility().sees(&found.path)
        };
        let filter = DueFilter {
            policy_id: self.policy_id.as_deref(),
            until: cx.now.plus_seconds(self.within_hours.saturating_mul(3600)),
            not_overdue_at: (!self.include_overdue).then_some(cx.now),
        };
        let mut after = self.after.as_deref().map(position_of).transpose()?;
        let mut found = Vec::new();
        loop {
            let behind = after.as_ref().map(|(time, path, namespace)| (*time, path.as_str(), namespace.as_str()));
            let batch = rotation_state::due(view, scope, &filter, behind, BATCH)?;
            let is_last = batch.last().is_none_or(|_| i64::try_from(batch.len()).unwrap_or(i64::MAX) < BATCH);
            after = batch.last().map(|last| (last.due_at, last.path.clone(), last.namespace.clone()));
            found.extend(batch.into_iter().filter(sees));
            if is_last || found.len() > self.limit {
                break;
            }
        }
        let page = Page::cut(found, self.limit, |last| {
            vec![last.due_at.as_micros().to_string(), last.path.clone(), last.namespace.clone()]
        });
        cx.note("returned", page.items.len());
        let items = page.items.into_iter().map(|found| due_secret(found, cx.now)).collect();
        Ok(Page { items, next: page.next })
    }
}

fn due_secret(found: DueRecord, now: Timestamp) -> DueSecret {
    const HOUR: i64 = 3_600_000_000;
    let left = found.due_at.micros_since(now);
    DueSecret {
        hours_remaining: left.div_euclid(HOUR) + i64::from(left.rem_euclid(HOUR) > 0),
        is_overdue: found.overdue_at <= now,
        secret_path: found.path,
        policy_id: found.policy_id,
        next_rotation: found.due_at,
        last_rotated_at: found.last_rotated_at,
    }
}

fn position_of(position: &[String]) -> Result<(Timestamp, String, String)> {
    let [time, path, namespace] = position else {
        return Err(Error::internal("a genuine cursor with an unknown position"));
    };
    let micros = time.parse().map_err(|_| Error::internal("a genuine cursor with a bad time"))?;
    Ok((Timestamp::from_micros(micros), path.clone(), namespace.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_rounded_up() {
        let hours = |seconds: i64| {
            let now = Timestamp::from_seconds(1_000_000);
            let due_at = now.plus_seconds(seconds);
            let found = DueRecord {
                namespace: "tnt_a".to_owned(),
                path: "a".to_owned(),
                policy_id: "rot_a".to_owned(),
                due_at,
                overdue_at: due_at.plus_seconds(10),
                last_rotated_at: None,
            };
            let due = due_secret(found, now);
            (due.hours_remaining, due.is_overdue)
        };
        assert_eq!(hours(5 * 3600), (5, false));
        assert_eq!(hours(4 * 3600 + 1), (5, false));
        assert_eq!(hours(1), (1, false));
        assert_eq!((hours(0), hours(-9), hours(-10)), ((0, false), (0, false), (0, true)));
        assert_eq!((hours(-3599), hours(-3600)), ((0, true), (-1, true)));
    }
}
