//! Whole databases with a row of every kind in every table, there and back. On PostgreSQL too where there is one
//! (`scripts/postgres run -- ...`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::plan::{self, Planned};
use super::row::Value;
use super::*;
use crate::engine::postgres::PostgresOptions;
use crate::engine::sqlite::SqliteOptions;
use crate::store::Store;

/// Set by `scripts/postgres run`.
const POSTGRES: &str = "SCAIVAULT_TEST_POSTGRES";

fn sqlite(directory: &TempDir, name: &str) -> Place {
    Place::Sqlite(SqliteLocation { file: directory.path().join(name) })
}

fn postgres() -> Option<Place> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    #[allow(clippy::disallowed_methods, reason = "a test has no settings")]
    let url = std::env::var(POSTGRES).ok()?;
    let schema = format!("copy_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    Some(Place::Postgres(Box::new(PostgresAddress::parse(&url).unwrap().in_schema(&schema))))
}

fn serve(place: &Place) -> crate::StoreResult<Store> {
    match place {
        Place::Sqlite(location) => Store::open_sqlite(&SqliteOptions { location: location.clone() }),
        Place::Postgres(address) => {
            Store::open_postgres(&PostgresOptions { pool_size: 4, ..PostgresOptions::new(address.as_ref().clone()) })
        }
    }
}

/// A destination of each engine that there is.
fn destinations(directory: &TempDir) -> Vec<Place> {
    std::iter::once(sqlite(directory, "to.db")).chain(postgres()).collect()
}

fn planned(place: &Place) -> Vec<Planned> {
    let mut resting = place.open(Role::Destination).unwrap();
    resting.migrate().unwrap();
    let tables = resting.tables().unwrap();
    plan::plan(tables.clone(), tables).unwrap()
}

/// Value `number` of a column: where tables refer to each other, rows of the same number do.
fn value(kind: Kind, number: i64) -> Value {
    match kind {
        Kind::Int => Value::Int(number),
        Kind::Text => Value::Text(format!("t{number:05} \u{e9}\u{1f511}'\"\\")),
        Kind::Blob => Value::Blob([0, 1, 255, b'\''].repeat(usize::try_from(number % 50).unwrap())),
    }
}

/// Fills every table, so that nothing is left out of the comparison.
fn fill(place: &Place, rows: i64) {
    let plan = planned(place);
    let mut resting = place.open(Role::Destination).unwrap();
    let begin = resting.begin();
    let connection = resting.connection();
    connection.batch(begin).unwrap();
    for table in &plan {
        let mut values = Vec::new();
        for number in 1..=rows {
            for (position, (_, kind)) in table.columns.iter().enumerate() {
                values.push(match (value(*kind, number), position < table.key) {
                    // Keys and hashes differ from row to row.
                    (Value::Blob(_), _) if table.name == "idempotency" || table.name == "token" => {
                        Value::Blob(number.to_be_bytes().to_vec())
                    }
                    (value, _) => value,
                });
            }
        }
        let params: Vec<_> = values.iter().map(Value::param).collect();
        let insert = format!("INSERT INTO {} ({})", quoted(&table.name), table.column_list());
        connection.insert_rows(&insert, table.columns.len(), &params).unwrap();
    }
    connection.batch("COMMIT").unwrap();
}

fn copy(from: &Place, to: &Place) -> CopyResult<Vec<TableSum>> {
    let mut copying = Copying::begin(from, to, false)?;
    copying.transfer(&mut |_| ())?;
    let verification = copying.verify(&mut |_| ())?;
    let sums = verification.tables.clone();
    verification.finish()?;
    Ok(sums)
}

#[track_caller]
fn refused<T>(outcome: CopyResult<T>, words: &str) {
    let Err(error) = outcome else { panic!("it was not refused") };
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn every_table_of_the_schema_is_copied_or_known_not_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = sqlite(&directory, "a.db");
    let names: Vec<String> = planned(&sqlite).into_iter().map(|table| table.name).collect();
    for name in ["instance", "secret", "secret_version", "audit_entry", "audit_head", "job", "webhook_delivery"] {
        assert!(names.iter().any(|found| found == name), "{name} would not be copied");
    }
    let before = |first: &str, then: &str| {
        let place = |name: &str| names.iter().position(|found| found == name).unwrap();
        assert!(place(first) < place(then), "{first} has to be there before {then}");
    };
    before("partner", "tenant");
    before("tenant", "directory_user");
    before("directory_group", "membership");
    let Some(postgres) = postgres() else { return };
    let tables = |place: &Place| {
        let mut resting = place.open(Role::Destination).unwrap();
        resting.migrate().unwrap();
        resting.tables().unwrap()
    };
    // A migration that adds a table to one engine, or not the same to both, fails here and not when somebody moves.
    let plan = plan::plan(tables(&sqlite), tables(&postgres)).unwrap();
    assert_eq!(plan.into_iter().map(|table| table.name).collect::<Vec<_>>(), names);
    plan::plan(tables(&postgres), tables(&sqlite)).unwrap();
}

