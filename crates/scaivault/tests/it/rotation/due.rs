//! `GET /v1/rotation/due` and `/pending` (R-16; contract 04 section 2).

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::{DAY, HOUR, POLICIES, policy_with, put, put_under, rotation_policy};

const DUE: &str = "/v1/rotation/due";

fn paths(answer: &Value) -> Vec<&str> {
    answer["data"].as_array().unwrap().iter().map(|item| item["secret_path"].as_str().unwrap()).collect()
}

/// `late` is overdue, `now` is due, `soon` is due in 5 hours, `next` in 29.
async fn four(app: &TestApp) {
    let id = policy_with(app, "p", json!({"interval": "10d", "grace_period": "1d"})).await;
    put_under(app, &id, "late").await;
    app.pass(DAY).await;
    put_under(app, &id, "now").await;
    app.pass(6 * HOUR).await;
    put_under(app, &id, "soon").await;
    app.pass(DAY).await;
    let other = rotation_policy(app, "other", "10d").await;
    put_under(app, &other, "next").await;
    app.pass(10 * DAY - 29 * HOUR).await;
}

#[tokio::test]
async fn the_soonest_comes_first() {
    let app = TestApp::new().await;
    four(&app).await;
    let root = app.root();
    let all = root.get(DUE).await.expect(200).json();
    assert_eq!(paths(&all), ["late", "now", "soon"]);
    let expected = json!({"secret_path": "soon", "policy_id": "rot_p", "next_rotation": "2026-05-12T16:00:00Z",
        "last_rotated_at": "2026-05-02T16:00:00Z", "hours_remaining": 5, "is_overdue": false});
    assert_eq!(all["data"][2], expected);
    let of = |index: usize| (all["data"][index]["hours_remaining"].clone(), all["data"][index]["is_overdue"].clone());
    assert_eq!((of(0), of(1)), ((json!(-25), json!(true)), (json!(-1), json!(false))));
    for (query, expected) in [
        ("?within_hours=0", &["late", "now"][..]),
        ("?within_hours=5", &["late", "now", "soon"]),
        ("?within_hours=29", &["late", "now", "soon", "next"]),
        ("?within_hours=4", &["late", "now"]),
        ("?include_overdue=false", &["now", "soon"]),
        ("?policy_id=rot_other&within_hours=8760", &["next"]),
    ] {
        assert_eq!(paths(&root.get(&format!("{DUE}{query}")).await.expect(200).json()), expected, "{query}");
    }
    root.get("/v1/rotation/due?policy_id=rot_none").await.expect_error(404, "rotation_policy_not_found");
    root.get("/v1/rotation/due?within_hours=8761").await.expect_fault("within_hours", "range");
    root.get("/v1/rotation/due?within_hours=-1").await.expect_fault("within_hours", "range");
    // A new value takes it off the list.
    put(&root, "late", "two").await;
    assert_eq!(paths(&root.get(DUE).await.expect(200).json()), ["now", "soon"]);
}

#[tokio::test]
async fn r_16_pending_is_the_same_and_says_that_it_is_old() {
    let app = TestApp::new().await;
    four(&app).await;
    let root = app.root();
    for query in ["", "?include_overdue=false", "?within_hours=29"] {
        let due = root.get(&format!("{DUE}{query}")).await.expect(200);
        let pending = root.get(&format!("/v1/rotation/pending{query}")).await.expect(200);
        assert_eq!(due.json(), pending.json());
        assert_eq!((due.header("deprecation"), pending.header("deprecation")), (None, Some("true")));
    }
}

#[tokio::test]
async fn without_scope_admin_only_what_the_caller_may_rotate_or_list() {
    let app = TestApp::new().await;
    let id = rotation_policy(&app, "p", "10d").await;
    for path in ["a/rotates", "b/lists", "c/reads", "d/else"] {
        put_under(&app, &id, path).await;
    }
    let rules: &[(&str, &[&str])] = &[("a/**", &["rotate"]), ("b/**", &["list"]), ("c/**", &["read", "write"])];
    let caller = app.user("rotator", &["secrets:rotate"], rules).await;
    let admin = app.user("admin", &["admin"], &[]).await;
    let query = format!("{DUE}?within_hours=240");
    assert_eq!(paths(&caller.get(&query).await.expect(200).json()), ["a/rotates", "b/lists"]);
    assert_eq!(paths(&admin.get(&query).await.expect(200).json()).len(), 4);
    let reader = app.user("reader", &["secrets:read", "secrets:list"], &[("**", &["read", "list"])]).await;
    reader.get(DUE).await.expect_error(403, "insufficient_scope");
    // Page by page, over what is not shown.
    let first = caller.get(&format!("{query}&limit=1")).await.expect(200).json();
    let next =
        caller.get(&format!("{DUE}?limit=1&cursor={}", first["cursor"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((paths(&first), paths(&next), &next["has_more"]), (vec!["a/rotates"], vec!["b/lists"], &json!(false)));
    // Another tenant's are nobody's business here.
    let other = app.tenant("other").await;
    assert!(paths(&app.root().get(&query).in_tenant(&other).await.expect(200).json()).is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_through_equal_times() {
    let app = TestApp::new().await;
    let id = rotation_policy(&app, "p", "1d").await;
    for number in 0..25 {
        put_under(&app, &id, &format!("s/{number:02}")).await;
    }
    let (mut seen, mut target) = (Vec::new(), format!("{DUE}?limit=10"));
    loop {
        let page = app.root().get(&target).await.expect(200).json();
        seen.extend(paths(&page).into_iter().map(str::to_owned));
        match page["cursor"].as_str() {
            Some(cursor) => target = format!("{DUE}?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).map(|number| format!("s/{number:02}")).collect();
    assert_eq!(seen, expected);
    app.root().delete(&format!("{POLICIES}/{id}")).await.expect(204);
    assert!(paths(&app.root().get(DUE).await.expect(200).json()).is_empty());
}
