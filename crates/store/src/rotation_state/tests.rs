use super::*;
use crate::engine::sqlite::{SqliteLocation, SqliteOptions};
use crate::store::Store;

fn open(directory: &tempfile::TempDir) -> Store {
    let file = directory.path().join("store.db");
    Store::open_sqlite(&SqliteOptions { location: SqliteLocation { file } }).unwrap()
}

/// A page costs what it shows: nothing is sorted but secrets that are due at the same moment.
#[test]
fn what_is_due_is_found_by_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    for (of_one_policy, index) in [(false, "rotation_state_due"), (true, "rotation_state_policy")] {
        let query = format!("EXPLAIN QUERY PLAN {}", due_query(of_one_policy));
        let values = [Param::Null; 8];
        let values = values.get(..if of_one_policy { 8 } else { 7 }).unwrap();
        let steps = store.read(|view| view.all(&query, values, |row| row.text(3))).unwrap().join("; ");
        assert!(steps.contains(&format!("SEARCH r USING INDEX {index}")), "{steps}");
        assert!(!steps.contains("SCAN") && steps.ends_with("B-TREE FOR LAST 2 TERMS OF ORDER BY"), "{steps}");
    }
    store.close();
}

/// A database of the version before: what was attached then gets its job.
#[test]
fn secrets_that_were_attached_before_are_planned_when_the_schema_is_raised() {
    let directory = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(directory.path().join("store.db")).unwrap();
    for sql in
        [include_str!("../migrations/0001_foundation.sql"), include_str!("../migrations/0002_events_and_jobs.sql")]
    {
        let sql = sql.replace("BYTEA", "BLOB").replace("/* clustered */", "WITHOUT ROWID");
        old.execute_batch(&sql).unwrap();
    }
    old.execute_batch(
        "CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL);
         INSERT INTO schema_migration VALUES (1, 'foundation'), (2, 'events_and_jobs');
         INSERT INTO partner VALUES ('ptn_a', 'a', 'a', NULL, 'ACTIVE', 0, 0, NULL);
         INSERT INTO tenant VALUES ('tnt_a', 'ptn_a', 'a', 'a', 'ACTIVE', '{}', 0, 0, NULL),
                                   ('tnt_gone', 'ptn_a', 'g', 'g', 'DELETED', '{}', 0, 0, NULL);",
    )
    .unwrap();
    for (id, policy_tenant, policy, deleted) in [
        ("sec_attached", "tnt_a", Some("rot_a"), None),
        ("sec_free", "tnt_a", None, None),
        ("sec_trash", "tnt_a", Some("rot_a"), Some(5)),
        ("sec_of_gone", "tnt_gone", Some("rot_a"), None),
    ] {
        old.execute(
            "INSERT INTO secret (id, namespace, path, secret_type, tags, custom, current_version, last_version, max_versions,
               notify_before, policy_tenant_id, rotation_policy_id, created_at, updated_at, deleted_at)
             VALUES (?1, 'ptn_a', ?1, 'kv', '[]', '{}', 1, 1, 10, '', ?2, ?3, 0, 0, ?4)",
            rusqlite::params![id, policy_tenant, policy, deleted],
        )
        .unwrap();
    }
    drop(old);
    let store = open(&directory);
    let planned = "SELECT subject, tenant_id, namespace, run_at FROM job WHERE kind = 'rotation'";
    let read = |row: &dyn Row| Ok((row.text(0)?, row.text(1)?, row.text(2)?, row.int(3)?));
    let planned = store.read(|view| view.all(planned, &[], read)).unwrap();
    assert_eq!(planned, [("sec_attached".to_owned(), "tnt_a".to_owned(), "ptn_a".to_owned(), 0)]);
    store.close();
}
