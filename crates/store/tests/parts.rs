//! The audit trail in parts by time, which is PostgreSQL's alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use scaivault_domain::audit::{AuditEntry, ChainLink, ChainReport, ChainVerifier};
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::{self, Chain, EntryFilter};
use scaivault_store::checkpoint::{self, CheckpointRecord};
use scaivault_store::{Database as _, Lane, PostgresAddress, PostgresOptions, Store};

/// Where PostgreSQL is; `scripts/postgres run` sets it.
const POSTGRES: &str = "SCAIVAULT_TEST_POSTGRES";
const DAY: i64 = 86_400;
const STREAM: &str = "tnt_a";

/// A schema of its own for one test; `None` without a server.
fn options(test: &str) -> Option<PostgresOptions> {
    #[allow(clippy::disallowed_methods, reason = "a test has no settings")]
    let Ok(url) = std::env::var(POSTGRES) else {
        eprintln!("nothing to do: {POSTGRES} is not set; `scripts/postgres run -- ...` sets it");
        return None;
    };
    let address = PostgresAddress::parse(&url).unwrap().in_schema(&format!("parts_{test}_{}", std::process::id()));
    Some(PostgresOptions { pool_size: 6, ..PostgresOptions::new(address) })
}

fn entry(at: Timestamp) -> AuditEntry {
    AuditEntry {
        acting_partner_id: None,
        acting_tenant_id: None,
        action: "read".to_owned(),
        chain: None,
        duration_ms: 1,
        error_code: None,
        extra_data: BTreeMap::new(),
        id: "log_1".to_owned(),
        identity_id: None,
        identity_type: None,
        prev_hash: String::new(),
        request_id: "req_1".to_owned(),
        resource_id: None,
        secret_path: Some("a/b".to_owned()),
        seq: 0,
        source_ip: None,
        status_code: 200,
        success: true,
        target_tenant_id: None,
        tenant_id: Some(STREAM.to_owned()),
        timestamp: at.to_rfc3339_micros(),
        token_ref: None,
        user_agent: None,
    }
}

fn append(store: &Store, at: Timestamp) {
    store.write_blocking(Lane::Beside, move |tx| audit::append(tx, STREAM, at, entry(at))).unwrap();
}

fn number(store: &Store, sql: &str) -> i64 {
    store.read(|view| view.number(sql, &[])).unwrap()
}

fn in_rest(store: &Store) -> i64 {
    number(store, "SELECT COUNT(*) FROM audit_entry_rest")
}

fn chain(store: &Store) -> Chain {
    store.read(|view| audit::chains_of(view, STREAM)).unwrap().remove(0)
}

fn ranges(store: &Store) -> Vec<(i64, i64)> {
    let parts = store.audit_parts().unwrap().unwrap();
    parts.iter().map(|part| (part.from.as_seconds() / DAY, part.to.as_seconds() / DAY)).collect()
}

/// As retention does, but without a signature; whether it is right is not a matter of the store.
fn anchor(store: &Store, seq: i64) {
    let chain = chain(store);
    store
        .write_blocking(Lane::Whole, move |tx| {
            let hash = audit::hash_at(tx, &chain, seq)?.unwrap();
            let (at, key_id) = (Timestamp::from_seconds(0), "key".to_owned());
            checkpoint::set_anchor(
                tx,
                &CheckpointRecord { chain: chain.clone(), seq, hash, at, key_id, signature: Vec::new() },
            )
        })
        .unwrap();
}

/// Walks what is behind the anchor.
fn verify(store: &Store) -> ChainReport {
    let chain = chain(store);
    store.read(|view| {
        let anchor = checkpoint::anchor(view, &chain).unwrap();
        let begin = anchor.as_ref().map_or(0, |anchor| anchor.seq);
        let before = hex::encode(anchor.map_or([0; 32], |anchor| anchor.hash));
        let mut verifier = ChainVerifier::after(begin, Some(&before));
        audit::walk(view, &chain, begin + 1, i64::MAX, 100_000, |seq, stored| {
            let stored = stored?;
            verifier.feed(&ChainLink {
                seq,
                prev_hash: &stored.entry.prev_hash,
                stored_hash: &hex::encode(stored.hash),
                recomputed_hash: stored.entry.hash().unwrap(),
            });
            Ok(true)
        })
        .unwrap();
        verifier.finish()
    })
}

