//! How often a delivery is tried, and what a target is worth after how it went.

use crate::time::Timestamp;

/// Pauses between the attempts on one delivery, in seconds; each a tenth more or less. The ninth attempt is the last.
const PAUSES: [i64; 8] = [10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400];

/// A target that has been failing this long is given up.
pub const GIVE_UP_AFTER_SECONDS: i64 = 3 * 86_400;

/// Attempts that are remembered, a bit each.
const REMEMBERED: i64 = (1 << 10) - 1;

/// The pause after the `attempts`-th attempt failed; `None` when that was the last.
pub fn retry_after_seconds(attempts: i64) -> Option<i64> {
    let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
    PAUSES.get(index).copied()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    Pending,
    Success,
    Failed,
}

impl DeliveryStatus {
    pub const ALL: [Self; 3] = [Self::Success, Self::Failed, Self::Pending];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How the newest attempts on a target went, of all its deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// The last ten, the newest in the lowest bit; 1 = failed.
    pub recent: i64,
    /// When the tenth in a row failed; `None` while that is not so.
    pub failing_since: Option<Timestamp>,
}

/// What is told of a target (`status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Healthy,
    /// A failure among the last ten attempts.
    Degraded,
    /// Ten failures in a row.
    Failing,
    Disabled,
}

impl Standing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Disabled => "disabled",
        }
    }
}

impl Health {
    #[must_use]
    pub fn after(self, succeeded: bool, now: Timestamp) -> Self {
        let recent = ((self.recent << 1) | i64::from(!succeeded)) & REMEMBERED;
        let failing_since = (recent == REMEMBERED).then(|| self.failing_since.unwrap_or(now));
        Self { recent, failing_since }
    }

    /// Whether the newest attempt failed.
    pub const fn last_failed(self) -> bool {
        self.recent & 1 == 1
    }

    /// Whether it has been failing for too long.
    pub fn is_hopeless(self, now: Timestamp) -> bool {
        self.failing_since.is_some_and(|since| now >= since.plus_seconds(GIVE_UP_AFTER_SECONDS))
    }

    pub fn standing(self, enabled: bool) -> Standing {
        match self.recent {
            _ if !enabled => Standing::Disabled,
            0 => Standing::Healthy,
            REMEMBERED => Standing::Failing,
            _ => Standing::Degraded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_attempts_over_two_days() {
        let pauses: Vec<_> = (1..=9).map(retry_after_seconds).collect();
        let expected = [10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400].map(Some);
        assert_eq!(pauses[..8], expected);
        assert_eq!(pauses[8], None);
        assert_eq!((retry_after_seconds(0), retry_after_seconds(i64::MAX)), (None, None));
    }

    #[test]
    fn a_target_is_what_its_last_ten_attempts_made_it() {
        let at = Timestamp::from_seconds;
        let mut health = Health::default();
        assert_eq!(health.standing(true), Standing::Healthy);
        for second in 0..10 {
            health = health.after(false, at(second));
            let expected = if second < 9 { Standing::Degraded } else { Standing::Failing };
            assert_eq!(health.standing(true), expected, "{second}");
        }
        assert_eq!(health.failing_since, Some(at(9)));
        health = health.after(false, at(100));
        assert_eq!(health.failing_since, Some(at(9)));
        assert!(!health.is_hopeless(at(9 + GIVE_UP_AFTER_SECONDS - 1)));
        assert!(health.is_hopeless(at(9 + GIVE_UP_AFTER_SECONDS)));
        assert_eq!(health.standing(false), Standing::Disabled);
        health = health.after(true, at(101));
        assert_eq!((health.standing(true), health.failing_since), (Standing::Degraded, None));
        for _ in 0..8 {
            health = health.after(true, at(102));
        }
        assert_eq!(health.standing(true), Standing::Degraded);
        assert_eq!(health.after(true, at(103)).standing(true), Standing::Healthy);
    }
}
