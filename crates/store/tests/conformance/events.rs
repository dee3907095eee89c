//! The outbox: ids rise in the order of commits, whatever the clock does; what was handed on goes when it is old.

use scaivault_domain::id;
use scaivault_domain::time::Timestamp;
use scaivault_store::event::{self, NewEvent};
use scaivault_store::{Lane, Store};

use crate::{at, engines};

fn event(tenant: &str, at: Timestamp) -> NewEvent {
    NewEvent {
        tenant_id: tenant.to_owned(),
        partner_id: "ptn_a".to_owned(),
        at,
        event_type: "secret.created".to_owned(),
        identity_id: "user:a".to_owned(),
        request_id: "req_1".to_owned(),
        namespace: Some(tenant.to_owned()),
        path: Some("a/b".to_owned()),
        secret_type: Some("kv".to_owned()),
        tags: vec!["x".to_owned()],
        rotation_policy_id: None,
        data: r#"{"version":1}"#.to_owned(),
    }
}

async fn append(store: &Store, tenant: &str, seconds: i64, random: u8) -> String {
    let event = event(tenant, at(seconds));
    let fresh = id::ulid(at(seconds), [random; 10]);
    store.write(Lane::Whole, move |tx| event::append(tx, &event, fresh)).await.unwrap().as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_rise_while_the_clock_stands_still_or_goes_back() {
    for bench in engines() {
        let store = bench.open();
        let mut ids = Vec::new();
        for (seconds, random) in
            [(0, 9), (0, 9), (0, 1), (0, 255), (0, 255), (-3600, 0), (7, 3), (-86_400 * 400, 8), (8, 0)]
        {
            ids.push(append(&store, "tnt_a", seconds, random).await);
        }
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        let read = store.read(|view| event::after(view, "tnt_a", "", 100)).unwrap();
        assert_eq!(read.iter().map(|record| record.id.clone()).collect::<Vec<_>>(), ids);
        assert_eq!(read[0].event, event("tnt_a", at(0)));
        // Each tenant for itself.
        let other = append(&store, "tnt_b", -5, 0).await;
        assert!(other < ids[0]);
        assert_eq!(store.read(|view| event::last_id(view, "tnt_a")).unwrap(), ids.last().cloned());
        assert_eq!(store.read(|view| event::find(view, "tnt_b", &ids[0])).unwrap(), None);
        let rest = store.read(|view| event::after(view, "tnt_a", &ids[6], 100)).unwrap();
        assert_eq!(rest.iter().map(|record| &record.id).collect::<Vec<_>>(), [&ids[7], &ids[8]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_on_is_handed_on_once() {
    for bench in engines() {
        let store = bench.open();
        for tenant in ["tnt_b", "tnt_a", "tnt_c"] {
            append(&store, tenant, 0, 1).await;
        }
        let backlogs = store.read(|view| event::backlogs(view, "", 2)).unwrap();
        assert_eq!(backlogs.iter().map(|backlog| backlog.tenant_id.as_str()).collect::<Vec<_>>(), ["tnt_a", "tnt_b"]);
        let rest = store.read(|view| event::backlogs(view, "tnt_b", 2)).unwrap();
        assert_eq!(rest.iter().map(|backlog| backlog.tenant_id.as_str()).collect::<Vec<_>>(), ["tnt_c"]);
        // Two servers found the same: the second is told that it was not the first.
        for first in [true, false] {
            let backlog = backlogs[0].clone();
            let done =
                store.write(Lane::Whole, move |tx| event::dispatched(tx, &backlog, &backlog.last_id)).await.unwrap();
            assert_eq!(done, first);
        }
        let backlogs = store.read(|view| event::backlogs(view, "", 10)).unwrap();
        assert_eq!(backlogs.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_go_in_batches_and_only_when_they_were_handed_on() {
    for bench in engines() {
        let store = bench.open();
        for tenant in ["tnt_a", "tnt_b"] {
            for seconds in [0, 1, 2, 1000] {
                append(&store, tenant, seconds, 0).await;
            }
        }
        let drop_old = |limit| store.write(Lane::Whole, move |tx| event::drop_old(tx, at(500), at(1000), limit));
        assert_eq!(drop_old(100).await.unwrap(), 0);
        let backlog = store.read(|view| event::backlogs(view, "", 1)).unwrap().remove(0);
        let second = store.read(|view| event::after(view, "tnt_a", "", 2)).unwrap().remove(1).id;
        store.write(Lane::Whole, move |tx| event::dispatched(tx, &backlog, &second)).await.unwrap();
        assert_eq!(drop_old(1).await.unwrap(), 1);
        assert_eq!(drop_old(100).await.unwrap(), 1);
        assert_eq!(drop_old(100).await.unwrap(), 0);
        assert_eq!(store.read(|view| event::after(view, "tnt_a", "", 10)).unwrap().len(), 2);
        store.write(Lane::Whole, |tx| event::delete_all(tx, "tnt_a")).await.unwrap();
        assert_eq!(store.read(|view| event::oldest_id(view, "tnt_a")).unwrap(), None);
        assert_eq!(store.read(|view| event::after(view, "tnt_b", "", 10)).unwrap().len(), 4);
    }
}
