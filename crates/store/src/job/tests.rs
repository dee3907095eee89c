//! Which index each query takes. A table of a million jobs is looked at every second.

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
fn what_is_looked_for_every_second_is_found_by_index() {
    for query in [due_query(), next_query()] {
        let steps = plan_of(&query);
        assert!(
            steps.contains("USING INDEX job_due (kind=?") || steps.contains("USING COVERING INDEX job_due"),
            "{steps}"
        );
        assert!(!steps.contains("TEMP B-TREE") && !steps.contains("SCAN"), "{steps}");
    }
    let steps = plan_of("SELECT COUNT(*) FROM job WHERE died_at IS NULL AND kind = $1 AND run_at <= $2");
    assert!(steps.contains("job_due (kind=? AND run_at<?)"), "{steps}");
}

#[test]
fn a_clock_that_went_back_costs_no_scan() {
    let steps = plan_of(RECALL);
    assert!(steps.contains("job_planned (planned_at>?)"), "{steps}");
    assert!(!steps.contains("SCAN job"), "{steps}");
}

#[test]
fn dead_jobs_and_those_of_a_tenant_are_found_by_index() {
    let steps = plan_of(DEAD);
    assert!(steps.contains("job_dead"), "{steps}");
    assert!(plan_of("DELETE FROM job WHERE tenant_id = $1").contains("job_tenant (tenant_id=?)"));
}
