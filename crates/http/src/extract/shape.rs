//! What a field may hold: the shapes that [`super::ObjectReader`] reads. A shape notes its faults and gives a value or `None`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use scaivault_domain::duration::{Span, SpanError, SpanList, SpanListError};
use scaivault_domain::time::{ParsedTime, Timestamp};
use scaivault_service::error::{Code, Error, FaultCode};
use zeroize::Zeroizing;

use super::Faults;
use super::json::{Kind, Node};

/// A type of field. `None` from [`Shape::read`] means that a fault was noted.
pub trait Shape {
    type Out;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Self::Out>;
}

/// Which control characters (Unicode category Cc) a text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Controls {
    /// All. For texts that are stored encrypted, not in a TEXT column.
    Any,
    /// All but U+0000, which PostgreSQL can't store in TEXT: both engines must answer alike.
    #[default]
    NoNul,
    /// None.
    None,
}

/// A string. Lengths are counted in characters (Unicode scalar values).
#[derive(Debug, Clone)]
pub struct Text {
    chars: RangeInclusive<usize>,
    controls: Controls,
    outer_blanks: bool,
}

impl Text {
    /// At most `max` characters, empty allowed.
    pub fn max(max: usize) -> Self {
        Self::chars(0..=max)
    }

    pub fn chars(chars: RangeInclusive<usize>) -> Self {
        Self { chars, controls: Controls::default(), outer_blanks: true }
    }

    /// The name of a resource (contract 00 section 2): 1-128 characters, no control characters, no blank at either end.
    pub fn name() -> Self {
        Self { chars: 1..=128, controls: Controls::None, outer_blanks: false }
    }

    #[must_use]
    pub fn controls(self, controls: Controls) -> Self {
        Self { controls, ..self }
    }

    /// Notes a fault unless `text` follows the rules. The text itself is in no message.
    pub fn check(&self, text: &str, field: &str, faults: &Faults) -> bool {
        let fault = self.fault(text);
        if let Some((code, message)) = &fault {
            faults.field(field, *code, message.as_str());
        }
        fault.is_none()
    }

    fn fault(&self, text: &str) -> Option<(FaultCode, String)> {
        let (min, max) = (*self.chars.start(), *self.chars.end());
        let count = text.chars().count();
        let allowed = |c: char| match self.controls {
            Controls::Any => true,
            Controls::NoNul => c != '\0',
            Controls::None => !c.is_control(),
        };
        if count < min && min == 1 {
            Some((FaultCode::Range, "must not be empty".to_owned()))
        } else if count < min {
            Some((FaultCode::Range, format!("must have at least {min} characters")))
        } else if count > max {
            Some((FaultCode::Range, format!("must have at most {max} characters")))
        } else if !text.chars().all(allowed) {
            Some((FaultCode::Format, "must not contain control characters".to_owned()))
        } else if !self.outer_blanks && text.trim() != text {
            Some((FaultCode::Format, "must not begin or end with a blank".to_owned()))
        } else {
            None
        }
    }
}

impl Shape for Text {
    type Out = String;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<String> {
        let mut text = typed(node.string(), "a string", field, faults)?;
        self.check(&text, field, faults).then(|| std::mem::take(&mut *text))
    }
}

/// A string that is secret: a password, a token, a share. Its copy wipes itself.
#[derive(Debug, Clone)]
pub struct SecretText(pub Text);

impl Shape for SecretText {
    type Out = Zeroizing<String>;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Self::Out> {
        let text = typed(node.string(), "a string", field, faults)?;
        self.0.check(&text, field, faults).then_some(text)
    }
}

/// One of a closed list of words; the value stands beside its word.
#[derive(Debug, Clone)]
pub struct OneOf<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy> Shape for OneOf<T> {
    type Out = T;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<T> {
        let text = typed(node.string(), "a string", field, faults)?;
        let found = self.0.iter().find(|(word, _)| *word == text.as_str()).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<_> = self.0.iter().map(|(word, _)| *word).collect();
            faults.field(field, FaultCode::Format, format!("must be one of {}", words.join(", ")));
        }
        found
    }
}

/// A whole number written as one: `"5"`, `5.0` and `5e0` are type faults.
#[derive(Debug, Clone)]
pub struct Integer(pub RangeInclusive<i64>);

impl Integer {
    /// Notes a range fault unless `value` is in the range.
    pub fn check(&self, value: Option<i64>, field: &str, faults: &Faults) -> Option<i64> {
        let value = value.filter(|value| self.0.contains(value));
        if value.is_none() {
            let (min, max) = (*self.0.start(), *self.0.end());
            let message = match max {
                i64::MAX => format!("must be at least {min}"),
                _ => format!("must be between {min} and {max}"),
            };
            faults.field(field, FaultCode::Range, message);
        }
        value
    }
}