#[test]
fn tables_that_do_not_fit_are_named() {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let table = |name: &str| Table {
        name: name.to_owned(),
        columns: vec![column("a", Ok(Kind::Int)), column("b", Ok(Kind::Text))],
        key: vec!["a".to_owned()],
        parents: Vec::new(),
    };
    let of = |source: &[Table], destination: &[Table]| plan::plan(source.to_vec(), destination.to_vec());
    let (x, y) = (table("x"), table("y"));
    let fault = |source: &[Table], destination: &[Table]| of(source, destination).unwrap_err();
    assert!(fault(&[x.clone(), y.clone()], std::slice::from_ref(&x)).contains("destination has no table y"));
    assert!(fault(std::slice::from_ref(&x), &[x.clone(), y.clone()]).contains("source has no table y"));
    let mut other = x.clone();
    other.columns.pop();
    assert!(fault(std::slice::from_ref(&x), std::slice::from_ref(&other)).contains("no column b"));
    assert!(fault(std::slice::from_ref(&other), std::slice::from_ref(&x)).contains("column b"));
    let mut odd = x.clone();
    odd.columns[1].kind = Err("jsonb".to_owned());
    assert!(fault(std::slice::from_ref(&odd), std::slice::from_ref(&odd)).contains("jsonb"));
    let mut wider = x.clone();
    wider.key = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(of(std::slice::from_ref(&x), std::slice::from_ref(&wider)).unwrap()[0].key, 2);
    wider.key.reverse();
    assert!(fault(std::slice::from_ref(&x), std::slice::from_ref(&wider)).contains("another primary key"));
    let (mut one, mut two) = (x, y);
    (one.parents, two.parents) = (vec!["y".to_owned()], vec!["x".to_owned()]);
    assert!(fault(&[one.clone(), two.clone()], &[one, two]).contains("circle"));
}

#[test]
fn a_copy_and_the_copy_of_the_copy_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let from = sqlite(&directory, "from.db");
    fill(&from, 700);
    for (number, to) in destinations(&directory).into_iter().enumerate() {
        let there = copy(&from, &to).unwrap();
        assert!(there.iter().all(|sum| sum.rows == 700), "{there:?}");
        serve(&to).unwrap().close();
        let back = copy(&to, &sqlite(&directory, &format!("back{number}.db"))).unwrap();
        assert_eq!(there, back);
        refused(copy(&from, &to), "holds this instance already");
    }
}

#[test]
fn a_copy_that_was_cut_off_goes_on_and_serves_nobody_before() {
    let directory = tempfile::tempdir().unwrap();
    let from = sqlite(&directory, "from.db");
    fill(&from, 2500);
    let whole = copy(&from, &sqlite(&directory, "whole.db")).unwrap();
    for to in destinations(&directory) {
        let mut runs = 0;
        loop {
            runs += 1;
            let mut copying = Copying::begin(&from, &to, false).unwrap();
            assert_eq!(copying.is_resumed(), runs > 1);
            let begin = copying.standing().0;
            let cut = catch_unwind(AssertUnwindSafe(|| {
                copying.transfer(&mut |progress| assert!(progress.done < begin + 30_000, "cut off")).unwrap();
            }));
            if cut.is_ok() {
                break;
            }
            drop(copying);
            let Err(error) = serve(&to).map(|_| ()) else { panic!("a server started on half a copy") };
            assert!(error.to_string().contains("unfinished copy"), "{error}");
            refused(copy(&to, &sqlite(&directory, "further.db")), "unfinished copy");
        }
        assert!(runs > 2, "it was not cut off");
        assert_eq!(copy(&from, &to).unwrap(), whole);
        serve(&to).unwrap().close();
    }
}

#[test]
fn what_is_not_like_the_source_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let from = sqlite(&directory, "from.db");
    fill(&from, 10);
    for to in destinations(&directory) {
        for (damage, words) in [
            ("UPDATE secret SET description = 'x' WHERE id = (SELECT MIN(id) FROM secret)", "table secret"),
            ("DELETE FROM job WHERE kind = (SELECT MAX(kind) FROM job)", "10 rows in the source and 9"),
        ] {
            let mut copying = Copying::begin(&from, &to, true).unwrap();
            copying.transfer(&mut |_| ()).unwrap();
            copying.destination.connection().batch(damage).unwrap();
            refused(copying.verify(&mut |_| ()).map(|_| ()), words);
            assert!(serve(&to).is_err(), "it is still marked");
        }
        let mut copying = Copying::begin(&from, &to, true).unwrap();
        assert!(!copying.is_resumed());
        copying.transfer(&mut |_| ()).unwrap();
        copying.verify(&mut |_| ()).unwrap().finish().unwrap();
        serve(&to).unwrap().close();
        // In use: there is nothing that --restart would remove.
        refused(Copying::begin(&from, &to, true).map(|_| ()), "nothing was changed");
    }
}

