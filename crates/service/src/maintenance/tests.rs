use scaivault_domain::access::Space;
use scaivault_domain::audit::{AuditAction, INSTANCE_STREAM};
use scaivault_domain::path::SecretPath;

use crate::context::Notes;
use crate::secret::{Delete, DeleteSecret, IfMatch};
use crate::testing::{TENANT, TestVault};

const DAY: i64 = 86_400;

async fn delete(test: &TestVault, space: Space, path: &str) {
    let path = SecretPath::parse(path).unwrap();
    test.command(Delete::Secret(DeleteSecret { space, path, permanent: false, if_match: IfMatch::Anything }))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_retention_is_destroyed_and_recorded() {
    let test = TestVault::new();
    for path in ["old/a", "old/b", "kept"] {
        test.write_secret(Space::Tenant, path).await;
    }
    test.write_secret(Space::Partner, "shared").await;
    delete(&test, Space::Tenant, "old/a").await;
    delete(&test, Space::Tenant, "old/b").await;
    delete(&test, Space::Partner, "shared").await;
    test.clock.advance(30 * DAY - 1);
    assert_eq!(test.vault.purge_step().await.unwrap(), 0);
    test.clock.advance(1);
    assert_eq!(test.vault.purge_step().await.unwrap(), 3);
    assert_eq!(test.vault.purge_step().await.unwrap(), 0);
    assert_eq!(test.count("SELECT COUNT(*) FROM secret"), 1);
    assert_eq!(test.count("SELECT COUNT(*) FROM secret_version"), 1);
    let entries = |stream: &str| {
        test.count(&format!(
            "SELECT COUNT(*) FROM audit_entry WHERE stream = '{stream}' AND action = 'purge' AND identity_id = 'system:purge'
               AND identity_type = 'system' AND secret_path IN ('old/a', 'old/b', 'shared') AND status_code = 200"
        ))
    };
    assert_eq!((entries(TENANT), entries(INSTANCE_STREAM)), (2, 1));
    assert!(test.vault.verify_audit(TENANT, None, None).unwrap().is_valid());
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_retention_leaves_a_rest_that_verifies() {
    let test = TestVault::with(
        |settings| settings.audit_retention_seconds = 30 * DAY,
        |directory| Box::new(crate::seal::FileProvider::new(directory.join("root.key"))),
    );
    for _ in 0..3 {
        test.write_entries(5).await;
        test.clock.advance(DAY);
    }
    // The first day began at 10:00 and is let go of as a whole, 30 days after it ended.
    test.clock.advance(28 * DAY - 10 * 3600 - 1);
    assert_eq!(test.vault.retention_step().await.unwrap(), 0);
    test.clock.advance(1);
    assert_eq!(test.vault.retention_step().await.unwrap(), 5);
    assert_eq!(test.vault.retention_step().await.unwrap(), 0);
    let report = test.vault.verify_audit(TENANT, None, None).unwrap();
    assert_eq!((report.fault, report.from_seq, report.to_seq, report.entries), (None, 6, 15, 10));
    // Before the cut the end was signed.
    assert_eq!(report.checkpoints_verified, 1);

    test.clock.advance(100 * DAY);
    while test.vault.retention_step().await.unwrap() > 0 {}
    let report = test.vault.verify_audit(TENANT, None, None).unwrap();
    assert_eq!((report.fault, report.entries), (None, 0));
    test.write_entries(1).await;
    let report = test.vault.verify_audit(TENANT, None, None).unwrap();
    assert_eq!((report.fault, report.from_seq, report.entries), (None, 16, 1));
    test.tamper("DELETE FROM audit_anchor");
    assert!(!test.vault.verify_audit(TENANT, None, None).unwrap().is_valid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_keeps_its_trail_as_long_as_it_says() {
    let test = TestVault::with(
        |settings| settings.audit_retention_seconds = 30 * DAY,
        |directory| Box::new(crate::seal::FileProvider::new(directory.join("root.key"))),
    );
    test.write_entries(5).await;
    test.tamper(r#"UPDATE tenant SET settings = '{"audit_retention":"60d"}'"#);
    test.clock.advance(40 * DAY);
    assert_eq!(test.vault.retention_step().await.unwrap(), 0);
    test.tamper(r#"UPDATE tenant SET settings = '{"audit_retention":"nonsense"}'"#);
    assert_eq!(test.vault.retention_step().await.unwrap(), 0);
    test.tamper("UPDATE tenant SET settings = '{}'");
    assert_eq!(test.vault.retention_step().await.unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_stood_in_the_past_costs_nothing_newer() {
    let test = TestVault::new();
    test.write_entries(3).await;
    test.clock.advance(-20 * 366 * DAY);
    test.write_entries(1).await;
    test.clock.advance(20 * 366 * DAY);
    assert_eq!(test.vault.retention_step().await.unwrap(), 0);
    assert!(test.vault.verify_audit(TENANT, None, None).unwrap().is_valid());
}

/// On PostgreSQL; the embedded store has the trail in one piece.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_parts_goes_with_them_and_not_before_it_is_cut() {
    let test = TestVault::with(
        |settings| settings.audit_retention_seconds = 30 * DAY,
        |directory| Box::new(crate::seal::FileProvider::new(directory.join("root.key"))),
    );
    if test.vault.store.audit_parts().unwrap().is_none() {
        return;
    }
    for _ in 0..40 {
        test.vault.retention_step().await.unwrap();
        test.write_entries(3).await;
        test.clock.advance(DAY);
    }
    let oldest_part = || test.vault.store.audit_parts().unwrap().unwrap().iter().next().copied().unwrap();
    let there = || test.count(&format!("SELECT COUNT(*) FROM audit_entry WHERE stream = '{TENANT}'"));
    let whole = || {
        let report = test.vault.verify_audit(TENANT, None, None).unwrap();
        assert_eq!(report.fault, None);
        report.entries
    };
    // A day a part: of the 40 days, 9 are over, and the tenth goes now.
    assert_eq!((there(), whole()), (31 * 3, 31 * 3));
    assert_eq!(test.count(&format!("SELECT COUNT(*) FROM audit_entry_rest WHERE stream = '{TENANT}'")), 0);
    let before = oldest_part();

    // Somebody reads for long: the chains are cut and the part is still there, as after a crash.
    let reader = test.raw();
    reader.batch("BEGIN; LOCK TABLE audit_entry IN ACCESS SHARE MODE");
    assert_eq!(test.vault.retention_step().await.unwrap(), 0);
    assert_eq!((oldest_part(), there(), whole()), (before, 31 * 3, 30 * 3));
    let totals = test.vault.store.read(|view| {
        scaivault_store::audit::totals(view, TENANT, &scaivault_store::audit::EntryFilter::default()).unwrap()
    });
    assert_eq!(totals.events, 30 * 3);
    reader.batch("ROLLBACK");

    assert_eq!(test.vault.retention_step().await.unwrap(), 1);
    assert!(oldest_part().from > before.from);
    assert_eq!((there(), whole()), (30 * 3, 30 * 3));
    assert_eq!(test.vault.retention_step().await.unwrap(), 0);

    // A tenant that keeps less than the instance: its entries are deleted, and the parts stay.
    let draft = test.vault.blank(&test.meta(), AuditAction::Read, &Notes::default(), Ok(200)).unwrap();
    assert_eq!(draft.stream, INSTANCE_STREAM);
    test.vault.record(draft).await.unwrap();
    test.tamper(r#"UPDATE tenant SET settings = '{"audit_retention":"5d"}'"#);
    let parts = test.vault.store.audit_parts().unwrap();
    assert_eq!(test.vault.retention_step().await.unwrap(), 25 * 3);
    assert_eq!((there(), whole()), (5 * 3, 5 * 3));
    assert_eq!(test.vault.store.audit_parts().unwrap(), parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_answers_go_after_a_day() {
    let test = TestVault::new();
    let now = test.vault.now().as_micros();
    test.tamper(&format!(
        "INSERT INTO idempotency VALUES (x'01', '{TENANT}', x'00', x'00', {now}), (x'02', '{TENANT}', x'00', x'00', {})",
        now - DAY * 1_000_000 - 1
    ));
    assert_eq!(test.vault.idempotency_step().await.unwrap(), 1);
    assert_eq!(test.vault.idempotency_step().await.unwrap(), 0);
    test.vault.access_count_step().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_work_through_and_end_when_told() {
    let test = TestVault::new();
    test.write_secret(Space::Tenant, "old").await;
    delete(&test, Space::Tenant, "old").await;
    test.clock.advance(31 * DAY);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let jobs = tokio::spawn(std::sync::Arc::clone(&test.vault).run_jobs(stopped.clone()));
    let task = tokio::spawn(std::sync::Arc::clone(&test.vault).maintain(stopped));
    let gone = async {
        while test.count("SELECT COUNT(*) FROM secret") > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.unwrap();
    stop.send(true).unwrap();
    let ended = async { (jobs.await.unwrap(), task.await.unwrap()) };
    tokio::time::timeout(std::time::Duration::from_secs(10), ended).await.unwrap();
    // What was written last is signed.
    let report = test.vault.verify_audit(TENANT, None, None).unwrap();
    let signed = test.count("SELECT MAX(seq) FROM audit_checkpoint WHERE stream = 'tnt_default'");
    assert_eq!((report.fault, report.to_seq), (None, signed));
}
