//! `GET /v1/secrets`: pages, folders and what a caller may see

use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

use super::{ALL_SCOPES, DAY, at, list, listed, metadata, paths, put, put_with, url};

async fn put_all(actor: &Actor<'_>, paths: &[&str]) {
    for path in paths {
        put(actor, path, "x").await;
    }
}

/// Follows the cursor to the end; answers the pages.
async fn walk(actor: &Actor<'_>, query: &str) -> Vec<Value> {
    let mut pages = vec![list(actor, query).await];
    while pages.last().unwrap()["has_more"] == true {
        let cursor = pages.last().unwrap()["cursor"].as_str().unwrap().to_owned();
        pages.push(list(actor, &format!("{query}&cursor={cursor}")).await);
        assert!(pages.len() < 1000, "{query} never ends");
    }
    assert_eq!(pages.last().unwrap()["cursor"], Value::Null);
    pages
}

#[tokio::test]
async fn an_item_is_short_or_has_everything() {
    let app = TestApp::new().await;
    let root = app.root();
    assert_eq!(list(&root, "").await, json!({"secrets": [], "cursor": null, "has_more": false, "total_count": 0}));
    let body = json!({"data": {"v": app.canary()}, "secret_type": "json",
        "metadata": {"tags": ["b", "a"], "owner": "o"}, "options": {"expires_in": "90d"}});
    put_with(&root, "a/b", body).await;
    let item = json!({"path": "a/b", "secret_type": "json", "version": 1,
        "updated_at": at(&app, 0), "expires_at": at(&app, 90 * DAY), "tags": ["b", "a"]});
    for target in ["/v1/secrets", "/v1/secrets/", "/v1/secrets?include_metadata=false"] {
        let page = root.get(target).await.expect(200).json();
        assert_eq!(page, json!({"secrets": [item], "cursor": null, "has_more": false, "total_count": 1}));
    }
    let full = list(&root, "include_metadata=true").await["secrets"][0].clone();
    for expected in [&item, &metadata(&root, "a/b").await] {
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&full[field], value, "{field}");
        }
    }
}

#[tokio::test]
async fn s_25_a_caller_sees_and_counts_only_its_own() {
    let app = TestApp::new().await;
    let root = app.root();
    put_all(&root, &["a/1", "a/2", "a/b/3", "a0", "b/1", "aa/1", "a/4"]).await;
    let lister = app.user("lister", ALL_SCOPES, &[("a/**", &["list"])]).await;
    let pages = walk(&lister, "limit=2").await;
    assert!(pages.iter().all(|page| page["total_count"] == 4), "{pages:?}");
    assert_eq!(pages.iter().flat_map(paths).collect::<Vec<_>>(), ["a/1", "a/2", "a/4", "a/b/3"]);
    assert_eq!(listed(&lister, "q=3").await, ["a/b/3"]);
    assert_eq!(listed(&lister, "sort=updated_at&prefix=a/b").await, ["a/b/3"]);
    assert!(listed(&lister, "prefix=b/").await.is_empty());
    let top = list(&lister, "delimiter=/").await;
    assert_eq!(
        (&top["secrets"], &top["common_prefixes"], &top["total_count"]),
        (&json!([]), &json!(["a/"]), &json!(4))
    );
    let (_, _, stranger) = app.actors().await;
    assert!(listed(&stranger, "").await.is_empty(), "no permission anywhere: 200, empty");
    let mixed = app
        .user("mixed", ALL_SCOPES, &[("b/*", &["list"]), ("a/b/*", &["admin"]), ("a/*", &["read", "write", "delete"])])
        .await;
    assert_eq!(listed(&mixed, "").await, ["a/b/3", "b/1"], "only list and admin show in lists");
    let middle = app.user("middle", ALL_SCOPES, &[("*/1", &["list"])]).await;
    assert_eq!(listed(&middle, "").await, ["a/1", "aa/1", "b/1"]);
}

