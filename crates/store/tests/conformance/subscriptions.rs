//! Subscriptions and what waits for them.

use scaivault_domain::id::Ulid;
use scaivault_store::event::{self, NewEvent};
use scaivault_store::subscription::{self, Delivery, SubscriptionRecord};
use scaivault_store::subscription_buffer::{self, Buffer};
use scaivault_store::{Database as _, Lane, Store, StoreError};

use crate::{at, engines, scope};

const TENANT: &str = "tnt_a";

fn record(id: &str, name: &str, events: &[&str]) -> SubscriptionRecord {
    SubscriptionRecord {
        id: id.to_owned(),
        owner_id: "usr_1".to_owned(),
        name: name.to_owned(),
        paths: vec!["**".to_owned()],
        events: events.iter().map(|&event| event.to_owned()).collect(),
        secret_type: None,
        tags: vec!["prod".to_owned()],
        delivery: Delivery::Polling { buffer_size: 3 },
        enabled: true,
        start_id: String::new(),
        created_at: at(0),
        updated_at: at(0),
    }
}

fn new_event(path: &str) -> NewEvent {
    NewEvent {
        tenant_id: TENANT.to_owned(),
        partner_id: "ptn_a".to_owned(),
        at: at(0),
        event_type: "secret.created".to_owned(),
        identity_id: "user:a@b.example".to_owned(),
        request_id: "req_1".to_owned(),
        namespace: Some(TENANT.to_owned()),
        path: Some(path.to_owned()),
        secret_type: Some("kv".to_owned()),
        tags: Vec::new(),
        rotation_policy_id: None,
        data: "{}".to_owned(),
    }
}

fn buffer(id: &str, size: i64) -> Buffer<'_> {
    Buffer { tenant_id: TENANT, subscription_id: id, size }
}

/// One transaction with a result of any kind.
fn write<T: Send + 'static>(
    store: &Store,
    work: impl FnMut(&mut scaivault_store::WriteTx<'_>) -> scaivault_store::StoreResult<T> + Send + 'static,
) -> T {
    store.write_blocking(Lane::Whole, work).unwrap()
}

fn waiting(store: &Store, id: &str, after: &str, lapsed_before: &str) -> Vec<String> {
    let read = |view: &mut scaivault_store::ReadView<'_>| {
        subscription_buffer::after(view, scope(TENANT).owner(), id, after, lapsed_before, 100)
    };
    store.read(read).unwrap().into_iter().map(|found| found.event.path.unwrap()).collect()
}

#[test]
fn a_buffer_keeps_the_newest_and_counts_what_goes() {
    for bench in engines() {
        let store = bench.open();
        let ids = write(&store, |tx| {
            let scope = scope(TENANT);
            subscription::insert(tx, scope.owner(), &record("sub_1", "one", &["*"]))?;
            (0..8_u128)
                .map(|n| Ok(event::append(tx, &new_event(&format!("p{n}")), Ulid(n + 1))?.as_str().to_owned()))
                .collect::<Result<Vec<_>, StoreError>>()
        });
        let dropped = || {
            let read = |view: &mut scaivault_store::ReadView<'_>| {
                subscription_buffer::dropped(view, scope(TENANT).owner(), "sub_1")
            };
            store.read(read).unwrap()
        };
        let add = |range: std::ops::Range<usize>, lapsed_before: &str| {
            let (ids, lapsed_before) = (ids[range].to_vec(), lapsed_before.to_owned());
            write(&store, move |tx| {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                subscription_buffer::add(tx, buffer("sub_1", 3), &ids, &lapsed_before)
            });
        };
        add(0..2, "");
        assert_eq!((waiting(&store, "sub_1", "", ""), dropped()), (vec!["p0".to_owned(), "p1".to_owned()], 0));
        add(2..4, "");
        assert_eq!((waiting(&store, "sub_1", "", "").join(" "), dropped()), ("p1 p2 p3".to_owned(), 1));
        assert_eq!(waiting(&store, "sub_1", &ids[1], "").join(" "), "p2 p3");
        assert_eq!(waiting(&store, "sub_1", "", &ids[3]).join(" "), "p3", "what lapsed is not shown");
        assert_eq!(waiting(&store, "sub_2", "", ""), Vec::<String>::new());

        write(&store, |tx| subscription_buffer::told(tx, TENANT, "sub_1", 1));
        // Of those that lapsed nobody is told: p1 and p2 go uncounted.
        add(4..6, &ids[3]);
        assert_eq!((waiting(&store, "sub_1", "", "").join(" "), dropped()), ("p3 p4 p5".to_owned(), 1));
        let (first, unknown) = (ids[3].clone(), "evt_x".to_owned());
        let gone = write(&store, move |tx| {
            let ids = [first.clone(), first.clone(), unknown.clone()];
            subscription_buffer::acknowledge(tx, scope(TENANT).owner(), "sub_1", &ids)
        });
        assert_eq!((gone, dropped(), waiting(&store, "sub_1", "", "").join(" ")), (1, 0, "p4 p5".to_owned()));

        // More at a time than there is room for.
        let all = ids.clone();
        write(&store, move |tx| {
            let ids: Vec<&str> = all.iter().map(String::as_str).skip(6).collect();
            subscription_buffer::add(tx, buffer("sub_1", 1), &ids, "")
        });
        assert_eq!((waiting(&store, "sub_1", "", "").join(" "), dropped()), ("p7".to_owned(), 3));
        let before = "evt_~";
        let lapsed = store.read(|view| subscription_buffer::with_lapsed(view, before, 10)).unwrap();
        assert_eq!(lapsed, [(TENANT.to_owned(), "sub_1".to_owned())]);
        write(&store, move |tx| subscription_buffer::drop_lapsed(tx, TENANT, "sub_1", before));
        let buffered = store.read(|view| view.number("SELECT buffered FROM subscription", &[])).unwrap();
        assert_eq!(buffered, 0, "the count is that of the rows");
    }
}

