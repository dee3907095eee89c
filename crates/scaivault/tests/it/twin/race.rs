//! Requests at the same moment. Who wins is chance, so what is compared is what must hold whoever wins: on each engine, and through two
//! nodes of one database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use scaivault_testkit::{Actor, Answer, Call, Engine, TestApp};
use serde_json::{Value, json};

const TASKS: usize = 12;
const ROUNDS: usize = 4;

/// Where the program runs.
struct Ground {
    nodes: Vec<TestApp>,
    turn: AtomicUsize,
    /// Ids of all requests that leave an entry.
    sent: Mutex<Vec<String>>,
    /// How often each race was answered with each status.
    outcome: BTreeMap<&'static str, BTreeMap<u16, usize>>,
}

impl Ground {
    async fn new(engine: Engine, nodes: usize) -> Self {
        let mut all = vec![TestApp::builder().engine(engine).start().await];
        for _ in 1..nodes {
            let next = all[0].second_node().await;
            all.push(next);
        }
        Self { nodes: all, turn: AtomicUsize::new(0), sent: Mutex::default(), outcome: BTreeMap::new() }
    }

    /// The administrator, at each node in turn.
    fn root(&self) -> Actor<'_> {
        self.nodes[self.turn.fetch_add(1, Ordering::Relaxed) % self.nodes.len()].root()
    }

    async fn send(&self, call: Call<'_>) -> Answer {
        let answer = call.await;
        self.sent.lock().push(answer.header("x-request-id").unwrap().to_owned());
        answer
    }

    async fn list(&self, target: &str, key: &str) -> Vec<Value> {
        let found = self.send(self.root().get(target)).await.expect(200).json();
        found[key].as_array().unwrap().clone()
    }

    async fn versions(&self, path: &str) -> Vec<i64> {
        let listed = self.list(&format!("/v1/secrets/{path}/versions"), "versions").await;
        listed.iter().map(|version| version["version"].as_i64().unwrap()).collect()
    }

    async fn put(&self, path: &str) {
        let body = json!({"data": {"v": "first"}, "options": {"max_versions": 100}});
        let answer = self.send(self.root().put(&format!("/v1/secrets/{path}"), body)).await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }

    /// All at once, each on a thread of its own.
    fn race<'a>(&self, calls: impl IntoIterator<Item = Call<'a>>) -> Vec<Answer> {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let start = |call| scope.spawn(|| runtime.block_on(self.send(call)));
                let running: Vec<_> = calls.into_iter().map(start).collect();
                running.into_iter().map(|answer| answer.join().unwrap()).collect()
            })
        })
    }

    fn note(&mut self, race: &'static str, answers: &[Answer]) {
        let outcome = self.outcome.entry(race).or_default();
        answers.iter().for_each(|answer| *outcome.entry(answer.status.as_u16()).or_default() += 1);
    }
}

fn won(answers: &[Answer]) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status.is_success()).collect()
}

fn body(value: &str) -> Value {
    json!({"data": {"v": value}, "options": {"max_versions": 100}})
}

async fn conditional_writes(ground: &mut Ground) {
    ground.put("race/expected").await;
    for version in 1..=ROUNDS {
        let write = |n: usize| {
            let call = ground.root().put("/v1/secrets/race/expected", body(&format!("{version} {n}")));
            if n.is_multiple_of(2) {
                call.header("if-match", format!("\"{version}\""))
            } else {
                expecting(call, version, n)
            }
        };
        let answers = ground.race((0..TASKS).map(write));
        assert_eq!(won(&answers).len(), 1, "one wins");
        assert_eq!(won(&answers)[0].json()["version"], version + 1);
        for lost in answers.iter().filter(|answer| !answer.status.is_success()) {
            assert_eq!(lost.clone().expect_error(409, "version_conflict").details()["current_version"], version + 1);
        }
        ground.note("conditional writes", &answers);
    }
    assert_eq!(ground.versions("race/expected").await.len(), ROUNDS + 1);
}

fn expecting<'a>(call: Call<'a>, version: usize, n: usize) -> Call<'a> {
    call.json(&json!({"data": {"v": format!("{version} {n}")}, "options": {"expected_version": version}}))
}

