//! Ordered scans.

use scaivault_store::secret;
use scaivault_store::secret_list::{self, After, Criteria, Order};
use scaivault_store::{Lane, Store, StoreResult};

use crate::{at, engines, record, scope};

/// Byte order is not alphabetical order: capitals, `-` and `.` go before small letters, `_` between.
const PATHS: [&str; 7] = ["B", "a", "a-b", "a.b", "a/b", "a_b", "ab/c"];

async fn filled(store: &Store) {
    store
        .write(Lane::Whole, |tx| {
            for (number, path) in PATHS.into_iter().enumerate() {
                let mut secret = record(&format!("sec_{number}"), path);
                secret.updated_at = at(number as i64 / 2);
                secret.metadata.tags = vec![if number % 2 == 0 { "even" } else { "odd" }.to_owned(), "all".to_owned()];
                secret.expires_at = (number > 3).then(|| at(1000 - number as i64));
                secret::insert(tx, &scope("tnt_a"), &secret)?;
            }
            secret::insert(tx, &scope("tnt_b"), &record("sec_other", "a/other"))
        })
        .await
        .unwrap();
}

fn scanned(store: &Store, prefix: &str, criteria: &Criteria, order: Order, after: Option<After>) -> Vec<String> {
    let mut found = Vec::new();
    store
        .read(|view| -> StoreResult<()> {
            secret_list::scan(view, &scope("tnt_a"), prefix, criteria, order, after.as_ref(), at(0), |record| {
                found.push(record.path);
                Ok(true)
            })
        })
        .unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_come_in_byte_order_within_their_prefix() {
    for bench in engines() {
        let store = bench.open();
        filled(&store).await;
        let all = Criteria::default();
        assert_eq!(scanned(&store, "", &all, Order::Path, None), PATHS);
        assert_eq!(scanned(&store, "a/", &all, Order::Path, None), ["a/b"]);
        assert_eq!(scanned(&store, "a", &all, Order::Path, None), &PATHS[1..]);
        assert_eq!(scanned(&store, "", &all, Order::Path, Some(After::Path("a.b".to_owned()))), &PATHS[4..]);
        assert_eq!(scanned(&store, "", &all, Order::Path, Some(After::Subtree("a/".to_owned()))), &PATHS[5..]);
        assert_eq!(store.read(|view| secret_list::count(view, &scope("tnt_a"), "a", &all, at(0))).unwrap(), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_together_and_keep_the_order() {
    for bench in engines() {
        let store = bench.open();
        filled(&store).await;
        let tagged =
            |tags: &[&str]| Criteria { tags: tags.iter().map(ToString::to_string).collect(), ..Criteria::default() };
        assert_eq!(scanned(&store, "", &tagged(&["even", "all"]), Order::Path, None), ["B", "a-b", "a/b", "ab/c"]);
        assert_eq!(scanned(&store, "", &tagged(&["even", "odd"]), Order::Path, None), Vec::<String>::new());
        let after = Some(After::Path("a-b".to_owned()));
        assert_eq!(scanned(&store, "a", &tagged(&["even"]), Order::Path, after), ["a/b", "ab/c"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_order_first_and_paths_within_one_time() {
    for bench in engines() {
        let store = bench.open();
        filled(&store).await;
        let all = Criteria::default();
        let newest_first = ["ab/c", "a/b", "a_b", "a-b", "a.b", "B", "a"];
        assert_eq!(scanned(&store, "", &all, Order::UpdatedAt, None), newest_first);
        let after = Some(After::TimeAndPath(at(2), "a/b".to_owned()));
        assert_eq!(scanned(&store, "", &all, Order::UpdatedAt, after), &newest_first[2..]);
        assert_eq!(scanned(&store, "", &all, Order::ExpiresAt, None), ["ab/c", "a_b", "a/b"]);
    }
}
