//! Which webhooks hear of an event.

use std::collections::BTreeMap;
use std::sync::Arc;

use scaivault_domain::event::{EventPatterns, EventType};
use scaivault_domain::time::Timestamp;
use scaivault_store::event::NewEvent;
use scaivault_store::webhook::{self, Filters, WebhookRecord};
use scaivault_store::{Database, StoreResult, WriteTx, rotation_policy};

use super::Queue;
use crate::event::HandOn;
use crate::vault::Vault;

/// A webhook as far as it listens.
pub(crate) struct Ear {
    id: String,
    events: EventPatterns,
    filters: Filters,
}

impl Ear {
    /// Of the webhooks of a tenant that are switched on.
    pub(crate) fn all_in(db: &mut impl Database, tenant_id: &str) -> StoreResult<Vec<Self>> {
        let webhooks = webhook::listening(db, tenant_id)?;
        // A pattern that an older version does not know was written by a newer one; it is nothing to listen for here.
        let ear = |record: WebhookRecord| {
            let events = EventPatterns::parse(record.events).ok()?;
            Some(Ear { id: record.target.id, events, filters: record.filters })
        };
        Ok(webhooks.into_iter().filter_map(ear).collect())
    }
}

/// For `event/dispatch.rs`: makes a delivery for each webhook of the tenant that an event is for.
pub(crate) fn listen(vault: &Arc<Vault>, tx: &mut WriteTx<'_>, hand_on: &HandOn, now: Timestamp) -> StoreResult<()> {
    let HandOn { tenant_id, events, audience, .. } = hand_on;
    let ears = &audience.webhooks;
    if ears.is_empty() {
        return Ok(());
    }
    let mut queue = Queue::new(vault, tenant_id, now);
    let mut named_by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in events {
        let Some(event_type) = EventType::parse(&record.event.event_type) else { continue };
        let named = match record.event.rotation_policy_id.as_deref().filter(|_| event_type.concerns_rotation()) {
            None => Vec::new(),
            Some(policy_id) => match named_by.get(policy_id) {
                Some(named) => named.clone(),
                None => {
                    let policy = rotation_policy::find_in(tx, tenant_id, policy_id)?;
                    let named = policy.map(|policy| policy.webhook_ids).unwrap_or_default();
                    named_by.insert(policy_id.to_owned(), named.clone());
                    named
                }
            },
        };
        for ear in ears {
            if named.contains(&ear.id) || (ear.events.matches(event_type) && passes(&ear.filters, &record.event)) {
                queue.push(tx, &ear.id, record)?;
            }
        }
    }
    queue.finish(tx)
}

/// An event without a path passes no filter.
fn passes(filters: &Filters, event: &NewEvent) -> bool {
    let Filters { path_prefix, secret_type, tags } = filters;
    if path_prefix.is_none() && secret_type.is_none() && tags.is_none() {
        return true;
    }
    event.path.as_ref().is_some_and(|path| {
        path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix))
            && secret_type.as_ref().is_none_or(|wanted| event.secret_type.as_ref() == Some(wanted))
            && tags.as_ref().is_none_or(|tags| tags.iter().all(|tag| event.tags.contains(tag)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(path: Option<&str>) -> NewEvent {
        NewEvent {
            tenant_id: "tnt_a".to_owned(),
            partner_id: "ptn_a".to_owned(),
            at: Timestamp::from_seconds(0),
            event_type: "secret.updated".to_owned(),
            identity_id: "user:a@b".to_owned(),
            request_id: "req_1".to_owned(),
            namespace: path.map(|_| "tnt_a".to_owned()),
            path: path.map(str::to_owned),
            secret_type: path.map(|_| "kv".to_owned()),
            tags: path.map(|_| vec!["prod".to_owned(), "eu".to_owned()]).unwrap_or_default(),
            rotation_policy_id: None,
            data: "{}".to_owned(),
        }
    }

    fn filters(prefix: Option<&str>, secret_type: Option<&str>, tags: Option<&[&str]>) -> Filters {
        Filters {
            path_prefix: prefix.map(str::to_owned),
            secret_type: secret_type.map(str::to_owned),
            tags: tags.map(|tags| tags.iter().map(|&tag| tag.to_owned()).collect()),
        }
    }

    #[test]
    fn e_12_filters_are_on_the_secret_and_a_prefix_is_a_plain_text() {
        for (filter, path, passing) in [
            (filters(None, None, None), None, true),
            (filters(Some("app/"), None, None), Some("app/x"), true),
            (filters(Some("app/"), None, None), Some("apps/x"), false),
            (filters(Some("app"), None, None), Some("apps/x"), true),
            (filters(Some("app/"), None, None), None, false),
            (filters(Some(""), None, None), None, false),
            (filters(None, Some("kv"), None), Some("a"), true),
            (filters(None, Some("json"), None), Some("a"), false),
            (filters(None, Some("kv"), None), None, false),
            (filters(None, None, Some(&["eu", "prod"])), Some("a"), true),
            (filters(None, None, Some(&["eu", "us"])), Some("a"), false),
            (filters(None, None, Some(&[])), Some("a"), true),
            (filters(None, None, Some(&[])), None, false),
            (filters(Some("a"), Some("kv"), Some(&["eu"])), Some("a/b"), true),
        ] {
            assert_eq!(passes(&filter, &event(path)), passing, "{filter:?} {path:?}");
        }
    }
}
