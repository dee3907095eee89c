//! Two applications that get the same program, one on each engine.

use std::collections::VecDeque;
use std::fmt;

use scaivault_testkit::{Answer, Engine, TestApp};

use super::pair::Pairs;
use super::state;
use super::tree::Tree;

/// How many operations a failure shows.
const SHOWN: usize = 20;
const MOST_PAGES: usize = 400;
const HEADERS: &[&str] = &[
    "allow",
    "cache-control",
    "content-type",
    "deprecation",
    "etag",
    "idempotent-replayed",
    "location",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

/// One request. `⟦pool:index⟧` stands for what each side calls it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) token: Option<String>,
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<(&'static str, String)>,
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    Call(Step),
    /// Time goes by, and what is due is done.
    Pass(i64),
    Restart,
    /// A list to its end.
    Walk(Step),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, step) = match self {
            Self::Call(step) => ("call", step),
            Self::Walk(step) => ("walk", step),
            Self::Pass(seconds) => return write!(f, "pass {seconds} s"),
            Self::Restart => return f.write_str("restart"),
        };
        write!(f, "{kind} {} {} by {}", step.method, step.target, step.token.as_deref().unwrap_or("nobody"))?;
        step.headers.iter().try_for_each(|(name, value)| write!(f, " {name}: {value:?}"))?;
        step.body.as_ref().map_or(Ok(()), |(_, body)| write!(f, " {}", body.chars().take(600).collect::<String>()))
    }
}

pub(super) struct Twin {
    apps: [Option<TestApp>; 2],
    pub(super) pairs: Pairs,
    seed: u64,
    /// When the events were compared last.
    pub(super) told_until: i64,
    last: VecDeque<String>,
    pub(super) calls: usize,
    pub(super) tally: std::collections::BTreeMap<u16, usize>,
}

impl Twin {
    pub(super) async fn new(seed: u64) -> Self {
        let start = async |engine| Some(TestApp::builder().engine(engine).settings(super::settings).start().await);
        let apps = [start(Engine::Sqlite).await, start(Engine::Postgres).await];
        let mut twin = Self {
            apps,
            pairs: Pairs::default(),
            seed,
            told_until: 0,
            last: VecDeque::new(),
            calls: 0,
            tally: Default::default(),
        };
        let tokens = [0, 1].map(|side| twin.app(side).root().token().to_owned());
        twin.pairs.keep("root", &tokens[0], &tokens[1]);
        twin
    }

    pub(super) fn app(&self, side: usize) -> &TestApp {
        self.apps[side].as_ref().unwrap()
    }

    pub(super) async fn run(&mut self, op: &Op) {
        // Where events have no order, what a poll tells and drops has none either.
        if let Op::Call(step) = op
            && self.pairs.tied
            && (step.target.contains("/poll") || step.target.ends_with("/ack"))
        {
            return;
        }
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(op.to_string());
        let done = match op {
            Op::Call(step) => self.call(step).await.map(|_| ()),
            Op::Walk(step) => self.walk(step).await.map(|_| ()),
            Op::Pass(seconds) => self.pass(*seconds).await,
            Op::Restart => self.restart().await,
        };
        done.unwrap_or_else(|difference| self.fail(&difference));
        // No two operations happen in one millisecond: ids of one millisecond have no order.
        for side in [0, 1] {
            self.app(side).clock.advance_micros(1_700);
        }
    }

    pub(super) fn fail(&self, difference: &str) -> ! {
        let last: Vec<String> = self.last.iter().map(|op| self.pairs.fill(op, 0)).collect();
        panic!(
            "the engines differ (SCAIVAULT_TWIN_SEED={}, call {}): {difference}\nthe last operations, as SQLite heard them:\n{}",
            self.seed,
            self.calls,
            last.join("\n")
        );
    }

    async fn pass(&mut self, seconds: i64) -> Result<(), String> {
        for side in [0, 1] {
            self.app(side).pass(seconds).await;
        }
        let [left, right] = [0, 1].map(|side| self.app(side).now());
        if left != right {
            return Err(format!("the clocks show {left:?} and {right:?}"));
        }
        state::events(self)
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.pairs.restarted = true;
        for side in [0, 1] {
            self.apps[side] = Some(self.apps[side].take().unwrap().restart().await);
        }
        Ok(())
    }

