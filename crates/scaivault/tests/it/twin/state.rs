//! What is left when a program has ended, on both sides the same.

use scaivault_testkit::Cell;

use super::run::{Step, Twin};
use super::tree::Tree;

const TENANTS: &[&str] = &["tnt_default", "tnt_side", "tnt_far"];

fn get(target: String) -> Step {
    Step { token: Some("⟦who:0⟧".to_owned()), method: "GET", target, headers: Vec::new(), body: None }
}

pub(super) async fn walk(twin: &mut Twin, target: String) -> Vec<Tree> {
    match twin.walk(&get(target)).await {
        Ok(pages) => pages,
        Err(difference) => twin.fail(&format!("in the end: {difference}")),
    }
}

pub(super) async fn compare(twin: &mut Twin) {
    for tenant in TENANTS {
        secrets(twin, &format!("/v1/t/{tenant}/secrets")).await;
        for list in [
            "policies?include_inactive=true",
            "secret-policies?include_inactive=true",
            "rotation/policies",
            "webhooks",
            "subscriptions",
        ] {
            walk(twin, format!("/v1/t/{tenant}/{list}")).await;
        }
        for list in ["users", "groups", "service-accounts"] {
            for status in ["ACTIVE", "SUSPENDED", "DELETED"] {
                walk(twin, format!("/v1/identity/tenants/{tenant}/{list}?page_size=200&status={status}")).await;
            }
        }
    }
    for tenant in ["tnt_default", "tnt_far"] {
        secrets(twin, &format!("/v1/t/{tenant}/partner/secrets")).await;
    }
    for tenant in TENANTS {
        walk(twin, format!("/v1/t/{tenant}/audit/logs?limit=1000")).await;
        walk(twin, format!("/v1/t/{tenant}/audit/verify")).await;
    }
    walk(twin, "/v1/audit/logs?stream=system&limit=1000".to_owned()).await;
    if let Err(difference) = events(twin) {
        twin.fail(&difference);
    }
    kept(twin);
    jobs(twin);
}

/// Every version of every secret, also of those that are deleted or expired.
async fn secrets(twin: &mut Twin, base: &str) {
    let listed =
        walk(twin, format!("{base}?include_expired=true&include_deleted=true&include_metadata=true&limit=200")).await;
    for path in listed.iter().filter_map(|secret| secret.get("path")?.text()) {
        for version in walk(twin, format!("{base}/{path}/versions")).await {
            let Some(Tree::Bare(number)) = version.get("version") else { continue };
            walk(twin, format!("{base}/{path}?version={number}&include_retired=true")).await;
        }
    }
}

fn rows(twin: &Twin, side: usize, sql: &str) -> Vec<Vec<String>> {
    let rows = twin.app(side).raw().rows(sql);
    let text = |cell: Cell| match cell {
        Cell::Text(text) => text,
        other => format!("{other:?}"),
    };
    rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

/// Those since the last time, of each tenant, in their order.
pub(super) fn events(twin: &mut Twin) -> Result<(), String> {
    let until = twin.app(0).now().as_micros();
    let since = std::mem::replace(&mut twin.told_until, until + 1);
    let all = format!(
        "SELECT tenant_id, event_type, at, partner_id, identity_id, request_id, namespace, path, secret_type, tags, rotation_policy_id,
           id, data FROM event WHERE at >= {since} ORDER BY tenant_id, id"
    );
    let names = [
        "tenant",
        "event_type",
        "timestamp",
        "partner",
        "identity_id",
        "request",
        "namespace",
        "path",
        "type",
        "tags",
        "rotation",
        "id",
        "data",
    ];
    let [left, right] = [0, 1].map(|side| {
        let mut rows = rows(twin, side, &all);
        rows.sort_by(|one, other| one[0].cmp(&other[0]));
        let event = |row: Vec<String>| {
            let field = |(name, text): (&str, String)| {
                let value = if name == "data" { Tree::parse(&text) } else { None };
                (name.to_owned(), value.unwrap_or(Tree::Text(text)))
            };
            Tree::Object(names.into_iter().zip(row).map(field).collect())
        };
        Tree::Array(rows.into_iter().map(event).collect())
    });
    twin.pairs
        .compare(&left, &right)
        .map_err(|difference| format!("events: {difference}\nSQLite:     {left:?}\nPostgreSQL: {right:?}"))
}

/// The secrets with what only the server sees of them, deleted ones too. Pairs their ids, by which jobs are named.
fn kept(twin: &mut Twin) {
    let all = "SELECT namespace, path, id, last_version, expires_at, policy_tenant_id, last_rotated_at, deleted_at, recoverable_until FROM secret";
    let [left, right] = [0, 1].map(|side| {
        let mut rows = rows(twin, side, all);
        rows.sort_by(|one, other| one[..2].cmp(&other[..2]));
        rows
    });
    compare_rows(twin, "secret", &left, &right);
}

/// They are named by ids, so they have no order that is the same on both sides.
fn jobs(twin: &mut Twin) {
    let all = "SELECT kind, subject, tenant_id, namespace, run_at, failures, error, died_at FROM job";
    let mut left = rows(twin, 0, all);
    left.iter_mut().flatten().for_each(|cell| *cell = twin.pairs.as_right(cell));
    let mut right = rows(twin, 1, all);
    left.sort();
    right.sort();
    if left != right {
        let missing: Vec<_> = left.iter().filter(|row| !right.contains(row)).collect();
        let extra: Vec<_> = right.iter().filter(|row| !left.contains(row)).collect();
        twin.fail(&format!("jobs left: of SQLite alone {missing:#?}\nof PostgreSQL alone {extra:#?}"));
    }
}

fn compare_rows(twin: &mut Twin, table: &str, left: &[Vec<String>], right: &[Vec<String>]) {
    for (number, (one, other)) in left.iter().zip(right).enumerate() {
        for (left, right) in one.iter().zip(other) {
            if let Err(difference) = twin.pairs.texts(left, right, &format!("{table} {number}"), false) {
                twin.fail(&format!("{difference}\nSQLite:     {one:?}\nPostgreSQL: {other:?}"));
            }
        }
    }
    if left.len() != right.len() {
        twin.fail(&format!("{table}: {} rows and {}", left.len(), right.len()));
    }
}
