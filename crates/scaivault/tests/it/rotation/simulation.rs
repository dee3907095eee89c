//! A year of many secrets: each event exactly once, and at its time.

use std::collections::BTreeMap;

use scaivault_testkit::TestApp;
use serde_json::json;

use super::{DAY, HOUR, events, policy_with, put, put_under, worded};

const YEAR: i64 = 365 * DAY;

struct Rule {
    name: &'static str,
    interval: i64,
    grace: i64,
    warnings: &'static [i64],
    generates: bool,
}

const RULES: [Rule; 6] = [
    Rule { name: "hourly", interval: 400 * HOUR, grace: HOUR, warnings: &[], generates: true },
    Rule { name: "weekly", interval: 7 * DAY, grace: DAY, warnings: &[DAY], generates: true },
    Rule { name: "monthly", interval: 30 * DAY, grace: 2 * DAY, warnings: &[7 * DAY, DAY], generates: true },
    Rule { name: "asked", interval: 30 * DAY, grace: 2 * DAY, warnings: &[7 * DAY, DAY], generates: false },
    Rule { name: "quarterly", interval: 90 * DAY, grace: 0, warnings: &[10 * DAY], generates: false },
    Rule { name: "late", interval: 200 * DAY, grace: 20 * DAY, warnings: &[30 * DAY, 7 * DAY, HOUR], generates: false },
];

/// What is to be told of a secret that was written at `start`, in the words of [`worded`]. Nobody answers those that ask.
fn expected(rule: &Rule, start: i64) -> Vec<(i64, String)> {
    let mut told = Vec::new();
    let mut begin = start;
    loop {
        let due = begin + rule.interval;
        for warning in rule.warnings {
            let span = scaivault_domain::duration::Span::from_seconds(*warning);
            told.push((due - warning, format!("due {span}")));
        }
        if !rule.generates {
            told.push((due, "due 0s".to_owned()));
            told.push((due + rule.grace, "overdue".to_owned()));
            break;
        }
        told.push((due, "secret.rotated".to_owned()));
        told.push((due, "completed scheduled".to_owned()));
        begin = due;
        if begin > YEAR {
            break;
        }
    }
    told.retain(|(at, _)| *at <= YEAR);
    told
}

#[tokio::test]
async fn a_year_of_sixty_secrets() {
    let app = TestApp::new().await;
    let text = |seconds: i64| scaivault_domain::duration::Span::from_seconds(seconds).as_str().to_owned();
    for rule in &RULES {
        let warnings: Vec<String> = rule.warnings.iter().map(|seconds| text(*seconds)).collect();
        let body = json!({"interval": text(rule.interval), "grace_period": text(rule.grace), "warn_before": warnings,
            "auto_generate": rule.generates});
        policy_with(&app, rule.name, body).await;
    }
    let (mut wanted, mut now) = (BTreeMap::new(), 0);
    for number in 0..60_i64 {
        let rule = &RULES[usize::try_from(number % 6).unwrap()];
        let path = format!("{}/{number}", rule.name);
        put_under(&app, &format!("rot_{}", rule.name), &path).await;
        wanted.insert(path, expected(rule, now));
        // Odd times, so that not everything falls together.
        app.pass(number * 37 + 11).await;
        now += number * 37 + 11;
    }
    // In the middle of the year one of those that ask is answered.
    app.pass(YEAR / 2 - now).await;
    put(&app.root(), "quarterly/4", "new").await;
    app.pass(YEAR - YEAR / 2).await;

    let mut told: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for (at, name, path, data) in events(&app) {
        if name.starts_with("rotation.") || name == "secret.rotated" {
            told.entry(path).or_default().push((at, worded(&name, &data)));
        }
    }
    let answered = wanted.get_mut("quarterly/4").unwrap();
    let due = YEAR / 2 + 90 * DAY;
    answered.extend([(YEAR / 2, "secret.rotated".to_owned()), (YEAR / 2, "completed write".to_owned())]);
    answered.extend([(due - 10 * DAY, "due 10d".to_owned()), (due, "due 0s".to_owned()), (due, "overdue".to_owned())]);
    for (path, expected) in wanted {
        assert_eq!(told.remove(&path).unwrap_or_default(), expected, "{path}");
    }
    assert!(told.is_empty(), "{told:?}");
}