fn shown(store: &Store) -> (usize, i64, i64) {
    let (chain, all) = (chain(store), EntryFilter::default());
    store.read(|view| {
        let listed = audit::query(view, &chain, &all, None, 100_000).unwrap().len();
        let counted = audit::totals(view, STREAM, &all).unwrap().events;
        let by_action = audit::by_action(view, STREAM, &all).unwrap().first().map_or(0, |found| found.events);
        (listed, counted, by_action)
    })
}

fn today() -> Timestamp {
    use scaivault_domain::time::{Clock as _, SystemClock};
    Timestamp::from_seconds(SystemClock.now().as_seconds().div_euclid(DAY) * DAY)
}

#[test]
fn parts_are_made_ahead_and_entries_land_in_them() {
    let Some(options) = options("ahead") else { return };
    let store = Store::open_postgres(&options).unwrap();
    let first = today().as_seconds() / DAY;
    // The retention is not known at the start.
    assert_eq!(ranges(&store), [(first, first + 1), (first + 1, first + 2), (first + 2, first + 3)]);
    assert_eq!(store.prepare_audit_parts(today(), 365 * DAY).unwrap(), 2);
    assert_eq!(ranges(&store)[3..], [(first + 3, first + 8), (first + 8, first + 13)]);
    assert_eq!(store.prepare_audit_parts(today(), 365 * DAY).unwrap(), 0);
    for days in [0, 1, 4, 12] {
        append(&store, today().plus_seconds(days * DAY));
    }
    assert_eq!((in_rest(&store), number(&store, "SELECT COUNT(*) FROM audit_entry")), (0, 4));
    // The key of each part is the trail's own.
    let keys = "SELECT COUNT(*) FROM pg_inherits WHERE inhparent = 'audit_entry_pkey'::regclass";
    assert_eq!(number(&store, keys), 6);
    append(&store, today().plus_seconds(400 * DAY));
    assert_eq!(in_rest(&store), 1);
    store.close();
    let store = Store::open_postgres(&options).unwrap();
    assert_eq!(ranges(&store).len(), 5);
    assert_eq!(verify(&store).fault, None);
}

#[test]
fn a_year_passes_and_parts_come_and_go() {
    let Some(options) = options("year") else { return };
    let store = Store::open_postgres(&options).unwrap();
    let (begin, keep) = (today(), 30 * DAY);
    let mut most = 0;
    let mut dropped = 0;
    for day in 0..365 {
        let now = begin.plus_seconds(day * DAY + 3600);
        if day % 2 == 0 {
            store.prepare_audit_parts(now, keep).unwrap();
        }
        append(&store, now);
        // A request of the day before that was slow.
        append(&store, begin.plus_seconds(day * DAY - 1));
        if day % 7 > 0 {
            continue;
        }
        let end = begin.plus_seconds((day - 30) * DAY);
        let chain = chain(&store);
        let boundary = store.audit_parts().unwrap().unwrap().boundary(end);
        if let Some(last) = store.read(|view| audit::last_before(view, &chain, boundary)).unwrap() {
            anchor(&store, last);
        }
        dropped += store.drop_audit_parts(end).unwrap();
        most = most.max(ranges(&store).len());
    }
    // Only the request of the day before the first lay beside the parts.
    assert_eq!(in_rest(&store), 0);
    assert!((33..=40).contains(&most), "{most} parts");
    assert!((327..=336).contains(&dropped), "{dropped} dropped");
    let relations = "SELECT COUNT(*) FROM pg_class WHERE relname LIKE 'audit_entry%' AND relkind = 'r'
                       AND relnamespace = current_schema()::regnamespace";
    assert_eq!(number(&store, relations), i64::try_from(ranges(&store).len()).unwrap() + 1);
    let report = verify(&store);
    assert_eq!(report.fault, None);
    assert!((60..=76).contains(&report.entries), "{}", report.entries);
}

#[test]
fn a_part_stays_until_all_of_it_was_cut() {
    let Some(options) = options("stays") else { return };
    let store = Store::open_postgres(&options).unwrap();
    let tomorrow = today().plus_seconds(DAY);
    append(&store, today());
    append(&store, tomorrow);
    append(&store, today().plus_seconds(1));
    append(&store, tomorrow);
    assert_eq!(store.drop_audit_parts(tomorrow).unwrap(), 0);
    anchor(&store, 1);
    assert_eq!(store.drop_audit_parts(tomorrow).unwrap(), 0);
    anchor(&store, 3);
    // Cut but not yet dropped: not shown, and the chain is whole. A crash here would be made good by the next run.
    assert_eq!(number(&store, "SELECT COUNT(*) FROM audit_entry"), 4);
    assert_eq!((shown(&store), verify(&store).fault, verify(&store).entries), ((1, 1, 1), None, 1));
    store.close();
    let store = Store::open_postgres(&options).unwrap();
    assert_eq!(store.drop_audit_parts(tomorrow).unwrap(), 1);
    assert_eq!(ranges(&store).len(), 2);
    assert_eq!((shown(&store), verify(&store).fault, verify(&store).entries), ((1, 1, 1), None, 1));
    append(&store, today());
    assert_eq!((in_rest(&store), shown(&store), verify(&store).fault), (1, (2, 2, 2), None));
}

