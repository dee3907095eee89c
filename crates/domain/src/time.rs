//! Instants and the clock that gives them (contract 00 section 2, "Times").

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::{self, DateTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
const EPOCH: DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// An instant: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Always within the years 0000 to 9999, so that every value has an RFC 3339 text. Serialises as that text in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Timestamp = Timestamp(-62_167_219_200 * MICROS_PER_SECOND);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_800 * MICROS_PER_SECOND - 1);
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp(0);

    /// From microseconds since the epoch; what lies outside `MIN..=MAX` becomes the nearer end.
    pub const fn from_micros(micros: i64) -> Timestamp {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Timestamp(micros)
        }
    }

    /// From seconds since the epoch; what lies outside `MIN..=MAX` becomes the nearer end.
    pub const fn from_seconds(seconds: i64) -> Timestamp {
        Self::from_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Reads RFC 3339 with a mandatory offset; more than six digits of a fraction are cut off.
    ///
    /// # Errors
    /// [`TimeError`] for anything else: no offset, a blank instead of `T`, a zone in brackets, a date that does not exist.
    pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
        ParsedTime::parse(text).map(|parsed| parsed.timestamp)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// `2026-05-01T10:00:00Z`: the form of resources. The fraction is cut off, never rounded up into the future.
    pub fn to_rfc3339_seconds(self) -> String {
        format!("{}Z", CivilSeconds(self))
    }

    /// `2026-05-01T10:00:00.123456Z`: the form of audit entries and events.
    pub fn to_rfc3339_micros(self) -> String {
        format!("{}.{:06}Z", CivilSeconds(self), self.0.rem_euclid(MICROS_PER_SECOND))
    }

    /// The first microsecond of the second it lies in.
    pub const fn floor_to_second(self) -> Timestamp {
        Timestamp(self.0 - self.0.rem_euclid(MICROS_PER_SECOND))
    }

    /// The last microsecond of the second it lies in (contract 01: `at` without a fraction means the end of that second).
    pub const fn end_of_second(self) -> Timestamp {
        Timestamp(self.floor_to_second().0 + MICROS_PER_SECOND - 1)
    }

    /// `None` where the sum would leave `MIN..=MAX`.
    pub fn checked_add_seconds(self, seconds: i64) -> Option<Timestamp> {
        let micros = self.0.checked_add(seconds.checked_mul(MICROS_PER_SECOND)?)?;
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Timestamp(micros))
    }

    /// Adds seconds (or takes them away), stopping at `MIN` and `MAX`.
    pub const fn plus_seconds(self, seconds: i64) -> Timestamp {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)))
    }

    /// Microseconds from `earlier` to `self`; negative when `earlier` is the later one.
    pub const fn micros_since(self, earlier: Timestamp) -> i64 {
        // Both lie within ten thousand years of each other, which is far inside i64.
        self.0 - earlier.0
    }

    /// Whether the text of a time carries a fraction of a second; says nothing about its being valid.
    pub fn has_fraction_in(text: &str) -> bool {
        text.contains('.')
    }

    /// The date and time of day in UTC.
    fn civil(self) -> DateTime {
        EPOCH.checked_add(SignedDuration::from_micros(self.0)).unwrap_or(EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", CivilSeconds(*self))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Date and time without zone and fraction.
struct CivilSeconds(Timestamp);

impl fmt::Display for CivilSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.civil();
        let (year, month, day) = (at.year(), at.month(), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// A time as a client wrote it: the instant, and whether it named a fraction of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedTime {
    pub timestamp: Timestamp,
    pub has_fraction: bool,
}

impl ParsedTime {
    /// As [`Timestamp::parse`].
    ///
    /// # Errors
    /// As [`Timestamp::parse`].
    pub fn parse(text: &str) -> Result<ParsedTime, TimeError> {
        let shape = Shape::of(text).ok_or(TimeError::Format)?;
        let timestamp = shape.instant().ok_or(TimeError::Range)?;
        Ok(ParsedTime { timestamp, has_fraction: shape.has_fraction })
    }
}

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("must be an RFC 3339 time with an offset, such as 2026-05-01T10:00:00Z")]
    Format,
    #[error("names a date or time that does not exist")]
    Range,
}

