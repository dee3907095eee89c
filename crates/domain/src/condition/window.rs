//! Hours of the week in a time zone.

use std::sync::LazyLock;

use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::ConditionError;
use crate::time::Timestamp;

/// The index is the bit in the mask.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const EVERY_DAY: u8 = 0b0111_1111;
const DEFAULT_ZONE: &str = "UTC";

/// The zones compiled in, so that a rule means the same on every machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A window of local time on days of the week. Runs over midnight when it starts later than it ends, and then counts to the day on
/// which it began; start = end is the whole calendar day.
#[derive(Clone, Debug)]
pub struct TimeWindow {
    /// As given, so that they are read back as written; what holds is computed from the fields below.
    parts: TimeWindowParts,
    days: u8,
    /// Minutes after midnight on the wall clock.
    start: u16,
    end: u16,
    zone: TimeZone,
}

impl TimeWindow {
    /// # Errors
    /// [`ConditionError`] for an unknown day or zone, no days at all, or a time of day not written `HH:MM`.
    pub fn from_parts(parts: &TimeWindowParts) -> Result<TimeWindow, ConditionError> {
        let minutes = |field, text| {
            parse_minutes(text).ok_or(ConditionError { field, message: "must be a time of day from 00:00 to 23:59" })
        };
        Ok(TimeWindow {
            days: parts.days.as_deref().map_or(Ok(EVERY_DAY), parse_days)?,
            start: minutes("time_window.start", &parts.start)?,
            end: minutes("time_window.end", &parts.end)?,
            zone: parse_zone(parts.timezone.as_deref().unwrap_or(DEFAULT_ZONE))?,
            parts: parts.clone(),
        })
    }

    pub fn to_parts(&self) -> TimeWindowParts {
        self.parts.clone()
    }

    /// Whether the wall clock in the zone stands within the window at this instant. In a night of a clock change an hour that is
    /// repeated counts both times, one that is left out not at all.
    pub fn holds(&self, at: Timestamp) -> bool {
        // Only the last hours of the year 9999 are beyond jiff.
        let instant = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(jiff::Timestamp::MAX);
        let local = self.zone.to_datetime(instant);
        let today = local.weekday();
        let now = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        match self.start.cmp(&self.end) {
            std::cmp::Ordering::Less => self.is_on(today) && (self.start..self.end).contains(&now),
            std::cmp::Ordering::Equal => self.is_on(today),
            std::cmp::Ordering::Greater => {
                (now >= self.start && self.is_on(today)) || (now < self.end && self.is_on(today.previous()))
            }
        }
    }

    fn is_on(&self, day: Weekday) -> bool {
        self.days & (1 << day.to_monday_zero_offset()) != 0
    }
}

impl PartialEq for TimeWindow {
    fn eq(&self, other: &TimeWindow) -> bool {
        self.parts == other.parts
    }
}

impl Eq for TimeWindow {}

/// A window as it comes over the wire and lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeWindowParts {
    /// `mon` to `sun`; not given: every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
    /// `HH:MM`, the first minute within.
    pub start: String,
    /// `HH:MM`, the first minute no longer within.
    pub end: String,
    /// IANA name; not given: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

fn parse_days(texts: &[String]) -> Result<u8, ConditionError> {
    let bit = |text: &String| DAYS.iter().position(|day| day == text).map(|index| 1_u8 << index);
    let mask = texts.iter().try_fold(0_u8, |mask, text| bit(text).map(|bit| mask | bit));
    mask.filter(|mask| *mask != 0).ok_or(ConditionError {
        field: "time_window.days",
        message: "must be one or more of mon, tue, wed, thu, fri, sat, sun",
    })
}

fn parse_minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, limit: u16| {
        let is_two_digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|value| is_two_digits && *value < limit)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

fn parse_zone(name: &str) -> Result<TimeZone, ConditionError> {
    let zone = ZONES.get(name).ok().filter(|zone| !zone.is_unknown());
    zone.ok_or(ConditionError {
        field: "time_window.timezone",
        message: "must be the name of an IANA time zone, such as Europe/Berlin",
    })
}
