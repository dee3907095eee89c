//! Addresses, second factor, time (L-5, L-6).

use rstest::rstest;
use scaivault_testkit::{START, TestApp};
use serde_json::{Value, json};

use super::{SECRETS, conditional, prove_second_factor, secret};

const IP: &str = "10.1.2.3";

#[rstest]
#[case::both_hold("10.1.2.3", Some(0), None)]
#[case::wrong_ip("10.2.0.1", Some(0), Some("ip_not_allowed"))]
#[case::no_mfa("10.1.2.3", None, Some("mfa_required"))]
#[case::both_wrong("10.2.0.1", None, Some("ip_not_allowed"))]
#[case::just_young_enough("10.1.2.3", Some(3600), None)]
#[case::one_second_too_old("10.1.2.3", Some(3601), Some("mfa_required"))]
#[case::mapped_address("::ffff:10.1.2.3", Some(0), None)]
#[case::other_family("2001:db8::1", Some(0), Some("ip_not_allowed"))]
#[tokio::test]
async fn l_5_address_and_second_factor(#[case] address: &str, #[case] age: Option<i64>, #[case] code: Option<&str>) {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let conditions = json!({"ip_ranges": ["10.1.0.0/16"], "require_mfa": true});
    let rule = json!({"path_pattern": "app/**", "permissions": ["read"], "conditions": conditions});
    conditional(&app, "p", &mia.id, rule).await;
    if let Some(age) = age {
        prove_second_factor(&app, &mia.id, START - age);
    }
    let answer = mia.from_address(address).get("/v1/secrets/app/db").await;
    match code {
        None => drop(answer.expect(200)),
        Some(code) => {
            let condition = if code == "mfa_required" { "require_mfa" } else { "ip_ranges" };
            assert_eq!(answer.expect_error(403, code).details()["failed_condition"], condition);
        }
    }
}

#[tokio::test]
async fn l_5_a_rule_may_ask_for_a_fresher_factor() {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let conditions = json!({"require_mfa": true, "mfa_max_age": "5m"});
    let rule = json!({"path_pattern": "app/**", "permissions": ["read"], "conditions": conditions});
    conditional(&app, "p", &mia.id, rule).await;
    prove_second_factor(&app, &mia.id, START);
    app.clock.advance(300);
    mia.get("/v1/secrets/app/db").await.expect(200);
    app.clock.advance(1);
    mia.get("/v1/secrets/app/db").await.expect_error(403, "mfa_required");
}

#[tokio::test]
async fn l_5_mfa_is_told_if_it_alone_is_missing_in_any_rule() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let rule = |conditions: Value| json!({"path_pattern": "a", "permissions": ["read"], "conditions": conditions});
    let never = json!({"days": ["mon"], "start": "00:00", "end": "00:00"});
    let steps = [
        ("time", rule(json!({"time_window": never})), "time_window_violation", "time_window"),
        ("time-mfa", rule(json!({"time_window": never, "require_mfa": true})), "time_window_violation", "time_window"),
        ("ip", rule(json!({"ip_ranges": ["192.0.2.0/24"]})), "ip_not_allowed", "ip_ranges"),
        ("mfa", rule(json!({"ip_ranges": ["10.0.0.0/8"], "require_mfa": true})), "mfa_required", "require_mfa"),
    ];
    for (name, rule, code, condition) in steps {
        conditional(&app, name, &mia.id, rule).await;
        let actor = mia.clone().from_address(IP);
        assert_eq!(actor.get("/v1/secrets/a").await.expect_error(403, code).details()["failed_condition"], condition);
    }
}

fn night() -> Value {
    json!({"path_pattern": "a", "permissions": ["read"], "conditions": {"time_window":
        {"days": ["fri"], "start": "22:00", "end": "06:00", "timezone": "Europe/Berlin"}}})
}

#[tokio::test]
async fn l_6_a_window_over_midnight_counts_to_the_day_it_began() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    conditional(&app, "night", &mia.id, night()).await;
    // The clock starts on a Friday at 12:00 in Berlin.
    let (minute, hour, day) = (60, 3600, 86_400);
    let table = [
        (0, false),
        (10 * hour - 1, false),
        (10 * hour, true),
        (12 * hour, true),
        (18 * hour - minute, true),
        (18 * hour - 1, true),
        (18 * hour, false),
        (day + 10 * hour, false),
        (7 * day + 10 * hour, true),
    ];
    let mut passed = 0;
    for (at, allowed) in table {
        app.clock.advance(at - passed);
        passed = at;
        let answer = mia.get("/v1/secrets/a").await;
        if allowed {
            answer.expect(200);
        } else {
            let denied = answer.expect_error(403, "time_window_violation");
            assert_eq!(denied.details()["failed_condition"], "time_window");
        }
    }
}

#[rstest]
// Saturday 22:00 to 02:30 in Berlin. In October the hour from two to three comes twice, in March not at all.
#[case("2026-10-24T19:59:59Z", false)]
#[case("2026-10-24T20:00:00Z", true)]
#[case("2026-10-25T00:29:59Z", true)]
#[case("2026-10-25T00:30:00Z", false)]
#[case("2026-10-25T01:00:00Z", true)]
#[case("2026-10-25T01:29:59Z", true)]
#[case("2026-10-25T01:30:00Z", false)]
#[case("2026-03-28T20:59:59Z", false)]
#[case("2026-03-28T21:00:00Z", true)]
#[case("2026-03-29T00:59:59Z", true)]
#[case("2026-03-29T01:00:00Z", false)]
#[tokio::test]
async fn l_6_the_night_of_a_clock_change_follows_local_time(#[case] at: &str, #[case] allowed: bool) {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let window = json!({"days": ["sat"], "start": "22:00", "end": "02:30", "timezone": "Europe/Berlin"});
    let rule = json!({"path_pattern": "a", "permissions": ["read"], "conditions": {"time_window": window}});
    conditional(&app, "night", &mia.id, rule).await;
    let body = json!({"identity_id": mia.id, "path": "a", "permission": "read", "context": {"timestamp": at}});
    assert_eq!(app.root().post("/v1/policies/test", body).await.expect(200).json()["allowed"], allowed, "{at}");
}

#[tokio::test]
async fn l_6_a_window_without_days_or_zone_is_every_day_in_utc() {
    let app = TestApp::new().await;
    secret(&app, "a").await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let window = json!({"start": "10:00", "end": "11:00"});
    let rule = json!({"path_pattern": "a", "permissions": ["read"], "conditions": {"time_window": window}});
    let policy = conditional(&app, "hour", &mia.id, rule).await;
    mia.get("/v1/secrets/a").await.expect(200);
    app.clock.advance(3600);
    mia.get("/v1/secrets/a").await.expect_error(403, "time_window_violation");
    app.clock.advance(23 * 3600);
    mia.get("/v1/secrets/a").await.expect(200);
    // start = end: the whole day.
    let window = json!({"start": "00:30", "end": "00:30"});
    let rule = json!({"path_pattern": "a", "permissions": ["read"], "conditions": {"time_window": window}});
    app.root().patch(&format!("/v1/policies/{policy}"), json!({"rules": [rule]})).await.expect(200);
    for _ in 0..5 {
        app.clock.advance(5 * 3600);
        mia.get("/v1/secrets/a").await.expect(200);
    }
}