impl Shape for Integer {
    type Out = i64;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<i64> {
        let number = (node.kind() == Kind::Number && !node.text().contains(['.', 'e', 'E'])).then(|| node.text());
        let number = typed(number, "an integer", field, faults)?;
        // What does not fit 64 bits is in no range either.
        self.check(number.parse().ok(), field, faults)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Boolean;

impl Shape for Boolean {
    type Out = bool;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<bool> {
        typed(node.boolean(), "a boolean", field, faults)
    }
}

/// A time: RFC 3339 with an offset (contract 00 section 2).
#[derive(Debug, Clone, Copy)]
pub struct Time;

impl Time {
    pub(super) fn check(text: &str, field: &str, faults: &Faults) -> Option<ParsedTime> {
        let note = |error: scaivault_domain::time::TimeError| faults.field(field, FaultCode::Format, error.to_string());
        ParsedTime::parse(text).map_err(note).ok()
    }
}

impl Shape for Time {
    type Out = Timestamp;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Timestamp> {
        let text = typed(node.string(), "a string", field, faults)?;
        Self::check(&text, field, faults).map(|parsed| parsed.timestamp)
    }
}

/// A duration (contract 00 section 2). What is none is 400 `invalid_duration`; a zero where `positive` is 422.
#[derive(Debug, Clone, Copy)]
pub struct Duration {
    /// Whether zero is refused.
    pub positive: bool,
}

impl Shape for Duration {
    type Out = Span;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Span> {
        let text = typed(node.string(), "a string", field, faults)?;
        let span = if self.positive { Span::parse_positive(&text) } else { Span::parse(&text) };
        span.map_err(|error| note_span(error, &text, field, faults)).ok()
    }
}

/// Durations as comma-separated text or as an array (contract 00 section 2, "Lists of durations").
#[derive(Debug, Clone, Copy)]
pub struct DurationList {
    /// How many entries there may be.
    pub max: usize,
}

impl Shape for DurationList {
    type Out = SpanList;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<SpanList> {
        let list = match node.kind() {
            Kind::Array => {
                let items = List { item: Text::max(usize::MAX), count: 0..=self.max }.read(node, field, faults)?;
                SpanList::from_items(&items, self.max)
            }
            _ => SpanList::parse(&typed(node.string(), "a string or an array of strings", field, faults)?, self.max),
        };
        let note = |error| match error {
            SpanListError::Item { index, value, error } => {
                note_span(error, &value, &format!("{field}[{index}]"), faults)
            }
            SpanListError::TooMany { .. } => faults.field(field, FaultCode::Range, error.to_string()),
        };
        list.map_err(note).ok()
    }
}

/// The value is echoed because the contract says so, but not at any length.
fn note_span(error: SpanError, value: &str, field: &str, faults: &Faults) {
    if !error.is_invalid_duration() {
        return faults.field(field, FaultCode::Range, error.to_string());
    }
    let shown: String = value.chars().take(64).collect();
    let message = format!("'{field}' {error}");
    faults.own(Error::new(Code::InvalidDuration, message).with("field", field).with("value", shown));
}

/// An object kept as sent: `data`, event payloads, generator settings.
#[derive(Debug, Clone, Copy)]
pub struct Raw;

impl Shape for Raw {
    type Out = Zeroizing<String>;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Self::Out> {
        typed((node.kind() == Kind::Object).then(|| node.compact()), "an object", field, faults)
    }
}

/// An array as sent, for a parser of its own (`fields` of a recipe).
#[derive(Debug, Clone, Copy)]
pub struct RawArray;

impl Shape for RawArray {
    type Out = Zeroizing<String>;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Self::Out> {
        typed((node.kind() == Kind::Array).then(|| node.compact()), "an array", field, faults)
    }
}

/// An array of one shape; its items are named `tags[3]`.
#[derive(Debug, Clone)]
pub struct List<S> {
    pub item: S,
    /// How many items there may be.
    pub count: RangeInclusive<usize>,
}

impl<S: Shape> Shape for List<S> {
    type Out = Vec<S::Out>;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Self::Out> {
        let length = typed(node.count(), "an array", field, faults)?;
        if !counted(length, &self.count, "entries", field, faults) {
            return None;
        }
        let items = node.items()?;
        let read = |(i, item): (usize, Node<'_>)| self.item.read(item, &format!("{field}[{i}]"), faults);
        // Not a lazy collect: every item's fault shall be named.
        let values: Vec<_> = items.into_iter().enumerate().map(read).collect();
        values.into_iter().collect()
    }
}

/// A free map of string to string (`metadata.custom`).
#[derive(Debug, Clone)]
pub struct TextMap {
    pub keys: Text,
    pub values: Text,
    pub max_entries: usize,
}

impl Shape for TextMap {
    type Out = BTreeMap<String, String>;

    fn read(&self, node: Node<'_>, field: &str, faults: &Faults) -> Option<Self::Out> {
        let members = typed(node.members(), "an object", field, faults)?;
        if !counted(members.len(), &(0..=self.max_entries), "entries", field, faults) {
            return None;
        }
        let mut map = BTreeMap::new();
        let mut whole = true;
        for (i, (key, value)) in members.into_iter().enumerate() {
            // A key that breaks its rule may be long or unprintable: it is named by its place.
            if !self.keys.check(&key, &format!("{field}[{i}]"), faults) {
                whole = false;
                continue;
            }
            match self.values.read(value, &format!("{field}.{key}"), faults) {
                Some(value) => drop(map.insert(key.into_owned(), value)),
                None => whole = false,
            }
        }
        whole.then_some(map)
    }
}

pub(super) fn counted(count: usize, allowed: &RangeInclusive<usize>, what: &str, field: &str, faults: &Faults) -> bool {
    let (min, max) = (*allowed.start(), *allowed.end());
    let message = match (min, max) {
        _ if allowed.contains(&count) => return true,
        (0, _) => format!("must have at most {max} {what}"),
        (_, usize::MAX) => format!("must have at least {min} {what}"),
        _ => format!("must have between {min} and {max} {what}"),
    };
    faults.field(field, FaultCode::Range, message);
    false
}

pub(super) fn typed<T>(value: Option<T>, what: &str, field: &str, faults: &Faults) -> Option<T> {
    if value.is_none() {
        faults.field(field, FaultCode::Type, format!("must be {what}"));
    }
    value
}