#[tokio::test]
async fn s_26_each_path_comes_once_whatever_is_written_meanwhile() {
    let app = TestApp::new().await;
    let root = app.root();
    for number in 0..250 {
        put(&root, &format!("s/{number:03}"), "x").await;
    }
    let mut seen = Vec::new();
    let (mut pages, mut cursor) = (0, String::new());
    loop {
        let page = list(&root, &format!("limit=100{cursor}")).await;
        seen.extend(paths(&page));
        pages += 1;
        for number in 0..25 {
            put(&root, &format!("s/{:03}x{pages}", number * 10), "new").await;
            put(&root, &format!("s/{number:03}"), "again").await;
        }
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    let expected: Vec<String> = (0..250).map(|number| format!("s/{number:03}")).collect();
    let old: Vec<String> = seen.iter().filter(|path| path.len() == 5).cloned().collect();
    assert_eq!(old, expected);
    assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
}

#[tokio::test]
async fn s_28_folders_fold_what_lies_deeper() {
    let app = TestApp::new().await;
    let root = app.root();
    put_all(&root, &["a/1", "a/b/1", "a/b/2", "b"]).await;
    let page = list(&root, "prefix=a/&delimiter=/").await;
    assert_eq!(
        (paths(&page), &page["common_prefixes"], &page["total_count"]),
        (vec!["a/1".to_owned()], &json!(["a/b/"]), &json!(3))
    );
    let page = list(&root, "delimiter=/").await;
    assert_eq!(
        (paths(&page), &page["common_prefixes"], &page["total_count"]),
        (vec!["b".to_owned()], &json!(["a/"]), &json!(4))
    );
    let page = list(&root, "prefix=a/b&delimiter=/").await;
    assert_eq!((paths(&page), &page["common_prefixes"]), (vec![], &json!(["a/b/"])));
    assert_eq!(list(&root, "prefix=a/b/&delimiter=/").await["common_prefixes"], json!([]));
    assert_eq!(list(&root, "prefix=a/").await.get("common_prefixes"), None);
    root.get("/v1/secrets?delimiter=.").await.expect_error(422, "validation_error");
    root.get("/v1/secrets?delimiter=/&sort=updated_at").await.expect_error(422, "validation_error");
    root.get("/v1/secrets?delimiter=/&sort=path").await.expect(200);
}

#[tokio::test]
async fn each_folder_counts_as_one_item_of_a_page() {
    let app = TestApp::new().await;
    let root = app.root();
    put_all(&root, &["a", "b/1", "b/2", "b/c/3", "b-", "b0", "c/1", "d", "e/f/g", "e/h"]).await;
    for limit in 1..=8 {
        let pages = walk(&root, &format!("delimiter=/&limit={limit}")).await;
        let items: Vec<usize> = pages
            .iter()
            .map(|page| page["secrets"].as_array().unwrap().len() + page["common_prefixes"].as_array().unwrap().len())
            .collect();
        assert!(items[..items.len() - 1].iter().all(|count| *count == limit), "{limit}: {items:?}");
        assert!(pages.iter().all(|page| page["total_count"] == 10));
        assert_eq!(pages.iter().flat_map(paths).collect::<Vec<_>>(), ["a", "b-", "b0", "d"], "{limit}");
        let folders: Vec<Value> =
            pages.iter().flat_map(|page| page["common_prefixes"].as_array().unwrap().clone()).collect();
        assert_eq!(folders, ["b/", "c/", "e/"], "{limit}");
    }
}

#[tokio::test]
async fn s_29_a_follow_up_needs_no_limit() {
    let app = TestApp::new().await;
    let root = app.root();
    for number in 0..120 {
        put(&root, &format!("environments/production/{number:03}"), "x").await;
    }
    let prefix = "prefix=environments/production/";
    let first = list(&root, &format!("{prefix}&limit=10")).await;
    let cursor = first["cursor"].as_str().unwrap();
    let second = list(&root, &format!("{prefix}&cursor={cursor}")).await;
    assert_eq!((paths(&second).len(), &second["secrets"][0]["path"]), (50, &json!("environments/production/010")));
    assert_eq!((&second["total_count"], &second["has_more"]), (&json!(120), &json!(true)));
    let same = list(&root, &format!("cursor={cursor}")).await;
    assert_eq!(paths(&same), paths(&second), "filters left out come from the cursor");
    assert_eq!(paths(&list(&root, &format!("cursor={cursor}&limit=3")).await).len(), 3);
}

#[tokio::test]
async fn c_8_a_cursor_fits_only_its_own_list() {
    let app = TestApp::new().await;
    let root = app.root();
    put_all(&root, &["a/1", "a/2", "a/3"]).await;
    let cursor = list(&root, "limit=1&prefix=a/").await["cursor"].as_str().unwrap().to_owned();
    let mut flipped = cursor.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    for query in [
        format!("cursor={cursor}&prefix=b/"),
        format!("cursor={cursor}&tag=t"),
        format!("cursor={cursor}&sort=updated_at"),
        format!("cursor={flipped}"),
        "cursor=x".to_owned(),
        "cursor=".to_owned(),
    ] {
        root.get(&format!("/v1/secrets?{query}")).await.expect_error(400, "invalid_cursor");
    }
    root.get(&format!("/v1/secrets/expiring?cursor={cursor}")).await.expect_error(400, "invalid_cursor");
    root.get(&format!("/v1/partner/secrets?cursor={cursor}")).await.expect_error(400, "invalid_cursor");
    app.clock.advance(DAY + 1);
    root.get(&format!("/v1/secrets?cursor={cursor}")).await.expect_error(400, "invalid_cursor");
}

#[tokio::test]
async fn sort_by_time_is_newest_first_then_by_path() {
    let app = TestApp::new().await;
    let root = app.root();
    for group in [["c", "a"], ["d", "b"]] {
        put_all(&root, &group).await;
        app.clock.advance(1);
    }
    root.patch(&url("c"), json!({"metadata": {"owner": "o"}})).await.expect(200);
    assert_eq!(listed(&root, "sort=updated_at").await, ["c", "b", "d", "a"]);
    assert_eq!(listed(&root, "sort=path").await, ["a", "b", "c", "d"]);
    for limit in 1..=3 {
        let pages = walk(&root, &format!("sort=updated_at&limit={limit}")).await;
        assert_eq!(pages.iter().flat_map(paths).collect::<Vec<_>>(), ["c", "b", "d", "a"], "{limit}");
    }
    put_all(&root, &["Z", "a-b", "a/b", "a.b", "a_b"]).await;
    assert_eq!(listed(&root, "").await, ["Z", "a", "a-b", "a.b", "a/b", "a_b", "b", "c", "d"], "byte order");
}

#[tokio::test]
async fn lists_stay_in_their_tenant() {
    let app = TestApp::new().await;
    let root = app.root();
    let other = app.tenant("other").await;
    put_all(&root, &["a/1", "a/2"]).await;
    root.put(&url("a/other"), json!({"data": {"v": app.canary()}})).in_tenant(&other).await.expect(201);
    assert_eq!(listed(&root, "").await, ["a/1", "a/2"]);
    let there = root.get("/v1/secrets").in_tenant(&other).await.expect(200).json();
    assert_eq!((paths(&there), &there["total_count"]), (vec!["a/other".to_owned()], &json!(1)));
    let cursor = list(&root, "limit=1").await["cursor"].as_str().unwrap().to_owned();
    let foreign = root.get(&format!("/v1/secrets?cursor={cursor}")).in_tenant(&other).await;
    foreign.expect_error(400, "invalid_cursor");
}
