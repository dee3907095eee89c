//! Two servers on one database of PostgreSQL (contract 02 section 1): what one answers the other knows within a second, and together
//! they keep the promises that one alone keeps.
//!
//! What takes real servers is in tests/cluster: Y-10 (the database is lost for ten seconds) and its like.
//!
//! On SQLite there is nothing to run: an embedded database is one server's alone, which holds its file locked.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use scaivault_testkit::{Actor, Answer, Engine, TestApp};
use serde_json::{Value, json};

/// Within which other nodes must know.
const SECOND: Duration = Duration::from_secs(1);

async fn two() -> Option<(TestApp, TestApp)> {
    if Engine::of_this_run() == Engine::Sqlite {
        return None;
    }
    let first = TestApp::new().await;
    let second = first.second_node().await;
    Some((first, second))
}

/// Asks again and again until `holds`, and answers how long that took.
async fn within_a_second(what: &str, mut ask: impl AsyncFnMut() -> Answer, holds: impl Fn(&Answer) -> bool) {
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        let took = begun.elapsed();
        if holds(&answer) {
            return;
        }
        assert!(took < SECOND, "{what}: still {} after {took:?}", answer.text());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads until the answer comes from memory as often as from the database.
async fn warm(actor: &Actor<'_>, target: &str) {
    for _ in 0..5 {
        actor.get(target).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn url(path: &str) -> String {
    format!("/v1/secrets/{path}")
}

async fn put(actor: &Actor<'_>, path: &str, value: i64) -> Answer {
    actor.put(&url(path), json!({"data": {"v": value}})).await
}

fn shows(value: i64) -> impl Fn(&Answer) -> bool {
    move |answer| answer.status == 200 && answer.json()["data"]["v"] == value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_reads_at_once_what_it_wrote() {
    let Some((one, other)) = two().await else { return };
    put(&one.root(), "a", -1).await.expect(201);
    for value in 0..50 {
        // The node before has it in memory, and this one has an older one.
        let root = if value % 2 == 0 { one.root() } else { other.root() };
        put(&root, "a", value).await.expect(200);
        let read = root.get(&url("a")).await;
        assert!(shows(value)(&read), "{value}: {}", read.text());
    }
    other.root().delete(&url("a")).await.expect(200);
    other.root().get(&url("a")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_writes_the_other_shows_within_a_second() {
    let Some((one, other)) = two().await else { return };
    for value in 0..10 {
        put(&one.root(), "a", value).await;
        within_a_second("a write", || other.root().get(&url("a")).into_future(), shows(value)).await;
        warm(&other.root(), &url("a")).await;
    }
    one.root().delete(&url("a")).await.expect(200);
    within_a_second("a deletion", || other.root().get(&url("a")).into_future(), |answer| answer.status == 404).await;
}

/// A rolling update: the first node of the next release migrates, and those of this one go on with what they have prepared.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_go_on_while_a_newer_one_migrates() {
    let Some((one, other)) = two().await else { return };
    put(&one.root(), "a", 0).await.expect(201);
    put(&other.root(), "a", 1).await.expect(200);
    one.raw().batch(
        "ALTER TABLE secret ADD COLUMN later TEXT; ALTER TABLE event ADD COLUMN later BIGINT NOT NULL DEFAULT 0;
         ALTER TABLE audit_entry ADD COLUMN later TEXT; CREATE INDEX secret_later ON secret (later);
         CREATE TABLE later (id TEXT PRIMARY KEY); INSERT INTO schema_migration (version, name) VALUES (1000, 'later');",
    );
    for value in 2..10 {
        let root = if value % 2 == 0 { one.root() } else { other.root() };
        put(&root, "a", value).await.expect(200);
        let read = root.get(&url("a")).header("cache-control", "no-cache").await;
        assert!(shows(value)(&read), "{value}: {}", read.text());
        root.get("/v1/secrets?limit=10").await.expect(200);
        root.get("/v1/audit/verify").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cache_shows_it_at_once() {
    let Some((one, other)) = two().await else { return };
    put(&one.root(), "a", -1).await;
    warm(&other.root(), &url("a")).await;
    for value in 0..50 {
        put(&one.root(), "a", value).await;
        let read = other.root().get(&url("a")).header("cache-control", "no-cache").await;
        assert!(shows(value)(&read), "{value}: {}", read.text());
        // And it is remembered from then on.
        assert!(shows(value)(&other.root().get(&url("a")).await), "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_end_on_one_end_on_the_other_within_a_second() {
    let Some((one, other)) = two().await else { return };
    let root = one.root();
    put(&root, "a", 1).await;
    let scopes = ["secrets:read", "secrets:write"];

    // A token.
    let mia = one.user("mia", &scopes, &[("**", &["read"])]).await;
    let token = root.post("/v1/auth/tokens", json!({"name": "t", "scopes": scopes, "identity_id": mia.id})).await;
    let token = token.expect(201).json();
    let there = other.with_token(token["token"].as_str().unwrap());
    within_a_second("a new token", || there.get(&url("a")).into_future(), |answer| answer.status == 200).await;
    warm(&there, &url("a")).await;
    root.delete(&format!("/v1/auth/tokens/{}", token["id"].as_str().unwrap())).await.expect(204);
    within_a_second("a revoked token", || there.get(&url("a")).into_future(), |answer| answer.status == 401).await;

    // A rule.
    let ben = one.user("ben", &scopes, &[]).await;
    let there = other.with_token(ben.token());
    within_a_second("no rule", || there.get(&url("a")).into_future(), |answer| answer.status == 403).await;
    let policy = one.policy_in("tnt_default", "p", &[("a", &["read"])], &[("user", &ben.id)]).await;
    within_a_second("a binding", || there.get(&url("a")).into_future(), |answer| answer.status == 200).await;
    warm(&there, &url("a")).await;
    let change = json!({"rules": [{"path_pattern": "b", "permissions": ["read"]}]});
    root.patch(&format!("/v1/policies/{policy}"), change).await.expect(200);
    within_a_second("a changed policy", || there.get(&url("a")).into_future(), |answer| answer.status == 403).await;

    // A person, by the other node.
    other.root().delete(&format!("/v1/identity/users/{}", ben.id)).await.expect(204);
    within_a_second("a deleted user", || ben.get(&url("a")).into_future(), |answer| answer.status == 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_ends_on_one_ends_on_the_other_within_a_second() {
    let Some((one, other)) = two().await else { return };
    let tenant = one.tenant("doomed").await;
    one.root().put(&url("a"), json!({"data": {"v": one.canary()}})).in_tenant(&tenant).await.expect(201);
    let read = || other.root().get(&url("a")).in_tenant(&tenant).into_future();
    within_a_second("a new tenant", read, |answer| answer.status == 200).await;
    one.root().delete(&format!("/v1/identity/tenants/{tenant}?confirm={tenant}")).await.expect(204);
    within_a_second("a deleted tenant", read, |answer| answer.status == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_on_the_other_node_is_the_same_answer() {
    let Some((one, other)) = two().await else { return };
    let call = async |node: &TestApp| {
        let root = node.root();
        root.put(&url("a"), json!({"data": {"v": 1}})).header("idempotency-key", "key-1").await
    };
    let first = call(&one).await.expect(201);
    let again = call(&other).await.expect(201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.json(), first.header("etag")), (again.json(), again.header("etag")));
    let versions = one.root().get(&url("a/versions")).await.expect(200).json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1, "{versions}");

    // At the same time: one of them works, the other repeats it or is told to wait.
    for round in 0..10 {
        let call = async |node: &TestApp| {
            let (root, key) = (node.root(), format!("round-{round}"));
            root.put(&url(&format!("r/{round}")), json!({"data": {"v": 1}})).header("idempotency-key", key).await
        };
        let (here, there) = tokio::join!(call(&one), call(&other));
        for answer in [&here, &there] {
            assert!([201, 409].contains(&answer.status.as_u16()), "{}", answer.text());
        }
        let versions = one.root().get(&url(&format!("r/{round}/versions"))).await.expect(200).json();
        assert_eq!(versions["versions"].as_array().unwrap().len(), 1, "{versions}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_conditional_writes_on_both_nodes_exactly_one_wins() {
    let Some((one, other)) = two().await else { return };
    put(&one.root(), "a", 0).await.expect(201);
    for version in 1..=15 {
        let write = async |node: &TestApp, value: i64| {
            let root = node.root();
            root.put(&url("a"), json!({"data": {"v": value}})).header("if-match", format!("\"{version}\"")).await
        };
        let (a, b, c, d) = tokio::join!(write(&one, 1), write(&other, 2), write(&one, 3), write(&other, 4));
        let mut told: Vec<u16> = [&a, &b, &c, &d].iter().map(|answer| answer.status.as_u16()).collect();
        told.sort_unstable();
        assert_eq!(told, [200, 409, 409, 409]);
        let winner = [(&a, 1), (&b, 2), (&c, 3), (&d, 4)].into_iter().find(|(answer, _)| answer.status == 200).unwrap();
        let read = other.root().get(&url("a")).header("cache-control", "no-cache").await.expect(200).json();
        assert_eq!((&read["version"], &read["data"]["v"]), (&json!(version + 1), &json!(winner.1)));
    }
    // Nor is a secret made twice.
    for round in 0..10 {
        let make = async |node: &TestApp| {
            let root = node.root();
            root.put(&url(&format!("new/{round}")), json!({"data": {}})).header("if-none-match", "*").await
        };
        let (here, there) = tokio::join!(make(&one), make(&other));
        let mut told = [here.status.as_u16(), there.status.as_u16()];
        told.sort_unstable();
        assert!(told[0] == 201 && told[1] >= 409, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writes_on_both_nodes_are_a_hundred_versions() {
    let Some((one, other)) = two().await else { return };
    let body = json!({"data": {"v": -1}, "options": {"max_versions": 100}});
    one.root().put(&url("a"), body).await.expect(201);
    let lane = async |node: &TestApp, first: i64| {
        let mut written = Vec::new();
        for value in first..first + 25 {
            written.push(put(&node.root(), "a", value).await.expect(200).json()["version"].as_i64().unwrap());
        }
        written
    };
    let (a, b, c, d) = tokio::join!(lane(&one, 0), lane(&other, 25), lane(&one, 50), lane(&other, 75));
    for lane in [&a, &b, &c, &d] {
        assert!(lane.is_sorted(), "{lane:?}");
    }
    let all: BTreeSet<i64> = [a, b, c, d].concat().into_iter().collect();
    assert_eq!(all, (2..=101).collect::<BTreeSet<i64>>());
    let read = other.root().get(&url("a")).header("cache-control", "no-cache").await.expect(200).json();
    assert_eq!(read["version"], 101);
}

async fn pages(actor: &Actor<'_>, limit: i64) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = actor.get(&format!("/v1/audit/logs?limit={limit}&action=write{next}")).await.expect(200).json();
        found.extend(page["logs"].as_array().unwrap().iter().cloned());
        match page["cursor"].as_str() {
            Some(cursor) if page["has_more"] == true => next = format!("&cursor={cursor}"),
            _ => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_nodes_write_chains_of_one_trail() {
    let Some((one, other)) = two().await else { return };
    for number in 0..40 {
        let node = if number % 3 == 0 { &one } else { &other };
        put(&node.root(), &format!("n/{number:02}"), number).await.expect(201);
        // Some at the same moment, some not.
        if number % 4 == 0 {
            one.clock.advance(1);
        }
    }
    let raw = one.raw();
    let chains =
        raw.rows("SELECT chain, COUNT(*), MAX(seq) FROM audit_entry WHERE stream = 'tnt_default' GROUP BY chain");
    assert_eq!(chains.len(), 2, "{chains:?}");
    assert!(chains.iter().all(|chain| chain[1] == chain[2] && chain[1].int() > 10), "{chains:?}");
    let entries: i64 = chains.iter().map(|chain| chain[1].int()).sum();
    let report = other.root().get("/v1/audit/verify").await.expect(200).json();
    assert_eq!((&report["valid"], report["entries"].as_i64()), (&json!(true), Some(entries)), "{report}");

    // Newest first, none lost and none twice, whichever node turns the page.
    for limit in [1, 7, 40, 1000] {
        for node in [&one, &other] {
            let found = pages(&node.root(), limit).await;
            let at: Vec<&str> = found.iter().map(|entry| entry["timestamp"].as_str().unwrap()).collect();
            assert!(at.is_sorted_by(|newer, older| newer >= older), "{at:?}");
            let ids: BTreeSet<&str> = found.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
            let paths: BTreeSet<&str> = found.iter().map(|entry| entry["secret_path"].as_str().unwrap()).collect();
            assert_eq!((found.len(), ids.len(), paths.len()), (40, 40, 40), "limit {limit}");
        }
    }
    one.vault.write_checkpoints(true).await.unwrap();
    other.vault.write_checkpoints(true).await.unwrap();
    let report = one.root().get("/v1/audit/verify").await.expect(200).json();
    assert_eq!(report["valid"], true, "{report}");
}
