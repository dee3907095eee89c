use std::net::{Ipv4Addr, Ipv6Addr};

use scaivault_domain::time::{Clock as _, ManualClock, Timestamp};

use super::*;

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_seconds(1_700_000_000))
}

fn now(clock: &ManualClock) -> i64 {
    clock.now().as_micros()
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

#[test]
fn y_8_of_1001_reads_at_once_1000_pass() {
    let (clock, limiter) = (clock(), RateLimiter::new(&RateLimits::default()));
    let passed = (0..1001).filter(|_| limiter.admit("sa:a", RateCategory::Read, now(&clock)).allowed).count();
    assert_eq!(passed, 1000);
}

#[test]
fn y_7_a_full_bucket_refuses_one_identity_until_retry_after() {
    let (clock, limiter) = (clock(), RateLimiter::new(&RateLimits::default()));
    let admit = |key| limiter.admit(key, RateCategory::AuditExport, now(&clock));
    for left in (0..5).rev() {
        let decision = admit("a");
        assert_eq!((decision.allowed, decision.remaining, decision.limit), (true, left, 5));
    }
    let refused = admit("a");
    let expected =
        Decision { allowed: false, limit: 5, remaining: 0, reset_unix_seconds: 1_700_000_060, retry_after_seconds: 12 };
    assert_eq!(refused, expected);
    assert_eq!(admit("a"), expected, "a refused request costs nothing");
    assert!(admit("b").allowed);
    assert!(limiter.admit("a", RateCategory::Read, now(&clock)).allowed);
    clock.advance(11);
    assert_eq!(admit("a").retry_after_seconds, 1);
    clock.advance(1);
    assert!(admit("a").allowed);
    assert!(!admit("a").allowed);
}

#[test]
fn y_7_switched_off_means_no_limit() {
    let mut limits = RateLimits::default();
    limits.set(RateCategory::Read, 0);
    for limits in [RateLimits::disabled(), limits] {
        let limiter = RateLimiter::new(&limits);
        assert!((0..10_000).all(|_| limiter.admit("a", RateCategory::Read, 0).is_unlimited()));
    }
}

#[test]
fn buckets_refill_evenly_and_never_beyond_their_size() {
    let (clock, limiter) = (clock(), AddressLimiter::new(60));
    let admit = || limiter.admit(ip(1), now(&clock));
    assert!((0..60).all(|_| admit().allowed));
    for _ in 0..100 {
        assert!(!admit().allowed);
        clock.advance(1);
        assert!(admit().allowed);
    }
    clock.advance(86_400);
    assert_eq!((0..100).filter(|_| admit().allowed).count(), 60);
    clock.advance(-86_400);
    assert!(!admit().allowed);
    clock.advance(1);
    assert!(admit().allowed, "a clock set back does not freeze the bucket");
}

#[test]
fn the_reset_rounds_up_to_whole_seconds() {
    let limiter = RateLimiter::new(&RateLimits::default());
    let decision = limiter.admit("a", RateCategory::Read, 10_000_001);
    // One unit of 1,000 a minute is 60 ms.
    assert_eq!((decision.reset_unix_seconds, decision.retry_after_seconds), (11, 0));
}

#[test]
fn a_charge_may_go_below_zero() {
    let (clock, limiter) = (clock(), RateLimiter::new(&RateLimits::default()));
    assert_eq!(limiter.charge("a", RateCategory::BatchRead, 150, now(&clock)).remaining, 0);
    let refused = limiter.admit("a", RateCategory::BatchRead, now(&clock));
    // 51 units at 100 a minute.
    assert_eq!((refused.allowed, refused.retry_after_seconds), (false, 31));
    clock.advance(31);
    assert!(limiter.admit("a", RateCategory::BatchRead, now(&clock)).allowed);
    assert_eq!(limiter.charge("b", RateCategory::BatchRead, 0, now(&clock)).remaining, 100);
}

#[test]
fn an_address_has_one_bucket_in_either_form() {
    let limiter = AddressLimiter::new(1);
    let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
    assert!(limiter.admit(ip(1), 0).allowed);
    assert!(!limiter.admit(mapped, 0).allowed);
    assert!(limiter.admit(ip(2), 0).allowed);
    assert!(AddressLimiter::new(0).admit(ip(1), 0).is_unlimited());
}

#[test]
fn memory_is_bounded() {
    let buckets: Buckets<IpAddr> = Buckets::new(60);
    for i in 0..20_000u32 {
        // 50 addresses a second: about 3,000 of them are not full again at any time, less since one unit takes a second.
        buckets.admit(&IpAddr::V4(Ipv4Addr::from_bits(i)), i64::from(i) * 20_000);
    }
    assert!(buckets.len() < 4_000, "{}", buckets.len());
    buckets.charge(&ip(1), 1_000_000, 1_000_000_000);
    for i in 0..400_000u128 {
        buckets.admit(&IpAddr::V6(Ipv6Addr::from_bits(i)), 1_000_000_000);
    }
    assert!(buckets.len() <= 16 * 16_384, "{}", buckets.len());
    assert!(!buckets.admit(&ip(1), 1_000_000_000).allowed, "the emptiest buckets stay");
}

#[test]
fn twenty_failures_in_a_minute_block_an_address_for_a_minute() {
    let (clock, throttle) = (clock(), FailedAuthThrottle::new());
    let fail = |address| throttle.fail(address, now(&clock));
    assert!((0..20).all(|_| fail(ip(1)).is_none()));
    assert_eq!(fail(ip(1)), Some(60));
    assert_eq!(throttle.blocked(ip(1), now(&clock)), Some(60));
    assert_eq!((fail(ip(2)), throttle.blocked(ip(2), now(&clock))), (None, None));
    clock.advance(59);
    assert_eq!(fail(ip(1)), Some(1), "attempts while blocked do not prolong the block");
    clock.advance(1);
    assert_eq!(fail(ip(1)), None);
}

#[test]
fn failures_older_than_a_minute_do_not_count() {
    let (clock, throttle) = (clock(), FailedAuthThrottle::new());
    for _ in 0..200 {
        assert_eq!(throttle.fail(ip(1), now(&clock)), None);
        clock.advance_micros(3_200_000);
    }
}

#[test]
fn a_flood_of_addresses_does_not_free_the_blocked() {
    let throttle = FailedAuthThrottle::new();
    assert!((0..20).all(|_| throttle.fail(ip(1), 0).is_none()));
    for i in 0..100_000u32 {
        throttle.fail(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i)), 1);
    }
    assert_eq!(throttle.blocked(ip(1), 1), Some(60));
}