async fn creations(ground: &mut Ground) {
    for round in 0..ROUNDS {
        let target = format!("/v1/secrets/race/new{round}");
        let create = |n: usize| ground.root().put(&target, body(&n.to_string())).header("if-none-match", "*");
        let answers = ground.race((0..TASKS).map(create));
        assert_eq!(won(&answers).len(), 1, "one creates");
        ground.note("creations", &answers);
        assert_eq!(ground.versions(&format!("race/new{round}")).await, [1]);
    }
}

async fn plain_writes(ground: &mut Ground) {
    let target = "/v1/secrets/race/plain";
    let answers = ground.race((0..TASKS * 2).map(|n| ground.root().put(target, body(&format!("value {n}")))));
    ground.note("plain writes", &answers);
    let written: BTreeMap<i64, usize> =
        answers.iter().enumerate().map(|(n, answer)| (answer.json()["version"].as_i64().unwrap(), n)).collect();
    assert!(written.keys().copied().eq(1..=(TASKS as i64) * 2), "each has a version of its own: {written:?}");
    assert!(ground.versions("race/plain").await.into_iter().rev().eq(written.keys().copied()), "none is lost");
    for (version, n) in written {
        let read = ground.send(ground.root().get(&format!("{target}?version={version}"))).await.expect(200);
        assert_eq!(read.json()["data"]["v"], format!("value {n}"));
    }
}

async fn deletions_and_restorations(ground: &mut Ground) {
    ground.put("race/gone").await;
    let call = |n: usize| match n % 2 {
        0 => ground.root().delete("/v1/secrets/race/gone"),
        _ => ground.root().post_empty("/v1/secrets/race/gone/restore"),
    };
    let answers = ground.race((0..TASKS * 2).map(call));
    let count = |turn: usize| answers.iter().skip(turn).step_by(2).filter(|answer| answer.status.is_success()).count();
    let (deleted, restored) = (count(0), count(1));
    assert!(deleted == restored || deleted == restored + 1, "{deleted} deletions, {restored} restorations");
    assert!(answers.iter().all(|answer| [200, 404, 409].contains(&answer.status.as_u16())));
    let listed = ground.list("/v1/secrets?prefix=race/gone", "secrets").await;
    assert_eq!(listed.len(), usize::from(deleted == restored));
}

async fn repetitions(ground: &mut Ground) {
    for round in 0..ROUNDS {
        let target = format!("/v1/secrets/race/again{round}");
        let write = |_| ground.root().put(&target, body("the same")).header("idempotency-key", format!("race-{round}"));
        let answers = ground.race((0..TASKS).map(write));
        let winners = won(&answers);
        let first = winners.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
        assert_eq!(first, 1, "one has an effect");
        assert!(winners.iter().all(|answer| answer.body == winners[0].body), "all hear the same");
        assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status.as_u16())));
        assert_eq!(ground.versions(&format!("race/again{round}")).await, [1]);
    }
}

async fn acknowledgements(ground: &mut Ground) {
    let wanted =
        json!({"name": "race", "paths": ["heard/**"], "events": ["secret.*"], "delivery": {"type": "polling"}});
    let made = ground.send(ground.nodes[0].root().post("/v1/subscriptions", wanted)).await.expect(201).json();
    let target = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    // Every node has to have heard of it.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let answers = ground.race((0..TASKS).map(|n| ground.root().put(&format!("/v1/secrets/heard/{n}"), body("x"))));
    assert_eq!(won(&answers).len(), TASKS);
    ground.nodes[0].settle().await;
    let polled =
        ground.nodes[0].root().get(&format!("{target}/poll?timeout=0&max_events=1000")).await.expect(200).json();
    let events = polled["events"].as_array().unwrap();
    let ids: Vec<&str> = events.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), TASKS, "every write is told once");
    assert!(ids.is_sorted(), "in order");
    let ack = |_| ground.root().post(&format!("{target}/ack"), json!({"event_ids": ids}));
    let answers = ground.race((0..TASKS).map(ack));
    let sum: u64 = answers.iter().map(|answer| answer.json()["acknowledged"].as_u64().unwrap()).sum();
    assert_eq!(sum, TASKS as u64, "each is acknowledged once");
    ground.note("acknowledgements", &answers);
}

