//! Which webhooks hear of what.

use super::*;

#[tokio::test]
async fn e_12_filters_choose() {
    let app = app().await;
    let receiver = |filters: Value| {
        let app = &app;
        async move {
            let receiver = Receiver::start(&[], Answer::Status(200)).await;
            hook(&app.root(), &receiver.url(), &["*"], json!({"filters": filters})).await;
            receiver
        }
    };
    let all = receiver(json!({})).await;
    let below = receiver(json!({"path_prefix": "app/"})).await;
    let typed = receiver(json!({"secret_type": "json"})).await;
    let tagged = receiver(json!({"tags": ["prod", "eu"]})).await;
    let root = app.root();
    let tags = json!({"data": {"v": 1}, "secret_type": "json", "metadata": {"tags": ["eu", "prod", "x"]}});
    root.put("/v1/secrets/app/x", tags).await.expect(201);
    put(&app, "apps/x").await;
    let policy = json!({"name": "p", "rules": [{"path_pattern": "app/**", "permissions": ["read"]}]});
    root.post("/v1/policies", policy).await.expect(201);
    app.settle().await;
    assert_eq!(paths(&below.got()), ["app/x"]);
    assert_eq!(paths(&typed.got()), ["app/x"]);
    assert_eq!(paths(&tagged.got()), ["app/x"]);
    let mut heard = types(&all.got());
    heard.sort();
    assert_eq!(heard, ["policy.created", "secret.created", "secret.created"]);
}

#[tokio::test]
async fn patterns_choose_and_reads_are_told_to_who_names_them() {
    let app = app().await;
    let named = Receiver::start(&[], Answer::Status(200)).await;
    let all = Receiver::start(&[], Answer::Status(200)).await;
    hook(&app.root(), &named.url(), &["secret.accessed", "policy.*"], json!({})).await;
    hook(&app.root(), &all.url(), &["*"], json!({})).await;
    put(&app, "a").await;
    app.root().get("/v1/secrets/a").await.expect(200);
    app.settle().await;
    assert_eq!(types(&named.got()), ["secret.accessed"]);
    assert_eq!(types(&all.got()), ["secret.created"]);
}

#[tokio::test]
async fn a_policys_webhooks_hear_of_its_rotations_whatever_they_asked_for() {
    let app = app().await;
    let root = app.root();
    let named = Receiver::start(&[], Answer::Status(200)).await;
    let other = Receiver::start(&[], Answer::Status(200)).await;
    let filters = json!({"filters": {"path_prefix": "elsewhere/"}});
    let id = hook(&root, &named.url(), &["certificate.issued"], filters).await;
    hook(&root, &other.url(), &["certificate.issued"], json!({})).await;
    let policy = json!({"name": "quarterly", "interval": "90d", "webhook_ids": [id]});
    root.post("/v1/rotation/policies", policy).await.expect(201);
    put(&app, "app/db").await;
    put(&app, "app/free").await;
    let attach = json!({"secret_path": "app/db"});
    root.post("/v1/rotation/policies/rot_quarterly/secrets", attach).await.expect(201);
    for path in ["app/db", "app/free"] {
        root.post(&format!("/v1/secrets/{path}/rotate"), json!({"new_value": {"v": 2}})).await.expect(200);
    }
    app.settle().await;
    let got = named.got();
    assert!(types(&got).contains(&"secret.rotated".to_owned()), "{:?}", types(&got));
    assert!(paths(&got).iter().all(|path| path == "app/db"), "{:?}", paths(&got));
    assert!(other.got().is_empty());
}

#[tokio::test]
async fn one_that_is_switched_off_hears_nothing_of_that_time() {
    let receiver = Receiver::start(&[Answer::Status(500)], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    let id = hook(&root, &receiver.url(), &["secret.created"], json!({})).await;
    put(&app, "a").await;
    app.settle().await;
    root.patch(&format!("/v1/webhooks/{id}"), json!({"enabled": false})).await.expect(200);
    put(&app, "b").await;
    app.pass(3600).await;
    assert_eq!(paths(&receiver.got()), ["a"], "what was open rests");
    root.patch(&format!("/v1/webhooks/{id}"), json!({"enabled": true})).await.expect(200);
    put(&app, "c").await;
    app.settle().await;
    let mut heard = paths(&receiver.got());
    heard.sort();
    assert_eq!(heard, ["a", "a", "c"]);
}

#[tokio::test]
async fn events_stay_in_their_tenant() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let other = app.tenant("other").await;
    hook(&app.root(), &receiver.url(), &["*"], json!({})).await;
    app.root().put("/v1/secrets/theirs", json!({"data": {"v": 1}})).in_tenant(&other).await.expect(201);
    put(&app, "ours").await;
    app.settle().await;
    assert_eq!(paths(&receiver.got()), ["ours"]);
}
