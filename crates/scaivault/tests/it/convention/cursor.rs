//! Contract 00 section 6: cursors.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scaivault_testkit::{Actor, TestApp};
use serde_json::{Value, json};

const DAY: i64 = 24 * 3600;

async fn fill(root: &Actor<'_>) {
    for path in ["app/1", "app/2", "app/3", "app/4", "other/1", "other/2"] {
        let body = json!({"data": {}, "metadata": {"tags": ["a", "b"]}, "options": {"expires_in": "5d"}});
        root.put(&format!("/v1/secrets/{path}"), body).await.expect(201);
    }
}

fn paths(page: &Value) -> Vec<&str> {
    page["secrets"].as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap()).collect()
}

async fn cursor(actor: &Actor<'_>, target: &str) -> String {
    let page = actor.get(target).await.expect(200).json();
    assert_eq!(page["has_more"], true, "{page}");
    page["cursor"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn filters_are_remembered_and_the_limit_may_change() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&root).await;
    let next = cursor(&root, "/v1/secrets?prefix=app/&tag=a&tag=b&limit=1").await;
    for filters in ["", "&prefix=app/", "&tag=b&tag=a", "&tag=a&tag=b&prefix=app%2F"] {
        let page = root.get(&format!("/v1/secrets?limit=2&cursor={next}{filters}")).await.expect(200).json();
        assert_eq!((paths(&page), page["total_count"].as_i64()), (vec!["app/2", "app/3"], Some(4)), "{filters}");
        let last = page["cursor"].as_str().unwrap();
        let page = root.get(&format!("/v1/secrets?cursor={last}")).await.expect(200).json();
        assert_eq!((paths(&page), &page["cursor"], &page["has_more"]), (vec!["app/4"], &Value::Null, &json!(false)));
    }
    root.get(&format!("/v1/secrets?cursor={next}&limit=0")).await.expect_fault("limit", "range");
    root.get(&format!("/v1/secrets?cursor={next}&foo=1")).await.expect_error(422, "validation_error");
}

#[tokio::test]
async fn c_8_another_filter_value_is_400() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&root).await;
    let next = cursor(&root, "/v1/secrets?prefix=app/&tag=a&limit=1").await;
    for filter in [
        "prefix=app",
        "prefix=",
        "prefix=other/",
        "tag=b",
        "tag=a&tag=b",
        "q=x",
        "include_expired=true",
        "sort=updated_at",
    ] {
        root.get(&format!("/v1/secrets?cursor={next}&{filter}")).await.expect_error(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn c_8_another_endpoint_is_400() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&root).await;
    let list = cursor(&root, "/v1/secrets?limit=1").await;
    let expiring = cursor(&root, "/v1/secrets/expiring?limit=1").await;
    let logs = cursor(&root, "/v1/audit/logs?limit=1").await;
    let targets = [
        "/v1/secrets",
        "/v1/secrets/expiring",
        "/v1/partner/secrets",
        "/v1/audit/logs",
        "/v1/audit/checkpoints",
        "/v1/policies",
    ];
    for (own, next) in [("/v1/secrets", &list), ("/v1/secrets/expiring", &expiring), ("/v1/audit/logs", &logs)] {
        for target in targets {
            let answer = root.get(&format!("{target}?cursor={next}")).await;
            if target == own {
                answer.expect(200)
            } else {
                answer.expect_error(400, "invalid_cursor")
            };
        }
        root.get(&format!("/v1/t/tnt_default{}?cursor={next}", &own[3..])).await.expect(200);
        root.get(&format!("{own}/?cursor={next}")).await.expect(200);
    }
}

#[tokio::test]
async fn c_8_the_same_route_of_another_thing_is_another_endpoint() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&root).await;
    root.get("/v1/secrets/app/1").await.expect(200);
    root.get("/v1/secrets/app/2").await.expect(200);
    let next = cursor(&root, "/v1/audit/secrets/app/1?limit=1").await;
    root.get(&format!("/v1/audit/secrets/app/1?cursor={next}")).await.expect(200);
    root.get(&format!("/v1/audit/secrets/app/2?cursor={next}")).await.expect_error(400, "invalid_cursor");
}

#[tokio::test]
async fn c_8_another_tenant_is_400() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&root).await;
    let other = app.tenant("Other").await;
    let next = cursor(&root, "/v1/secrets?limit=1").await;
    root.get(&format!("/v1/secrets?cursor={next}")).await.expect(200);
    root.get(&format!("/v1/secrets?cursor={next}")).in_tenant(&other).await.expect_error(400, "invalid_cursor");
    root.get(&format!("/v1/t/{other}/secrets?cursor={next}")).await.expect_error(400, "invalid_cursor");
}

#[tokio::test]
async fn c_8_no_bit_of_a_cursor_may_change() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&root).await;
    let next = cursor(&root, "/v1/secrets?limit=1").await;
    let bytes = URL_SAFE_NO_PAD.decode(&next).unwrap();
    let mut forged: Vec<String> = (0..bytes.len())
        .map(|at| {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            URL_SAFE_NO_PAD.encode(altered)
        })
        .collect();
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD.encode([0xfb; 64]).replace('+', "%2B");
    forged.extend([
        next[1..].to_owned(),
        next[..next.len() - 1].to_owned(),
        format!("{next}A"),
        format!("{next}="),
        format!("%20{next}"),
        format!("{next}{next}"),
        String::new(),
        "null".to_owned(),
        "A".repeat(43),
        "A".repeat(20_000),
        "%C3%A9".to_owned(),
        standard,
        URL_SAFE_NO_PAD.encode([bytes.as_slice(), b"\0"].concat()),
    ]);
    for cursor in forged {
        root.get(&format!("/v1/secrets?cursor={cursor}")).await.expect_error(400, "invalid_cursor");
    }
    // What does not alter the bytes must not alter the text either: the bits behind the last byte.
    let last = next.chars().last().unwrap();
    for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).filter(|other| *other != last) {
        let altered = format!("{}{other}", &next[..next.len() - 1]);
        root.get(&format!("/v1/secrets?cursor={altered}")).await.expect_error(400, "invalid_cursor");
    }
    root.get(&format!("/v1/secrets?cursor={next}")).await.expect(200);
}

#[tokio::test]
async fn a_cursor_is_good_for_24_hours() {
    let app = TestApp::new().await;
    let root = app.root();
    fill(&root).await;
    let next = cursor(&root, "/v1/secrets?limit=1").await;
    app.clock.advance(DAY);
    root.get(&format!("/v1/secrets?cursor={next}")).await.expect(200);
    app.clock.advance(1);
    root.get(&format!("/v1/secrets?cursor={next}")).await.expect_error(400, "invalid_cursor");
    let fresh = cursor(&root, "/v1/secrets?limit=1").await;
    assert_ne!(fresh, next);
    root.get(&format!("/v1/secrets?cursor={fresh}")).await.expect(200);
}

#[tokio::test]
async fn a_cursor_survives_a_restart_and_what_it_names() {
    let app = TestApp::new().await;
    fill(&app.root()).await;
    let next = cursor(&app.root(), "/v1/secrets?limit=2").await;
    let app = app.restart().await;
    let root = app.root();
    root.delete("/v1/secrets/app/2?permanent=true").await.expect(200);
    root.put("/v1/secrets/app/20", json!({"data": {}})).await.expect(201);
    let page = root.get(&format!("/v1/secrets?cursor={next}")).await.expect(200).json();
    assert_eq!(paths(&page), ["app/20", "app/3", "app/4", "other/1", "other/2"]);
}
