//! Numbered lists.

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::json;

use super::{HOME, group_in, join};

#[rstest]
#[case::partners("/v1/identity/partners", "partners")]
#[case::tenants("/v1/identity/tenants", "tenants")]
#[case::users("/v1/identity/tenants/tnt_default/users", "users")]
#[case::groups("/v1/identity/tenants/tnt_default/groups", "groups")]
#[case::members("/v1/identity/groups/GROUP/members", "members")]
#[case::accounts("/v1/identity/tenants/tnt_default/service-accounts", "service_accounts")]
#[case::credentials("/v1/identity/service-accounts/ACCOUNT/credentials", "credentials")]
#[tokio::test]
async fn a_20_pages_count_from_one_and_end_empty(#[case] target: &str, #[case] key: &str) {
    let app = TestApp::new().await;
    let root = app.root();
    let accounts = format!("/v1/identity/tenants/{HOME}/service-accounts");
    let account = root.post(&accounts, json!({"name": "crm"})).await.expect(201).json();
    let group = group_in(&app, HOME, "sre").await;
    join(&app, &group, "sa:crm").await;
    let target = target.replace("GROUP", &group).replace("ACCOUNT", account["id"].as_str().unwrap());
    let whole = root.get(&target).await.expect(200).json();
    assert_eq!((&whole["total"], whole[key].as_array().unwrap().len()), (&json!(1), 1), "{whole}");
    root.get(&format!("{target}?page=1&page_size=200")).await.expect(200);
    let past = root.get(&format!("{target}?page=2")).await.expect(200).json();
    assert_eq!((&past["total"], &past[key]), (&json!(1), &json!([])));
    for (query, field, code) in [
        ("page=0", "page", "range"),
        ("page=-1", "page", "range"),
        ("page=x", "page", "type"),
        ("page_size=0", "page_size", "range"),
        ("page_size=201", "page_size", "range"),
        ("limit=1", "limit", "unknown"),
        ("page=1&page=2", "page", "conflict"),
    ] {
        let answer = root.get(&format!("{target}?{query}")).await.expect_error(422, "validation_error");
        // Which code a wrong kind and a repetition get is a matter of taste.
        assert!(answer.faults().iter().any(|(name, found)| name == field && (code != "range" || found == code)));
    }
}

#[tokio::test]
async fn a_20_pages_together_hold_everything_once() {
    let app = TestApp::new().await;
    let root = app.root();
    for n in 0..6 {
        app.user(&format!("u{n}"), &["secrets:read"], &[]).await;
    }
    let mut seen = Vec::new();
    for page in 1..=4 {
        let list = root.get(&format!("/v1/identity/tenants/{HOME}/users?page={page}&page_size=2")).await.expect(200);
        let list = list.json();
        assert_eq!(list["total"], 7);
        seen.extend(list["users"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 7);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 7);
}

#[tokio::test]
async fn lists_leave_out_what_is_deleted_unless_asked() {
    let app = TestApp::new().await;
    let root = app.root();
    let users = format!("/v1/identity/tenants/{HOME}/users");
    let make = |email: &str| root.post(&users, json!({"email": email, "display_name": "Älice_%"}));
    let (gone, paused) = (make("gone@x.example").await.json(), make("paused@x.example").await.json());
    root.delete(&format!("/v1/identity/users/{}", gone["id"].as_str().unwrap())).await.expect(204);
    let target = format!("/v1/identity/users/{}", paused["id"].as_str().unwrap());
    root.patch(&target, json!({"status": "SUSPENDED"})).await.expect(200);
    for (query, total) in [
        ("", 2),
        ("?status=ACTIVE", 1),
        ("?status=SUSPENDED", 1),
        ("?status=DELETED", 1),
        ("?q=paused@", 1),
        ("?q=PAUSED@", 1),
        ("?q=%C3%A4LICE_%25", 1),
        ("?q=gone", 0),
        ("?q=gone&status=DELETED", 1),
        ("?q=l_c", 0),
        ("?q=paused%25example", 0),
    ] {
        let list = root.get(&format!("{users}{query}")).await.expect(200).json();
        assert_eq!(list["total"], total, "{query}");
    }
    root.get(&format!("{users}?status=active")).await.expect_fault("status", "format");
}
