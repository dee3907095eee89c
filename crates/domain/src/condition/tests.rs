use super::*;

fn conditions(json: &str) -> Result<Conditions, ConditionError> {
    Conditions::from_parts(&serde_json::from_str(json).unwrap())
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn facts() -> Facts {
    let now = at("2026-05-01T10:00:00Z");
    Facts {
        source_ip: Some("10.1.2.3".parse().unwrap()),
        mfa_verified_at: Some(now),
        now,
        default_mfa_max_age_seconds: 3_600,
    }
}

fn fails(json: &str, facts: &Facts) -> (bool, bool, bool) {
    let failed = conditions(json).unwrap().failures(facts);
    (failed.ip, failed.mfa, failed.time)
}

#[test]
fn no_conditions_hold() {
    assert!(
        conditions("{}").unwrap().failures(&Facts { source_ip: None, mfa_verified_at: None, ..facts() }).is_empty()
    );
    assert!(
        conditions(r#"{"require_mfa":false}"#)
            .unwrap()
            .failures(&Facts { mfa_verified_at: None, ..facts() })
            .is_empty()
    );
}

#[test]
fn addresses_and_their_mapped_form() {
    let holds = |range: &str, ip: &str| {
        let facts = Facts { source_ip: Some(ip.parse().unwrap()), ..facts() };
        !fails(&format!(r#"{{"ip_ranges":["192.0.2.0/24","{range}"]}}"#), &facts).0
    };
    assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
    assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1") && !holds("10.0.0.0/8", "::10.0.0.1"));
    assert!(holds("::ffff:10.0.0.0/104", "10.9.9.9") && !holds("::ffff:10.0.0.0/104", "11.0.0.1"));
    assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
    assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "2001:db8::1"));
    assert!(holds("::/0", "2001:db8::1") && !holds("::/0", "1.2.3.4") && !holds("::/0", "::ffff:1.2.3.4"));
    // Bits beyond the prefix do not count.
    assert!(holds("10.1.2.3/8", "10.200.0.1"));
    assert!(fails(r#"{"ip_ranges":["0.0.0.0/0","::/0"]}"#, &Facts { source_ip: None, ..facts() }).0);
}

// L-13 (its CIDR)
#[test]
fn l13_bad_ranges() {
    for bad in [
        "10.0.0.0/33",
        "10.0.0.0",
        "10.0.0/8",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/8 ",
        "::/129",
        "x/8",
        "010.0.0.0/8",
        "",
    ] {
        assert_eq!(conditions(&format!(r#"{{"ip_ranges":["{bad}"]}}"#)).unwrap_err().field, "ip_ranges", "{bad:?}");
    }
    assert!(conditions(r#"{"ip_ranges":[]}"#).is_err());
    let parts =
        |count| ConditionParts { ip_ranges: Some(vec!["10.0.0.0/8".to_owned(); count]), ..ConditionParts::default() };
    assert!(Conditions::from_parts(&parts(100)).is_ok() && Conditions::from_parts(&parts(101)).is_err());
}

#[test]
fn a_second_factor_ages() {
    let aged = |seconds: i64| Facts { mfa_verified_at: Some(facts().now.plus_seconds(-seconds)), ..facts() };
    for (json, limit) in [(r#"{"require_mfa":true}"#, 3_600), (r#"{"require_mfa":true,"mfa_max_age":"5m"}"#, 300)] {
        assert!(!fails(json, &aged(limit)).1);
        assert!(fails(json, &aged(limit + 1)).1);
        assert!(fails(json, &Facts { mfa_verified_at: None, ..facts() }).1);
        assert!(!fails(json, &aged(-60)).1);
        assert!(fails(json, &aged(-61)).1);
    }
    for bad in [
        r#"{"mfa_max_age":"1h"}"#,
        r#"{"require_mfa":false,"mfa_max_age":"1h"}"#,
        r#"{"require_mfa":true,"mfa_max_age":"1x"}"#,
        r#"{"require_mfa":true,"mfa_max_age":"0s"}"#,
    ] {
        assert_eq!(conditions(bad).unwrap_err().field, "mfa_max_age");
    }
}

fn window(json: &str) -> TimeWindow {
    TimeWindow::from_parts(&serde_json::from_str(json).unwrap()).unwrap()
}

#[test]
fn a_window_of_office_hours() {
    let office = window(r#"{"days":["mon","fri"],"start":"08:00","end":"18:00","timezone":"Europe/Berlin"}"#);
    // 2026-05-01 is a Friday; Berlin is at +02:00.
    assert!(!office.holds(at("2026-05-01T07:59:59.999999+02:00")));
    assert!(office.holds(at("2026-05-01T08:00:00+02:00")));
    assert!(office.holds(at("2026-05-01T17:59:59.999999+02:00")));
    assert!(!office.holds(at("2026-05-01T18:00:00+02:00")));
    assert!(!office.holds(at("2026-04-30T12:00:00+02:00")) && office.holds(at("2026-05-04T12:00:00+02:00")));
    // In winter the same wall clock is another hour in UTC.
    assert!(!office.holds(at("2026-01-02T06:30:00Z")) && office.holds(at("2026-01-02T07:00:00Z")));
}

#[test]
fn defaults_are_every_day_and_utc() {
    let early = window(r#"{"start":"00:00","end":"06:00"}"#);
    for day in 1..=7 {
        assert!(
            early.holds(at(&format!("2026-05-{day:02}T05:59:00Z")))
                && !early.holds(at(&format!("2026-05-{day:02}T06:00:00Z")))
        );
    }
    let whole = window(r#"{"days":["sun"],"start":"09:00","end":"09:00"}"#);
    assert!(whole.holds(at("2026-05-03T00:00:00Z")) && whole.holds(at("2026-05-03T23:59:59Z")));
    assert!(!whole.holds(at("2026-05-04T00:00:00Z")) && !whole.holds(at("2026-05-02T23:59:59Z")));
}

// L-6
#[test]
fn l6_over_midnight_a_window_counts_to_the_day_it_began() {
    let night = window(r#"{"days":["fri"],"start":"22:00","end":"06:00","timezone":"Europe/Berlin"}"#);
    let table = [
        ("2026-05-01T21:59:59+02:00", false),
        ("2026-05-01T22:00:00+02:00", true),
        ("2026-05-02T00:00:00+02:00", true),
        ("2026-05-02T05:59:00+02:00", true),
        ("2026-05-02T06:00:00+02:00", false),
        ("2026-05-02T23:00:00+02:00", false),
        // The morning of Friday belongs to Thursday's window.
        ("2026-05-01T05:00:00+02:00", false),
    ];
    for (text, expected) in table {
        assert_eq!(night.holds(at(text)), expected, "{text}");
    }
}

// L-6, the nights of the clock changes of 2026 in Berlin
#[test]
fn l6_a_clock_change_follows_local_time() {
    let night = window(r#"{"days":["sat"],"start":"22:00","end":"06:00","timezone":"Europe/Berlin"}"#);
    // 29 March: 02:00+01:00 becomes 03:00+02:00, the night has seven hours.
    let spring = [
        ("2026-03-28T20:59:59Z", false),
        ("2026-03-28T21:00:00Z", true),
        ("2026-03-29T00:59:59Z", true),
        ("2026-03-29T01:00:00Z", true),
        ("2026-03-29T03:59:59Z", true),
        ("2026-03-29T04:00:00Z", false),
    ];
    // 25 October: 03:00+02:00 becomes 02:00+01:00, the night has nine hours.
    let autumn = [
        ("2026-10-24T19:59:59Z", false),
        ("2026-10-24T20:00:00Z", true),
        ("2026-10-25T00:30:00Z", true),
        ("2026-10-25T01:30:00Z", true),
        ("2026-10-25T04:59:59Z", true),
        ("2026-10-25T05:00:00Z", false),
    ];
    for (text, expected) in spring.into_iter().chain(autumn) {
        assert_eq!(night.holds(at(text)), expected, "{text}");
    }
    let skipped = window(r#"{"start":"02:00","end":"03:00","timezone":"Europe/Berlin"}"#);
    let minutes = |day: &str| (0..24 * 60).filter(|minute| skipped.holds(at(day).plus_seconds(minute * 60))).count();
    assert_eq!(minutes("2026-03-28T12:00:00Z"), 0, "the hour is left out");
    assert_eq!(minutes("2026-10-24T12:00:00Z"), 120, "the hour comes twice");
    assert_eq!(minutes("2026-05-01T12:00:00Z"), 60);
}

#[test]
fn bad_windows() {
    let table = [
        (r#"{"start":"8:00","end":"18:00"}"#, "time_window.start"),
        (r#"{"start":"24:00","end":"18:00"}"#, "time_window.start"),
        (r#"{"start":"08:60","end":"18:00"}"#, "time_window.start"),
        (r#"{"start":"08:00:00","end":"18:00"}"#, "time_window.start"),
        (r#"{"start":"08:00","end":"+1:00"}"#, "time_window.end"),
        (r#"{"start":"08:00","end":""}"#, "time_window.end"),
        (r#"{"days":[],"start":"08:00","end":"18:00"}"#, "time_window.days"),
        (r#"{"days":["Mon"],"start":"08:00","end":"18:00"}"#, "time_window.days"),
        (r#"{"days":["monday"],"start":"08:00","end":"18:00"}"#, "time_window.days"),
        (r#"{"start":"08:00","end":"18:00","timezone":"Mars/Olympus"}"#, "time_window.timezone"),
        (r#"{"start":"08:00","end":"18:00","timezone":""}"#, "time_window.timezone"),
        (r#"{"start":"08:00","end":"18:00","timezone":"+02:00"}"#, "time_window.timezone"),
        (r#"{"start":"08:00","end":"18:00","timezone":"CET-1CEST,M3.5.0,M10.5.0/3"}"#, "time_window.timezone"),
        (r#"{"start":"08:00","end":"18:00","timezone":"Etc/Unknown"}"#, "time_window.timezone"),
    ];
    for (json, field) in table {
        assert_eq!(TimeWindow::from_parts(&serde_json::from_str(json).unwrap()).unwrap_err().field, field, "{json}");
    }
    assert!(window(r#"{"start":"00:00","end":"23:59"}"#).holds(Timestamp::MAX.plus_seconds(-60)));
}

#[test]
fn conditions_read_back_as_given() {
    let json = r#"{"ip_ranges":["10.1.0.0/16","2001:db8::/32"],"require_mfa":true,"mfa_max_age":"1h30m","time_window":{"days":["fri","mon"],"start":"22:00","end":"06:00","timezone":"Europe/Berlin"}}"#;
    assert_eq!(serde_json::to_string(&conditions(json).unwrap()).unwrap(), json);
    for json in ["{}", r#"{"require_mfa":false}"#, r#"{"time_window":{"start":"08:00","end":"09:00"}}"#] {
        assert_eq!(serde_json::to_string(&conditions(json).unwrap()).unwrap(), json);
    }
    // L-13: a mistyped key is no condition at all, and must not be taken for one.
    assert!(serde_json::from_str::<ConditionParts>(r#"{"require_mfaa":true}"#).is_err());
}
