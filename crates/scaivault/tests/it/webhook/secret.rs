//! Signatures, and what happens to the secret behind them.

use scaivault_crypto::mac::hmac_sha256;

use super::*;

pub(crate) fn signature(secret: &str, got: &Got) -> String {
    let timestamp = got.header("x-scaivault-timestamp");
    let tag = hmac_sha256(secret.as_bytes(), &[timestamp.as_bytes(), b".", got.body.as_bytes()]);
    format!("sha256={}", hex::encode(tag))
}

#[tokio::test]
async fn e_10_a_new_secret_overlaps_with_the_old_one() {
    const NEW: &str = "another-secret-of-thirty-two-byt";
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let app = app().await;
    let root = app.root();
    let id = hook(&root, &receiver.url(), &["secret.created"], json!({})).await;
    let one = format!("/v1/webhooks/{id}");
    let stored = |column: &str| app.raw().one(&format!("SELECT {column} FROM delivery_target")).blob();
    let arrived = |path: &'static str| {
        let (app, receiver) = (&app, &receiver);
        async move {
            put(app, path).await;
            app.settle().await;
            receiver.got().pop().unwrap()
        }
    };
    let patched = root.patch(&one, json!({"secret": NEW, "previous_secret_ttl": "1h"})).await.expect(200).json();
    assert_eq!(patched["previous_secret_expires_at"], "2026-05-01T11:00:00Z");
    // Sent again by a client that did not hear the answer: the overlap stays as it is.
    let again = root.patch(&one, json!({"secret": NEW, "previous_secret_ttl": "2h"})).await.expect(200).json();
    assert_eq!(again["previous_secret_expires_at"], "2026-05-01T11:00:00Z");
    let both = arrived("a").await;
    assert_eq!(both.header("x-scaivault-signature"), signature(NEW, &both));
    assert_eq!(both.header("x-scaivault-signature-previous"), signature(SECRET, &both));
    app.pass(3599).await;
    assert_eq!(arrived("b").await.header("x-scaivault-signature-previous").len(), 71);
    assert!(stored("previous_secret").is_some());
    app.pass(1).await;
    let new_only = arrived("c").await;
    assert_eq!(new_only.header("x-scaivault-signature"), signature(NEW, &new_only));
    assert!(!new_only.headers.contains_key("x-scaivault-signature-previous"));
    assert_eq!(stored("previous_secret"), None, "the old one is destroyed");
    let shown = root.get(&one).await.expect(200).json();
    assert_eq!(shown["previous_secret_expires_at"], Value::Null);
    // At once; and by default for a day.
    root.patch(&one, json!({"secret": SECRET, "previous_secret_ttl": "0s"})).await.expect(200);
    let at_once = arrived("d").await;
    assert_eq!(at_once.header("x-scaivault-signature"), signature(SECRET, &at_once));
    assert!(!at_once.headers.contains_key("x-scaivault-signature-previous"));
    let day = root.patch(&one, json!({"secret": NEW})).await.expect(200).json();
    assert_eq!(day["previous_secret_expires_at"], "2026-05-02T11:00:00Z");
    // Another change ends the overlap with the one before.
    root.patch(&one, json!({"secret": SECRET, "previous_secret_ttl": "0s"})).await.expect(200);
    assert_eq!(stored("previous_secret"), None);
    app.pass(2 * 86_400).await;
    assert_eq!(arrived("e").await.header("x-scaivault-signature"), signature(SECRET, &receiver.got().pop().unwrap()));
}

#[tokio::test]
async fn a_secret_that_was_moved_to_another_webhook_does_not_sign_for_it() {
    let receiver = Receiver::start(&[], Answer::Status(200)).await;
    let mut app = app().await;
    app.expect_damage();
    let id = hook(&app.root(), &receiver.url(), &["secret.created"], json!({"name": "a"})).await;
    hook(&app.root(), &receiver.url(), &["secret.created"], json!({"name": "b", "enabled": false})).await;
    let other = format!("SELECT secret FROM delivery_target WHERE id <> '{id}'");
    let swapped = app.raw().execute(&format!("UPDATE delivery_target SET secret = ({other}) WHERE id = '{id}'"));
    assert_eq!(swapped, 1);
    app.root().post_empty(&format!("/v1/webhooks/{id}/test")).await.expect_error(500, "internal_error");
    put(&app, "a").await;
    app.settle().await;
    assert!(receiver.got().is_empty());
}
