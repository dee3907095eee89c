//! Webhooks and what is delivered to them.

use scaivault_domain::webhook::{DeliveryStatus, Health};
use scaivault_store::delivery_target::{self, DeliveryTarget, PreviousSecret};
use scaivault_store::webhook::{self, Filters, WebhookRecord};
use scaivault_store::webhook_delivery::{self, AttemptRecord, Fate, Figures, NewDelivery};
use scaivault_store::{Lane, Store, StoreError};

use crate::{at, engines, scope};

fn webhook(id: &str, name: &str) -> WebhookRecord {
    WebhookRecord {
        name: name.to_owned(),
        events: vec!["*".to_owned()],
        filters: Filters { tags: Some(vec!["prod".to_owned()]), ..Filters::default() },
        created_at: at(0),
        updated_at: at(0),
        target: DeliveryTarget {
            id: id.to_owned(),
            url: "https://hooks.example/".to_owned(),
            secret: vec![1, 2],
            previous: None,
            enabled: true,
            health: Health::default(),
        },
    }
}

/// Made at a second; ids sort by `number`.
fn delivery(target_id: &str, number: u8, seconds: i64) -> NewDelivery {
    let ulid = scaivault_domain::id::ulid(at(seconds), [number; 10]);
    NewDelivery {
        id: format!("del_{ulid}"),
        target_id: target_id.to_owned(),
        event_id: format!("evt_{number:03}"),
        event_type: "secret.created".to_owned(),
        path: Some("a".to_owned()),
        body: "{}".to_owned(),
        created_at: at(seconds),
    }
}

fn attempt(error: Option<&str>) -> AttemptRecord {
    AttemptRecord { response_code: Some(200), duration_ms: 40, error: error.map(str::to_owned) }
}

async fn insert(store: &Store, tenant: &'static str, id: &'static str, name: &'static str) {
    store.write(Lane::Whole, move |tx| webhook::insert(tx, scope(tenant).owner(), &webhook(id, name))).await.unwrap();
}

async fn push(store: &Store, number: u8, seconds: i64) {
    let made = delivery("wh_1", number, seconds);
    store.write(Lane::Whole, move |tx| webhook_delivery::insert(tx, "tnt_a", &made)).await.unwrap();
}

