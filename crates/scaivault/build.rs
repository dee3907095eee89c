//! Tells the program which commit it was built from, and when. Builds without git, from a tarball, and reproducibly.

// A build script has no other way to learn of settings and of the time.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let commit = given("SCAIVAULT_COMMIT").or_else(commit).unwrap_or_else(|| "unknown".to_owned());
    let seconds = given("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok()).unwrap_or_else(now);
    put("cargo::rustc-env=SCAIVAULT_COMMIT", &commit);
    put("cargo::rustc-env=SCAIVAULT_BUILT_AT", &rfc3339(seconds));
    put("cargo::rerun-if-env-changed", "SCAIVAULT_COMMIT");
    put("cargo::rerun-if-env-changed", "SOURCE_DATE_EPOCH");
    put("cargo::rerun-if-changed", "build.rs");
    // Where the checked-out commit is written down; a file that does not exist would run this at every build.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            put("cargo::rerun-if-changed", &path);
        }
    }
}

/// Cargo reads instructions from standard output.
fn put(key: &str, value: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{key}={value}");
}

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn commit() -> Option<String> {
    git(&["rev-parse", "--short", "HEAD"]).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}

/// Days to a date as Howard Hinnant's `civil_from_days` does it; a build script should need no dependency for that.
fn rfc3339(seconds: i64) -> String {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3_600, time / 60 % 60, time % 60)
}
