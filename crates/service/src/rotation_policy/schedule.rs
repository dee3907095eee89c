//! The durations of a rotation policy and how they bound each other (contract 04 section 1).

use scaivault_domain::duration::{Span, SpanList};
use scaivault_domain::secret::DEFAULT_GRACE_SECONDS;
use scaivault_store::rotation_policy::RotationPolicyRecord;

use crate::error::{Error, FaultCode, FieldFault, Result};

const MIN_INTERVAL_SECONDS: i64 = 60;
/// How [`DEFAULT_GRACE_SECONDS`] is shown, as the contract writes it.
const DEFAULT_GRACE: &str = "48h";

/// Every rule that the durations break, `None` for what was not given (or not readable).
pub fn schedule_faults(
    interval: Option<&Span>,
    grace: Option<&Span>,
    warn_before: Option<&SpanList>,
) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let Some(interval) = interval else { return faults };
    if interval.seconds() < MIN_INTERVAL_SECONDS {
        faults.push(FieldFault::new("interval", FaultCode::Range, "must be at least 60s"));
    }
    if grace.is_some_and(|grace| grace >= interval) {
        faults.push(FieldFault::new("grace_period", FaultCode::Range, "must be shorter than interval"));
    }
    if warn_before.is_some_and(|list| list.iter().any(|span| span >= interval)) {
        faults.push(FieldFault::new("warn_before", FaultCode::Range, "must each be shorter than interval"));
    }
    faults
}

/// 48 hours, or half the interval when that is shorter.
pub(super) fn default_grace(interval: &Span) -> Span {
    let half = interval.seconds() / 2;
    match Span::parse(DEFAULT_GRACE) {
        Ok(usual) if half >= DEFAULT_GRACE_SECONDS => usual,
        _ => Span::from_seconds(half),
    }
}

/// The durations of a policy, together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) interval: Span,
    pub(super) grace_period: Span,
    pub(super) warn_before: SpanList,
}

impl Schedule {
    pub(super) fn of(record: &RotationPolicyRecord) -> Result<Self> {
        Ok(Self {
            interval: Span::parse(&record.interval).map_err(Error::internal)?,
            grace_period: Span::parse(&record.grace_period).map_err(Error::internal)?,
            warn_before: SpanList::parse(&record.warn_before, usize::MAX).map_err(Error::internal)?,
        })
    }

    /// A new interval. A grace that is the default of the old one was most likely never given, and follows.
    pub(super) fn set_interval(&mut self, interval: Span) {
        if self.grace_period == default_grace(&self.interval) {
            self.grace_period = default_grace(&interval);
        }
        self.interval = interval;
    }

    /// # Errors
    /// 422 with every rule that is broken.
    pub(super) fn check(&self) -> Result<()> {
        let faults = schedule_faults(Some(&self.interval), Some(&self.grace_period), Some(&self.warn_before));
        if faults.is_empty() { Ok(()) } else { Err(Error::validation(faults)) }
    }

    pub(super) fn write_to(&self, record: &mut RotationPolicyRecord) {
        record.interval = self.interval.as_str().to_owned();
        record.grace_period = self.grace_period.as_str().to_owned();
        record.warn_before = self.warn_before.to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        Span::parse(text).unwrap()
    }

    //
    #[test]
    fn durations_bound_each_other() {
        let faults = |interval: &str, grace: &str, warn: &str| {
            let warn = SpanList::parse(warn, 10).unwrap();
            let faults = schedule_faults(Some(&span(interval)), Some(&span(grace)), Some(&warn));
            faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert!(faults("90d", "48h", "7d,1d").is_empty());
        assert!(faults("60s", "0s", "").is_empty());
        assert_eq!(faults("10s", "0s", ""), ["interval"]);
        assert_eq!(faults("0s", "0s", ""), ["interval", "grace_period"]);
        assert_eq!(faults("1d", "24h", "25h"), ["grace_period", "warn_before"]);
        assert!(schedule_faults(None, Some(&span("1d")), None).is_empty());
    }

    #[test]
    fn the_default_grace_is_never_more_than_half_the_interval() {
        let table =
            [("90d", "48h"), ("96h", "48h"), ("95h", "1d23h30m"), ("48h", "1d"), ("60s", "30s"), ("61s", "30s")];
        for (interval, grace) in table {
            assert_eq!(default_grace(&span(interval)).as_str(), grace, "{interval}");
        }
    }

    #[test]
    fn a_default_grace_follows_the_interval_and_a_given_one_does_not() {
        let schedule = |grace: &str| Schedule {
            interval: span("90d"),
            grace_period: span(grace),
            warn_before: SpanList::default(),
        };
        let mut follows = schedule("48h");
        follows.set_interval(span("1d"));
        assert_eq!(follows.grace_period, span("12h"));
        assert!(follows.check().is_ok());
        let mut stays = schedule("36h");
        stays.set_interval(span("1d"));
        assert!(stays.check().is_err());
    }
}