#[test]
fn subscriptions_are_kept_by_tenant_and_owner() {
    for bench in engines() {
        let store = bench.open();
        let (a, b) = (scope("tnt_a"), scope("tnt_b"));
        write(&store, |tx| {
            for (tenant, id, owner, name) in [
                ("tnt_a", "sub_1", "usr_1", "x"),
                ("tnt_a", "sub_2", "usr_2", "x"),
                ("tnt_a", "sub_3", "usr_1", "a"),
                ("tnt_b", "sub_4", "usr_1", "x"),
            ] {
                let record = SubscriptionRecord { owner_id: owner.to_owned(), ..record(id, name, &["*"]) };
                subscription::insert(tx, scope(tenant).owner(), &record)?;
            }
            Ok(())
        });
        let again = store.write_blocking(Lane::Whole, |tx| {
            subscription::insert(tx, scope("tnt_a").owner(), &record("sub_9", "x", &[]))
        });
        assert!(matches!(again, Err(StoreError::Constraint { .. })), "{again:?}");
        let list = |owner: Option<&str>, after: Option<(&str, &str)>| {
            let found = store.read(|view| subscription::list(view, a.owner(), owner, after, 2)).unwrap();
            found.into_iter().map(|record| record.id).collect::<Vec<_>>()
        };
        assert_eq!(
            (list(None, None), list(None, Some(("x", "sub_1")))),
            (vec!["sub_3".into(), "sub_1".into()], vec!["sub_2".to_owned()])
        );
        assert_eq!(list(Some("usr_2"), None), ["sub_2"]);
        let found = store.read(|view| subscription::find(view, b.owner(), "sub_1")).unwrap();
        assert_eq!(found, None, "another tenant's is none");
        write(&store, |tx| subscription::delete_of_owner(tx, "usr_1"));
        let left = store.read(|view| view.number("SELECT COUNT(*) FROM subscription", &[])).unwrap();
        assert_eq!((left, list(None, None)), (1, vec!["sub_2".to_owned()]));
    }
}

#[test]
fn an_event_is_named_by_its_name_or_its_family_and_not_by_everything() {
    for bench in engines() {
        for (events, enabled, named) in [
            (&["secret.accessed"][..], true, true),
            (&["policy.*", "secret.*"], true, true),
            (&["*", "secret.read", "secret"], true, false),
            (&["secret.accessed"], false, false),
        ] {
            let store = bench.open();
            let record = SubscriptionRecord { enabled, ..record("sub_1", "one", events) };
            write(&store, move |tx| {
                subscription::delete_all(tx, TENANT)?;
                subscription::insert(tx, scope(TENANT).owner(), &record)
            });
            let found = |tenant| store.read(|view| subscription::names_event(view, tenant, "secret.accessed")).unwrap();
            assert_eq!((found(TENANT), found("tnt_b")), (named, false), "{events:?}");
            store.close();
        }
    }
}
