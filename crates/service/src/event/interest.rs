//! Which events a listener wants, and which of them it may hear of.

use scaivault_domain::access::{self, Space, Standing, Target};
use scaivault_domain::action::Action;
use scaivault_domain::condition::Facts;
use scaivault_domain::event::{EventPatterns, EventType};
use scaivault_domain::glob::Glob;
use scaivault_domain::policy::Visibility;
use scaivault_store::event::NewEvent;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Interest {
    /// Any of these. An event without a path is none of them.
    pub paths: Vec<Glob>,
    pub events: EventPatterns,
    pub secret_type: Option<String>,
    /// All of these must be on the secret.
    pub tags: Vec<String>,
}

impl Interest {
    pub(crate) fn wants(&self, event: &NewEvent) -> bool {
        let known = EventType::parse(&event.event_type);
        known.is_some_and(|event_type| self.events.matches(event_type))
            && event.path.as_deref().is_some_and(|path| self.paths.iter().any(|glob| glob.matches(path)))
            && self.secret_type.as_ref().is_none_or(|wanted| event.secret_type.as_ref() == Some(wanted))
            && self.tags.iter().all(|tag| event.tags.contains(tag))
    }
}

/// The paths that someone may read or list at one moment, in its tenant and among the shared secrets of the partner.
#[derive(Debug)]
pub(crate) struct Sight {
    own: Visibility,
    shared: Visibility,
}

impl Sight {
    pub(crate) const NOTHING: Sight = Sight { own: Visibility::none(), shared: Visibility::none() };

    pub(crate) fn of(standing: &Standing, facts: &Facts) -> Self {
        let seen = |space| {
            let target = Target::Listing { space, prefix: None };
            let permit = access::decide(Action::EventStream, &target, standing, facts);
            permit.map_or(Visibility::none(), |permit| permit.visibility().clone())
        };
        Self { own: seen(Space::Tenant), shared: seen(Space::Partner) }
    }

    /// Without a path there is nothing that a policy could permit: nobody sees it here.
    pub(crate) fn sees(&self, event: &NewEvent) -> bool {
        let (Some(namespace), Some(path)) = (&event.namespace, &event.path) else { return false };
        let space = if *namespace == event.tenant_id { &self.own } else { &self.shared };
        space.sees(path)
    }
}

#[cfg(test)]
mod tests {
    use scaivault_domain::time::Timestamp;

    use super::*;

    fn event(event_type: &str, path: Option<&str>) -> NewEvent {
        NewEvent {
            tenant_id: "tnt_a".to_owned(),
            partner_id: "ptn_a".to_owned(),
            at: Timestamp::from_seconds(0),
            event_type: event_type.to_owned(),
            identity_id: "user:a@b".to_owned(),
            request_id: "req_1".to_owned(),
            namespace: path.map(|_| "tnt_a".to_owned()),
            path: path.map(str::to_owned),
            secret_type: Some("kv".to_owned()),
            tags: vec!["prod".to_owned(), "eu".to_owned()],
            rotation_policy_id: None,
            data: "{}".to_owned(),
        }
    }

    fn interest(paths: &[&str], events: &[&str], secret_type: Option<&str>, tags: &[&str]) -> Interest {
        Interest {
            paths: paths.iter().map(|path| Glob::parse(path).unwrap()).collect(),
            events: EventPatterns::parse(events.iter().map(|&event| event.to_owned()).collect()).unwrap(),
            secret_type: secret_type.map(str::to_owned),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        }
    }

    #[test]
    fn one_path_one_event_and_every_filter_have_to_fit() {
        let updated = event("secret.updated", Some("app/db"));
        for (wanted, fits) in [
            (interest(&["**"], &["*"], None, &[]), true),
            (interest(&["b/*", "app/*"], &["policy.*", "secret.updated"], Some("kv"), &["eu", "prod"]), true),
            (interest(&["app"], &["*"], None, &[]), false),
            (interest(&["**"], &["secret.created"], None, &[]), false),
            (interest(&["**"], &["*"], Some("json"), &[]), false),
            (interest(&["**"], &["*"], None, &["prod", "us"]), false),
        ] {
            assert_eq!(wanted.wants(&updated), fits, "{wanted:?}");
        }
        let all = interest(&["**"], &["*"], None, &[]);
        assert!(!all.wants(&event("policy.created", None)), "an event without a path is not for subscriptions");
        assert!(!all.wants(&event("secret.accessed", Some("a"))) && !all.wants(&event("future.event", Some("a"))));
    }

    #[test]
    fn own_and_shared_paths_are_seen_apart() {
        let mut shared = event("secret.updated", Some("app/db"));
        shared.namespace = Some("ptn_a".to_owned());
        let own = event("secret.updated", Some("app/db"));
        let sight = Sight { own: Visibility::Globs(vec![Glob::parse("app/*").unwrap()]), shared: Visibility::none() };
        assert!(sight.sees(&own) && !sight.sees(&shared));
        let sight = Sight { own: Visibility::none(), shared: Visibility::All };
        assert!(!sight.sees(&own) && sight.sees(&shared));
        assert!(!sight.sees(&event("policy.created", None)) && !Sight::NOTHING.sees(&own));
    }
}
