//! When a secret's expiry is spoken of (contract 01 section 6): a warning at each `notify_before`, then once that it has expired.
//!
//! What was told is one time: everything up to it is settled. A warning whose time had passed when the expiry was set was never missed:
//! whoever sets an end that is near knows it.

use crate::duration::{Span, SpanList};
use crate::time::Timestamp;

/// What is to be told of an expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The warning of this threshold.
    Expiring(Span),
    Expired,
}

/// What a look at an expiry comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub notice: Option<Notice>,
    /// When there is more to tell; `None` after the end.
    pub next: Option<Timestamp>,
}

/// An expiry that was looked at before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub expires_at: Timestamp,
    /// As the secret has it.
    pub notify_before: String,
    /// Up to and including this time everything was told.
    pub until: Timestamp,
}

/// What became due in (`settled_until`, `now`]. Of several missed warnings only the latest is told, and none once it has expired.
pub fn look(expires_at: Timestamp, notify_before: &SpanList, settled_until: Timestamp, now: Timestamp) -> Look {
    let open = |time: &Timestamp| *time > settled_until;
    // Longest first, so their times rise.
    let warnings = || notify_before.iter().map(|span| (expires_at.plus_seconds(-span.seconds()), span));
    let next = warnings().map(|(time, _)| time).chain([expires_at]).filter(open).find(|time| *time > now);
    let notice = if expires_at <= now {
        open(&expires_at).then_some(Notice::Expired)
    } else {
        let mut missed = warnings().filter(|(time, _)| open(time) && *time <= now);
        missed.next_back().map(|(_, span)| Notice::Expiring(span.clone()))
    };
    Look { notice, next }
}

/// Up to when an expiry is settled at `now`, given what is known of the one before: a new end begins now, new warnings of the same end
/// do too, and what was told is never told again.
pub fn settled_until(known: Option<&Settled>, expires_at: Timestamp, notify_before: &str, now: Timestamp) -> Timestamp {
    // An end that has passed already is still told.
    let begin = now.min(Timestamp::from_micros(expires_at.as_micros().saturating_sub(1)));
    match known {
        Some(known) if known.expires_at == expires_at && known.notify_before == notify_before => known.until,
        Some(known) if known.expires_at == expires_at => known.until.max(begin),
        Some(_) | None => begin,
    }
}

/// Whole days, rounded up, of the times as they are shown; 0 or negative after the end (contract 01 section 9).
pub fn days_remaining(now: Timestamp, expires_at: Timestamp) -> i64 {
    const DAY: i64 = 86_400;
    let seconds = expires_at.as_seconds() - now.as_seconds();
    seconds.div_euclid(DAY) + i64::from(seconds.rem_euclid(DAY) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_seconds(1_777_629_600 + number * DAY)
    }

    fn spans(text: &str) -> SpanList {
        SpanList::parse(text, 10).unwrap()
    }

    fn told(settled: i64, now: i64) -> (Option<String>, Option<i64>) {
        let look = look(day(90), &spans("30d,7d,1d"), day(settled), day(now));
        let notice = look.notice.map(|notice| match notice {
            Notice::Expiring(span) => span.as_str().to_owned(),
            Notice::Expired => "expired".to_owned(),
        });
        (notice, look.next.map(|next| next.micros_since(day(0)) / DAY / 1_000_000))
    }

    #[test]
    fn each_thing_is_told_at_its_time() {
        let table = [
            (0, 0, None, Some(60)),
            (0, 59, None, Some(60)),
            (0, 60, Some("30d"), Some(83)),
            (60, 60, None, Some(83)),
            (60, 83, Some("7d"), Some(89)),
            (83, 89, Some("1d"), Some(90)),
            (89, 90, Some("expired"), None),
            (90, 90, None, None),
            (90, 400, None, None),
        ];
        for (settled, now, notice, next) in table {
            assert_eq!(told(settled, now), (notice.map(str::to_owned), next), "{settled} {now}");
        }
    }

    #[test]
    fn of_what_was_missed_only_the_latest_is_told() {
        assert_eq!(told(0, 85), (Some("7d".to_owned()), Some(89)));
        assert_eq!(told(0, 400), (Some("expired".to_owned()), None));
        assert_eq!(told(83, 400), (Some("expired".to_owned()), None));
    }

    #[test]
    fn what_had_passed_when_the_end_was_set_was_not_missed() {
        // Set on day 85 and, to the microsecond, 7 days ahead.
        assert_eq!(told(85, 85), (None, Some(89)));
        assert_eq!(told(83, 83), (None, Some(89)));
        assert_eq!(look(day(90), &SpanList::default(), day(0), day(0)).next, Some(day(90)));
    }

    #[test]
    fn setting_the_same_again_changes_nothing_and_another_end_begins_anew() {
        let known = Settled { expires_at: day(90), notify_before: "7d".to_owned(), until: day(60) };
        let settled = |end: i64, warnings: &str, now: i64| settled_until(Some(&known), day(end), warnings, day(now));
        assert_eq!(settled(90, "7d", 70), day(60));
        assert_eq!(settled(90, "14d", 70), day(70));
        assert_eq!(settled(91, "7d", 70), day(70));
        // An end that passed unnoticed is still told, one that was told is not told again.
        assert!(settled(90, "14d", 91) < day(90));
        let over = Settled { until: day(92), ..known.clone() };
        assert_eq!(settled_until(Some(&over), day(90), "14d", day(93)), day(92));
        assert_eq!(settled_until(None, day(90), "7d", day(3)), day(3));
        assert!(settled_until(None, day(90), "7d", day(91)) < day(90));
    }

    #[test]
    fn days_are_rounded_up() {
        for (seconds, days) in [(DAY, 1), (DAY + 1, 2), (DAY - 1, 1), (1, 1), (0, 0), (-1, 0), (-DAY, -1)] {
            assert_eq!(days_remaining(day(0), day(0).plus_seconds(seconds)), days, "{seconds}");
        }
    }
}
