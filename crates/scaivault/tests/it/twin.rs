//! Two engines, one behaviour: the same program runs on an application on SQLite and on one on PostgreSQL, and what they answer, keep and
//! tell is the same.
//!
//! `scripts/postgres run -- cargo nextest run -p scaivault twin`; without a PostgreSQL there is nothing to compare. A failure names its
//! seed: `SCAIVAULT_TWIN_SEED=7` runs that one alone, `SCAIVAULT_TWIN_CALLS=50000` is how many operations a seed gets, and
//! `SCAIVAULT_TWIN_SECONDS=600` goes on with new seeds for that time.

mod cast;
mod chance;
mod order;
mod pair;
mod plan;
mod race;
mod run;
mod state;
mod tree;

use std::time::{Duration, Instant};

use scaivault_service::Settings;

use self::plan::Plan;
use self::run::Twin;

const SEEDS: u64 = 6;
const CALLS: u64 = 500;

/// Whether there are two engines to compare.
fn two_engines() -> bool {
    let there = variable("SCAIVAULT_TEST_POSTGRES").is_some();
    if !there {
        say("SCAIVAULT_TEST_POSTGRES names no database, so there is nothing to compare: use scripts/postgres run");
    }
    there
}

#[allow(clippy::disallowed_methods, reason = "a test has no settings")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[allow(clippy::print_stderr, reason = "for who looks why nothing was compared, or how far it came")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Values that are small enough to be exceeded.
fn settings(settings: &mut Settings) {
    settings.max_secret_bytes = 16 * 1024;
}

async fn run(seed: u64, operations: u64) {
    let mut twin = Twin::new(seed).await;
    cast::assemble(&mut twin).await;
    let mut plan = Plan::new(seed);
    for _ in 0..operations {
        let op = plan.next(&twin.pairs);
        twin.run(&op).await;
    }
    state::compare(&mut twin).await;
    say(&format!(
        "seed {seed}: {operations} operations, {} calls, by status {:?}{}",
        twin.calls,
        twin.tally,
        if twin.pairs.tied { ", tied" } else { "" }
    ));
}

async fn run_all(first: u64) {
    let operations = number("SCAIVAULT_TWIN_CALLS").unwrap_or(CALLS);
    match (number("SCAIVAULT_TWIN_SEED"), number("SCAIVAULT_TWIN_SECONDS")) {
        // One seed belongs to one of the tests.
        (Some(seed), _) if seed % 2 == first % 2 => run(seed, operations).await,
        (Some(_), _) => {}
        (None, Some(seconds)) => {
            let begun = Instant::now();
            let mut seed = first + 1000;
            while begun.elapsed() < Duration::from_secs(seconds) {
                run(seed, operations).await;
                seed += 2;
            }
        }
        (None, None) => {
            for seed in (first..SEEDS).step_by(2) {
                run(seed, operations).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_programs_do_the_same_on_both_engines() {
    if two_engines() {
        run_all(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_programs_with_restarts_do_the_same_on_both_engines() {
    if two_engines() {
        run_all(1).await;
    }
}