#[test]
fn what_is_used_most_can_be_seen_and_is_bounded() {
    let limiter = RateLimiter::new(&RateLimits::default());
    for (key, units) in [("a", 25), ("b", 1), ("c", 200)] {
        limiter.charge(key, RateCategory::BatchRead, units, 0);
    }
    limiter.charge("a", RateCategory::Read, 0, 0);
    let seen = |now, limit| {
        let mut seen = limiter.used(now, limit);
        seen.sort_by(|a, b| a.identity.cmp(&b.identity));
        seen.into_iter().map(|bucket| (bucket.category, bucket.identity, bucket.used)).collect::<Vec<_>>()
    };
    let bucket = |key: &str, used| (RateCategory::BatchRead, key.to_owned(), used);
    assert_eq!(seen(0, 10), [bucket("a", 0.25), bucket("b", 0.01), bucket("c", 1.0)]);
    assert_eq!(seen(0, 2), [bucket("a", 0.25), bucket("c", 1.0)]);
    // A minute gives 100 units back; looking costs nothing.
    assert_eq!(seen(60_000_000, 10), [bucket("c", 1.0)]);
    assert_eq!(seen(120_000_000, 10), []);
}

#[test]
fn a_network_of_64_bits_is_one_client() {
    let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
    let limiter = AddressLimiter::new(1);
    assert!(limiter.admit(v6("2001:db8:1:2::1"), 0).allowed);
    assert!(!limiter.admit(v6("2001:db8:1:2:ffff::9"), 0).allowed);
    assert!(limiter.admit(v6("2001:db8:1:3::1"), 0).allowed);
    let throttle = FailedAuthThrottle::new();
    for i in 0..20_u16 {
        let address = IpAddr::from([0x2001, 0xdb8, 1, 2, i, i, i, i]);
        assert_eq!(throttle.fail(address, 0), None);
    }
    assert_eq!(throttle.fail(v6("2001:db8:1:2::abcd"), 0), Some(60));
    assert_eq!(throttle.blocked(v6("2001:db8:1:2::1"), 0), Some(60));
    assert_eq!(throttle.blocked(v6("2001:db8:1:3::1"), 0), None);
    // Mapped addresses share their first 96 bits and are clients of their own.
    assert!(limiter.admit(v6("::ffff:192.0.2.1"), 0).allowed && limiter.admit(v6("::ffff:192.0.2.2"), 0).allowed);
}

#[test]
fn looking_takes_nothing_and_sees_what_was_charged() {
    let (clock, limiter) = (clock(), RateLimiter::new(&RateLimits::default()));
    let look = || limiter.look("a", RateCategory::AuditExport, now(&clock));
    assert_eq!((look().allowed, look().remaining), (true, 5));
    limiter.charge("a", RateCategory::AuditExport, 7, now(&clock));
    assert_eq!((look().allowed, look().remaining, look().retry_after_seconds), (false, 0, 36));
    clock.advance(36);
    assert!(look().allowed);
}
