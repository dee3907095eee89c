//! What becomes of a webhook by how its deliveries go.

use super::*;

#[tokio::test]
async fn e_6_gone_is_taken_at_its_word_and_the_others_are_told() {
    let receiver = Receiver::start(&[], Answer::Status(410)).await;
    let other = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    let id = hook(&root, &receiver.url(), &["*"], json!({"name": "leaver"})).await;
    hook(&root, &other.url(), &["webhook.disabled"], json!({})).await;
    put(&app, "a").await;
    put(&app, "b").await;
    app.settle().await;
    let found = root.get(&format!("/v1/webhooks/{id}")).await.expect(200).json();
    assert_eq!((&found["enabled"], &found["status"]), (&json!(false), &json!("disabled")));
    let [told] = &other.got()[..] else { panic!("told once: {:?}", types(&other.got())) };
    let expected = json!({"webhook_id": id, "webhook_name": "leaver", "reason": "gone"});
    assert_eq!(told.json()["data"], expected);
    assert_eq!(told.json()["identity_id"], "system:webhooks");
    let before = receiver.got().len();
    put(&app, "c").await;
    app.pass(3600).await;
    assert_eq!(receiver.got().len(), before);
    receiver.script(&vec![Answer::Status(200); 10]);
    let on = root.patch(&format!("/v1/webhooks/{id}"), json!({"enabled": true})).await.expect(200).json();
    assert_eq!(on["status"], "healthy");
    put(&app, "d").await;
    app.settle().await;
    assert!(paths(&receiver.got()).contains(&"d".to_owned()));
    assert_eq!(status(&app, &id).await, "healthy");
}

#[tokio::test]
async fn degraded_failing_and_given_up_after_three_days() {
    let receiver = Receiver::start(&[], Answer::Status(500)).await;
    let other = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({})).await;
    hook(&app.root(), &other.url(), &["webhook.*"], json!({})).await;
    assert_eq!(status(&app, &id).await, "healthy");
    put(&app, "a").await;
    app.settle().await;
    assert_eq!(status(&app, &id).await, "degraded");
    receiver.script(&vec![Answer::Status(200); 11]);
    app.pass(11).await;
    for n in 0..9 {
        assert_eq!(status(&app, &id).await, "degraded", "{n}");
        put(&app, &format!("well/{n}")).await;
        app.settle().await;
    }
    assert_eq!(status(&app, &id).await, "healthy");
    receiver.script(&[]);
    for n in 0..10 {
        put(&app, &format!("ill/{n}")).await;
        app.settle().await;
    }
    assert_eq!(status(&app, &id).await, "failing");
    for day in 0..3 {
        assert_eq!(status(&app, &id).await, "failing", "{day}");
        put(&app, &format!("day/{day}")).await;
        app.pass(86_400).await;
    }
    put(&app, "last").await;
    app.settle().await;
    assert_eq!(status(&app, &id).await, "disabled");
    assert_eq!(other.got()[0].json()["data"]["reason"], "failing");
    assert_eq!(other.got().len(), 1);
}
