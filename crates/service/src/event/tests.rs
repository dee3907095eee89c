//! Handing on: in order, once, and each tenant for itself.

use std::sync::{Arc, Mutex, PoisonError};

use scaivault_domain::time::Timestamp;
use scaivault_store::event::{self, NewEvent};
use scaivault_store::{Change, StoreError, StoreResult, WriteTx};

use super::HandOn;
use crate::testing::TestVault;
use crate::vault::Vault;

/// (tenant, event, event type) in the order of hearing. Tenants name their test.
static HEARD: Mutex<Vec<(String, String, String)>> = Mutex::new(Vec::new());

/// Fails at an event that says so in its type.
pub(super) fn listener(
    _: &Arc<Vault>,
    _: &mut WriteTx<'_>,
    HandOn { tenant_id: tenant, events, .. }: &HandOn,
    _: Timestamp,
) -> StoreResult<()> {
    // What was heard is not rolled back: first whether all goes well.
    for record in events {
        match record.event.event_type.as_str() {
            "test.fail" => return Err(StoreError::corrupt("on purpose")),
            "test.panic" => panic!("on purpose"),
            _ => {}
        }
    }
    for record in events.iter().filter(|record| record.event.event_type.starts_with("test.")) {
        let heard = (tenant.clone(), record.id.clone(), record.event.event_type.clone());
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
    }
    Ok(())
}

fn heard_in(tenant: &str) -> Vec<String> {
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    heard.iter().filter(|(told, ..)| told == tenant).map(|(_, _, kind)| kind.clone()).collect()
}

async fn happen(test: &TestVault, tenant: &str, kinds: &[&str]) {
    let (at, tenant, vault) = (test.vault.now(), tenant.to_owned(), Arc::clone(&test.vault));
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let write = test.vault.store.write(scaivault_store::Lane::Whole, move |tx| {
        for kind in &kinds {
            let event = NewEvent {
                tenant_id: tenant.clone(),
                partner_id: "ptn_default".to_owned(),
                at,
                event_type: kind.clone(),
                identity_id: "user:a".to_owned(),
                request_id: "req_1".to_owned(),
                namespace: None,
                path: None,
                secret_type: None,
                tags: Vec::new(),
                rotation_policy_id: None,
                data: "{}".to_owned(),
            };
            event::append(tx, &event, vault.ulid(at).unwrap())?;
        }
        Ok(())
    });
    write.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_handed_on_once_and_in_order() {
    let test = TestVault::new();
    for number in 0..1200 {
        // The clock is set back again and again: the order is that of the commits.
        test.clock.advance(if number % 3 == 0 { -7 } else { 3 });
        happen(&test, "tnt_order", &[&format!("test.{number}")]).await;
    }
    test.vault.run_due_jobs().await.unwrap();
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(heard_in("tnt_order"), (0..1200).map(|number| format!("test.{number}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_events_fail_keeps_no_other_waiting_and_loses_none() {
    let test = TestVault::new();
    // More than one look takes, and before the others in the order of tenants.
    for number in 0..40 {
        let stuck = if number % 2 == 0 { "test.fail" } else { "test.panic" };
        happen(&test, &format!("tnt_a{number:02}"), &["test.before", stuck, "test.after"]).await;
    }
    happen(&test, "tnt_well", &["test.1", "test.2"]).await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(heard_in("tnt_well"), ["test.1", "test.2"]);
    assert_eq!(heard_in("tnt_a07"), Vec::<String>::new());
    // After the pause one by one, so that what came before the bad one gets through.
    test.clock.advance(10);
    test.vault.run_due_jobs().await.unwrap();
    happen(&test, "tnt_well", &["test.3"]).await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!((heard_in("tnt_a07"), heard_in("tnt_well").len()), (vec!["test.before".to_owned()], 3));
    // Once the cause is gone, all of it comes, at the next try or when the clock is set back.
    test.tamper("UPDATE event SET event_type = 'test.mended' WHERE event_type IN ('test.fail', 'test.panic')");
    test.clock.advance(3600);
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(heard_in("tnt_a07"), ["test.before", "test.mended", "test.after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_its_events_is_no_endless_loop() {
    let test = TestVault::new();
    happen(&test, "tnt_headless", &["test.lost"]).await;
    test.tamper("DELETE FROM event WHERE tenant_id = 'tnt_headless'");
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(test.count("SELECT COUNT(*) FROM event_head WHERE last_id > dispatched_id"), 0);
    happen(&test, "tnt_headless", &["test.next"]).await;
    test.vault.run_due_jobs().await.unwrap();
    assert_eq!(heard_in("tnt_headless"), ["test.next"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_after_seven_days_even_if_the_clock_was_ahead_meanwhile() {
    let test = TestVault::new();
    let year = 366 * 86_400;
    happen(&test, "tnt_old", &["test.1"]).await;
    test.clock.advance(year);
    happen(&test, "tnt_old", &["test.2"]).await;
    test.clock.advance(-year);
    happen(&test, "tnt_old", &["test.3"]).await;
    test.clock.advance(7 * 86_400 + 1);
    // What was not handed on yet stays, however old.
    assert_eq!(test.vault.event_step().await.unwrap(), 0);
    test.vault.dispatch_events().await.unwrap();
    assert_eq!(test.vault.event_step().await.unwrap(), 1);
    assert_eq!(test.vault.event_step().await.unwrap(), 1);
    assert_eq!(test.vault.event_step().await.unwrap(), 0);
    assert_eq!(test.count("SELECT COUNT(*) FROM event WHERE tenant_id = 'tnt_old' AND event_type = 'test.2'"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_worked_out_holds_until_listeners_or_rights_change() {
    let test = TestVault::new();
    let ask = async |basis, changes: &[Change]| {
        let (vault, changes) = (Arc::clone(&test.vault), changes.to_vec());
        let asked = test.vault.store.write(scaivault_store::Lane::Whole, move |tx| {
            changes.iter().for_each(|change| tx.changed(change.clone()));
            Ok::<_, StoreError>(vault.still_holds(tx, basis))
        });
        asked.await.unwrap()
    };
    // Where there are other nodes nothing is known without looking.
    if test.vault.store.node_id().is_some() {
        return assert!(test.vault.basis().is_none());
    }
    for change in [Change::Listeners, Change::Access] {
        let basis = test.vault.basis().unwrap();
        assert!(ask(basis, &[]).await && ask(basis, &[Change::Job, Change::AllSecrets]).await && ask(basis, &[]).await);
        assert!(!ask(basis, &[Change::Job, change.clone()]).await, "before the commit: {change:?}");
        assert!(!ask(basis, &[]).await, "after it: {change:?}");
        assert!(ask(test.vault.basis().unwrap(), &[]).await);
    }
}
