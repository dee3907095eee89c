//! The life of many secrets and many jobs: a year of schedules, and what waiting jobs cost.

mod waiting;
mod year;

/// How many: fewer in the ordinary run of the tests than where it is measured.
fn size(variable: &str, default: i64) -> i64 {
    #[allow(clippy::disallowed_methods)]
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

/// For who measures; the test runner shows it on demand.
#[allow(clippy::print_stderr)]
fn say(text: &str) {
    eprintln!("{text}");
}
