//! The trail in parts by time, where the engine keeps it so: which there are, and which are missing.

use scaivault_domain::time::Timestamp;

/// A day in seconds. Parts begin and end at midnight UTC.
pub(crate) const DAY: i64 = 86_400;
/// How many parts a whole retention is divided into, more or less: what is kept too long is at most one of them.
const PARTS: i64 = 64;
/// The widest part, in days: few enough parts for seven years, and none so large that looking after it takes long.
const WIDEST_DAYS: i64 = 31;

/// The entries of `from <= at < to`, of all streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPart {
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
}

/// All parts, in order of time. What belongs to none of them lies beside them, row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditParts(Vec<AuditPart>);

impl AuditParts {
    pub(crate) fn new(mut parts: Vec<AuditPart>) -> Self {
        parts.sort_by_key(|part| part.from);
        Self(parts)
    }

    /// In order of time.
    pub fn iter(&self) -> impl Iterator<Item = &AuditPart> {
        self.0.iter()
    }

    fn around(&self, at: Timestamp) -> Option<&AuditPart> {
        self.0.iter().find(|part| part.from <= at && at < part.to)
    }

    /// The newest moment, `at` or before, that lies within no part: what is older can go without cutting a part in two.
    #[must_use]
    pub fn boundary(&self, at: Timestamp) -> Timestamp {
        self.around(at).map_or(at, |part| part.from)
    }

    /// What `from <= at < until` lacks, in parts of at most `days`.
    pub(crate) fn missing(&self, from: Timestamp, until: Timestamp, days: i64) -> Vec<AuditPart> {
        let mut missing = Vec::new();
        let mut next = from;
        while next < until {
            if let Some(part) = self.around(next) {
                next = part.to;
                continue;
            }
            let wide = next.plus_seconds(days.max(1).saturating_mul(DAY));
            let to = self
                .0
                .iter()
                .map(|part| part.from)
                .filter(|begin| *begin > next)
                .min()
                .map_or(wide, |begin| begin.min(wide));
            missing.push(AuditPart { from: next, to });
            next = to;
        }
        missing
    }
}

/// The width of a new part in days, where entries are kept for so many seconds.
pub(crate) fn width_days(retention_seconds: i64) -> i64 {
    (retention_seconds / DAY / PARTS).clamp(1, WIDEST_DAYS)
}

/// Midnight UTC, `at` or before.
pub(crate) fn start_of_day(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.as_seconds().div_euclid(DAY).saturating_mul(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_seconds(number * DAY)
    }

    fn parts(ranges: &[(i64, i64)]) -> AuditParts {
        AuditParts::new(ranges.iter().map(|(from, to)| AuditPart { from: day(*from), to: day(*to) }).collect())
    }

    #[test]
    fn no_part_is_cut_in_two() {
        let parts = parts(&[(20, 30), (10, 20)]);
        for (at, boundary) in [(5, 5), (10, 10), (15, 10), (20, 20), (29, 20), (30, 30), (31, 31)] {
            assert_eq!(parts.boundary(day(at)), day(boundary), "day {at}");
        }
    }

    #[test]
    fn what_is_missing_goes_between_what_is_there() {
        let ranges = |parts: Vec<AuditPart>| -> Vec<(i64, i64)> {
            parts.iter().map(|part| (part.from.as_seconds() / DAY, part.to.as_seconds() / DAY)).collect()
        };
        assert_eq!(ranges(parts(&[]).missing(day(3), day(8), 2)), [(3, 5), (5, 7), (7, 9)]);
        assert_eq!(ranges(parts(&[(0, 4), (6, 7)]).missing(day(3), day(9), 3)), [(4, 6), (7, 10)]);
        assert!(parts(&[(0, 9)]).missing(day(3), day(9), 3).is_empty());
    }

    #[test]
    fn the_width_follows_the_retention() {
        for (days, width) in [(0, 1), (30, 1), (63, 1), (365, 5), (2557, 31), (100_000, 31)] {
            assert_eq!(width_days(days * DAY), width, "{days} days");
        }
    }
}