#[test]
fn a_part_begins_behind_what_has_none() {
    let Some(options) = options("behind") else { return };
    let store = Store::open_postgres(&options).unwrap();
    let first = today().as_seconds() / DAY;
    append(&store, today().plus_seconds(4 * DAY));
    append(&store, today().plus_seconds(1000 * DAY));
    append(&store, today().plus_seconds(-1000 * DAY));
    assert_eq!(store.prepare_audit_parts(today(), 365 * DAY).unwrap(), 2);
    assert_eq!(ranges(&store)[3..], [(first + 5, first + 8), (first + 8, first + 13)]);
    // Days without a part go on having none, and what is in the rest goes row by row.
    append(&store, today().plus_seconds(4 * DAY));
    assert_eq!(in_rest(&store), 4);
    anchor(&store, 3);
    assert_eq!(store.drop_audit_parts(today()).unwrap(), 3);
    assert_eq!((in_rest(&store), verify(&store).fault), (1, None));
}

#[test]
fn two_nodes_at_once_are_not_in_each_others_way() {
    let Some(options) = options("nodes") else { return };
    let nodes = [Store::open_postgres(&options).unwrap(), Store::open_postgres(&options).unwrap()];
    append(&nodes[0], today());
    anchor(&nodes[0], 1);
    let both = |work: fn(&Store) -> usize| -> usize {
        std::thread::scope(|scope| {
            let running: Vec<_> = nodes.iter().map(|store| scope.spawn(move || work(store))).collect();
            running.into_iter().map(|each| each.join().unwrap()).sum()
        })
    };
    assert_eq!(both(|store| store.prepare_audit_parts(today(), 60 * DAY).unwrap()), 0);
    assert_eq!(both(|store| store.prepare_audit_parts(today(), 2557 * DAY).unwrap()), 2);
    assert_eq!(both(|store| store.drop_audit_parts(today().plus_seconds(DAY)).unwrap()), 1);
    assert_eq!(ranges(&nodes[1]).len(), 4);
}

#[test]
fn a_long_reader_delays_the_drop_and_not_the_writers() {
    let Some(options) = options("reader") else { return };
    let store = Store::open_postgres(&options).unwrap();
    append(&store, today());
    anchor(&store, 1);
    let tomorrow = today().plus_seconds(DAY);
    let (started, has_started) = std::sync::mpsc::channel();
    let (stop, told_to_stop) = std::sync::mpsc::channel::<()>();
    let reader = {
        let store = store.clone();
        std::thread::spawn(move || {
            store.read(|view| {
                let look = "SELECT COUNT(*) FROM audit_entry";
                view.number(look, &[]).unwrap();
                started.send(()).unwrap();
                while told_to_stop.recv_timeout(Duration::from_millis(100)).is_err() {
                    view.number(look, &[]).unwrap();
                }
            });
        })
    };
    has_started.recv().unwrap();
    let dropping = {
        let store = store.clone();
        std::thread::spawn(move || {
            (store.drop_audit_parts(tomorrow).unwrap(), store.prepare_audit_parts(today(), 365 * DAY).is_err())
        })
    };
    let mut slowest = Duration::ZERO;
    while !dropping.is_finished() {
        let begun = Instant::now();
        append(&store, tomorrow);
        slowest = slowest.max(begun.elapsed());
    }
    eprintln!("the slowest write took {slowest:?}");
    // Neither was to be had, and both gave up.
    assert_eq!(dropping.join().unwrap(), (0, true));
    assert!(slowest < Duration::from_millis(1500), "a write took {slowest:?}");
    stop.send(()).unwrap();
    reader.join().unwrap();
    assert_eq!(store.drop_audit_parts(tomorrow).unwrap(), 1);
    // The part of today, which was dropped, and two more.
    assert_eq!(store.prepare_audit_parts(today(), 365 * DAY).unwrap(), 3);
    assert_eq!(verify(&store).fault, None);
}
