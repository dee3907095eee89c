//! What random clients do. Operations are planned one by one, because they name what earlier answers made.

mod access;
mod channel;
mod life;
mod secret;
mod watch;
mod words;
mod wrong;

use serde_json::Value;

use super::chance::Chance;
use super::pair::Pairs;
use super::run::{Op, Step};

/// Tokens and secrets that a program needs live longer than that.
const LONGEST: i64 = 80 * 86_400;

pub(super) struct Plan {
    chance: Chance,
    passed: i64,
    restarts: bool,
    /// Without what makes several secrets fall due at one instant: what their jobs do has no order, and subscriptions can't be compared.
    distinct: bool,
    written: u64,
}

/// What one planner of an area works with.
struct Pen<'a> {
    chance: &'a mut Chance,
    pairs: &'a Pairs,
    written: &'a mut u64,
    distinct: bool,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed), passed: 0, restarts: seed % 2 == 1, distinct: seed % 4 < 2, written: 0 }
    }

    pub(super) fn next(&mut self, pairs: &Pairs) -> Op {
        let kind = self.chance.below(1000);
        if kind < 25 {
            return self.pass();
        }
        if kind < 27 && self.restarts {
            return Op::Restart;
        }
        let mut pen = Pen { chance: &mut self.chance, pairs, written: &mut self.written, distinct: self.distinct };
        let mut op = match kind {
            0..500 => secret::next(&mut pen),
            500..620 => access::next(&mut pen),
            620..720 => life::next(&mut pen),
            720..800 => channel::next(&mut pen),
            800..940 => watch::next(&mut pen),
            _ => Op::Call(wrong::next(&mut pen)),
        };
        if let Op::Call(step) | Op::Walk(step) = &mut op {
            pen.enter(step);
        }
        op
    }

    fn pass(&mut self) -> Op {
        const STEPS: &[i64] =
            &[1, 1, 1, 59, 60, 600, 3600, 3600, 7200, 86_400, 86_400, 172_800, 7 * 86_400, 31 * 86_400];
        let left = (LONGEST - self.passed).max(1);
        let seconds = self.chance.of(STEPS).min(left);
        let seconds = if seconds > 3600 && self.chance.percent(40) { 3600 } else { seconds };
        self.passed += seconds;
        Op::Pass(seconds)
    }
}

impl Pen<'_> {
    fn of<T: Clone>(&mut self, from: &[T]) -> T {
        self.chance.of(from)
    }

    fn below(&mut self, end: usize) -> usize {
        self.chance.below(end)
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.chance.percent(percent)
    }

    /// One of a pool: an id, a token, a cursor.
    fn any(&mut self, pool: &str) -> String {
        self.pairs.any(self.chance, pool)
    }

    /// Somebody's token: mostly one who may do what it is about.
    fn who(&mut self, usual: &[usize]) -> Option<String> {
        match self.chance.below(100) {
            0 => None,
            1..5 => Some(self.any("skt")),
            5..12 => Some(format!("⟦who:{}⟧", self.chance.below(self.pairs.count("who")))),
            _ => Some(format!("⟦who:{}⟧", self.chance.of(usual))),
        }
    }

    fn step(&mut self, usual: &[usize], method: &'static str, target: String) -> Step {
        Step { token: self.who(usual), method, target, headers: Vec::new(), body: None }
    }

    fn with(&mut self, usual: &[usize], method: &'static str, target: String, body: &Value) -> Step {
        let mut step = self.step(usual, method, target);
        step.body = Some(("application/json", body.to_string()));
        if matches!(method, "POST" | "PUT") && self.percent(6) {
            step.headers.push(("idempotency-key", format!("key-{}", self.chance.below(5))));
        }
        step
    }

    /// Some act in another tenant than their own.
    fn enter(&mut self, step: &mut Step) {
        let tenant = match self.chance.below(100) {
            0..12 => "tnt_side",
            12..15 => "tnt_far",
            15 => "tnt_nowhere",
            16..19 => "tnt_default",
            _ => return,
        };
        if self.percent(50) {
            step.headers.push(("x-tenant-id", tenant.to_owned()));
        } else if let Some(rest) = step.target.strip_prefix("/v1/") {
            step.target = format!("/v1/t/{tenant}/{rest}");
        }
    }

    /// Parameters of a query: each is there by chance.
    fn query(&mut self, target: &str, choices: &[(&str, &[&str], usize)]) -> String {
        let mut target = target.to_owned();
        let mut mark = '?';
        for (name, values, percent) in choices {
            if self.percent(*percent) {
                target.push_str(&format!("{mark}{name}={}", self.of(values)));
                mark = '&';
            }
        }
        target
    }
}
