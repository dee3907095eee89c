//! Which index each query takes.

use super::*;
use crate::engine::sqlite::{SqliteLocation, SqliteOptions};
use crate::sql::Param;
use crate::store::Store;

fn plan_of(query: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    let store = Store::open_sqlite(&SqliteOptions { location: SqliteLocation { file } }).unwrap();
    let nothing = [Param::Null; 8];
    let steps =
        store.read(|view| view.all(&format!("EXPLAIN QUERY PLAN {query}"), &nothing, |row| row.text(3))).unwrap();
    store.close();
    steps.join("; ")
}

#[test]
fn tenants_with_nothing_to_hand_on_are_not_looked_at() {
    let steps = plan_of(BACKLOGS);
    assert!(steps.contains("event_head_pending (tenant_id>?)"), "{steps}");
    assert!(!steps.contains("TEMP B-TREE"), "{steps}");
}

#[test]
fn old_events_are_found_by_their_key() {
    for query in [DROP_OLD, DROP_OLD_OF_AHEAD] {
        let steps = plan_of(query);
        assert!(steps.contains("SEARCH e USING PRIMARY KEY (tenant_id=? AND id<?)"), "{steps}");
    }
}
