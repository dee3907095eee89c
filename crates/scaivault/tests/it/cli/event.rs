//! `scaivault webhooks`, `subscriptions`, `watch`, and the schedule of rotations.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Bench;
use super::repetition::{answer, scripted};

#[test]
fn subscriptions_are_made_polled_and_ended() {
    let bench = Bench::start();
    let made = bench.json("subscriptions create --name crm --path app/** --event secret.* --buffer-size 10");
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["delivery"]["type"], "polling");
    bench.ok("secrets write app/db k=v");
    bench.ok("secrets write other/db k=v");
    let polled = bench.json(&format!("subscriptions poll {id} --timeout 5"));
    let events = polled["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["path"]), (1, &Value::from("app/db")));
    assert!(bench.ok(&format!("subscriptions poll {id}")).contains("secret.created"));
    bench.ok(&format!("subscriptions ack {id} {}", events[0]["event_id"].as_str().unwrap()));
    assert_eq!(bench.ok(&format!("subscriptions poll {id} --timeout 0")), "");
    assert_eq!(bench.json(&format!("subscriptions update {id} --enabled false"))["status"], "paused");
    assert!(bench.ok("subscriptions list").contains("crm"));
    assert!(bench.ok(&format!("subscriptions get {id}")).contains("delivery.buffer_size"));
    bench.ok(&format!("subscriptions delete {id}"));
    bench.cli().words(&format!("subscriptions get {id}")).fails(4);
}

#[test]
fn events_are_printed_as_they_come() {
    let bench = Bench::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
    command.env_clear().env("SCAIVAULT_URL", &bench.base).env("SCAIVAULT_TOKEN", &bench.token);
    command.args(["watch", "app/**", "--events", "secret.created,secret.deleted", "--debug"]);
    let mut watch = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It listens from the moment that it says so.
    let mut said = String::new();
    BufReader::new(watch.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("-> 200"), "{said}");
    for line in ["secrets write app/a k=1", "secrets write app/a k=2", "secrets write b k=1", "secrets delete app/a"] {
        bench.ok(line);
    }
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let (first, second) = (lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
    assert!(first.ends_with("  secret.created  app/a  user:admin@localhost"), "{first}");
    assert!(second.contains("secret.deleted  app/a"), "{second}");
    watch.kill().unwrap();
    watch.wait().unwrap();
    bench.nobody().words("watch **").fails(2);
    bench.cli().words("watch /bad").fails(5);
}

#[test]
fn rotations_are_due_done_and_remembered() {
    let bench = Bench::start();
    bench.ok("secrets write app/db password=p");
    bench.ok("secrets write app/none a=1 b=2");
    bench.ok("rotation policies create --name q --interval 90d --auto-generate true");
    bench.ok("rotation policies attach rot_q app/db");
    assert_eq!(bench.ok("rotation due"), "");
    assert!(bench.ok("rotation due --within-hours 8760 --policy rot_q").contains("app/db"));
    let done = bench.ok("rotation policies rotate rot_q --reason because");
    assert!(done.contains("success"), "{done}");
    assert_ne!(bench.ok("secrets read app/db --field password"), "p");
    let failed = bench.cli().words("rotation policies rotate rot_q app/none").fails(1);
    assert!(failed.contains("1 of 1 rotations failed"), "{failed}");
    assert!(bench.ok("rotation history rot_q --status success").contains("app/db"));
}

#[test]
fn a_test_that_does_not_arrive_is_a_failure() {
    let bench = Bench::start_with(&[
        ("WEBHOOK_ALLOW_HTTP", "true".as_ref()),
        ("WEBHOOK_ALLOWED_CIDRS", "127.0.0.0/8".as_ref()),
    ]);
    let (receiver, received) = scripted(vec![answer("500 Internal Server Error", "", "")]);
    let secret = bench.file("hook.secret", "0123456789abcdef0123456789abcdef\n");
    let create = format!("webhooks create --json --name ops --endpoint {receiver}/x --event secret.*");
    let made: Value = serde_json::from_str(&bench.cli().words(&create).arg("--secret-file").arg(&secret).ok()).unwrap();
    let test = format!("webhooks test {}", made["id"].as_str().unwrap());
    let failed = bench.cli().words(&test).fails(1);
    assert!(failed.contains("the receiver answered 500") && failed.lines().count() == 1, "{failed}");
    received.recv().unwrap();
    // The receiver is gone by now. The answer is shown all the same.
    let output = bench.cli().words(&test).arg("--json").output();
    assert_eq!(output.status.code(), Some(1));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["status"], &shown["response_code"]), (&Value::from("failed"), &Value::Null));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there was no answer"));
}

#[test]
fn webhooks_are_made_tested_and_ended() {
    let bench = Bench::start_with(&[
        ("WEBHOOK_ALLOW_HTTP", "true".as_ref()),
        ("WEBHOOK_ALLOWED_CIDRS", "127.0.0.0/8".as_ref()),
    ]);
    let (receiver, received) = scripted(vec![answer("200 OK", "", ""); 2]);
    let secret = bench.file("hook.secret", "0123456789abcdef0123456789abcdef\n");
    let create =
        format!("webhooks create --json --name ops --endpoint {receiver}/x --event secret.* --path-prefix app/");
    let made = bench.cli().words(&create).arg("--secret-file").arg(&secret).ok();
    assert!(!made.contains("0123456789abcdef"), "{made}");
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["filters"]["path_prefix"], "app/");

    assert_eq!(bench.json(&format!("webhooks test {id}"))["status"], "success");
    let delivered = received.recv().unwrap();
    assert!(delivered.contains("webhook.test"), "{delivered}");
    assert!(bench.ok("webhooks list").contains("ops"));
    assert!(bench.ok(&format!("webhooks get {id}")).contains("status"));
    let deliveries = bench.json(&format!("webhooks deliveries {id} --status success"));
    let delivery = deliveries["deliveries"][0]["id"].as_str().unwrap();
    assert!(bench.ok(&format!("webhooks redeliver {id} {delivery}")).contains("pending"));
    let update = format!("webhooks update {id} --json --enabled false --previous-secret-ttl 1h");
    let updated = bench.cli().words(&update).arg("--secret-file").arg(&secret).ok();
    assert!(updated.contains(r#""enabled":false"#), "{updated}");
    bench.ok(&format!("webhooks delete {id}"));
    bench.cli().words(&format!("webhooks get {id}")).fails(4);
}