fn due(store: &Store, seconds: i64) -> Vec<String> {
    let scope = scope("tnt_a");
    let due = store.read(|view| webhook_delivery::due(view, scope.owner(), "wh_1", at(seconds), 100)).unwrap();
    due.into_iter().map(|record| record.delivery.event_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_comes_back_as_it_was_and_in_its_tenant_only() {
    for bench in engines() {
        let store = bench.open();
        let mut record = webhook("wh_1", "ops");
        record.target.previous = Some(PreviousSecret { secret: vec![3], ends_at: at(60) });
        record.target.health = Health { recent: 1023, failing_since: Some(at(5)) };
        let written = record.clone();
        store.write(Lane::Whole, move |tx| webhook::insert(tx, scope("tnt_a").owner(), &written)).await.unwrap();
        let find = |tenant: &str| store.read(|view| webhook::find(view, scope(tenant).owner(), "wh_1")).unwrap();
        assert_eq!(find("tnt_a"), Some(record.clone()));
        assert_eq!(find("tnt_b"), None);
        record.target.enabled = false;
        record.filters = Filters { path_prefix: Some(String::new()), ..Filters::default() };
        let changed = record.clone();
        store.write(Lane::Whole, move |tx| webhook::update(tx, scope("tnt_a").owner(), &changed)).await.unwrap();
        assert_eq!(find("tnt_a"), Some(record));
        assert!(store.read(|view| webhook::listening(view, "tnt_a")).unwrap().is_empty());
        let twin =
            store.write(Lane::Whole, |tx| webhook::insert(tx, scope("tnt_a").owner(), &webhook("wh_2", "ops"))).await;
        assert!(matches!(twin, Err(StoreError::Constraint { .. })), "{twin:?}");
        insert(&store, "tnt_b", "wh_3", "ops").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_previous_secret_ends_at_its_time() {
    for bench in engines() {
        let store = bench.open();
        let mut record = webhook("wh_1", "ops");
        record.target.previous = Some(PreviousSecret { secret: vec![3], ends_at: at(60) });
        store.write(Lane::Whole, move |tx| webhook::insert(tx, scope("tnt_a").owner(), &record)).await.unwrap();
        let end = |seconds| {
            let end = move |tx: &mut scaivault_store::WriteTx<'_>| {
                delivery_target::end_previous(tx, scope("tnt_a").owner(), "wh_1", at(seconds))
            };
            store.write(Lane::Whole, end)
        };
        assert_eq!(end(59).await.unwrap(), Some(at(60)));
        assert_eq!(end(60).await.unwrap(), None);
        let left = store.read(|view| delivery_target::find(view, scope("tnt_a").owner(), "wh_1")).unwrap().unwrap();
        assert_eq!((left.previous, left.secret), (None, vec![1, 2]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_written_once_and_says_what_follows() {
    for bench in engines() {
        let store = bench.open();
        insert(&store, "tnt_a", "wh_1", "ops").await;
        for number in [2, 1, 3] {
            push(&store, number, 0).await;
        }
        assert_eq!(due(&store, 0), ["evt_001", "evt_002", "evt_003"], "in the order of the events");
        let scope_a = scope("tnt_a");
        let found = store.read(|view| webhook_delivery::due(view, scope_a.owner(), "wh_1", at(0), 2)).unwrap();
        let settle = |index: usize, fate| {
            let (record, scope) = (found[index].clone(), scope("tnt_a"));
            let error = (fate != Fate::Success).then_some("no");
            store.write(Lane::Whole, move |tx| {
                webhook_delivery::attempted(tx, scope.owner(), &record, &attempt(error), fate, at(1))
            })
        };
        assert!(settle(0, Fate::Success).await.unwrap());
        assert!(!settle(0, Fate::Failed).await.unwrap(), "a second server that made the same attempt");
        assert!(settle(1, Fate::Again(at(100))).await.unwrap());
        assert!(!settle(1, Fate::Success).await.unwrap());
        assert_eq!((due(&store, 99), due(&store, 100).len()), (vec!["evt_003".to_owned()], 2));
        let list = |status| {
            let found =
                store.read(|view| webhook_delivery::list(view, scope("tnt_a").owner(), "wh_1", status, None, 10));
            found.unwrap().into_iter().map(|record| record.delivery.event_id).collect::<Vec<_>>()
        };
        assert_eq!(list(None), ["evt_003", "evt_002", "evt_001"]);
        assert_eq!(list(Some(DeliveryStatus::Success)), ["evt_001"]);
        assert_eq!(list(Some(DeliveryStatus::Pending)), ["evt_003", "evt_002"]);
        let figures =
            |since| store.read(|view| webhook_delivery::figures(view, scope("tnt_a").owner(), "wh_1", at(since)));
        let expected = Figures { deliveries: 3, succeeded: 1, failed: 0, duration_ms: 80, attempted: 2 };
        assert_eq!(figures(-1).unwrap(), expected);
        assert_eq!(figures(1).unwrap(), Figures::default());
        assert_eq!(store.read(|view| webhook_delivery::count_waiting(view)).unwrap(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planned_in_a_future_that_is_none_is_due_again() {
    for bench in engines() {
        let store = bench.open();
        insert(&store, "tnt_a", "wh_1", "ops").await;
        push(&store, 1, 1000).await;
        push(&store, 2, 10).await;
        let next =
            |view: &mut scaivault_store::ReadView<'_>| webhook_delivery::next(view, scope("tnt_a").owner(), "wh_1");
        assert_eq!(store.read(next).unwrap(), Some((at(10), at(10))));
        store
            .write(Lane::Whole, |tx| webhook_delivery::recall(tx, scope("tnt_a").owner(), "wh_1", at(50)))
            .await
            .unwrap();
        assert_eq!(due(&store, 50), ["evt_002", "evt_001"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_or_rests_is_dropped_when_it_is_old() {
    for bench in engines() {
        let store = bench.open();
        insert(&store, "tnt_a", "wh_1", "ops").await;
        for number in 1..=3 {
            push(&store, number, i64::from(number)).await;
        }
        let first =
            store.read(|view| webhook_delivery::due(view, scope("tnt_a").owner(), "wh_1", at(1), 1)).unwrap().remove(0);
        let settle = move |tx: &mut scaivault_store::WriteTx<'_>| {
            webhook_delivery::attempted(tx, scope("tnt_a").owner(), &first, &attempt(None), Fate::Success, at(9))
        };
        store.write(Lane::Whole, settle).await.unwrap();
        let drop_old = |before| store.write(Lane::Whole, move |tx| webhook_delivery::drop_old(tx, at(before), 100));
        assert_eq!((drop_old(1).await.unwrap(), drop_old(9).await.unwrap()), (0, 1), "what is open stays");
        let mut off = webhook("wh_1", "ops");
        off.target.enabled = false;
        store.write(Lane::Whole, move |tx| webhook::update(tx, scope("tnt_a").owner(), &off)).await.unwrap();
        assert_eq!(store.read(|view| webhook_delivery::count_waiting(view)).unwrap(), 0);
        assert_eq!(drop_old(3).await.unwrap(), 1, "what rests goes with its time");
        store.write(Lane::Whole, |tx| webhook::delete(tx, scope("tnt_a").owner(), "wh_1")).await.unwrap();
        assert_eq!(drop_old(100).await.unwrap(), 0);
        assert!(store.read(|view| delivery_target::find(view, scope("tnt_a").owner(), "wh_1")).unwrap().is_none());
    }
}