/// The numbers of an RFC 3339 text. The shape is checked here because jiff's own parser takes more than RFC 3339 allows.
struct Shape {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    offset_minutes: i64,
    has_fraction: bool,
}

impl Shape {
    fn of(text: &str) -> Option<Shape> {
        let mut rest = text.as_bytes();
        let year = digits(&mut rest, 4)?;
        one_of(&mut rest, b"-")?;
        let month = digits(&mut rest, 2)?;
        one_of(&mut rest, b"-")?;
        let day = digits(&mut rest, 2)?;
        one_of(&mut rest, b"Tt")?;
        let hour = digits(&mut rest, 2)?;
        one_of(&mut rest, b":")?;
        let minute = digits(&mut rest, 2)?;
        one_of(&mut rest, b":")?;
        let second = digits(&mut rest, 2)?;
        let has_fraction = one_of(&mut rest, b".").is_some();
        let micros = if has_fraction { fraction(&mut rest)? } else { 0 };
        let offset_minutes = offset(&mut rest)?;
        rest.is_empty().then_some(Shape {
            year,
            month,
            day,
            hour,
            minute,
            second,
            micros,
            offset_minutes,
            has_fraction,
        })
    }

    fn instant(&self) -> Option<Timestamp> {
        // RFC 3339 allows a leap second, which the time scale here does not have: it is told as the second before.
        let is_leap = self.second == 60;
        let second = if is_leap { 59 } else { self.second };
        let local = DateTime::new(
            i16::try_from(self.year).ok()?,
            i8::try_from(self.month).ok()?,
            i8::try_from(self.day).ok()?,
            i8::try_from(self.hour).ok()?,
            i8::try_from(self.minute).ok()?,
            i8::try_from(second).ok()?,
            0,
        )
        .ok()?;
        let local_micros = local.duration_since(EPOCH).as_secs() * MICROS_PER_SECOND + self.micros;
        let micros = local_micros - self.offset_minutes * MICROS_PER_MINUTE;
        let utc = (Timestamp::MIN.0..=Timestamp::MAX.0).contains(&micros).then_some(Timestamp(micros))?;
        let at = utc.civil();
        (!is_leap || (at.hour() == 23 && at.minute() == 59)).then_some(utc)
    }
}

/// Exactly `count` digits as a number.
fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (head, tail) = rest.split_at_checked(count)?;
    let value =
        head.iter().try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))?;
    *rest = tail;
    Some(value)
}

fn one_of(rest: &mut &[u8], allowed: &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    allowed.contains(first).then(|| *rest = tail)?;
    Some(*first)
}

/// One to nine digits after the point, as microseconds.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let value = digits(rest, count)?;
    let nanos = (count..9).fold(value, |scaled, _| scaled * 10);
    Some(nanos / 1_000)
}

/// `Z`, `+hh:mm` or `-hh:mm`, as minutes east of UTC.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    let sign = match one_of(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = digits(rest, 2)?;
    one_of(rest, b":")?;
    let minutes = digits(rest, 2)?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// What time it is. An argument everywhere, so that tests can move it.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The machine's clock. The only place that may ask the system for the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Timestamp::from_micros(micros)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub const fn new(start: Timestamp) -> ManualClock {
        ManualClock(AtomicI64::new(start.as_micros()))
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Moves it by seconds, backwards when negative.
    pub fn advance(&self, seconds: i64) {
        self.advance_micros(seconds.saturating_mul(MICROS_PER_SECOND));
    }

    /// Moves it by microseconds, backwards when negative.
    pub fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests;
