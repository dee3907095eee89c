//! Secrets and their versions.

use scaivault_store::secret::{self, Presence, Trash};
use scaivault_store::secret_list::Criteria;
use scaivault_store::secret_version::{self, SealedValue, VersionAt, VersionRecord};
use scaivault_store::{Lane, Store, access_count, secret_list};

use crate::{at, engines, path, record, scope};

fn version(number: i64, seconds: i64) -> VersionRecord {
    VersionRecord {
        version: number,
        created_at: at(seconds),
        created_by: "user:a@b.example".to_owned(),
        readable_until: None,
    }
}

async fn with_versions(store: &Store, count: i64) {
    store
        .write(Lane::Whole, move |tx| {
            let mut secret = record("sec_1", "a/b");
            secret.current_version = count;
            secret.last_version = count;
            secret::insert(tx, &scope("tnt_a"), &secret)?;
            for number in 1..=count {
                let value = SealedValue { data_key: vec![1], ciphertext: vec![number as u8] };
                secret_version::insert(tx, "sec_1", &version(number, number * 10), &value)?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_one_thing_in_each_tenant() {
    for bench in engines() {
        let store = bench.open();
        store
            .write(Lane::Whole, |tx| {
                secret::insert(tx, &scope("tnt_a"), &record("sec_a", "same/path"))?;
                secret::insert(tx, &scope("tnt_b"), &record("sec_b", "same/path"))
            })
            .await
            .unwrap();
        for (tenant, id) in [("tnt_a", "sec_a"), ("tnt_b", "sec_b")] {
            let found = store.read(|view| secret::look(view, &scope(tenant), &path("same/path"), at(0))).unwrap();
            assert!(matches!(found, Presence::Live(record) if record.id == id));
        }
        let other = store.read(|view| secret::look(view, &scope("tnt_c"), &path("same/path"), at(0))).unwrap();
        assert!(matches!(other, Presence::Absent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_comes_back_as_it_was_written() {
    for bench in engines() {
        let store = bench.open();
        let mut written = record("sec_1", "a/b");
        written.metadata.tags = vec!["z".to_owned(), "ä".to_owned()];
        written.metadata.custom.insert("k".to_owned(), "v \u{0} \u{1F600}".replace('\u{0}', ""));
        written.metadata.description = Some("two\nlines".to_owned());
        written.expires_in = Some("90d".to_owned());
        written.expires_at = Some(at(90 * 86_400));
        let expected = written.clone();
        store.write(Lane::Whole, move |tx| secret::insert(tx, &scope("tnt_a"), &written)).await.unwrap();
        let found = store.read(|view| secret::look(view, &scope("tnt_a"), &path("a/b"), at(0))).unwrap();
        assert!(matches!(found, Presence::Live(record) if record == expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trash_answers_as_absent_from_the_moment_its_retention_ends() {
    for bench in engines() {
        let store = bench.open();
        let mut deleted = record("sec_1", "a/b");
        deleted.trash = Some(Trash { deleted_at: at(0), recoverable_until: at(100) });
        store.write(Lane::Whole, move |tx| secret::insert(tx, &scope("tnt_a"), &deleted)).await.unwrap();
        let look = |now| store.read(|view| secret::look(view, &scope("tnt_a"), &path("a/b"), at(now))).unwrap();
        assert!(matches!(look(99), Presence::Deleted(..)));
        assert!(matches!(look(100), Presence::Absent));
        assert_eq!(store.read(|view| secret::past_retention(view, at(100), 10)).unwrap().len(), 1);
        store.write(Lane::Whole, |tx| secret::insert(tx, &scope("tnt_a"), &record("sec_2", "a/b"))).await.unwrap();
        assert!(matches!(look(100), Presence::Live(record) if record.id == "sec_2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_version_keeps_its_number_and_loses_its_value() {
    for bench in engines() {
        let store = bench.open();
        with_versions(&store, 3).await;
        store.write(Lane::Whole, |tx| secret_version::remove(tx, "sec_1", 2, at(50))).await.unwrap();
        store
            .read(|view| {
                let numbers: Vec<i64> = secret_version::stored(view, "sec_1")?.iter().map(|one| one.version).collect();
                assert_eq!(numbers, [3, 1]);
                assert!(secret_version::find(view, "sec_1", 2)?.is_none());
                assert!(secret_version::value(view, "sec_1", 2)?.is_none());
                assert!(matches!(secret_version::written_until(view, "sec_1", at(25))?, Some(VersionAt::Removed)));
                assert!(matches!(secret_version::written_until(view, "sec_1", at(30))?, Some(VersionAt::Stored(one)) if one.version == 3));
                assert!(secret_version::written_until(view, "sec_1", at(9))?.is_none());
                scaivault_store::StoreResult::Ok(())
            })
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_end_of_a_version_stays() {
    for bench in engines() {
        let store = bench.open();
        with_versions(&store, 3).await;
        store
            .write(Lane::Whole, |tx| {
                secret_version::end_older(tx, "sec_1", 2, at(100))?;
                secret_version::end_older(tx, "sec_1", 3, at(200))
            })
            .await
            .unwrap();
        let ends: Vec<_> = store
            .read(|view| secret_version::stored(view, "sec_1"))
            .unwrap()
            .into_iter()
            .map(|one| one.readable_until)
            .collect();
        assert_eq!(ends, [None, Some(at(200)), Some(at(100))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_counted_by_hour_and_leave_the_window() {
    for bench in engines() {
        let store = bench.open();
        with_versions(&store, 1).await;
        let hour = access_count::hour_of(at(0));
        store
            .write(Lane::Whole, move |tx| {
                access_count::add(tx, "sec_1", hour, 2, at(10))?;
                access_count::add(tx, "sec_1", hour, 3, at(5))?;
                access_count::add(tx, "sec_gone", hour, 9, at(5))
            })
            .await
            .unwrap();
        let seen = |days: i64| store.read(|view| access_count::of(view, "sec_1", at(days * 86_400))).unwrap();
        assert_eq!((seen(0).reads_30d, seen(0).last_accessed_at), (5, Some(at(10))));
        assert_eq!((seen(31).reads_30d, seen(31).last_accessed_at), (0, Some(at(10))));
        store.write(Lane::Whole, |tx| access_count::prune(tx, at(31 * 86_400))).await.unwrap();
        assert_eq!(seen(31).last_accessed_at, Some(at(10)), "the newest hour says when it was last read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relocated_secret_keeps_its_versions_tags_and_statistics() {
    for bench in engines() {
        let store = bench.open();
        store
            .write(Lane::Whole, |tx| {
                for (id, place) in [("sec_1", "a/b"), ("sec_2", "a/c"), ("sec_old", "x/y")] {
                    let mut secret = record(id, place);
                    secret.metadata.tags = vec!["t".to_owned(), "u".to_owned()];
                    secret.trash = (id == "sec_old").then(|| Trash { deleted_at: at(1), recoverable_until: at(2) });
                    secret::insert(tx, &scope("tnt_a"), &secret)?;
                    let value = SealedValue { data_key: vec![1], ciphertext: vec![2] };
                    secret_version::insert(tx, id, &version(1, 10), &value)?;
                    access_count::add(tx, id, 1, 3, at(5))?;
                }
                secret_version::insert_tombstone(tx, "sec_1", &version(2, 20), at(30))?;
                let Presence::Live(secret) = secret::look(tx, &scope("tnt_a"), &path("a/b"), at(10))? else {
                    panic!("it is there");
                };
                for (number, data_key) in secret_version::data_keys(tx, "sec_1")? {
                    assert_eq!((number, data_key), (1, vec![1]));
                    secret_version::replace_data_key(tx, "sec_1", number, &[9])?;
                }
                // What lies there is past its retention: it gives way.
                secret::relocate(tx, &scope("tnt_a"), &secret, &path("x/y"), at(10))
            })
            .await
            .unwrap();
        let presence =
            |place: &str| store.read(|view| secret::look(view, &scope("tnt_a"), &path(place), at(0))).unwrap();
        assert!(matches!(presence("a/b"), Presence::Absent));
        let Presence::Live(moved) = presence("x/y") else { panic!("it went there") };
        assert_eq!((moved.id.as_str(), moved.updated_at, moved.created_at), ("sec_1", at(10), at(0)));
        let value = store.read(|view| secret_version::value(view, "sec_1", 1)).unwrap().unwrap();
        assert_eq!(value, SealedValue { data_key: vec![9], ciphertext: vec![2] });
        let history = store.read(|view| secret_version::history(view, "sec_1")).unwrap();
        assert_eq!(history, [(version(1, 10), None), (version(2, 20), Some(at(30)))]);
        assert!(store.read(|view| secret_version::history(view, "sec_old")).unwrap().is_empty());
        assert_eq!(store.read(|view| access_count::of(view, "sec_1", at(6))).unwrap().last_accessed_at, Some(at(5)));
        let criteria = Criteria { tags: vec!["u".to_owned()], ..Criteria::default() };
        let mut tagged = Vec::new();
        store
            .read(|view| {
                secret_list::paths(view, &scope("tnt_a"), "", &criteria, at(0), |path, _| {
                    tagged.push(path.to_owned());
                    Ok(())
                })
            })
            .unwrap();
        tagged.sort();
        assert_eq!(tagged, ["a/c", "x/y"]);
    }
}
