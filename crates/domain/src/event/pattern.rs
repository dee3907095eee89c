//! Which events a webhook, a subscription or a stream asks for.

use super::EventType;

/// One entry of `events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventPattern {
    /// `*`: all but `secret.accessed`, of which there may be as many as there are reads.
    All,
    Exactly(EventType),
    /// `secret.*`: every event with that first word.
    Family(&'static str),
}

/// A text that names no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("names no event; use a name such as secret.rotated, a family such as secret.*, or *")]
pub struct UnknownEvent;

impl EventPattern {
    /// # Errors
    /// [`UnknownEvent`]: 422.
    pub fn parse(text: &str) -> Result<Self, UnknownEvent> {
        if text == "*" {
            return Ok(Self::All);
        }
        let Some(word) = text.strip_suffix(".*") else {
            return EventType::parse(text).map(Self::Exactly).ok_or(UnknownEvent);
        };
        let families = EventType::ALL.iter().map(|event| event.family());
        families.into_iter().find(|family| *family == word).map(Self::Family).ok_or(UnknownEvent)
    }

    pub fn matches(self, event: EventType) -> bool {
        match self {
            Self::All => event != EventType::SecretAccessed,
            Self::Exactly(wanted) => wanted == event,
            Self::Family(word) => event.family() == word,
        }
    }
}

/// The `events` of one listener; any of them is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPatterns {
    texts: Vec<String>,
    patterns: Vec<EventPattern>,
}

impl EventPatterns {
    /// # Errors
    /// The place of the first text that names no event.
    pub fn parse(texts: Vec<String>) -> Result<Self, usize> {
        let patterns = texts
            .iter()
            .enumerate()
            .map(|(index, text)| EventPattern::parse(text).map_err(|_| index))
            .collect::<Result<_, _>>()?;
        Ok(Self { texts, patterns })
    }

    /// As they were given.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    pub fn matches(&self, event: EventType) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_names_families_or_everything() {
        let table = [
            ("secret.rotated", EventType::SecretRotated, true),
            ("secret.rotated", EventType::SecretUpdated, false),
            ("secret.*", EventType::SecretAccessed, true),
            ("policy.*", EventType::PolicyBindingDeleted, true),
            ("policy.*", EventType::RotationDue, false),
            ("*", EventType::RotationDue, true),
            ("*", EventType::SecretAccessed, false),
        ];
        for (text, event, matches) in table {
            assert_eq!(EventPattern::parse(text).unwrap().matches(event), matches, "{text} {}", event.as_str());
        }
        for unknown in
            ["", "secret", "secret.", "secret.**", "secret.rotate", "policy.binding.*", "Secret.rotated", "**"]
        {
            assert!(EventPattern::parse(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn every_event_is_found_by_its_name() {
        for event in EventType::ALL {
            assert_eq!(EventType::parse(event.as_str()), Some(*event));
            assert!(EventPattern::parse(&format!("{}.*", event.family())).unwrap().matches(*event));
        }
        assert_eq!(EventPatterns::parse(vec!["*".to_owned(), "x".to_owned()]), Err(1));
    }
}