#[test]
fn databases_that_will_not_do_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(&directory, "from.db"), sqlite(&directory, "to.db"));
    refused(copy(&from, &to), "no such file");
    let store = serve(&from).unwrap();
    refused(copy(&from, &to), "another ScaiVault server");
    store.close();
    refused(copy(&from, &to), "not initialised");
    fill(&from, 3);
    let store = serve(&to).unwrap();
    refused(copy(&from, &to), "another ScaiVault server");
    store.close();
    let other = sqlite(&directory, "other.db");
    fill(&other, 4);
    other.open(Role::Source).unwrap().connection().batch("UPDATE instance SET created_at = created_at + 7").unwrap();
    refused(copy(&from, &other), "is not empty");

    for (version, words) in [(crate::migrate::known_version() - 1, "start the server of this program"), (1000, "newer")]
    {
        let sql = format!(
            "UPDATE schema_migration SET version = {version} WHERE version = (SELECT MAX(version) FROM schema_migration)"
        );
        let mut resting = other.open(Role::Source).unwrap();
        resting
            .connection()
            .batch("DELETE FROM schema_migration WHERE version < (SELECT MAX(version) FROM schema_migration)")
            .unwrap();
        resting.connection().batch(&sql).unwrap();
        drop(resting);
        refused(copy(&other, &to), words);
    }
    refused(copy(&from, &other), "newer program");
}

#[test]
fn a_copy_is_not_gone_on_with_from_another_source_or_a_later_state() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(&directory, "from.db"), sqlite(&directory, "to.db"));
    fill(&from, 3);
    drop(Copying::begin(&from, &to, false).unwrap());
    let change = |sql: &str| from.open(Role::Source).unwrap().connection().batch(sql).unwrap();
    change("UPDATE audit_head SET seq = seq + 1");
    refused(copy(&from, &to), "--restart");
    change("UPDATE audit_head SET seq = seq - 1; UPDATE instance SET created_at = created_at + 1");
    refused(copy(&from, &to), "another instance");
    change("UPDATE instance SET created_at = created_at - 1");
    copy(&from, &to).unwrap();
}

#[test]
fn values_of_megabytes_go_in_pages_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let from = sqlite(&directory, "from.db");
    fill(&from, 12);
    let grow = "UPDATE secret_version SET ciphertext = zeroblob(3000000); UPDATE event SET data = hex(zeroblob(2500000)) WHERE at < 3";
    from.open(Role::Source).unwrap().connection().batch(grow).unwrap();
    for (number, to) in destinations(&directory).into_iter().enumerate() {
        let there = copy(&from, &to).unwrap();
        assert_eq!(copy(&to, &sqlite(&directory, &format!("back{number}.db"))).unwrap(), there);
    }
}

#[test]
fn a_text_that_postgres_cannot_hold_is_named() {
    let Some(to) = postgres() else { return };
    let directory = tempfile::tempdir().unwrap();
    let from = sqlite(&directory, "from.db");
    fill(&from, 3);
    from.open(Role::Source)
        .unwrap()
        .connection()
        .batch("UPDATE rotation_replan SET path = 'pa' || char(0) || 'th', policy_id = 'rp_1' WHERE policy_id LIKE 't00002%'")
        .unwrap();
    let Err(CopyError::Nul { table, key }) = copy(&from, &to) else { panic!("it was not refused") };
    assert_eq!(table, "rotation_replan");
    assert!(key.ends_with("rp_1") && !key.contains("th"), "{key}");
}

#[test]
fn a_node_that_serves_postgres_is_seen() {
    let Some(place) = postgres() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(&directory, "from.db"), sqlite(&directory, "to.db"));
    fill(&from, 3);
    let node = serve(&place).unwrap();
    refused(copy(&from, &place), "the node node-1 serves it");
    node.close();
    copy(&from, &place).unwrap();
    let node = serve(&place).unwrap();
    refused(copy(&place, &to), "stop all nodes");
    node.close();
    // One that comes back while its database is copied: nothing it does changes what is copied, and the copy does not count.
    let mut copying = Copying::begin(&place, &to, false).unwrap();
    copying.transfer(&mut |_| ()).unwrap();
    let verification = copying.verify(&mut |_| ()).unwrap();
    let Place::Postgres(address) = &place else { panic!("another place") };
    crate::engine::postgres::rest::beat_in_a_test(address);
    refused(verification.finish(), "came back");
    copy(&place, &to).unwrap();
}
