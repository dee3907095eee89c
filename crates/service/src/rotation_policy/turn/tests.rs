//! A rotation that is cut off at any of its steps is done once in the end.

use std::sync::Arc;
use std::time::Duration;

use scaivault_crypto::SecretString;
use scaivault_domain::access::Space;
use scaivault_domain::duration::{Span, SpanList};
use scaivault_domain::path::SecretPath;

use crate::making::CONCURRENT_MAKERS;
use crate::rotation_policy::CreateRotationPolicy;
use crate::secret::{Attach, IfMatch, OptionsChange, WriteSecret};
use crate::secret_policy::{CreateSecretPolicy, PolicyType, checked_recipe};
use crate::testing::TestVault;

const DAY: i64 = 86_400;
const HOUR: i64 = 3600;

/// A secret that is rotated daily, and due now.
async fn due(secret_policy_id: Option<&str>) -> TestVault {
    let test = TestVault::new();
    if secret_policy_id.is_some() {
        let recipe = r#"[{"name":"password","generator":"bcrypt_hash","config":{"rounds":4}}]"#;
        let policy = CreateSecretPolicy {
            name: "slow".to_owned(),
            description: None,
            policy_type: PolicyType::Custom,
            recipe: checked_recipe(recipe).unwrap(),
            is_active: true,
        };
        test.command(policy).await.unwrap();
    }
    let policy = CreateRotationPolicy {
        name: "daily".to_owned(),
        description: None,
        interval: Span::parse("1d").unwrap(),
        grace_period: None,
        warn_before: SpanList::default(),
        auto_generate: true,
        secret_policy_id: secret_policy_id.map(str::to_owned),
        webhook_ids: Vec::new(),
    };
    test.command(policy).await.unwrap();
    let write = WriteSecret {
        space: Space::Tenant,
        path: SecretPath::parse("a").unwrap(),
        data: SecretString::new(r#"{"password":"p"}"#.to_owned()),
        secret_type: None,
        metadata: Default::default(),
        options: OptionsChange { rotation_policy: Attach::To("rot_daily".to_owned()), ..Default::default() },
        if_match: IfMatch::Anything,
        create_only: false,
        expected_version: None,
    };
    test.command(write).await.unwrap();
    test.vault.run_due_jobs().await.unwrap();
    test.clock.advance(DAY);
    test
}

/// (versions, successes in the history, events of it, entries of it)
fn done(test: &TestVault) -> (i64, i64, i64, i64) {
    (
        test.count("SELECT COUNT(*) FROM secret_version"),
        test.count("SELECT COUNT(*) FROM rotation_history WHERE status = 'success'"),
        test.count("SELECT COUNT(*) FROM event WHERE event_type = 'secret.rotated'"),
        test.count("SELECT COUNT(*) FROM audit_entry WHERE action = 'rotate' AND status_code = 200"),
    )
}

fn break_writes(test: &TestVault, table: &str, on: &str) {
    let raw = test.raw();
    raw.refuse(table, on, "", raw.refusals()[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_6_whichever_write_fails_there_is_one_new_version_in_the_end() {
    let writes = [
        ("secret_version", "INSERT"),
        ("secret_version", "UPDATE"),
        ("secret", "UPDATE"),
        ("rotation_history", "INSERT"),
        ("rotation_state", "INSERT"),
        ("event", "INSERT"),
        ("event_head", "UPDATE"),
        ("audit_entry", "INSERT"),
    ];
    for (table, on) in writes {
        let test = due(None).await;
        break_writes(&test, table, on);
        let _ = test.vault.run_due_jobs().await;
        assert_eq!(done(&test), (1, 0, 0, 0), "{on} {table}: all or nothing");
        test.raw().allow(table);
        test.clock.advance(HOUR);
        test.vault.run_due_jobs().await.unwrap();
        assert_eq!(done(&test), (2, 1, 1, 1), "{on} {table}");
        test.vault.run_due_jobs().await.unwrap();
        assert_eq!(done(&test), (2, 1, 1, 1), "{on} {table}: once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_in_the_history_and_tried_again() {
    let test = due(None).await;
    break_writes(&test, "secret_version", "INSERT");
    test.vault.run_due_jobs().await.unwrap();
    let failed = "SELECT COUNT(*) FROM rotation_history WHERE status = 'failed'";
    assert_eq!((test.count(failed), done(&test)), (1, (1, 0, 0, 0)));
    assert_eq!(test.count("SELECT COUNT(*) FROM event WHERE event_type = 'rotation.failed'"), 1);
    assert_eq!(test.count("SELECT COUNT(*) FROM event WHERE event_type = 'secret.updated'"), 0);
    assert_eq!(test.count("SELECT COUNT(*) FROM audit_entry WHERE action = 'rotate' AND status_code >= 400"), 1);
    // Words of the database are for the log.
    assert_eq!(test.count("SELECT COUNT(*) FROM rotation_history WHERE error_message LIKE '%no room%'"), 0);
    test.raw().allow("secret_version");
    test.clock.advance(59);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(done(&test), (1, 0, 0, 0));
    test.clock.advance(1);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((test.count(failed), done(&test)), (1, (2, 1, 1, 1)));
}

/// The server dies while the value is being made: another one takes over when the lease is over.
#[tokio::test(flavor = "multi_thread")]
async fn r_6_dying_while_a_slow_value_is_made_leaves_it_to_be_done_once() {
    let test = due(Some("sp_slow")).await;
    let places = u32::try_from(CONCURRENT_MAKERS).unwrap();
    let taken = Arc::clone(&test.vault.makers).acquire_many_owned(places).await.unwrap();
    let vault = Arc::clone(&test.vault);
    let dying = tokio::spawn(async move { vault.run_due_jobs().await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(test.count("SELECT COUNT(*) FROM job WHERE kind = 'rotation' AND lease_until IS NOT NULL"), 1);
    dying.abort();
    assert!(dying.await.is_err(), "it waited");
    drop(taken);
    assert_eq!(done(&test), (1, 0, 0, 0));
    test.clock.advance(31);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(done(&test), (2, 1, 1, 1));
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(done(&test), (2, 1, 1, 1));
}