async fn revocations(ground: &mut Ground) {
    let wanted = json!({"name": "race", "scopes": ["secrets:read"]});
    let made = ground.send(ground.root().post("/v1/auth/tokens", wanted)).await.expect(201).json();
    let target = format!("/v1/auth/tokens/{}", made["id"].as_str().unwrap());
    let answers = ground.race((0..TASKS).map(|_| ground.root().delete(&target)));
    assert!(!won(&answers).is_empty());
    let token = made["token"].as_str().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    for node in &ground.nodes {
        node.with_token(token).get("/v1/auth/whoami").await.expect_error(401, "token_revoked");
    }
    ground.note("revocations", &answers);
}

async fn moves(ground: &mut Ground) {
    for n in 0..TASKS {
        ground.put(&format!("from/{n}")).await;
    }
    let to_one = |n: usize| ground.root().post(&format!("/v1/secrets/from/{n}/move"), json!({"destination": "to/one"}));
    let answers = ground.race((0..TASKS).map(to_one));
    assert_eq!(won(&answers).len(), 1, "one arrives");
    ground.note("moves to one destination", &answers);
    assert_eq!(ground.list("/v1/secrets?prefix=from/", "secrets").await.len(), TASKS - 1, "the others stay");
    let of_one = |n: usize| ground.root().post("/v1/secrets/to/one/move", json!({"destination": format!("to/{n}")}));
    let answers = ground.race((0..TASKS).map(of_one));
    assert_eq!(won(&answers).len(), 1, "one takes it");
    ground.note("moves of one", &answers);
    assert_eq!(ground.list("/v1/secrets?prefix=to/", "secrets").await.len(), 1);
}

/// One entry for each request, and one event for each change, in the order of the versions.
async fn trail(ground: &mut Ground) {
    let mut entries: BTreeMap<String, usize> = BTreeMap::new();
    let mut target = "/v1/audit/logs?limit=1000".to_owned();
    loop {
        let page = ground.nodes[0].root().get(&target).await.expect(200).json();
        for entry in page["logs"].as_array().unwrap() {
            *entries.entry(entry["request_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let Some(cursor) = page["cursor"].as_str() else { break };
        target = format!("/v1/audit/logs?limit=1000&cursor={cursor}");
    }
    let sent = ground.sent.lock().clone();
    for id in &sent {
        assert_eq!(entries.get(id), Some(&1), "{id} leaves one entry");
    }
    for node in &ground.nodes {
        assert_eq!(node.root().get("/v1/audit/verify").await.expect(200).json()["valid"], true);
    }
    let raw = ground.nodes[0].raw();
    let ids = raw.column("SELECT id FROM event WHERE tenant_id = 'tnt_default' ORDER BY id");
    assert_eq!(ids.iter().map(|id| id.text()).collect::<BTreeSet<_>>().len(), ids.len());
    for path in ["race/expected", "race/plain"] {
        let data = raw.column(&format!("SELECT data FROM event WHERE path = '{path}' ORDER BY id"));
        let version = |data: &Value| data["new_version"].as_i64().or_else(|| data["version"].as_i64()).unwrap();
        let told: Vec<i64> =
            data.iter().map(|data| version(&serde_json::from_str(&data.text().unwrap()).unwrap())).collect();
        assert!(told.iter().copied().eq(1..=i64::try_from(told.len()).unwrap()), "{path}: {told:?}");
        assert_eq!(told.len(), ground.versions(path).await.len());
    }
}

async fn program(engine: Engine, nodes: usize) -> BTreeMap<&'static str, BTreeMap<u16, usize>> {
    let mut ground = Ground::new(engine, nodes).await;
    conditional_writes(&mut ground).await;
    creations(&mut ground).await;
    plain_writes(&mut ground).await;
    deletions_and_restorations(&mut ground).await;
    repetitions(&mut ground).await;
    acknowledgements(&mut ground).await;
    revocations(&mut ground).await;
    moves(&mut ground).await;
    trail(&mut ground).await;
    ground.outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn races_have_the_same_outcome_on_both_engines_and_through_two_nodes() {
    let alone = program(Engine::Sqlite, 1).await;
    if super::two_engines() {
        assert_eq!(program(Engine::Postgres, 1).await, alone);
        assert_eq!(program(Engine::Postgres, 2).await, alone, "through two nodes");
    }
}
