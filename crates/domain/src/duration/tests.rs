use super::*;

#[test]
fn durations_read_and_keep_their_text() {
    let table = [
        ("90d", 7_776_000),
        ("1h30m", 5_400),
        ("1w2d3h4m5s", 788_645),
        ("0s", 0),
        ("0d", 0),
        ("36500d", 3_153_600_000),
        ("007d", 604_800),
        ("60s", 60),
        ("1w", 604_800),
        ("1d1s", 86_401),
    ];
    for (text, seconds) in table {
        let span = Span::parse(text).unwrap();
        assert_eq!((span.as_str(), span.seconds(), span.to_string().as_str()), (text, seconds, text));
    }
}

#[test]
fn anything_else_is_an_invalid_duration() {
    let bad = [
        "", " ", "90", "1.5h", "-1d", "+1d", "1m1h", "1d1d", "d", "1D", "1 d", " 1d", "1d ", "1h,2h", "1y", "1ms",
        "1h30", "１d", "1d\0", "∞",
    ];
    for text in bad {
        assert_eq!(Span::parse(text), Err(SpanError::Format), "{text:?}");
        assert_eq!(Span::parse_positive(text), Err(SpanError::Format), "{text:?}");
    }
    for text in ["36501d", "36500d1s", "9223372036854775807s", "99999999999999999999999999w1s", "5215w"] {
        assert_eq!(Span::parse(text), Err(SpanError::TooLong), "{text:?}");
    }
    assert_eq!(Span::parse(&format!("{}1d", "0".repeat(70))), Err(SpanError::Format));
}

#[test]
fn zero_is_well_formed_but_not_positive() {
    assert!(Span::parse("0d0h").unwrap().is_zero());
    assert_eq!(Span::parse_positive("0d"), Err(SpanError::Zero));
    assert!(!SpanError::Zero.is_invalid_duration() && SpanError::TooLong.is_invalid_duration());
}

#[test]
fn seconds_become_text() {
    for (seconds, text) in [
        (0, "0s"),
        (90, "1m30s"),
        (86_400, "1d"),
        (7_776_000, "90d"),
        (3_601, "1h1s"),
        (-5, "0s"),
        (i64::MAX, "36500d"),
    ] {
        assert_eq!(Span::from_seconds(seconds).as_str(), text);
    }
}

#[test]
fn equal_is_equally_long() {
    assert_eq!(Span::parse("24h").unwrap(), Span::parse("1d").unwrap());
    assert!(Span::parse("23h").unwrap() < Span::parse("1d").unwrap());
}

#[test]
fn lists_are_folded_and_sorted_longest_first() {
    let shown = |text: &str| SpanList::parse(text, 10).unwrap().to_string();
    assert_eq!(shown("1d,30d,7d"), "30d,7d,1d");
    assert_eq!(shown("24h,7d,1d,1w"), "7d,24h");
    assert_eq!(shown(""), "");
    assert_eq!(SpanList::from_items(&["1h", "2h"], 2).unwrap().to_string(), "2h,1h");
    let list = SpanList::from_items(&["1d", "30d"], 10).unwrap();
    assert_eq!(serde_json::to_string(&list).unwrap(), "\"30d,1d\"");
    assert_eq!(list.iter().map(Span::seconds).collect::<Vec<_>>(), [2_592_000, 86_400]);
}

#[test]
fn lists_say_which_item_is_wrong() {
    let error = |text: &str| SpanList::parse(text, 3).unwrap_err();
    assert_eq!(error("1d,x"), SpanListError::Item { index: 1, value: "x".into(), error: SpanError::Format });
    assert_eq!(error("1d,0d"), SpanListError::Item { index: 1, value: "0d".into(), error: SpanError::Zero });
    assert_eq!(error("1d,"), SpanListError::Item { index: 1, value: String::new(), error: SpanError::Format });
    assert_eq!(error("1d, 2d"), SpanListError::Item { index: 1, value: " 2d".into(), error: SpanError::Format });
    assert_eq!(error("1d,2d,3d,4d"), SpanListError::TooMany { max: 3 });
}
