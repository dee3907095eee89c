//! Lists over 100,000 secrets.

use scaivault_store::Lane;
use std::collections::BTreeSet;

use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::id::{PartnerId, TenantId};
use scaivault_domain::secret::{Metadata, SecretType};
use scaivault_store::secret::{self, SecretRecord};
use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{list, paths, put_with};

const ALL: usize = 100_000;
/// Through the API; the rest goes straight into the store, which is faster.
const WRITTEN: usize = 20_000;

/// Number `n` of the herd: 100 folders of 1,000, every tenth tagged `tenth`, every hundredth owned.
fn path(n: usize) -> String {
    format!("bulk/{:02}/{n:06}", n % 100)
}

fn tags(n: usize) -> Vec<String> {
    if n.is_multiple_of(10) { vec!["all".to_owned(), "tenth".to_owned()] } else { vec!["all".to_owned()] }
}

fn owner(n: usize) -> Option<String> {
    n.is_multiple_of(1000).then(|| "team:few".to_owned())
}

async fn write_some(app: &TestApp) {
    let root = app.root();
    // One task each would be 20,000 waiters; lanes keep the writer busy all the same.
    let lanes = (0..16).map(|lane| {
        let root = &root;
        async move {
            for n in (lane..WRITTEN).step_by(16) {
                put_with(
                    root,
                    &path(n),
                    json!({"data": {"v": app.canary()}, "metadata": {"tags": tags(n), "owner": owner(n)}}),
                )
                .await;
            }
        }
    });
    super::race::all(lanes).await;
}

async fn insert_rest(app: &TestApp) {
    let tenant =
        TenantScope::of_the_server(TenantId::parse("tnt_default").unwrap(), PartnerId::parse("ptn_default").unwrap());
    let scope = SecretScope::of_the_server(Space::Tenant, tenant);
    let now = app.now();
    for start in (WRITTEN..ALL).step_by(1000) {
        let scope = scope.clone();
        let insert = app.vault.store().write(Lane::Whole, move |tx| {
            for n in start..start + 1000 {
                secret::insert(tx, &scope, &record(n, now))?;
            }
            Ok(())
        });
        insert.await.unwrap();
    }
}

fn record(n: usize, now: scaivault_domain::time::Timestamp) -> SecretRecord {
    SecretRecord {
        id: format!("bulk_{n}"),
        path: path(n),
        secret_type: SecretType::Kv,
        metadata: Metadata { tags: tags(n), owner: owner(n), ..Metadata::default() },
        current_version: 1,
        last_version: 1,
        max_versions: 10,
        expires_in: None,
        expires_at: None,
        notify_before: "1d".to_owned(),
        policy_tenant_id: "tnt_default".to_owned(),
        rotation: None,
        last_rotated_at: None,
        secret_policy_id: None,
        created_at: now,
        updated_at: now,
        trash: None,
    }
}

/// Walks all pages of 200 and answers (paths, total_count), which is the same on every page.
async fn walk(actor: &Actor<'_>, query: &str) -> (Vec<String>, Value) {
    let mut page = list(actor, &format!("limit=200&{query}")).await;
    let total = page["total_count"].clone();
    let mut seen = paths(&page);
    while let Some(cursor) = page["cursor"].as_str() {
        page = list(actor, &format!("limit=200&cursor={cursor}")).await;
        assert_eq!(page["total_count"], total, "{query}");
        seen.extend(paths(&page));
    }
    (seen, total)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_secrets_are_listed_filtered_and_counted() {
    let app = TestApp::new().await;
    let root = app.root();
    write_some(&app).await;
    insert_rest(&app).await;

    for (query, total) in [
        ("", ALL),
        ("prefix=bulk/07/", ALL / 100),
        ("tag=tenth", ALL / 10),
        ("tag=all&tag=tenth&prefix=bulk/1", ALL / 100),
        ("owner=team:few", ALL / 1000),
        ("q=TEAM:F", ALL / 1000),
        ("q=099999", 1),
        ("secret_type=json", 0),
        ("sort=updated_at", ALL),
        ("delimiter=/", ALL),
    ] {
        let page = list(&root, query).await;
        assert_eq!(page["total_count"], total, "{query}");
        assert_eq!(page["has_more"], total > 50 && query != "delimiter=/", "{query}");
    }

    let (seen, total) = walk(&root, "tag=tenth").await;
    let expected: BTreeSet<String> = (0..ALL).step_by(10).map(path).collect();
    assert_eq!(total, expected.len());
    assert!(seen.iter().eq(expected.iter()), "each tagged path once, in order");

    let folders = list(&root, "delimiter=/&prefix=bulk/&limit=200").await;
    assert_eq!(folders["common_prefixes"].as_array().unwrap().len(), 100);
    assert_eq!((&folders["total_count"], &folders["has_more"]), (&json!(ALL), &json!(false)));
}
