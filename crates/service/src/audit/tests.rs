//! Edge cases U-1 to U-14 of contract 06 that need no door.

use scaivault_domain::audit::{AuditAction, ChainFault, INSTANCE_STREAM};
use scaivault_domain::id::IdentityRef;
use scaivault_domain::path::{PathPrefix, SecretPath};

use super::*;
use crate::error::Code;
use crate::testing::{TENANT, TestVault};

impl TestVault {
    fn verify(&self) -> VerifyReport {
        self.vault.verify_audit(TENANT, None, None).unwrap()
    }

    fn fault(&self) -> Option<(i64, ChainFault)> {
        self.verify().fault.map(|found| (found.seq, found.fault))
    }
}

async fn with_entries(count: usize) -> TestVault {
    let test = TestVault::new();
    test.write_entries(count).await;
    test
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_chain_verifies() {
    let test = with_entries(25).await;
    let report = test.verify();
    assert_eq!((report.fault, report.from_seq, report.to_seq, report.entries), (None, 1, 25, 25));
    assert_eq!(report.checkpoints_verified, 0);
    test.vault.write_checkpoints(true).await.unwrap();
    assert_eq!(test.verify().checkpoints_verified, 1);
    let part = test.vault.verify_audit(TENANT, Some(5), Some(9)).unwrap();
    assert_eq!((part.fault, part.from_seq, part.to_seq, part.entries), (None, 5, 9, 5));
    let beyond = test.vault.verify_audit(TENANT, Some(20), Some(1000)).unwrap();
    assert_eq!((beyond.fault, beyond.to_seq, beyond.entries), (None, 25, 6));
    let nothing = test.vault.verify_audit("tnt_nobody", None, None).unwrap();
    assert_eq!((nothing.fault, nothing.entries), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn u_6_one_changed_byte_shows() {
    for change in [
        "status_code = 201",
        "secret_path = 'a/c'",
        "at = at + 1",
        "source_ip = NULL",
        "id = id || 'x'",
        "duration_ms = 7",
        "extra_data = '{\"version\":2}'",
        // Means the same, and is still not what was written.
        "extra_data = '{\"version\": 1}'",
        "extra_data = '{'",
        "hash = zeroblob(32)",
        "hash = x'00'",
        "prev_hash = zeroblob(32)",
    ] {
        let test = with_entries(12).await;
        test.tamper(&format!("UPDATE audit_entry SET {change} WHERE stream = '{TENANT}' AND seq = 7"));
        assert_eq!(test.fault(), Some((7, ChainFault::HashMismatch)), "{change}");
        let before = test.vault.verify_audit(TENANT, None, Some(6)).unwrap();
        assert!(before.is_valid(), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn u_6_a_removed_entry_shows() {
    let test = with_entries(12).await;
    test.tamper("DELETE FROM audit_entry WHERE seq = 7");
    assert_eq!(test.fault(), Some((7, ChainFault::Gap)));
    let test = with_entries(12).await;
    test.tamper("DELETE FROM audit_entry WHERE seq <= 3");
    assert_eq!(test.fault(), Some((1, ChainFault::Gap)));
}

#[tokio::test(flavor = "multi_thread")]
async fn u_6_a_removed_end_shows() {
    let test = with_entries(30).await;
    test.tamper("DELETE FROM audit_entry WHERE seq > 20");
    // Without any checkpoint: this process wrote more than there is.
    assert_eq!(test.fault(), Some((21, ChainFault::Truncated)));

    let test = with_entries(30).await;
    test.vault.write_checkpoints(true).await.unwrap();
    test.tamper("DELETE FROM audit_entry WHERE seq > 20");
    assert_eq!(test.fault(), Some((21, ChainFault::Truncated)));
    // The next entry goes on from where the chain really was.
    test.write_entries(1).await;
    assert_eq!(test.fault(), Some((21, ChainFault::Gap)));

    let test = with_entries(30).await;
    test.vault.write_checkpoints(true).await.unwrap();
    test.tamper("DELETE FROM audit_entry");
    assert_eq!(test.fault(), Some((1, ChainFault::Truncated)));
}

#[tokio::test(flavor = "multi_thread")]
async fn u_6_swapped_entries_show() {
    let test = with_entries(12).await;
    test.tamper(
        "UPDATE audit_entry SET seq = -1 WHERE seq = 5; UPDATE audit_entry SET seq = 5 WHERE seq = 6;
         UPDATE audit_entry SET seq = 6 WHERE seq = -1;",
    );
    assert_eq!(test.fault(), Some((5, ChainFault::HashMismatch)));
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_cannot_be_forged() {
    let forgeries = [
        "UPDATE audit_checkpoint SET signature = zeroblob(64)",
        "UPDATE audit_checkpoint SET hash = zeroblob(32)",
        "UPDATE audit_checkpoint SET at = at + 1",
        "UPDATE audit_checkpoint SET key_id = 'k_other'",
        // A key of somebody's own in the place of ours.
        "UPDATE signing_key SET wrapped = zeroblob(90)",
    ];
    for forgery in forgeries {
        let test = with_entries(12).await;
        test.vault.write_checkpoints(true).await.unwrap();
        test.tamper(forgery);
        assert_eq!(test.fault(), Some((12, ChainFault::BadSignature)), "{forgery}");
    }
    // The public half is not what counts.
    let test = with_entries(12).await;
    test.vault.write_checkpoints(true).await.unwrap();
    test.tamper("UPDATE signing_key SET public_key = zeroblob(32)");
    assert!(test.verify().is_valid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_no_anchor() {
    let test = with_entries(12).await;
    test.vault.write_checkpoints(true).await.unwrap();
    test.write_entries(5).await;
    test.tamper(
        "INSERT INTO audit_anchor SELECT stream, chain, seq, hash, at, key_id, signature FROM audit_checkpoint;
         DELETE FROM audit_entry WHERE seq <= 12; DELETE FROM audit_checkpoint;",
    );
    assert_eq!(test.fault(), Some((12, ChainFault::BadSignature)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_rewritten_before_its_checkpoint_does_not_fit_it() {
    let test = with_entries(3).await;
    test.vault.write_checkpoints(true).await.unwrap();
    // The newest entry's own hash is made to fit its new content; only the checkpoint knows better.
    let entry = test.vault.store.read(|view| {
        let chain = scaivault_store::audit::chains_of(view, TENANT).unwrap().remove(0);
        let mut found = None;
        scaivault_store::audit::walk(view, &chain, 3, 3, 1, |_, stored| {
            found = Some(stored?.entry);
            Ok(true)
        })
        .unwrap();
        found.unwrap()
    });
    let forged = scaivault_domain::audit::AuditEntry { secret_path: Some("x/y".to_owned()), ..entry };
    let hash = hex::encode(forged.hash().unwrap());
    test.tamper(&format!("UPDATE audit_entry SET secret_path = 'x/y', hash = x'{hash}' WHERE seq = 3"));
    assert_eq!(test.fault(), Some((3, ChainFault::HashMismatch)));
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_come_after_a_thousand_entries_and_after_five_minutes() {
    let test = with_entries(999).await;
    assert_eq!(test.vault.write_checkpoints(false).await.unwrap(), 0);
    test.write_entries(1).await;
    assert_eq!(test.vault.write_checkpoints(false).await.unwrap(), 1);
    assert_eq!(test.vault.write_checkpoints(false).await.unwrap(), 0);
    test.write_entries(1).await;
    assert_eq!(test.vault.write_checkpoints(false).await.unwrap(), 0);
    test.clock.advance(300);
    assert_eq!(test.vault.write_checkpoints(false).await.unwrap(), 1);
    test.clock.advance(300);
    assert_eq!(test.vault.write_checkpoints(false).await.unwrap(), 0);
    let report = test.verify();
    assert_eq!((report.fault, report.checkpoints_verified), (None, 2));

    let page = test.query(ListCheckpoints { stream: StreamChoice::Tenant, limit: 1, after: None }).await.unwrap();
    let newest = page.checkpoints.first().unwrap();
    assert_eq!((newest.seq, newest.stream.as_str()), (1001, TENANT));
    let rest = ListCheckpoints { stream: StreamChoice::Tenant, limit: 1, after: page.next };
    let rest = test.query(rest).await.unwrap();
    assert_eq!((rest.checkpoints.first().unwrap().seq, rest.next), (1000, None));

    let file = std::fs::read_to_string(test.checkpoint_file()).unwrap();
    let lines: Vec<serde_json::Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1], serde_json::to_value(newest).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_checkpoint_makes_a_shortened_stream_whole() {
    let test = with_entries(30).await;
    test.tamper("DELETE FROM audit_entry WHERE seq > 20");
    assert_eq!(test.vault.write_checkpoints(true).await.unwrap(), 0);
    assert_eq!(test.count("SELECT COUNT(*) FROM audit_checkpoint"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_from_before_the_start_are_signed_too() {
    let test = with_entries(5).await;
    // What another process would know: nothing.
    let blank = Growth::default();
    assert!(blank.due(test.vault.now(), true).is_empty());
    test.vault.growth.forget_reconciliation();
    assert_eq!(test.vault.write_checkpoints(true).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn u_7_entries_written_in_parallel_leave_no_gap() {
    let test = std::sync::Arc::new(TestVault::new());
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let test = std::sync::Arc::clone(&test);
            tokio::spawn(async move { test.write_entries(100).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let report = test.verify();
    assert_eq!((report.fault, report.entries), (None, 10_000));
    assert!(test.vault.write_checkpoints(false).await.unwrap() > 0);
    assert_eq!(test.verify().checkpoints_verified, 1);
}

fn logs(filter: LogFilter, limit: usize, after: Option<Vec<String>>) -> QueryLogs {
    QueryLogs { stream: StreamChoice::Tenant, filter, limit, after }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_is_not_disturbed_by_new_entries() {
    let test = with_entries(10).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        // Each query leaves an entry of its own.
        let page = test.query(logs(LogFilter::default(), 3, after)).await.unwrap();
        seen.extend(page.entries.iter().map(|stored| stored.entry.seq));
        after = page.next;
        if after.is_none() {
            break;
        }
        test.write_entries(2).await;
    }
    assert_eq!(seen, (1..=10).rev().collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow() {
    let test = with_entries(4).await;
    let count = |filter: LogFilter| {
        let test = &test;
        async move { test.query(logs(filter, 1000, None)).await.unwrap().entries.len() }
    };
    assert_eq!(count(LogFilter { actions: vec![AuditAction::Read], ..LogFilter::default() }).await, 4);
    assert_eq!(count(LogFilter { actions: vec![AuditAction::Write], ..LogFilter::default() }).await, 0);
    let prefix = |text: &str| LogFilter { path_prefix: Some(PathPrefix::parse(text).unwrap()), ..LogFilter::default() };
    assert_eq!(count(prefix("a/")).await, 4);
    assert_eq!(count(prefix("a/bc")).await, 0);
    assert_eq!(count(LogFilter { request_id: Some("req_none".to_owned()), ..LogFilter::default() }).await, 0);
    let denied = LogFilter { success: Some(false), ..LogFilter::default() };
    assert_eq!(count(denied).await, 0);
    let admin = IdentityRef::parse("user:admin@localhost").unwrap();
    // The queries so far are the administrator's own.
    assert_eq!(count(LogFilter { identity: Some(admin), ..LogFilter::default() }).await, 6);
    let unknown = IdentityRef::parse("usr_unknown").unwrap();
    assert_eq!(count(LogFilter { identity: Some(unknown), ..LogFilter::default() }).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instance_stream_is_the_super_admins() {
    let test = TestVault::new();
    let refused = test.vault.admit(
        test.meta(),
        Some("scv_bad"),
        crate::session::TenantChoice::Home,
        scaivault_domain::action::Action::AuditQuery,
        None,
    );
    assert!(refused.await.is_err());
    let query = QueryLogs { stream: StreamChoice::Instance, filter: LogFilter::default(), limit: 10, after: None };
    let page = test.query(query).await.unwrap();
    let actions: Vec<&str> = page.entries.iter().map(|stored| stored.entry.action.as_str()).collect();
    assert_eq!(actions, ["auth_failure"]);
    assert!(test.vault.verify_audit(INSTANCE_STREAM, None, None).unwrap().is_valid());
}

#[tokio::test(flavor = "multi_thread")]
async fn trails_and_summaries_count() {
    let test = with_entries(3).await;
    let path = |text: &str| PathHistory {
        path: SecretPath::parse(text).unwrap(),
        range: TimeRange::default(),
        limit: 2,
        after: None,
    };
    let trail = test.query(path("a/b")).await.unwrap();
    assert_eq!((trail.summary.reads, trail.summary.writes, trail.summary.denied), (3, 0, 0));
    assert_eq!(trail.summary.last_accessed_at, Some(test.vault.now()));
    assert_eq!((trail.page.entries.len(), trail.page.next.is_some()), (2, true));
    let nothing = test.query(path("never/there")).await.unwrap();
    assert_eq!((nothing.summary, nothing.page.entries.len()), (PathSummary::default(), 0));
    // Old reads leave the summary and stay in the trail.
    test.clock.advance(31 * 86_400);
    let later = test.query(path("a/b")).await.unwrap();
    assert_eq!((later.summary.reads, later.page.entries.len()), (0, 2));

    let identity = |text: &str| IdentityHistory {
        identity: IdentityRef::parse(text).unwrap(),
        range: TimeRange::default(),
        limit: 100,
        after: None,
    };
    let admin = test.query(identity("user:admin@localhost")).await.unwrap();
    assert_eq!((admin.summary.events, admin.page.entries.len()), (3, 3));
    let absent = test.query(identity("usr_unknown")).await.unwrap_err();
    assert_eq!(absent.code(), Code::IdentityNotFound);

    let all = test.query(AuditSummary { range: TimeRange::default() }).await.unwrap();
    // The reads are older than 30 days; the three queries since the clock moved are not.
    assert_eq!(all.by_action.get("read"), None);
    assert_eq!(all.by_action.get("audit_read"), Some(&3));
    assert_eq!(all.totals.events - all.totals.successful, 1);
}
