use proptest::prelude::*;

use super::*;

fn micros(text: &str) -> i64 {
    Timestamp::parse(text).unwrap().as_micros()
}

#[test]
fn rfc_3339_with_any_offset_reads() {
    let table = [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-05-01T10:00:00Z", 1_777_629_600_000_000),
        ("2026-05-01T12:00:00+02:00", 1_777_629_600_000_000),
        ("2026-05-01T04:30:00-05:30", 1_777_629_600_000_000),
        ("2026-05-01t10:00:00z", 1_777_629_600_000_000),
        ("2026-05-01T10:00:00-00:00", 1_777_629_600_000_000),
        ("1969-12-31T23:59:59.5Z", -500_000),
        ("2026-05-01T10:00:00.1Z", 1_777_629_600_100_000),
        ("2026-05-01T10:00:00.123456Z", 1_777_629_600_123_456),
        ("2026-05-01T10:00:00.123456999Z", 1_777_629_600_123_456),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        // A leap second, as RFC 3339 section 5.8 has it.
        ("1990-12-31T23:59:60Z", 662_687_999_000_000),
        ("1990-12-31T15:59:60-08:00", 662_687_999_000_000),
    ];
    for (text, expected) in table {
        assert_eq!(micros(text), expected, "{text}");
    }
    assert_eq!(Timestamp::parse("9999-12-31T23:59:59.999999Z").unwrap(), Timestamp::MAX);
    assert_eq!(Timestamp::parse("0000-01-01T00:00:00Z").unwrap(), Timestamp::MIN);
}

#[test]
fn everything_else_is_refused() {
    let bad = [
        "",
        "2026",
        "2026-05-01",
        "2026-05-01T10:00:00",
        "2026-05-01T10:00Z",
        "2026-05-01 10:00:00Z",
        "2026-05-01T10:00:00 Z",
        "2026-05-01T10:00:00+02",
        "2026-05-01T10:00:00+0200",
        "2026-05-01T10:00:00+02:00[Europe/Berlin]",
        "2026-05-01T10:00:00Z[UTC]",
        "2026-05-01T10:00:00.Z",
        "2026-05-01T10:00:00,5Z",
        "2026-05-01T10:00:00.1234567890Z",
        "2026-05-01T10:00:00Z ",
        " 2026-05-01T10:00:00Z",
        "2026-5-1T10:00:00Z",
        "+002026-05-01T10:00:00Z",
        "-026-05-01T10:00:00Z",
        "20260501T100000Z",
        "2026-05-01T10:00:00Zjunk",
        "1777629600",
        "2026-05-01T10:00:00+24:00",
        "2026-05-01T10:00:00+02:60",
        "2026-05-01T10:00:00\u{2212}02:00",
        "2026-05-01T10:00:00Z\0",
        "tomorrow",
    ];
    for text in bad {
        assert_eq!(Timestamp::parse(text), Err(TimeError::Format), "{text:?}");
    }
    let no_such_time = [
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-05-01T24:00:00Z",
        "2026-05-01T10:60:00Z",
        "2026-05-01T10:00:61Z",
        "2026-05-01T10:00:60Z",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00+00:01",
    ];
    for text in no_such_time {
        assert_eq!(Timestamp::parse(text), Err(TimeError::Range), "{text:?}");
    }
}

#[test]
fn texts_cut_the_fraction_and_never_round_up() {
    let at = Timestamp::parse("2026-05-01T10:00:00.999999Z").unwrap();
    assert_eq!(at.to_rfc3339_seconds(), "2026-05-01T10:00:00Z");
    assert_eq!(at.to_rfc3339_micros(), "2026-05-01T10:00:00.999999Z");
    assert_eq!(serde_json::to_string(&at).unwrap(), "\"2026-05-01T10:00:00Z\"");
    let before_epoch = Timestamp::from_micros(-1);
    assert_eq!(before_epoch.as_seconds(), -1);
    assert_eq!(before_epoch.to_rfc3339_seconds(), "1969-12-31T23:59:59Z");
    assert_eq!(before_epoch.to_rfc3339_micros(), "1969-12-31T23:59:59.999999Z");
    assert_eq!(Timestamp::MAX.to_rfc3339_micros(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
}

#[test]
fn a_second_has_a_first_and_a_last_microsecond() {
    for micros in [1_500_000, 1_000_000, 1_999_999] {
        let at = Timestamp::from_micros(micros);
        assert_eq!((at.floor_to_second().as_micros(), at.end_of_second().as_micros()), (1_000_000, 1_999_999));
    }
    assert_eq!(Timestamp::from_micros(-1).floor_to_second().as_micros(), -1_000_000);
    assert_eq!(Timestamp::MAX.end_of_second(), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.floor_to_second(), Timestamp::MIN);
}

#[test]
fn adding_stops_at_the_ends() {
    let at = Timestamp::from_seconds(10);
    assert_eq!(at.plus_seconds(5), Timestamp::from_seconds(15));
    assert_eq!(at.checked_add_seconds(-20), Some(Timestamp::from_seconds(-10)));
    assert_eq!(at.plus_seconds(i64::MAX), Timestamp::MAX);
    assert_eq!(at.plus_seconds(i64::MIN), Timestamp::MIN);
    assert_eq!(at.checked_add_seconds(i64::MAX), None);
    assert_eq!(Timestamp::MAX.checked_add_seconds(1), None);
    assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
}

#[test]
fn a_fraction_is_noticed() {
    assert!(ParsedTime::parse("2026-05-01T10:00:00.000Z").unwrap().has_fraction);
    assert!(!ParsedTime::parse("2026-05-01T10:00:00Z").unwrap().has_fraction);
    assert!(
        Timestamp::has_fraction_in("2026-05-01T10:00:00.5Z") && !Timestamp::has_fraction_in("2026-05-01T10:00:00Z")
    );
}

#[test]
fn the_manual_clock_moves_only_when_told() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(100)));
    clock.advance(5);
    clock.advance_micros(-1);
    assert_eq!(clock.now().as_micros(), 104_999_999);
    clock.set(Timestamp::UNIX_EPOCH);
    let shared: &dyn Clock = &clock;
    assert_eq!(shared.now(), Timestamp::UNIX_EPOCH);
    assert!(SystemClock.now() > Timestamp::parse("2020-01-01T00:00:00Z").unwrap());
}

proptest! {
    #[test]
    fn every_instant_reads_back(micros in Timestamp::MIN.0..=Timestamp::MAX.0, hours in 0_i64..24, minutes in 0_i64..60) {
        let at = Timestamp::from_micros(micros);
        prop_assert_eq!(Timestamp::parse(&at.to_rfc3339_micros()), Ok(at));
        prop_assert_eq!(Timestamp::parse(&at.to_rfc3339_seconds()), Ok(at.floor_to_second()));
        // Written in another zone it is the same instant.
        let local = Timestamp::from_micros(micros.saturating_add((hours * 60 + minutes) * MICROS_PER_MINUTE));
        if local < Timestamp::MAX {
            let text = local.to_rfc3339_micros().replace('Z', &format!("+{hours:02}:{minutes:02}"));
            prop_assert_eq!(Timestamp::parse(&text), Ok(at));
        }
    }

    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,40}") {
        let _ = Timestamp::parse(&text);
    }
}
