//! A year of many secrets under several policies: every event exactly once and exactly at its time, and everything that goes with it.
//!
//! `SCAIVAULT_YEAR_SECRETS=10000 cargo nextest run --release -p scaivault life::year --no-capture` is the full size.

use std::collections::BTreeMap;
use std::time::Instant;

use scaivault_testkit::{Raw, TestApp};
use serde_json::json;

use super::{say, size};

const DAY: i64 = 86_400;
const HOUR: i64 = 3600;
const YEAR: i64 = 365 * DAY;
/// Secrets that are written at one moment; the next ones come 17 s later.
const TOGETHER: i64 = 250;

struct Life {
    policy: &'static str,
    interval: i64,
    grace: i64,
    warnings: &'static [i64],
    generates: bool,
    /// Renewed by each rotation, with warnings 5 d and 1 d ahead.
    expires_in: Option<i64>,
}

const LIVES: [Life; 5] = [
    Life {
        policy: "monthly",
        interval: 30 * DAY,
        grace: 2 * DAY,
        warnings: &[7 * DAY, DAY],
        generates: true,
        expires_in: None,
    },
    Life {
        policy: "brief",
        interval: 30 * DAY,
        grace: HOUR,
        warnings: &[DAY],
        generates: true,
        expires_in: Some(20 * DAY),
    },
    Life {
        policy: "renewing",
        interval: 60 * DAY,
        grace: 0,
        warnings: &[],
        generates: true,
        expires_in: Some(90 * DAY),
    },
    Life {
        policy: "quarterly",
        interval: 90 * DAY,
        grace: 2 * DAY,
        warnings: &[7 * DAY, DAY],
        generates: false,
        expires_in: None,
    },
    Life {
        policy: "fading",
        interval: 200 * DAY,
        grace: 20 * DAY,
        warnings: &[30 * DAY, 7 * DAY, HOUR],
        generates: false,
        expires_in: Some(100 * DAY),
    },
];

fn text(seconds: i64) -> String {
    scaivault_domain::duration::Span::from_seconds(seconds).as_str().to_owned()
}

impl Life {
    fn rotations(&self) -> i64 {
        if self.generates { YEAR / self.interval } else { 0 }
    }

    /// What is told within a year of the first version, by seconds since then. Nobody answers the policies that ask.
    fn told(&self) -> Vec<(i64, String)> {
        let mut told = Vec::new();
        let cycles = if self.generates { self.rotations() + 1 } else { 1 };
        for cycle in 0..cycles {
            let begin = cycle * self.interval;
            let due = begin + self.interval;
            told.extend(self.warnings.iter().map(|ahead| (due - ahead, format!("rotation.due {}", text(*ahead)))));
            if self.generates {
                told.extend(
                    ["secret.updated", "secret.rotated", "rotation.completed"].map(|name| (due, name.to_owned())),
                );
            } else {
                told.push((due, "rotation.due 0s".to_owned()));
                told.push((due + self.grace, "rotation.overdue".to_owned()));
            }
            let Some(end) = self.expires_in.map(|lifetime| begin + lifetime) else { continue };
            let of_expiry = [5 * DAY, DAY].map(|ahead| (end - ahead, format!("secret.expiring {}", text(ahead))));
            let of_expiry = of_expiry.into_iter().chain([(end, "secret.expired".to_owned())]);
            // A rotation before that begins a new life.
            told.extend(of_expiry.filter(|(at, _)| !self.generates || *at < due));
        }
        told.push((0, "secret.created".to_owned()));
        told.retain(|(at, _)| *at <= YEAR);
        told.sort();
        told
    }
}

async fn policies(app: &TestApp) {
    for life in &LIVES {
        let warnings: Vec<String> = life.warnings.iter().map(|seconds| text(*seconds)).collect();
        let body = json!({"name": life.policy, "interval": text(life.interval), "grace_period": text(life.grace),
            "warn_before": warnings, "auto_generate": life.generates});
        app.root().post("/v1/rotation/policies", body).await.expect(201);
    }
}

