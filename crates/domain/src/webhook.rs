//! Deliveries to other people's machines (contract 07 sections 3 and 4): where they may go, how often they are tried, and what is
//! made of how it went. Webhooks and subscriptions delivered by webhook share all of it.

mod address;
mod delivery;
mod url;

pub use address::{AddressClass, AddressRules};
pub use delivery::{DeliveryStatus, GIVE_UP_AFTER_SECONDS, Health, Standing, retry_after_seconds};
pub use url::{TargetUrl, UrlError, UrlHost};

/// Lengths of a webhook's secret in bytes.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
/// How long the previous secret signs too, unless told otherwise.
pub const DEFAULT_PREVIOUS_SECRET_SECONDS: i64 = 86_400;
/// The longest that it may.
pub const MAX_PREVIOUS_SECRET_SECONDS: i64 = 7 * 86_400;
/// Longest part of a receiver's answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// What an attempt may take from the first byte sent to the last one read, in seconds.
pub const ATTEMPT_SECONDS: u64 = 10;
