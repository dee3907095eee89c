//! The categories of rate limits and their defaults (contract 12 section 5).

use std::fmt;

macro_rules! categories {
    ($($(#[$doc:meta])* $variant:ident $name:literal $env:literal $per_minute:literal;)*) => {
        /// What kind of work a request is; each identity has one bucket per category.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RateCategory { $($(#[$doc])* $variant),* }

        impl RateCategory {
            pub const ALL: &'static [RateCategory] = &[$(RateCategory::$variant),*];

            /// The name in `details.category` and in metrics (`path_category`).
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The environment variable that changes the limit.
            pub const fn env_name(self) -> &'static str {
                match self { $(Self::$variant => concat!("RATE_LIMIT_", $env)),* }
            }

            /// Requests a minute unless configured.
            pub const fn default_per_minute(self) -> u32 {
                match self { $(Self::$variant => $per_minute),* }
            }
        }
    };
}

categories! {
    Read "read" "READ" 1000;
    /// PUT, PATCH, restore, rotate.
    Write "write" "WRITE" 100;
    Delete "delete" "DELETE" 100;
    /// Also metadata, versions, expiring.
    List "list" "LIST" 100;
    BatchRead "batch_read" "BATCH_READ" 100;
    BatchMetadata "batch_metadata" "BATCH_METADATA" 100;
    Webhook "webhook" "WEBHOOK" 20;
    Subscription "subscription" "SUBSCRIPTION" 20;
    AuditQuery "audit_query" "AUDIT_QUERY" 50;
    AuditExport "audit_export" "AUDIT_EXPORT" 5;
    /// Also rotation and secret policies.
    Policy "policy" "POLICY" 50;
    PolicyTest "policy_test" "POLICY_TEST" 200;
    /// Issue, sign, submit a CSR.
    PkiIssue "pki_issue" "PKI_ISSUE" 50;
    /// Also DNS.
    PkiAdmin "pki_admin" "PKI_ADMIN" 20;
    AcmeOrder "acme_order" "ACME_ORDER" 30;
    /// Whoami, introspect.
    Auth "auth" "AUTH" 300;
    SubscriptionPoll "subscription_poll" "SUBSCRIPTION_POLL" 240;
    Federation "federation" "FEDERATION" 20;
    DynamicCreds "dynamic_creds" "DYNAMIC_CREDS" 100;
    DynamicAdmin "dynamic_admin" "DYNAMIC_ADMIN" 20;
    Lease "lease" "LEASE" 100;
    IdentityRead "identity_read" "IDENTITY_READ" 100;
    IdentitySync "identity_sync" "IDENTITY_SYNC" 5;
    /// Changes of directory, tokens, issuers.
    IdentityWrite "identity_write" "IDENTITY_WRITE" 60;
    /// `/v1/sys`, detailed health.
    System "system" "SYSTEM" 60;
}

impl RateCategory {
    /// The place in [`RateCategory::ALL`], for tables with one entry a category.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whose bucket pays for each value that a request of this category is answered with: a batch costs one unit of its own and as
    /// many reads as it gave values.
    pub const fn paid_by_value(self) -> Option<RateCategory> {
        match self {
            Self::BatchRead => Some(Self::Read),
            _ => None,
        }
    }

    /// `None` for anything that is no category; case-sensitive.
    pub fn parse(text: &str) -> Option<RateCategory> {
        Self::ALL.iter().copied().find(|category| category.as_str() == text)
    }

    /// The category that an environment variable configures; `None` for any other name.
    pub fn from_env_name(name: &str) -> Option<RateCategory> {
        Self::ALL.iter().copied().find(|category| category.env_name() == name)
    }
}

impl fmt::Display for RateCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The limits of this server, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    enabled: bool,
    /// By [`RateCategory::index`]; 0 = unlimited.
    per_minute: Vec<u32>,
}

impl RateLimits {
    /// `RATE_LIMIT_ENABLED=false`.
    pub fn disabled() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// Requests a minute; `None` = unlimited.
    pub fn per_minute(&self, category: RateCategory) -> Option<u32> {
        self.per_minute.get(category.index()).copied().filter(|&limit| self.enabled && limit > 0)
    }

    /// 0 = unlimited.
    pub fn set(&mut self, category: RateCategory, per_minute: u32) {
        if let Some(limit) = self.per_minute.get_mut(category.index()) {
            *limit = per_minute;
        }
    }

    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            per_minute: RateCategory::ALL.iter().map(|category| category.default_per_minute()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_category() {
        for (i, category) in RateCategory::ALL.iter().enumerate() {
            assert_eq!(category.index(), i);
            assert_eq!(RateCategory::parse(category.as_str()), Some(*category));
            assert_eq!(RateCategory::from_env_name(category.env_name()), Some(*category));
            assert_eq!(category.env_name(), format!("RATE_LIMIT_{}", category.as_str().to_uppercase()));
        }
        assert_eq!(RateCategory::from_env_name("RATE_LIMIT_RAED"), None);
        assert_eq!(RateCategory::from_env_name("RATE_LIMIT_ENABLED"), None);
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        assert_eq!(RateCategory::ALL.len(), 25);
        assert_eq!(RateCategory::Read.default_per_minute(), 1000);
        assert_eq!(RateCategory::ALL.iter().map(|category| category.default_per_minute()).sum::<u32>(), 2950);
    }
    #[test]
    fn zero_and_disabled_mean_unlimited() {
        let mut limits = RateLimits::default();
        assert_eq!(limits.per_minute(RateCategory::Read), Some(1000));
        limits.set(RateCategory::Read, 0);
        assert_eq!(limits.per_minute(RateCategory::Read), None);
        assert_eq!(limits.per_minute(RateCategory::Write), Some(100));
        assert_eq!(RateLimits::disabled().per_minute(RateCategory::Write), None);
    }
}