/// (path, seconds since the start, what) of all that was told of secrets.
fn told(raw: &Raw, start: i64) -> BTreeMap<String, Vec<(i64, String)>> {
    let mut told: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    let all = "SELECT path, at, event_type, data, tenant_id FROM event
               WHERE event_type LIKE 'secret.%' OR event_type LIKE 'rotation.%'";
    for row in raw.rows(all) {
        let text = |column: usize| row[column].text().unwrap();
        let (path, at, name) = (text(0), row[1].int(), text(2));
        let data: serde_json::Value = serde_json::from_str(&text(3)).unwrap();
        let what = data["threshold"].as_str().map_or(name.clone(), |threshold| format!("{name} {threshold}"));
        assert_eq!(text(4), "tnt_default");
        // To the microsecond.
        assert_eq!(at % 1_000_000, 0, "{path} {what}");
        told.entry(path).or_default().push((at / 1_000_000 - start, what));
    }
    told.values_mut().for_each(|told| told.sort());
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_year_comes_once_and_at_its_time() {
    let count = size("SCAIVAULT_YEAR_SECRETS", 100);
    let app = TestApp::new().await;
    policies(&app).await;
    let begun = Instant::now();
    let start = app.now().as_seconds();
    let mut expected = BTreeMap::new();
    for number in 0..count {
        let life = &LIVES[usize::try_from(number % 5).unwrap()];
        let path = format!("{}/{number}", life.policy);
        let mut options = json!({"rotation_policy_id": format!("rot_{}", life.policy), "notify_before": "5d,1d"});
        if let Some(lifetime) = life.expires_in {
            options["expires_in"] = json!(text(lifetime));
        }
        let body = json!({"data": {"password": app.canary()}, "options": options});
        app.root().put(&format!("/v1/secrets/{path}"), body).await.expect(201);
        expected.insert(path, (life, app.now().as_seconds() - start));
        if number % TOGETHER == TOGETHER - 1 || count <= TOGETHER && number % 20 == 19 {
            app.pass(17).await;
        }
    }
    let written = app.now().as_seconds() - start;
    say(&format!("{count} secrets written: {:?}", begun.elapsed()));
    let begun = Instant::now();
    app.pass(YEAR - written).await;
    let took = begun.elapsed();

    let raw = app.raw();
    let number = |sql: &str| raw.count(sql);
    say(&format!("a year: {took:?}, {} events", number("SELECT COUNT(*) FROM event")));
    let mut found = told(&raw, start);
    let mut rotations = 0;
    for (path, (life, begin)) in &expected {
        let told = life.told().into_iter().map(|(at, what)| (at + begin, what)).filter(|(at, _)| *at <= YEAR);
        assert_eq!(found.remove(path).unwrap_or_default(), told.collect::<Vec<_>>(), "{path}");
        rotations += (YEAR - begin) / life.interval * i64::from(life.generates);
    }
    assert_eq!(found.len(), 0, "{found:?}");

    // A version, an entry of history and one of the trail for each rotation, and nothing left over.
    let versions = "SELECT CAST(SUM(last_version - 1) AS BIGINT) FROM secret";
    let in_history = "SELECT COUNT(*) FROM rotation_history WHERE status = 'success' AND cause = 'scheduled'";
    let in_trail = "SELECT COUNT(*) FROM audit_entry
         WHERE identity_id = 'system:rotation-scheduler' AND action = 'rotate' AND status_code = 200";
    assert_eq!((number(versions), number(in_history), number(in_trail)), (rotations, rotations, rotations));
    let asked = expected.values().filter(|(life, _)| !life.generates).count();
    assert_eq!(number("SELECT COUNT(*) FROM rotation_history WHERE status = 'pending'"), i64::try_from(asked).unwrap());
    let others = "SELECT COUNT(*) FROM rotation_history WHERE status NOT IN ('success', 'pending')";
    assert_eq!((number(others), number("SELECT COUNT(*) FROM job WHERE died_at IS NOT NULL OR failures > 0")), (0, 0));
    let twice = "SELECT COUNT(*) FROM (SELECT 1 FROM rotation_history WHERE status = 'success' GROUP BY secret_id, new_version HAVING COUNT(*) > 1) AS twice";
    assert_eq!(number(twice), 0);
    let report = app.root().get("/v1/audit/verify").await.expect(200).json();
    assert_eq!(report["valid"], true, "{report}");
}
