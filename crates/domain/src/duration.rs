//! Lengths of time as clients write them: `90d`, `1h30m` (contract 00 section 2, "Duration").

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const UNITS: [(u8, i64); 5] = [(b'w', 604_800), (b'd', 86_400), (b'h', 3_600), (b'm', 60), (b's', 1)];
const MAX_SECONDS: i64 = 36_500 * 86_400;
/// No length needs more, and what is echoed and stored stays small.
const MAX_TEXT: usize = 64;

/// A length of time from 0 to 36500 days in whole seconds, with the text it was given as. Equal when equally long.
#[derive(Clone, Debug)]
pub struct Span {
    text: Arc<str>,
    seconds: i64,
}

impl Span {
    /// Reads one or more `<integer><unit>`, units `w d h m s`, each at most once and in that order. Zero is taken.
    ///
    /// # Errors
    /// [`SpanError::Format`] or [`SpanError::TooLong`], both 400 `invalid_duration`.
    pub fn parse(text: &str) -> Result<Span, SpanError> {
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(SpanError::Format);
        }
        let mut total = 0_i64;
        let mut units = UNITS.iter();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (number, tail) = rest.split_at_checked(digits).ok_or(SpanError::Format)?;
            let (unit, tail) = tail.split_first().ok_or(SpanError::Format)?;
            // Going on from the unit found last is what refuses a second one and a wrong order.
            let (_, factor) = units.find(|(letter, _)| letter == unit).ok_or(SpanError::Format)?;
            total = saturating_number(number)?.saturating_mul(*factor).saturating_add(total);
            rest = tail;
        }
        if total > MAX_SECONDS {
            return Err(SpanError::TooLong);
        }
        Ok(Span { text: text.into(), seconds: total })
    }

    /// As [`Span::parse`], where zero has no meaning.
    ///
    /// # Errors
    /// Also [`SpanError::Zero`], which is a 422 and not a 400.
    pub fn parse_positive(text: &str) -> Result<Span, SpanError> {
        let span = Span::parse(text)?;
        if span.is_zero() { Err(SpanError::Zero) } else { Ok(span) }
    }

    /// A length in seconds, written in the units it fills; clamped to 0 ..= 36500 days.
    pub fn from_seconds(seconds: i64) -> Span {
        let seconds = seconds.clamp(0, MAX_SECONDS);
        let mut left = seconds;
        let mut text = String::new();
        for (letter, factor) in UNITS.iter().skip(1) {
            if left >= *factor {
                text.push_str(&(left / factor).to_string());
                text.push(char::from(*letter));
                left %= factor;
            }
        }
        if text.is_empty() {
            text.push_str("0s");
        }
        Span { text: text.into(), seconds }
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// 0 ..= 3,153,600,000.
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    pub const fn is_zero(&self) -> bool {
        self.seconds == 0
    }
}

/// At least one digit; what overflows saturates and is then refused as too long.
fn saturating_number(digits: &[u8]) -> Result<i64, SpanError> {
    if digits.is_empty() {
        return Err(SpanError::Format);
    }
    Ok(digits.iter().fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'))))
}

impl PartialEq for Span {
    fn eq(&self, other: &Span) -> bool {
        self.seconds == other.seconds
    }
}

impl Eq for Span {}

impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Span) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Span {
    fn cmp(&self, other: &Span) -> std::cmp::Ordering {
        self.seconds.cmp(&other.seconds)
    }
}

impl Hash for Span {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seconds.hash(state);
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Span::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    #[error(
        "must be a duration such as 90d or 1h30m: integers with the units w, d, h, m, s, each at most once and in that order"
    )]
    Format,
    #[error("must be at most 36500d")]
    TooLong,
    /// Well-formed, but zero where a positive length is needed.
    #[error("must be longer than zero")]
    Zero,
}

impl SpanError {
    /// Whether it answers 400 `invalid_duration`; otherwise 422.
    pub const fn is_invalid_duration(self) -> bool {
        matches!(self, SpanError::Format | SpanError::TooLong)
    }
}

/// Positive lengths, longest first, each once (`warn_before`, `notify_before`). May be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanList(Vec<Span>);

impl SpanList {
    /// From the items of a JSON array; `max` counts them as given, before equal ones are folded.
    ///
    /// # Errors
    /// The first item that is no positive duration, or more than `max` items.
    pub fn from_items<S: AsRef<str>>(items: &[S], max: usize) -> Result<SpanList, SpanListError> {
        if items.len() > max {
            return Err(SpanListError::TooMany { max });
        }
        let parse = |(index, item): (usize, &S)| {
            Span::parse_positive(item.as_ref()).map_err(|error| SpanListError::Item {
                index,
                value: item.as_ref().to_owned(),
                error,
            })
        };
        let mut spans = items.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        // Stable, so of equal lengths the text given first stays.
        spans.sort_by(|left, right| right.cmp(left));
        spans.dedup();
        Ok(SpanList(spans))
    }

    /// From comma-separated text, the form it is echoed in; the empty text is the empty list.
    ///
    /// # Errors
    /// As [`SpanList::from_items`].
    pub fn parse(text: &str, max: usize) -> Result<SpanList, SpanListError> {
        if text.is_empty() {
            return Ok(SpanList::default());
        }
        SpanList::from_items(&text.split(',').collect::<Vec<_>>(), max)
    }

    /// Longest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Span> {
        self.0.iter()
    }

    pub fn as_slice(&self) -> &[Span] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a SpanList {
    type Item = &'a Span;
    type IntoIter = std::slice::Iter<'a, Span>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for SpanList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, span) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(span.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for SpanList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a list of durations is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanListError {
    /// 400 `invalid_duration`, or 422 for [`SpanError::Zero`].
    #[error("{error}")]
    Item { index: usize, value: String, error: SpanError },
    /// 422.
    #[error("must have at most {max} entries")]
    TooMany { max: usize },
}

#[cfg(test)]
mod tests;