    /// All items that SQLite gave, and that PostgreSQL gave the same. Pages are no matter: where one ends may stand between what
    /// has no order.
    pub(super) async fn walk(&mut self, step: &Step) -> Result<Vec<Tree>, String> {
        let mut step = step.clone();
        let target = step.target.clone();
        let mut found = [Vec::new(), Vec::new()];
        for _ in 0..MOST_PAGES {
            let (answers, mut bodies) = self.ask(&step).await?;
            let Some([left, right]) = &mut bodies else { return Ok(Vec::new()) };
            let items = [take_items(left), take_items(right)];
            let cursors = [cursor(left), cursor(right)];
            self.pairs.compare(left, right).map_err(|error| differ(&step, &answers, &error))?;
            if items[0].len() != items[1].len() {
                return Err(differ(&step, &answers, "the number of items"));
            }
            for (found, items) in found.iter_mut().zip(items) {
                found.extend(items);
            }
            let [Some(left), Some(right)] = cursors else { break };
            let number = self.pairs.count("cursor");
            self.pairs.keep("cursor", &left, &right);
            let mark = if target.contains('?') { '&' } else { '?' };
            step.target = format!("{target}{mark}cursor=⟦cursor:{number}⟧");
        }
        let [left, right] = found;
        let (left, right) = (Tree::Array(left), Tree::Array(right));
        self.pairs.compare(&left, &right).map_err(|error| format!("{target}: {error}\n{left:?}\n{right:?}"))?;
        let Tree::Array(items) = left else { unreachable!("made above") };
        Ok(items)
    }

    /// What SQLite answered, if it is JSON, and that PostgreSQL answered the same.
    pub(super) async fn call(&mut self, step: &Step) -> Result<Option<Tree>, String> {
        let (answers, bodies) = self.ask(step).await?;
        let Some([left, right]) = bodies else { return Ok(None) };
        self.pairs.compare(&left, &right).map_err(|error| differ(step, &answers, &error))?;
        Ok(Some(left))
    }

    /// The answers of both, whose status and headers are the same, and what they say, if it is JSON.
    async fn ask(&mut self, step: &Step) -> Result<([Answer; 2], Option<[Tree; 2]>), String> {
        self.calls += 1;
        let answers = [self.send(step, 0).await, self.send(step, 1).await];
        let [left, right] = &answers;
        if left.status != right.status {
            return Err(differ(step, &answers, "the status"));
        }
        *self.tally.entry(left.status.as_u16()).or_default() += 1;
        for name in HEADERS {
            let (left, right) = (left.header(name).unwrap_or_default(), right.header(name).unwrap_or_default());
            self.pairs.texts(left, right, name, false).map_err(|error| differ(step, &answers, &error))?;
        }
        match (Tree::parse(&left.text()), Tree::parse(&right.text())) {
            (Some(of_left), Some(of_right)) => Ok((answers, Some([of_left, of_right]))),
            _ if left.body == right.body => Ok((answers, None)),
            _ => Err(differ(step, &answers, "the bodies")),
        }
    }

    async fn send(&self, step: &Step, side: usize) -> Answer {
        let app = self.app(side);
        let fill = |text: &str| self.pairs.fill(text, side);
        let actor = step.token.as_ref().map_or_else(|| app.anonymous(), |token| app.with_token(&fill(token)));
        let mut call = actor.call(step.method.parse().unwrap(), &fill(&step.target));
        if let Some((content_type, body)) = &step.body {
            call = call.raw(content_type, fill(body).as_bytes());
        }
        for (name, value) in &step.headers {
            call = call.header(name, fill(value));
        }
        call.await
    }
}

fn differ(step: &Step, answers: &[Answer; 2], error: &str) -> String {
    let shown = answers.each_ref().map(|answer| format!("{} {}", answer.status, answer.text()));
    format!("{} {}: {error}\nSQLite:     {}\nPostgreSQL: {}", step.method, step.target, shown[0], shown[1])
}

fn cursor(page: &Tree) -> Option<String> {
    page.get("cursor")?.text().map(str::to_owned)
}

/// The longest list of a page, which then has none.
fn take_items(page: &mut Tree) -> Vec<Tree> {
    let Tree::Object(fields) = page else { return Vec::new() };
    let lists = fields.iter_mut().filter_map(|(_, value)| match value {
        Tree::Array(items) => Some(items),
        _ => None,
    });
    lists.max_by_key(|items| items.len()).map(std::mem::take).unwrap_or_default()
}
